"""`/api/usage`, `/api/requests`, `/api/ledger`: operators see all, users their own."""

import csv
from io import StringIO
from typing import Any

import pytest
from api_kit import Api, Someone, fields, refused

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.manage import keys, users
from unigate.spec.record import Attempt, Record
from unigate.store import holds
from unigate.store import users as user_rows
from unigate.store.captures import capture
from unigate.store.holds import Purpose

HOUR = 3_600_000


async def use(api: Api, someone: Someone, count: int = 1, *, cost: int = 0, **other: Any) -> list[str]:
    """Calls of somebody, paid by a lease as ever; their ids, oldest first."""
    key = (await keys.create_key(api.desk, someone.name, ids.new("app")))[0].id
    hold = ids.new("hld")
    async with api.desk.db.writing() as tx:
        user = await user_rows.user_by_id(tx, someone.id)
        assert user is not None
        if cost:
            purpose = Purpose(id=hold, wallet_id=user.wallet_id, key_id=key, kind="lease", process_id="p")
            await holds.grow(tx, purpose, cost * count, step=1, at=1)
        fields: dict[str, Any] = {
            "group": "default",
            "operation": "openai.chat",
            "model": "m",
            "channel": "ch_1",
            "upstream_model": "m-1",
            "status": 200,
            "end": "completed",
            "stream": False,
            "estimated": False,
            "units": {"input": 3, "output": 7},
            "first_us": 1000,
            "total_us": 3000,
            "own_us": 100,
            "price": "prc_1",
            "multiplier": 1_000_000,
            "attempts": [],
            "at": now_ms(),
            **other,
        }
        made = [
            Record(id=ids.new("req"), user=someone.id, key=key, cost=cost, hold=hold if cost else "", **fields)
            for _ in range(count)
        ]
        await capture(tx, made, at=1)
    return [record.id for record in made]


