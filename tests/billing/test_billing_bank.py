"""The bank of one process: leases, single holds, what is left, what is refused, and what is given back."""

import asyncio
from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, QUICK, House, fund, key, record, settle
from billing_seen import comes, held, rows
from sqlalchemy import select

from support.waiting import until
from unigate.base.errors import NoFunds
from unigate.billing.lease import LeaseHold, SingleHold
from unigate.spec.balance import Balance
from unigate.store.ledger_tables import accounts


async def test_a_lease_serves_many_calls(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        first = await bank.hold_slow(KEY, 1000, 1000)
        assert isinstance(first, LeaseHold)
        assert first.amount == 1000
        second = bank.hold(KEY, 500)
        assert second is not None
        assert await settle(first, 700)
        assert await settle(second, 0)
        third = bank.hold(KEY, 500)
        assert third is not None
        third.release()
        third.release()
        assert (await bank.balance(KEY)).granted == LARGE
    report = await house.moved()
    assert report.findings == ()
    assert (report.open_holds, report.held) == (0, 0), "a clean stop leaves no lease"
    assert sorted(charged for _, charged, _ in await rows(house.database)) == [0, 700]
    assert house.alarms == []


async def test_a_hold_ends_once(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert await settle(hold, 700)
        with pytest.raises(RuntimeError, match="once"):
            hold.settle(record(1), lambda _kept: None)
        hold.release()
        assert not hold.grow(1)


async def test_what_is_shown_while_a_call_runs_and_after_it(house: House) -> None:
    await fund(house.database, LARGE)
    mover = house.mover()
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        await comes(bank, Balance(granted=LARGE, used=0, in_use=1000))
        assert await settle(hold, 700)
        await comes(bank, Balance(granted=LARGE, used=0, in_use=700))
        assert await mover.step(house.database) == 1
        await comes(bank, Balance(granted=LARGE, used=700, in_use=0))
        await comes(bank, Balance(granted=None, used=700, in_use=0), of_key=True)
    mover.close()


async def test_an_unused_lease_is_given_back(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert await held(house.database) > 1000
        await until(lambda: not any(lease.free for lease in bank.leases.values()))
        await until(bank.teller._idle.is_set)
        assert await held(house.database) == 1000
        assert await settle(hold, 400)
        await until(lambda: not bank.leases and not bank.retired)
        assert await held(house.database) == 400, "until the journal is moved"
    assert (await house.moved()).held == 0


async def test_small_money_is_held_call_by_call(house: House) -> None:
    await fund(house.database, 7000)
    async with house.open() as bank:
        first, second = await bank.hold_slow(KEY, 1000, 1000), await bank.hold_slow(KEY, 3000, 3000)
        assert isinstance(first, SingleHold)
        assert isinstance(second, SingleHold)
        assert bank.leases == {}
        assert await held(house.database) == 4000
        assert await settle(first, 300)
        second.release()
        assert await bank.teller.rest(5)
        assert await held(house.database) == 300, "lowered to its cost before the journal is moved"
        third = await bank.hold_slow(KEY, 1000, 1000)
        assert await settle(third, 1000)
    report = await house.moved()
    assert report.findings == ()
    assert (report.open_holds, report.held) == (0, 0)
    async with house.database.reading() as tx:
        assert await tx.one(select(accounts.c.posted)) == (5700,)


async def test_no_money(house: House) -> None:
    await fund(house.database, 999)
    async with house.open() as bank:
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 1000, 1000)
        with pytest.raises(NoFunds):
            await bank.hold_slow(key(wallet="nobody"), 1, 1)
        hold = await bank.hold_slow(KEY, 999, 999)
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 1, 1)
        hold.release()


async def test_a_refusal_is_remembered_for_a_moment_only(house: House) -> None:
    await fund(house.database, 100)
    async with house.open(replace(QUICK, refusal=0.3)) as bank:
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 1000, 1000)
        turn = bank.teller._turn
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 1001, 1000)
        assert bank.teller._turn == turn, "the database was not asked again"
        (await bank.hold_slow(KEY, 100, 100)).release()
        await fund(house.database, 5000)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 5
        while True:
            try:
                (await bank.hold_slow(KEY, 1000, 1000)).release()
                break
            except NoFunds:
                assert loop.time() < deadline
                await asyncio.sleep(0.02)


