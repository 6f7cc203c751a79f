"""What waits is bounded: however long the database is away and however many call, nothing piles up."""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, QUICK, Flaky, House, fund, key, queued, settle
from billing_seen import shown

from support.waiting import until
from unigate.access.keys import Keys
from unigate.base.errors import StoreUnavailable
from unigate.billing.bank import Bank, Hold
from unigate.billing.exact import Exact
from unigate.billing.lease import Lease, LeaseHold, SingleHold, Waiter
from unigate.billing.statements import EndCall, Give, Refill
from unigate.spec.record import Record
from unigate.store.holds import Purpose

KINDS = (Waiter, Purpose, Lease, LeaseHold, SingleHold, Refill, Exact, Give, EndCall, Record, asyncio.Task)
#: Callers at once.
AT_ONCE = 100
#: S is longer than any of these tests: it must not be what bounds the queues.
PATIENT = replace(QUICK, silence=600.0, hold_wait=0.05, recall_wait=0.05, lease_holds=16, idle=600.0)


def alive() -> Counter[str]:
    """How many objects there are of each kind that a call or its money may leave behind."""
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing) in KINDS)


async def spend(bank: Bank) -> None:
    """Use a lease up."""
    while (held := bank.hold(KEY, 1000)) is not None:
        assert await settle(held, 1000)


async def hold(bank: Bank, amount: int) -> Hold:
    """A hold, for which a busy machine may take longer than these terms allow."""
    for _ in range(200):
        with suppress(StoreUnavailable):
            return await bank.hold_slow(KEY, amount, amount)
    raise AssertionError("there is no hold")


async def refused(calls: Iterable[Awaitable[object]]) -> None:
    """All of these are told that the store is not available."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}


def callers(bank: Bank, count: int) -> Iterable[Awaitable[object]]:
    """So many callers, of ten keys."""
    return (bank.hold_slow(key(f"key_{number % 10}"), 1000, 1000) for number in range(count))


async def test_callers_who_are_refused_leave_nothing_behind(house: House) -> None:
    flaky = house.database = Flaky(house.database)
    await fund(flaky, LARGE)
    async with house.open(PATIENT) as bank:
        open_call = await hold(bank, 1000)
        before = alive()
        flaky.down = True
        await spend(bank)
        await refused(callers(bank, AT_ONCE))
        first = queued(bank)
        for _ in range(10):
            await refused(callers(bank, 5 * AT_ONCE))
        for _ in range(50):
            with pytest.raises(StoreUnavailable):
                await open_call.grow_slow(10**6)
        assert queued(bank) == first
        assert first["waiters"] == first["exact"] == 0
        more = alive() - before
        assert max(more.values(), default=0) <= AT_ONCE + 10, "at most what the refill in flight was asked by"
        flaky.down = False
        assert await settle(open_call, 1000)
    house.database = flaky.real
    report = await house.moved()
    assert (report.findings, report.held) == ((), 0)


async def test_callers_of_an_exact_hold_who_are_refused_leave_nothing_behind(house: House) -> None:
    """The same where a wallet has little money, and holds that are open are to grow."""
    flaky = house.database = Flaky(house.database)
    await fund(flaky, 20_000)
    async with house.open(PATIENT) as bank:
        singles = [await hold(bank, 4000) for _ in range(4)]
        before = alive()
        flaky.down = True
        for _ in range(10):
            await refused(single.grow_slow(1000) for single in singles for _ in range(20))
        assert queued(bank)["exact"] == 0
        assert max((alive() - before).values(), default=0) <= 2 * 80 + 10, "the first and the last, not all 800"
        flaky.down = False
        for single in singles:
            single.release()
    house.database = flaky.real
    report = await house.moved()
    assert (report.findings, report.held) == ((), 0)


async def test_the_journal_is_the_queue_and_it_has_a_bound(house: House) -> None:
    """Calls that the lease still pays end in the journal; what is in memory stays flat, what is on file is bounded."""
    flaky = house.database = Flaky(house.database)
    await fund(flaky, LARGE)
    terms = replace(PATIENT, segment_bytes=16 * 1024, journal_bytes=128 * 1024, lease_holds=100_000)
    async with house.open(terms) as bank:
        (await hold(bank, 100)).release()
        flaky.down = True
        kept = 0
        sizes: list[int] = []
        while (held := bank.hold(KEY, 100)) is not None:
            assert await settle(held, 100)
            kept += 1
            if kept % 50 == 0:
                sizes.append(sum(alive().values()))
        assert not bank.journal.ready, "the bound is what ended it"
        assert len(sizes) >= 4
        assert max(sizes) - min(sizes) <= 5
        with pytest.raises(StoreUnavailable):
            await bank.hold_slow(KEY, 100, 100)
        on_file = sum(path.stat().st_size for path in house.folder.iterdir())
        assert terms.journal_bytes <= on_file <= terms.journal_bytes + 2 * terms.segment_bytes
        flaky.down = False
        mover = house.mover()
        await mover.drain(flaky.real)
        mover.close()
        await until(lambda: bank.journal.ready, what="room in the journal")
        assert await settle(await hold(bank, 100), 100)
    house.database = flaky.real
    report = await house.moved()
    assert (report.findings, report.held) == ((), 0)
    assert (await shown(house.database)).used == (kept + 1) * 100


async def test_keys_that_cannot_be_looked_up_leave_nothing_behind(house: House) -> None:
    flaky = Flaky(house.database)
    keys = Keys(flaky, "secret")
    flaky.down = True
    sizes = []
    for start in range(0, 2000, 200):
        await refused(keys.load(f"sk-{number}".encode()) for number in range(start, start + 200))
        assert (keys._known, keys._unknown, keys._loading) == ({}, {}, {})
        sizes.append(alive())
    assert max(sizes[-1].values()) <= max(sizes[0].values()) < 1000
