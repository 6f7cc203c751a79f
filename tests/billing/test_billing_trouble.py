"""The bank when something is amiss: callers who leave, a database or journal that fails, a process that counts as dead."""

import asyncio
from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, QUICK, Flaky, House, fund, settle
from billing_seen import held, rows
from sqlalchemy import select, update

from support.waiting import until
from unigate.base import clock
from unigate.base.errors import StoreUnavailable
from unigate.billing.bank import Bank
from unigate.billing.check import check
from unigate.billing.lease import LeaseHold
from unigate.store import processes
from unigate.store.ledger_tables import accounts, holds
from unigate.store.ledger_tables import processes as process_rows


async def test_a_caller_who_leaves_while_waiting_leaves_nothing_held(house: House) -> None:
    await fund(house.database, 5000)
    async with house.open() as bank:
        for delay in range(40):
            task = asyncio.ensure_future(bank.hold_slow(KEY, 1000, 1000))
            for _ in range(delay):
                await asyncio.sleep(0)
            if delay % 4 == 0:
                await asyncio.sleep(0.002 * delay)
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            if not isinstance(outcome, BaseException):
                outcome.release()
        assert await bank.teller.rest(10)
        assert await held(house.database) == 0
        (await bank.hold_slow(KEY, 5000, 5000)).release()


async def test_who_leaves_as_the_answer_comes_gives_it_back(house: House) -> None:
    await fund(house.database, 5000)
    async with house.open() as bank:
        task = asyncio.ensure_future(bank.hold_slow(KEY, 1000, 1000))
        loop = asyncio.get_running_loop()

        def watch() -> None:
            """Cancel in the very turn in which the hold has been handed over and not been taken."""
            waiting_for = task._fut_waiter  # type: ignore[attr-defined]
            if waiting_for is not None and waiting_for.done():
                task.cancel()
            elif not task.done():
                loop.call_soon(watch)

        loop.call_soon(watch)
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert await bank.teller.rest(10)
        assert await held(house.database) == 0


async def test_a_database_out_of_reach(house: House) -> None:
    """Calls go on from the lease, then are refused in time, never for want of money; service returns by itself."""
    flaky = Flaky(house.database)
    house.database = flaky
    await fund(flaky, LARGE)
    async with house.open(replace(QUICK, hold_wait=0.3, silence=0.8, lease_holds=20)) as bank:
        (await bank.hold_slow(KEY, 1000, 1000)).release()
        flaky.down = True
        served = 0
        while (hold := bank.hold(KEY, 1000)) is not None:
            assert await settle(hold, 1000)
            served += 1
        assert served >= 20
        loop = asyncio.get_running_loop()
        start = loop.time()
        outcomes = await asyncio.gather(*(bank.hold_slow(KEY, 1000, 1000) for _ in range(50)), return_exceptions=True)
        assert loop.time() - start < 2.5
        assert {type(o) for o in outcomes} == {StoreUnavailable}
        assert all(o.retry_after for o in outcomes if isinstance(o, StoreUnavailable))
        await until(lambda: clock.boot_seconds() >= bank.until)
        start = loop.time()
        with pytest.raises(StoreUnavailable):
            await bank.hold_slow(KEY, 1, 1)
        assert loop.time() - start < 0.2, "without a beat nobody even waits"
        flaky.down = False
        await until(lambda: clock.boot_seconds() < bank.until)
        assert await settle(await bank.hold_slow(KEY, 1000, 1000), 500)
    house.database = flaky.real
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("money", [5000, LARGE])
async def test_an_answer_to_a_commit_that_is_lost(house: House, money: int, lost: bool) -> None:
    flaky = Flaky(house.database)
    house.database = flaky
    await fund(flaky, money)
    async with house.open(replace(QUICK, retry=0.01, beat=5)) as bank:
        for number in range(4):
            if lost:
                flaky.lose = 1
            else:
                flaky.fail = 1
            hold = await bank.hold_slow(KEY, 900 + number, 900 + number)
            if number == 2:
                await hold.grow_slow(300)
            assert await settle(hold, 500)
            if isinstance(hold, LeaseHold):
                bank.retire(hold.lease)
        flaky.lose = flaky.fail = 0
        assert await bank.teller.rest(10)
        async with flaky.reading() as tx:
            amounts = [int(row[0]) for row in await tx.all(select(holds.c.amount).where(holds.c.state == "open"))]
        assert sum(amounts) == 2000, "nothing was held twice"
    house.database = flaky.real
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    async with house.database.reading() as tx:
        assert await tx.one(select(accounts.c.posted)) == (money - 2000,)


