"""Thresholds of balances and budgets: one row of news for each crossing, however many move money at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from billing_cases import House, key, record, settle
from sqlalchemy import select

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import NoFunds
from unigate.base.money import NANO
from unigate.manage import live, users
from unigate.manage.desk import Desk
from unigate.mover import Mover
from unigate.relay.alerts import Alerts
from unigate.store import holds, ledger
from unigate.store import news as news_rows
from unigate.store import notifications as notification_rows
from unigate.store.captures import capture
from unigate.store.database import Database, Tx
from unigate.store.holds import Purpose, Window
from unigate.store.news import News
from unigate.store.notice_tables import news
from unigate.store.notifications import Preferences

DAY = 20261121
CENT = NANO // 100


async def account(db: Database, credit: int) -> tuple[str, str]:
    """A user with so much; their id, and their wallet's."""
    found = await users.create_user(Desk(db=db, secret="s"), "alice", credit=credit)
    async with db.reading() as tx:
        row = await users.user_named(tx, found.id)
    return row.id, row.wallet_id


async def spend(db: Database, wallet: str, cost: int, *, windows: tuple[Window, ...] = ()) -> None:
    """A call that costs so much, from its hold to its capture."""
    by_period = dict(zip(("day", "month", "total"), windows, strict=False))
    purpose = Purpose(
        id=ids.new("hld"),
        wallet_id=wallet,
        key_id="key_1",
        kind="call",
        process_id="prc_1",
        **by_period,
    )
    async with db.writing() as tx:
        await holds.grow(tx, purpose, cost, step=1, at=now_ms())
    async with db.writing() as tx:
        await capture(tx, [record(cost, hold=purpose.id, single=True, day=DAY)], at=now_ms())


async def give(db: Database, wallet: str, amount: int) -> None:
    async with db.writing() as tx:
        await ledger.grant(tx, id=ids.new("tr"), wallet_id=wallet, amount=amount, at=now_ms())


async def told(db: Database) -> list[News]:
    """All news so far."""
    async with db.reading() as tx:
        return [News(*row) for row in await tx.all(select(news).order_by(news.c.id))]


async def test_a_balance_is_told_when_it_falls_below_and_again_after_it_was_back(database: Database) -> None:
    user, wallet = await account(database, 3 * NANO)
    await spend(database, wallet, 2 * NANO)
    assert await told(database) == []  # one USD is not below one
    await spend(database, wallet, CENT)
    await spend(database, wallet, CENT)
    [first] = await told(database)
    assert (first.event, first.user_id) == ("balance.low", user)
    assert first.facts == {"balance": NANO - CENT, "threshold": NANO}
    await give(database, wallet, CENT)
    await spend(database, wallet, CENT)
    assert len(await told(database)) == 1  # it was never back
    await give(database, wallet, CENT * 10)
    await spend(database, wallet, CENT * 20)
    assert [one.event for one in await told(database)] == ["balance.low"] * 2
    async with database.writing() as tx:
        assert await ledger.take_back(tx, id="tb_1", wallet_id=wallet, amount=CENT, at=now_ms()) == CENT
    assert len(await told(database)) == 2


async def test_many_that_spend_at_once_make_one_crossing(database_url: str, opening: Callable[..., Database]) -> None:
    one, two = opening(database_url, wait=60.0, statement=60.0), opening(database_url, wait=60.0, statement=60.0)
    _, wallet = await account(one, 5 * NANO)
    for crossing in range(1, 4):
        spending = [spend(db, wallet, 23 * CENT) for _ in range(10) for db in (one, two)]
        await asyncio.gather(*spending)
        assert [row.event for row in await told(one)] == ["balance.low"] * crossing
        await give(two, wallet, 20 * 23 * CENT)


