"""Usage: pages give each row once whatever they are filtered by, and sums are those of the rows."""

import csv
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from usage_cases import START, call, house, many, put

from unigate.base.errors import BadRequest, NotFound
from unigate.manage import requests, usage
from unigate.manage.call_filter import CallFilter
from unigate.manage.usage import Part
from unigate.manage.usage_csv import COLUMNS, export_usage
from unigate.spec.record import Attempt, Record
from unigate.store import usage as rows
from unigate.store.database import Database
from unigate.store.hours import DAY_MS, HOUR_MS
from unigate.store.pages import Page
from unigate.store.usage import Wanted

COLUMN = {"user_id": "user", "key_id": "key", "channel_id": "channel", "ended": "end"}


def fits(record: Record, wanted: dict[str, Any]) -> bool:
    """What the filters mean, said once more."""
    if not wanted.get("since", 0) <= record.at < wanted.get("until", 1 << 60):
        return False
    return all(
        getattr(record, COLUMN.get(name, name)) == value
        for name, value in wanted.items()
        if name not in ("since", "until")
    )


FILTERS: list[dict[str, Any]] = [
    {},
    {"user_id": "usr_1"},
    {"key_id": "key_20"},
    {"model": "rare"},
    {"model": "nothing"},
    {"ended": "caller_left"},
    {"ended": "failed", "user_id": "usr_0"},
    {"key_id": "key_11", "model": "rare", "channel_id": "ch_1"},
    {"model": "rare", "since": START + 3 * HOUR_MS + 1234, "until": START + 30 * HOUR_MS + 99},
    {"operation": "openai.embeddings", "ended": "caller_left", "until": START + 20 * HOUR_MS},
    {"channel_id": "ch_0", "since": START + 39 * HOUR_MS},
]