async def test_a_process_that_counts_as_dead_begins_again(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        first_id = bank.process_id
        hold = await bank.hold_slow(KEY, 1000, 1000)
        lost = await bank.hold_slow(KEY, 1000, 1000)
        async with house.database.writing() as tx:
            await tx.run(update(process_rows).values(state="dead"))
        await until(lambda: bank.process_id != first_id)
        assert bank.leases == {}
        fresh = await bank.hold_slow(KEY, 1000, 1000)
        assert isinstance(fresh, LeaseHold)
        assert await settle(hold, 600), "a call in flight is still recorded"
        assert await settle(fresh, 50)
        lost.release()
        mover = house.mover()
        await until(lambda: len(house.alarms) == 1)
        for _ in range(5):
            await mover.step(house.database, look=True)
        async with house.database.reading() as tx:
            assert await processes.state(tx, first_id) == "gone"
        mover.close()
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    assert sorted(c for _, c, _ in await rows(house.database)) == [50, 600]


async def test_a_generation_that_changes_is_told(house: House) -> None:
    from unigate.store.tables import generations  # noqa: PLC0415 - only here

    told: list[set[str]] = []
    bank = Bank(
        house.database,
        house.folder,
        "node-1",
        alarm=house.alarm,
        terms=QUICK,
        on_change=told.append,
    )
    await bank.start()
    assert told == []
    async with house.database.writing() as tx:
        await tx.run(update(generations).where(generations.c.name == "keys").values(number=generations.c.number + 1))
    await until(lambda: told)
    assert told == [{"keys"}]
    await bank.close()


async def test_without_a_journal_no_paid_call_is_admitted(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        (await bank.hold_slow(KEY, 1000, 1000)).release()
        bank.journal.ready = False
        assert bank.hold(KEY, 10) is None
        with pytest.raises(StoreUnavailable):
            await bank.hold_slow(KEY, 10, 10)
        await until(lambda: bank.hold(KEY, 10) is not None)


async def test_a_record_that_could_not_be_kept_is_not_charged_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk and database fail: the call fails uncharged, even though its row may have come into the database."""
    flaky = Flaky(house.database)
    house.database = flaky
    await fund(flaky, LARGE)
    import os  # noqa: PLC0415 - only here

    async with house.open(replace(QUICK, beat=3600)) as bank:
        first, second = await bank.hold_slow(KEY, 1000, 1000), await bank.hold_slow(KEY, 1000, 1000)

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", refuse)
            flaky.lose = 1
            assert not await settle(first, 600, id="kept")
            flaky.down = True
            assert not await settle(second, 700, id="not_kept")
        flaky.down = False
        lease = bank.leases[KEY.id]
        assert lease.used == 1300, "as long as it is not certain"
        await bank._upkeep._resolve()
        assert lease.used == 600
        assert bank.journal.uncertain == []
    house.database = flaky.real
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    assert sorted(await rows(house.database)) == [("kept", 600, 0), ("not_kept", 0, 0)]


async def test_a_bank_that_closes_lets_nobody_hang(house: House) -> None:
    flaky = Flaky(house.database)
    house.database = flaky
    await fund(flaky, LARGE)
    bank = house.bank(replace(QUICK, hold_wait=0.5))
    await bank.start()
    flaky.down = True
    waiting = [asyncio.ensure_future(bank.hold_slow(KEY, 1000, 1000)) for _ in range(5)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await bank.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(o) for o in outcomes} == {StoreUnavailable}
    with pytest.raises(StoreUnavailable):
        await bank.hold_slow(KEY, 1, 1)
    flaky.down = False
    house.database = flaky.real
    assert (await house.moved()).findings == ()
    assert (await check(house.database)).held == 0