async def test_usage_is_listed_page_by_page(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    await users.topup(api.desk, "alice", 10**9)
    made = await use(api, alice, 5, cost=1_500_000)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await alice.get("/api/usage", limit=2, **cursor)
        assert reply.status_code == 200, reply.text
        page = reply.json()
        seen += [one["id"] for one in page["data"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == sorted(made, reverse=True)
    (first, *_) = (await operator.get("/api/usage", user="alice")).json()["data"]
    assert (first["charged"], first["cost"], first["units"]) == ("0.0015", "0.0015", {"input": 3, "output": 7})
    assert (first["user"], first["user_id"], first["channel_id"]) == ("alice", alice.id, "ch_1")
    total = (await alice.get("/api/usage/overview")).json()["total"]
    assert (total["calls"], total["charged"], total["input_tokens"]) == (5, "0.0075", 15)
    transfers = (await alice.get("/api/ledger/transfers")).json()["data"]
    assert sorted((one["code"], one["amount"]) for one in transfers) == [("capture", "-0.0075"), ("grant", "1")]


async def test_users_see_what_is_theirs(api: Api) -> None:
    operator = await api.someone("operator")
    alice, bob = await api.someone("user", "alice"), await api.someone("user", "bob")
    (hers,) = await use(api, alice)
    (his,) = await use(api, bob)
    for noun in ("usage", "requests"):
        assert [one["id"] for one in (await alice.get(f"/api/{noun}")).json()["data"]] == [hers]
        assert len((await operator.get(f"/api/{noun}")).json()["data"]) == 2
        refused(await alice.get(f"/api/{noun}", user="bob"), 404, "not_found")
        refused(await alice.get(f"/api/{noun}", channel="main"), 404, "not_found")
        refused(await operator.get(f"/api/{noun}", user="nobody"), 404, "not_found")
    refused(await alice.get(f"/api/requests/{his}"), 404, "not_found")
    refused(await alice.get("/api/ledger/transfers", user="bob"), 404, "not_found")
    assert (await alice.get("/api/ledger/transfers", user="alice")).status_code == 200
    assert (await alice.get("/api/requests", id=his)).json()["data"] == []
    assert [one["id"] for one in (await operator.get("/api/requests", id=his)).json()["data"]] == [his]
    assert (await operator.get("/api/requests", id=his, model="other")).json()["data"] == []
    assert (await alice.get("/api/usage/overview", step="all")).json()["total"]["calls"] == 1
    assert fields(await alice.get("/api/usage/overview", by="user")) == {"by"}


async def test_a_request_is_shown_with_its_tries(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    tries = [Attempt("ch_9", "cred_1", 500, "upstream_error", 3), Attempt("ch_1", "cred_2", 200, "", 12)]
    (made,) = await use(api, alice, attempts=tries, request_id_upstream="up_1")
    shown = (await operator.get(f"/api/requests/{made}")).json()
    assert (shown["tries"], shown["upstream_request_id"], shown["status"]) == (2, "up_1", 200)
    assert [(one["channel_id"], one["credential_id"], one["status"], one["error"]) for one in shown["attempts"]] == [
        ("ch_9", "cred_1", 500, "upstream_error"),
        ("ch_1", "cred_2", 200, ""),
    ]
    own = (await alice.get(f"/api/requests/{made}")).json()
    assert (own["channel_id"], own["upstream_model"], own["upstream_request_id"]) == (None, None, None)
    assert [(one["channel_id"], one["credential_id"], one["milliseconds"]) for one in own["attempts"]] == [
        (None, None, 3),
        (None, None, 12),
    ]


async def test_filters_and_sums(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    now = now_ms()
    await use(api, alice, 2, model="a", at=now - 30 * HOUR)
    await use(api, alice, 3, model="b", end="failed", operation="openai.embeddings")
    for query, count in (
        ({"model": "a"}, 2),
        ({"ended": "failed"}, 3),
        ({"operation": "openai.embeddings", "model": "a"}, 0),
        ({"since": "2020-01-01"}, 5),
        ({"until": "2020-01-01"}, 0),
    ):
        for noun in ("usage", "requests"):
            assert len((await operator.get(f"/api/{noun}", **query)).json()["data"]) == count, query
    parts = (await operator.get("/api/usage/overview", step="all", by="model")).json()["parts"]
    assert sorted((one["value"], one["start"], one["sums"]["calls"]) for one in parts) == [
        ("a", None, 2),
        ("b", None, 3),
    ]
    hours = (await operator.get("/api/usage/overview", step="hour")).json()
    assert (hours["total"]["calls"], len(hours["parts"])) == (3, 1)
    (named,) = (await operator.get("/api/usage/overview", step="all", by="user")).json()["parts"]
    assert (named["value"], named["name"]) == (alice.id, "alice")


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("usage", {"since": "yesterday"}, "since"),
        ("usage", {"ended": "well"}, "ended"),
        ("usage", {"colour": "red"}, "colour"),
        ("usage", {"since": "2026-01-02", "until": "2026-01-01"}, "until"),
        ("usage/overview", {"step": "week"}, "step"),
        ("usage/overview", {"top": "0"}, "top"),
        ("usage/overview", {"step": "hour", "since": "1970-01-01"}, "step"),
        ("usage/export", {"limit": "5"}, "limit"),
        ("requests", {"cursor": "WzFd"}, "cursor"),
        ("ledger/transfers", {"cursor": "WzFd"}, "cursor"),
        ("ledger/transfers", {"code": "gift"}, "code"),
    ],
)
async def test_a_query_that_is_wrong_names_its_parameter(api: Api, path: str, query: dict[str, str], name: str) -> None:
    operator = await api.someone("operator")
    assert fields(await operator.get(f"/api/{path}", **query)) == {name}


async def test_the_file_is_streamed(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    made = await use(api, alice, 1200, model="=cmd|calc")
    async with operator.client.stream("GET", "/api/usage/export", params={"user": "alice"}) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/csv; charset=utf-8"
        assert reply.headers["content-disposition"] == 'attachment; filename="usage.csv"'
        assert reply.headers["cache-control"] == "no-store" and "content-length" not in reply.headers
        text = (await reply.aread()).decode()
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["id"] for row in rows] == sorted(made, reverse=True)
    assert {row["model"] for row in rows} == {"'=cmd|calc"}
    refused(await alice.get("/api/usage/export", user="nobody"), 404, "not_found")
    assert "channel" not in (await alice.get("/api/usage/export")).text.splitlines()[0]


async def test_owners_check_the_books(api: Api) -> None:
    owner, operator = await api.someone("owner"), await api.someone("operator")
    report = (await owner.get("/api/ledger/check")).json()
    assert (report["sound"], report["findings"], report["held"]) == (True, [], "0")
    refused(await operator.get("/api/ledger/check"), 403, "insufficient_permissions")