async def test_the_threshold_is_ones_own_else_the_operators(database: Database) -> None:
    user, wallet = await account(database, 10 * NANO)
    desk = Desk(db=database, secret="s")
    await live.set_setting(desk, "notify", {"low_balance_usd": "8.5"})
    await spend(database, wallet, NANO)
    assert await told(database) == []
    async with database.writing() as tx:
        await notification_rows.put(tx, Preferences(user, low_balance=0, changed_at=1))
    await spend(database, wallet, NANO)
    assert await told(database) == []  # nothing is low for them
    async with database.writing() as tx:
        await notification_rows.put(tx, Preferences(user, changed_at=1))
    await spend(database, wallet, NANO)
    [low] = await told(database)
    assert low.facts == {"balance": 7 * NANO, "threshold": 85 * NANO // 10}
    async with database.writing() as tx:
        await notification_rows.put(tx, Preferences(user, low_balance=6 * NANO, changed_at=1))
    await spend(database, wallet, CENT)  # back on the good side of another threshold
    await spend(database, wallet, NANO)
    assert [one.facts["threshold"] for one in await told(database)] == [85 * NANO // 10, 6 * NANO]


async def test_a_budget_is_told_at_four_fifths_and_at_its_end(database: Database) -> None:
    user, wallet = await account(database, 100 * NANO)
    day = Window(id=f"key_1/{DAY}", budget=10 * NANO)

    async def percents() -> list[tuple[str, int, int]]:
        rows = [one for one in await told(database) if one.event == "key.budget"]
        assert {one.user_id for one in rows} <= {user}
        return [(one.facts["window"], one.facts["percent"], one.facts["spent"] // NANO) for one in rows]

    for cost in (7, 1, 1, 1):
        await spend(database, wallet, cost * NANO, windows=(day,))
    assert await percents() == [(day.id, 80, 8), (day.id, 100, 10)]
    larger = Window(id=day.id, budget=20 * NANO)
    await spend(database, wallet, NANO, windows=(larger,))
    assert len(await percents()) == 2
    await spend(database, wallet, 5 * NANO, windows=(larger,))
    assert (await percents())[2:] == [(day.id, 80, 16)]
    other = Window(id="key_1/20261122", budget=10 * NANO)
    purpose = Purpose(id="hld_o", wallet_id=wallet, key_id="key_1", kind="call", process_id="prc_1", day=other)
    async with database.writing() as tx:
        await holds.grow(tx, purpose, 9 * NANO, step=1, at=now_ms())
        await capture(tx, [record(9 * NANO, hold="hld_o", single=True, day=20261122)], at=now_ms())
    assert (await percents())[3:] == [(other.id, 80, 9)]


async def test_a_refund_brings_a_budget_back(database: Database) -> None:
    _, wallet = await account(database, 100 * NANO)
    day = Window(id=f"key_1/{DAY}", budget=10 * NANO)
    purpose = Purpose(id="hld_1", wallet_id=wallet, key_id="key_1", kind="call", process_id="prc_1", day=day)
    async with database.writing() as tx:
        await holds.grow(tx, purpose, 9 * NANO, step=1, at=now_ms())
        await capture(tx, [record(9 * NANO, id="req_1", hold="hld_1", single=True, day=DAY)], at=now_ms())
        await ledger.refund(tx, id="rf_1", call_id="req_1", amount=5 * NANO, at=now_ms())
    await spend(database, wallet, 5 * NANO, windows=(day,))
    assert [one.facts["spent"] for one in await told(database)] == [9 * NANO, 9 * NANO]


async def test_the_first_refusal_is_told_until_there_is_money_again(house: House) -> None:
    database = house.database
    user, wallet = await account(database, 2 * NANO)
    mine = key(wallet=wallet)
    async with house.open() as bank:
        alerts = Alerts(database, _Services(bank))  # type: ignore[arg-type]
        bank.on_refused = alerts.refused
        for _ in range(3):
            with pytest.raises(NoFunds):
                await bank.hold_slow(mine, 5 * NANO, 5 * NANO)
            await alerts.write()
        [empty] = await told(database)
        assert (empty.event, empty.user_id, empty.facts) == ("balance.empty", user, {"balance": 2 * NANO})
        await give(database, wallet, NANO)
        with pytest.raises(NoFunds):
            await bank.hold_slow(mine, 6 * NANO, 6 * NANO)
        await alerts.write()
        assert [one.facts["balance"] for one in await told(database)] == [2 * NANO, 3 * NANO]
        with pytest.raises(NoFunds):
            await bank.hold_slow(mine, 7 * NANO, 7 * NANO)
        await give(database, wallet, NANO)
        await alerts.write()  # it was before there was money again
        assert len(await told(database)) == 2


async def test_a_refusal_by_a_budget_is_the_budgets(house: House) -> None:
    database = house.database
    user, wallet = await account(database, 50 * NANO)
    tight = key(wallet=wallet, budgets={"total": NANO})
    async with house.open() as bank:
        alerts = Alerts(database, _Services(bank))  # type: ignore[arg-type]
        bank.on_refused = alerts.refused
        for _ in range(2):
            with pytest.raises(NoFunds):
                await bank.hold_slow(tight, 5 * NANO, 5 * NANO)
            await alerts.write()
    [row] = await told(database)
    assert (row.event, row.user_id) == ("key.budget", user)
    assert (row.facts["window"], row.facts["percent"], row.facts["spent"]) == ("key_1/0", 100, 0)
    assert row.facts["refused"]


async def test_who_still_makes_small_calls_is_told_of_a_refusal_once(house: House) -> None:
    database = house.database
    _, wallet = await account(database, 50 * NANO)
    tight = key(wallet=wallet, budgets={"total": NANO})
    async with house.open() as bank:
        alerts = Alerts(database, _Services(bank))  # type: ignore[arg-type]
        bank.on_refused = alerts.refused
        for number in range(3):
            with pytest.raises(NoFunds):
                await bank.hold_slow(tight, 5 * NANO, 5 * NANO)
            await alerts.write()
            assert await settle(await bank.hold_slow(tight, CENT, CENT), CENT, id=f"req_{number}")
            await house.moved()
        assert [one.event for one in await told(database)] == ["key.budget"]
        async with database.writing() as tx:
            await ledger.refund(tx, id="rf_1", call_id="req_0", amount=CENT, at=now_ms())
        with pytest.raises(NoFunds):
            await bank.hold_slow(tight, 5 * NANO, 5 * NANO)
        await alerts.write()
    assert [one.event for one in await told(database)] == ["key.budget"] * 2


async def test_a_key_without_any_budget_is_no_empty_balance(house: House) -> None:
    _, wallet = await account(house.database, 50 * NANO)
    async with house.open() as bank:
        alerts = Alerts(house.database, _Services(bank))  # type: ignore[arg-type]
        bank.on_refused = alerts.refused
        with pytest.raises(NoFunds):
            await bank.hold_slow(key(wallet=wallet, budgets={"total": 0}), CENT, CENT)
        await alerts.write()
    assert [one.event for one in await told(house.database)] == ["key.budget"]


async def test_what_was_told_locks_no_wallet_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    database = house.database
    _, wallet = await account(database, NANO)
    locked: list[str] = []
    lock = ledger.lock_wallet

    async def locking(tx: Tx, id: str) -> Any:
        locked.append(id)
        return await lock(tx, id)

    monkeypatch.setattr("unigate.relay.alerts.ledger.lock_wallet", locking)
    async with house.open() as bank:
        alerts = Alerts(database, _Services(bank))  # type: ignore[arg-type]
        for mine in (
            key(wallet=wallet),
            key("key_2", wallet=wallet, budgets={"day": 2 * NANO}),
            key(wallet="wal_none"),
        ):
            for _ in range(2):
                alerts.refused(mine)
                await alerts.write()
    assert locked == [wallet]
    assert [one.event for one in await told(database)] == ["balance.empty"]


class Killed(BaseException):
    """A mover's process ends here."""


@pytest.mark.parametrize("where", ["mover.before_transaction", "mover.before_commit", "mover.after_commit"])
async def test_a_mover_that_dies_loses_and_repeats_nothing(house: House, where: str) -> None:
    user, wallet = await account(house.database, 2 * NANO)

    def die(point: str) -> None:
        if point == where:
            raise Killed

    async with house.open() as bank:
        hold = await bank.hold_slow(key(wallet=wallet), NANO + CENT, NANO + CENT)
        assert await settle(hold, NANO + CENT)
        dying = Mover(house.folder, house.node, terms=house.terms, alarm=house.alarm, failpoint=die)
        with pytest.raises(Killed):
            await dying.step(house.database)
        dying.close()
    assert (await house.moved()).findings == ()
    assert [(one.event, one.user_id) for one in await told(house.database)] == [("balance.low", user)]


async def test_news_is_taken_by_one(database_url: str, opening: Callable[..., Database]) -> None:
    one, two = opening(database_url, wait=60.0, statement=60.0), opening(database_url, wait=60.0, statement=60.0)
    async with one.writing() as tx:
        await news_rows.add(tx, [news_rows.made("test", "usr_1", {"n": n}, n) for n in range(40)])

    async def take(db: Database) -> list[int]:
        found: list[int] = []
        while True:
            async with db.writing() as tx:
                rows = await news_rows.take(tx, 3)
            if not rows:
                return found
            found += [int(row.facts["n"]) for row in rows]

    first, second = await asyncio.gather(take(one), take(two))
    assert sorted(first + second) == list(range(40))


class _Services:
    """What alerts ask of the services, when money is refused."""

    def __init__(self, bank: Any) -> None:
        self.bank = bank
