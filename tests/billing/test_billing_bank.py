"""The bank of one process: leases, single holds, what is left, what is refused, and what is given back."""

import asyncio
from dataclasses import replace

import pytest
from billing_cases import QUICK, Flaky, House, fund, key, record, settle
from sqlalchemy import select, update

from support.waiting import until
from unigate.base import clock
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.billing import bank as bank_module
from unigate.billing.bank import Bank
from unigate.billing.check import check
from unigate.billing.lease import LeaseHold, SingleHold
from unigate.billing.periods import day_of
from unigate.spec.balance import Balance
from unigate.store import processes
from unigate.store.database import Database
from unigate.store.ledger_tables import accounts, holds, usage
from unigate.store.ledger_tables import processes as process_rows

KEY = key()
LARGE = 10**9


async def held(database: Database) -> int:
    async with database.reading() as tx:
        row = await tx.one(select(accounts.c.held))
    assert row is not None
    return int(row[0])


async def rows(database: Database) -> list[tuple[str, int, int]]:
    """Usage rows: id, charged, written off."""
    async with database.reading() as tx:
        return [(r[0], r[1], r[2]) for r in await tx.all(select(usage.c.id, usage.c.charged, usage.c.written_off))]


async def comes(bank: Bank, balance: Balance, *, of_key: bool = False) -> None:
    """Wait until a balance is shown."""
    seen = None
    for _ in range(1000):
        seen = await bank.balance(KEY, of_key=of_key)
        if seen == balance:
            return
        await asyncio.sleep(0.01)
    assert seen == balance


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


@pytest.mark.parametrize("period", ["day", "month", "total"])
async def test_a_budget_ends_before_the_wallet(house: House, period: str) -> None:
    await fund(house.database, LARGE)
    poor = key(budgets={period: 5000})
    async with house.open() as bank:
        first = await bank.hold_slow(poor, 4000, 4000)
        with pytest.raises(NoFunds):
            await bank.hold_slow(poor, 1001, 1001)
        rich = await bank.hold_slow(key("key_2"), 10_000, 10_000)
        second = await bank.hold_slow(poor, 2000, 1)
        assert second.amount == 1000
        assert await settle(first, 3000)
        assert await settle(second, 500)
        rich.release()
        mover = house.mover()
        while await mover.step(house.database):
            pass
        assert await bank.teller.rest(5)
        assert await bank.balance(poor, of_key=True) == Balance(granted=5000, used=3500, in_use=0)
        mover.close()
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0


async def test_a_budget_that_changes_counts_at_once(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        lease = bank.leases[KEY.id]
        cut = key(budgets={"total": 500})
        assert bank.hold(cut, 1) is None
        with pytest.raises(NoFunds):
            await bank.hold_slow(cut, 1000, 1000)
        assert lease.retired
        assert lease.free == 0
        same = key(budgets={"total": 500})
        (await bank.hold_slow(same, 500, 500)).release()
        assert await settle(hold, 10)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0


async def test_an_equal_key_that_was_read_anew_keeps_its_lease(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        (await bank.hold_slow(KEY, 1000, 1000)).release()
        lease, turn = bank.leases[KEY.id], bank.teller._turn
        again = key()
        assert bank.hold(again, 10) is None
        (await bank.hold_slow(again, 10, 10)).release()
        assert bank.leases[KEY.id] is lease
        assert bank.teller._turn == turn
        held_now = bank.hold(again, 10)
        assert held_now is not None
        held_now.release()


async def test_midnight(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease with a budget of the day takes no admission past its end; calls count in the day of their admission."""
    await fund(house.database, LARGE)
    day_ms = 86_400_000
    before = clock.now_ms() // day_ms * day_ms + day_ms - 60_000
    now = [before]
    for module in (bank_module, clock):
        monkeypatch.setattr(module, "now_ms", lambda: now[0])
    from unigate.billing import upkeep  # noqa: PLC0415 - only its clock is of interest

    monkeypatch.setattr(upkeep, "now_ms", lambda: now[0])
    daily, free = key(budgets={"day": 50_000}), key("key_2")
    async with house.open(replace(QUICK, idle=60)) as bank:
        old, unlimited = await bank.hold_slow(daily, 1000, 1000), await bank.hold_slow(free, 1000, 1000)
        lease, other = bank.leases[daily.id], bank.leases[free.id]
        now[0] += 120_000
        await until(lambda: bank.hold(daily, 1) is None)
        new = await bank.hold_slow(daily, 1000, 1000)
        assert bank.leases[daily.id] is not lease
        assert bank.leases[free.id] is other, "without a budget nothing ends at midnight"
        later = await bank.hold_slow(free, 1000, 1000)
        assert [h.day for h in (old, unlimited)] == [day_of(before, 0)] * 2
        assert [h.day for h in (new, later)] == [day_of(now[0], 0)] * 2
        for hold in (old, unlimited, new, later):
            assert await settle(hold, 100)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0


@pytest.mark.parametrize("days", [1, -1])
async def test_clocks_that_move_by_a_day(house: House, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Nobody dies of it, nothing is held twice, and calls go on."""
    from unigate.billing import upkeep  # noqa: PLC0415 - only its clock is of interest

    await fund(house.database, LARGE)
    moved = [0]
    real = clock.now_ms
    for module in (bank_module, upkeep):
        monkeypatch.setattr(module, "now_ms", lambda: real() + moved[0])
    both = key(budgets={"day": 50_000, "total": 100_000})
    mover = house.mover()
    async with house.open(replace(QUICK, idle=60)) as bank:
        before = await bank.hold_slow(both, 1000, 1000)
        process_id = bank.process_id
        moved[0] = days * 86_400_000
        await until(lambda: bank.leases[both.id].until == 0)
        after = await bank.hold_slow(both, 1000, 1000)
        assert after.day != before.day
        assert await settle(before, 10)
        assert await settle(after, 20)
        for _ in range(5):
            await mover.step(house.database, look=True)
        assert bank.process_id == process_id
    mover.close()
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    assert house.alarms == []


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