@pytest.mark.parametrize("near", [10, 300, 100_000])
async def test_pages_give_each_row_once_and_in_order(
    database: Database, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows are looked at before the hours are asked."""
    monkeypatch.setattr(rows, "NEAR", near)
    records = many(3000, hours=40)
    await put(database, records)
    async with database.reading() as tx:
        for given in FILTERS:
            expected = sorted(((r.at, r.id) for r in records if fits(r, given)), reverse=True)
            for limit in (7, 200):
                seen: list[tuple[int, str]] = []
                page: Page | None = Page(limit=limit)
                while page is not None and len(seen) < 450:
                    found = await rows.page(tx, page, Wanted(**given))
                    assert len(found.rows) == limit or found.next is None
                    seen += [(row.at, row.id) for row in found.rows]
                    page = Page(limit=limit, after=found.next) if found.next is not None else None
                assert seen == expected[: len(seen)], given
                assert page is not None or len(seen) == len(expected), given


async def test_rows_of_one_moment_are_told_apart(database: Database) -> None:
    """Also where the moment is the one at which the hours take over."""
    records = [call(START + 5, model="rare" if n % 3 == 0 else "m") for n in range(40)]
    await put(database, records)
    expected = sorted((r.id for r in records if r.model == "rare"), reverse=True)
    seen: list[str] = []
    page = Page(limit=3)
    async with database.reading() as tx:
        while True:
            found = await rows.page(tx, page, Wanted(model="rare"))
            seen += [row.id for row in found.rows]
            if found.next is None:
                break
            page = Page(limit=3, after=found.next)
    assert seen == expected


@pytest.mark.parametrize("step", ["hour", "day", "all"])
@pytest.mark.parametrize("by", [None, "user", "key", "model", "channel", "operation", "ended"])
async def test_sums_are_those_of_the_rows(database: Database, step: str, by: str | None) -> None:
    desk, _ = await house(database)
    records = many(400, hours=60)
    await put(database, records)
    midnight = -(-START // DAY_MS) * DAY_MS
    since, until = midnight, midnight + 30 * HOUR_MS
    found = await usage.overview(desk, CallFilter(since=since, until=until), step=step, by=by, most=100)
    if step == "day":
        until = midnight + 48 * HOUR_MS
    assert (found.since, found.until) == (since, until)
    inside = [r for r in records if since <= r.at < until]
    assert len(inside) > 50 and (found.total.calls, found.total.input_tokens) == (len(inside), 3 * len(inside))
    assert found.total.estimated == sum(r.estimated for r in inside)
    assert (found.total.first_us, found.total.own_us) == (1000, 100)
    size = {"hour": HOUR_MS, "day": 24 * HOUR_MS}.get(step)
    expected = Counter(
        (r.at // size * size if size else None, getattr(r, COLUMN.get(usage.DIMENSIONS[by], by)) if by else None)
        for r in inside
    )
    if step == "all" and by is None:
        assert found.parts == []
    else:
        assert {(part.start, part.value): part.sums.calls for part in found.parts} == dict(expected)


async def test_the_whole_of_a_longer_time_is_that_of_its_days(database: Database) -> None:
    desk, _ = await house(database)
    await put(database, [call(START), call(START + 23 * HOUR_MS)])
    day = START // DAY_MS * DAY_MS
    found = await usage.overview(desk, CallFilter(since=START + HOUR_MS, until=START + 9 * DAY_MS), step="all")
    assert (found.since, found.total.calls) == (day, 2)
    found = await usage.overview(
        desk, CallFilter(since=START + HOUR_MS, until=START + 2 * DAY_MS), step="all", by="model"
    )
    assert (found.since, found.total.calls) == (START + HOUR_MS, 1)


async def test_only_the_highest_values_are_told_apart(database: Database) -> None:
    desk, ids = await house(database)
    calls = [call(START + n, model=f"m{n}", user=ids["alice"], key=ids["alice/app"]) for n in range(5)]
    await put(database, [*calls, call(START + 9, model="m3", user=ids["bob"], key=ids["bob/app"])])
    wanted = CallFilter(since=START, until=START + HOUR_MS)

    async def parts(**terms: Any) -> list[Part]:
        return (await usage.overview(desk, wanted, **terms)).parts

    assert [(p.value, p.sums.calls) for p in await parts(step="all", by="model", most=2)] == [("m3", 2), ("m0", 1)]
    assert [p.value for p in await parts(step="hour", by="model", most=2)] == ["m0", "m3"]
    assert [(p.value, p.name) for p in await parts(step="all", by="user")] == [
        (ids["alice"], "alice"),
        (ids["bob"], "bob"),
    ]
    assert [p.name for p in await parts(step="day", by="key")] == ["app", "app"]


async def test_an_overview_has_bounds(database: Database) -> None:
    desk, _ = await house(database)
    found = await usage.overview(desk, step="hour")
    assert found.until - found.since == 24 * HOUR_MS
    assert (await usage.overview(desk)).parts == []
    found = await usage.overview(desk, CallFilter(since=START + 1, until=START + 2), step="hour")
    assert (found.since, found.until) == (START, START + HOUR_MS)
    bad: list[tuple[dict[str, Any], str]] = [
        ({"wanted": CallFilter(since=START, until=START)}, "until"),
        ({"wanted": CallFilter(since=0, until=START), "step": "hour"}, "step"),
        ({"wanted": CallFilter(ended="well")}, "ended"),
        ({"step": "week"}, "step"),
        ({"by": "price"}, "by"),
        ({"by": "channel", "own": "usr_1"}, "by"),
        ({"by": "model", "most": 101}, "top"),
    ]
    for terms, param in bad:
        with pytest.raises(BadRequest) as refused:
            await usage.overview(desk, **terms)
        assert refused.value.param == param


async def test_users_see_their_own_calls_only(database: Database) -> None:
    desk, ids = await house(database)
    mine = call(
        START + 1, user=ids["alice"], key=ids["alice/app"], channel=ids["main"], attempts=[_failed(ids["main"])]
    )
    theirs = call(START + 2, user=ids["bob"], key=ids["bob/app"], channel=ids["main"])
    await put(database, [mine, theirs])
    own = ids["alice"]
    (seen,) = (await usage.list_usage(desk, Page(), own=own)).rows
    assert (seen.id, seen.user, seen.key, seen.channel, seen.channel_id) == (mine.id, "alice", "app", None, None)
    (asked,) = (await requests.list_requests(desk, Page(), CallFilter(key="app"), own=own)).rows
    assert (asked.id, asked.channel, asked.upstream_model) == (mine.id, None, None)
    shown = await requests.show_request(desk, mine.id, own=own)
    assert [(one.channel_id, one.credential_id, one.status) for one in shown.attempts] == [(None, None, 500)]
    full = await requests.show_request(desk, mine.id)
    assert [(one.channel, one.credential_id, one.error) for one in full.attempts] == [
        ("main", "cred_1", "upstream_error")
    ]
    everyone = (await requests.list_requests(desk, Page())).rows
    assert [(one.user, one.channel) for one in everyone] == [("bob", "main"), ("alice", "main")]
    for wanted in (
        CallFilter(user="bob"),
        CallFilter(key="bob/app"),
        CallFilter(key=ids["bob/app"]),
        CallFilter(channel="main"),
    ):
        for look in (usage.list_usage, requests.list_requests):
            with pytest.raises(NotFound):
                await look(desk, Page(), wanted, own=own)
    with pytest.raises(NotFound):
        await requests.show_request(desk, theirs.id, own=own)
    assert (await usage.overview(desk, CallFilter(since=START), step="all", own=own)).total.calls == 1


def _failed(channel: str) -> Attempt:
    return Attempt(channel, "cred_1", 500, "upstream_error", 3)


@pytest.mark.parametrize("given", ["=1+1", "+1", "-1", "@x", "\tx", 'a "b", c', "plain", "好"])
async def test_a_file_is_read_back_and_holds_no_formula(database: Database, given: str) -> None:
    desk, ids = await house(database)
    await put(database, [call(START, user=ids["alice"], key=ids["alice/app"], channel=ids["main"], model=given)])
    text = "".join([piece async for piece in await export_usage(desk)])
    header, row = list(csv.reader(StringIO(text)))
    cells = dict(zip(header, row, strict=True))
    assert tuple(header) == COLUMNS
    assert not cells["model"].startswith(("=", "+", "-", "@", "\t"))
    assert cells["model"].removeprefix("'") == given
    assert (cells["user"], cells["channel"], cells["cost_usd"], cells["seconds"]) == ("alice", "main", "0", "0.003000")


async def test_a_file_comes_in_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = await house(database)
    monkeypatch.setattr("unigate.manage.usage_csv._ROWS", 30)
    records = many(100, hours=3)
    await put(database, records)
    pieces = [piece async for piece in await export_usage(desk, CallFilter(model="common"))]
    read = list(csv.reader(StringIO("".join(pieces))))[1:]
    assert [row[1] for row in read] == [
        r.id for r in sorted(records, key=lambda r: (r.at, r.id), reverse=True) if r.model == "common"
    ]
    assert len(pieces) == 1 + -(-len(read) // 30)
    own = [piece async for piece in await export_usage(desk, own="usr_1")]
    assert "channel" not in own[0] and "user" not in own[0]
    with pytest.raises(NotFound):
        await export_usage(desk, CallFilter(user="nobody"))
