"""Redemption codes: shown once, redeemed once however many try at once, and told apart when they can't be."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, CallerError, Conflict, Gone, NotFound, TooMany
from unigate.billing.check import check
from unigate.manage import audit, codes, users
from unigate.manage.codes import CodeFilter
from unigate.manage.desk import Actor, Desk
from unigate.store.database import Database
from unigate.store.pages import Page

USD = 10**9
ROOT = Actor(id="usr_root", name="root")


@pytest.fixture
async def desk(database: Database) -> Desk:
    desk = Desk(db=database, secret="a secret that is long enough")
    for name in ("alice", "bob"):
        await users.create_user(desk, name)
    return desk


async def balance(desk: Desk, user: str = "alice") -> int:
    return (await users.show_user(desk, user)).balance


async def one(desk: Desk, **terms: Any) -> str:
    return (await codes.create_codes(desk, 5 * USD, **terms)).codes[0].code


async def test_a_code_is_shown_once_and_kept_as_its_digest(desk: Desk) -> None:
    made = await codes.create_codes(desk, 5 * USD, count=3, batch="spring", expires_at=now_ms() + 60_000, actor=ROOT)
    assert len({new.code for new in made.codes}) == 3
    assert all(len(new.code) == 23 and new.code.count("-") == 3 for new in made.codes)
    listed = (await codes.list_codes(desk, Page())).rows
    assert {row.id for row in listed} == {new.id for new in made.codes}
    assert {(row.batch, row.state, row.amount, row.created_by) for row in listed} == {
        ("spring", "open", 5 * USD, "usr_root")
    }
    assert not any(new.code[:5] in repr(listed) for new in made.codes)
    (noted,) = (await audit.list_audit(desk, Page(), audit.AuditFilter(kind="code"))).rows
    assert (noted.action, noted.subject, noted.actor, noted.changes["amount"]) == (
        "create",
        "spring",
        "root",
        [None, "5"],
    )


async def test_a_redeemed_code_gives_its_amount_once(desk: Desk) -> None:
    code = await one(desk)
    given = await codes.redeem(desk, "alice", code)
    assert (given.amount, given.balance, await balance(desk)) == (5 * USD, 5 * USD, 5 * USD)
    for user in ("alice", "bob"):
        with pytest.raises(Conflict) as refused:
            await codes.redeem(desk, user, code)
        assert refused.value.code == "code_redeemed"
    shown = await codes.show_code(desk, given.id)
    assert (shown.state, shown.user_id) == ("redeemed", (await users.show_user(desk, "alice")).id)
    assert (await balance(desk), await balance(desk, "bob")) == (5 * USD, 0)
    assert (await check(desk.db)).sound


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "])
async def test_a_code_may_be_typed_as_people_do(desk: Desk, change: Callable[[str], str]) -> None:
    assert (await codes.redeem(desk, "alice", change(await one(desk)))).amount == 5 * USD


async def test_many_who_redeem_at_once_get_it_once(
    desk: Desk, database_url: str, opening: Callable[..., Database]
) -> None:
    """Of two processes with their own connections, several users and several tries each."""
    code = await one(desk)
    desks = [desk, Desk(db=opening(database_url, wait=30.0), secret=desk.secret)]

    async def attempt(place: int) -> str:
        try:
            await codes.redeem(desks[place % 2], ("alice", "bob")[place // 2 % 2], code)
        except Conflict as error:
            return error.code
        return "given"

    ends = await asyncio.gather(*(attempt(place) for place in range(16)))
    assert sorted(ends) == ["code_redeemed"] * 15 + ["given"]
    assert await balance(desk) + await balance(desk, "bob") == 5 * USD
    assert (await check(desk.db)).sound


async def test_codes_say_why_they_give_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    late = await one(desk, expires_at=now_ms() + 60_000)
    batch = await codes.create_codes(desk, USD, count=2, batch="b")
    assert (await codes.withdraw_code(desk, batch.codes[0].id)).state == "withdrawn"
    assert (await codes.withdraw_code(desk, batch.codes[0].id)).state == "withdrawn"
    moment = now_ms() + 120_000
    monkeypatch.setattr("unigate.manage.codes.now_ms", lambda: moment)
    cases: list[tuple[str, type[CallerError], str]] = [
        (late, Gone, "code_expired"),
        (batch.codes[0].code, Gone, "code_withdrawn"),
        ("00000-00000-00000-00000", NotFound, "code_not_found"),
        ("", NotFound, "code_not_found"),
        ("é" * 20, NotFound, "code_not_found"),
    ]
    for code, kind, told in cases:
        with pytest.raises(kind) as refused:
            await codes.redeem(desk, "alice", code)
        assert (refused.value.code, refused.value.param) == (told, "code")
    assert await balance(desk) == 0
    states = [row.state for row in (await codes.list_codes(desk, Page())).rows]
    assert sorted(states) == ["expired", "open", "withdrawn"]


async def test_tries_that_fail_are_limited_for_each_user(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    code = await one(desk)
    for _ in range(codes.TRIES):
        with pytest.raises(NotFound):
            await codes.redeem(desk, "alice", "nonsense")
    with pytest.raises(TooMany) as refused:
        await codes.redeem(desk, "alice", code)
    assert refused.value.retry_after is not None and 0 < refused.value.retry_after <= codes.TRIES_MS / 1000
    assert (await codes.redeem(desk, "bob", code)).amount == 5 * USD
    later = now_ms() + codes.TRIES_MS
    monkeypatch.setattr("unigate.manage.codes.now_ms", lambda: later)
    assert (await codes.redeem(desk, "alice", await one(desk))).amount == 5 * USD


async def test_a_batch_is_withdrawn_but_for_what_was_redeemed(desk: Desk) -> None:
    made = await codes.create_codes(desk, USD, count=4, batch="b")
    other = await one(desk)
    await codes.redeem(desk, "alice", made.codes[0].code)
    assert await codes.withdraw_batch(desk, "b") == 3
    assert await codes.withdraw_batch(desk, "b") == 0
    with pytest.raises(Conflict):
        await codes.withdraw_code(desk, made.codes[0].id)
    with pytest.raises(NotFound):
        await codes.withdraw_batch(desk, "c")
    with pytest.raises(NotFound):
        await codes.withdraw_code(desk, "code_none")
    assert (await codes.redeem(desk, "alice", other)).balance == 6 * USD


async def test_the_list_is_paged_and_filtered(desk: Desk) -> None:
    made = await codes.create_codes(desk, USD, count=5, batch="b")
    await one(desk, batch="c")
    await codes.redeem(desk, "bob", made.codes[2].code)
    seen, page = [], Page(limit=2)
    while True:
        found = await codes.list_codes(desk, page, CodeFilter(batch="b"))
        seen += [row.id for row in found.rows]
        if found.next is None:
            break
        page = Page(limit=2, after=found.next)
    assert seen == sorted((new.id for new in made.codes), reverse=True)
    assert [row.id for row in (await codes.list_codes(desk, Page(), CodeFilter(user="bob"))).rows] == [made.codes[2].id]
    assert len((await codes.list_codes(desk, Page(), CodeFilter(state="open"))).rows) == 5
    for wanted, kind in ((CodeFilter(state="lost"), BadRequest), (CodeFilter(user="nobody"), NotFound)):
        with pytest.raises(kind):
            await codes.list_codes(desk, Page(), wanted)


@pytest.mark.parametrize(
    "terms", [{"amount": 0}, {"amount": 10**15 + 1}, {"count": 0}, {"count": 1001}, {"expires_at": 1}, {"batch": " "}]
)
async def test_what_makes_no_code(desk: Desk, terms: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        await codes.create_codes(desk, **{"amount": USD, **terms})
    assert (await codes.list_codes(desk, Page())).rows == []
