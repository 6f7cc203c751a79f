"""Budgets of keys and the calendar: a second limit beside the wallet, whatever the clock does."""

from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, QUICK, House, fund, key, settle

from support.waiting import until
from unigate.base import clock
from unigate.base.errors import NoFunds
from unigate.billing import bank as bank_module
from unigate.billing.periods import day_of
from unigate.spec.balance import Balance


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