async def test_what_is_left_is_held_where_less_will_do(house: House) -> None:
    await fund(house.database, 5000)
    async with house.open() as bank:
        first = await bank.hold_slow(KEY, 4000, 4000)
        second = await bank.hold_slow(KEY, 4000, 500)
        assert second.amount == 1000
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 4000, 1)
        assert await settle(second, 1000)
        assert await settle(first, 100)
        assert await bank.teller.rest(5)
        with pytest.raises(NoFunds):
            await bank.hold_slow(KEY, 4000, 3901)
        third = await bank.hold_slow(KEY, 4000, 3900)
        assert third.amount == 3900
        third.release()


async def test_a_hold_grows(house: House) -> None:
    await fund(house.database, 100_000)
    async with house.open(replace(QUICK, lease_holds=8)) as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert isinstance(hold, LeaseHold)
        assert hold.grow(1000)
        assert hold.amount == 2000
        assert not hold.grow(50_000)
        await hold.grow_slow(50_000)
        assert hold.amount == 52_000
        await hold.grow_slow(48_000)
        assert hold.amount == 100_000
        with pytest.raises(NoFunds):
            await hold.grow_slow(1)
        assert hold.amount == 100_000
        assert await settle(hold, 90_000)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0


async def test_a_single_hold_grows(house: House) -> None:
    await fund(house.database, 5000)
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert isinstance(hold, SingleHold)
        assert not hold.grow(1)
        await hold.grow_slow(3000)
        assert hold.amount == 4000
        with pytest.raises(NoFunds):
            await hold.grow_slow(1001)
        await hold.grow_slow(1000)
        assert await settle(hold, 4500)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    assert [charged for _, charged, _ in await rows(house.database)] == [4500]


async def test_an_overrun_is_taken_from_the_lease_first(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        other = bank.hold(KEY, 1000)
        assert other is not None
        assert await settle(hold, 5000)
        assert await settle(other, 1000)
        lease = bank.leases[KEY.id]
        assert lease.used == 6000
        assert lease.amount == lease.used + lease.active + lease.free
    report = await house.moved()
    assert report.findings == ()
    assert sorted((c, w) for _, c, w in await rows(house.database)) == [(1000, 0), (5000, 0)]


async def test_an_overrun_beyond_everything_is_written_off(house: House) -> None:
    await fund(house.database, 8000)
    async with house.open() as bank:
        hold, other = await bank.hold_slow(KEY, 1000, 1000), await bank.hold_slow(KEY, 6000, 6000)
        assert await settle(hold, 5000)
        mover = house.mover()
        await mover.step(house.database)
        assert [(c, w) for _, c, w in await rows(house.database)] == [(2000, 3000)]
        assert await settle(other, 6000)
        mover.close()
    report = await house.moved()
    assert report.findings == ()
    async with house.database.reading() as tx:
        assert await tx.one(select(accounts.c.posted, accounts.c.held)) == (0, 0)


async def test_an_operator_is_told_of_losses_and_holds_become_careful(house: House) -> None:
    await fund(house.database, 2000)
    terms = replace(QUICK, daily_loss=100)
    async with house.open(terms) as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert not bank.careful(KEY)
        assert await settle(hold, 2500)
        mover = house.mover(terms)
        await mover.step(house.database)
        assert [kind for kind, _ in house.alarms] == ["loss"]
        await fund(house.database, 2000)
        (await bank.hold_slow(KEY, 100, 100)).release()
        assert bank.careful(KEY)
        mover.close()


async def test_three_hundred_callers_on_money_for_a_hundred(house: House) -> None:
    await fund(house.database, 100 * 1000)
    async with house.open(replace(QUICK, hold_wait=15)) as bank:

        async def call() -> bool:
            hold = bank.hold(KEY, 1000)
            if hold is None:
                try:
                    hold = await bank.hold_slow(KEY, 1000, 1000)
                except NoFunds:
                    return False
            await asyncio.sleep(0)
            return await settle(hold, 1000)

        done = await asyncio.gather(*(call() for _ in range(300)))
        assert sum(done) == 100
        mover = house.mover()
        while await mover.step(house.database):
            pass
        mover.close()
        await comes(bank, Balance(granted=100_000, used=100_000, in_use=0))
    assert (await house.moved()).findings == ()


async def test_a_call_without_a_hold_is_free(house: House) -> None:
    await fund(house.database, 0)
    async with house.open() as bank:
        with pytest.raises(ValueError, match="nothing"):
            bank.keep(record(1), lambda _kept: None)
        kept: list[bool] = []
        bank.keep(record(0, id="free"), kept.append)
        await until(lambda: kept == [True])
    assert (await house.moved()).findings == ()
    assert await rows(house.database) == [("free", 0, 0)]
