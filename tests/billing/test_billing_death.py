"""Who is dead: proof by lock on the own node, by a beat that stands still on others; what the dead held comes back."""

import asyncio
import os
from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, MORTAL, QUICK, Flaky, House, calls, fund, key, kill, record, settle
from billing_seen import charged, money, state, until_state

from support.waiting import until
from unigate.base.errors import StoreUnavailable
from unigate.billing import segments
from unigate.billing.check import check
from unigate.billing.format import frame


async def test_what_a_dead_process_held_comes_back(house: House) -> None:
    await fund(house.database, LARGE)
    bank = house.bank()
    await bank.start()
    await calls(bank, 3)
    bank.hold(KEY, 1000)
    single = await bank.hold_slow(key("key_2"), 1000, 1000)
    assert single.amount == 1000
    mover = house.mover()
    for _ in range(3):
        await mover.step(house.database, look=True)
    assert (await money(house.database))[1] > 1000, "it lives"
    await kill(bank)
    await until_state(house.database, mover, bank.process_id, "gone")
    assert await money(house.database) == (LARGE - 300, 0)
    assert (await check(house.database)).findings == ()
    assert list(house.folder.glob("*.journal")) == []
    mover.close()


async def test_a_lost_node_is_closed_and_its_late_rows_charge_the_wallet(house: House) -> None:
    await fund(house.database, LARGE)
    terms = replace(MORTAL, beat=0.02)
    bank = house.bank(terms)
    await bank.start()
    await calls(bank, 3)
    lease = bank.leases[KEY.id].amount
    watcher = house.mover(terms, node="node-2")
    for _ in range(20):
        await watcher.step(house.database, look=True)
        await asyncio.sleep(0.03)
    assert await state(house.database, bank.process_id) == "alive", "its beat is heard"
    assert (await money(house.database))[1] == lease
    await kill(bank)
    await until_state(house.database, watcher, bank.process_id, "dead")
    assert await money(house.database) == (LARGE, 0), "closed at once, before its rows came"
    assert [kind for kind, _ in house.alarms] == ["process"]
    own = house.mover(terms)
    await until_state(house.database, own, bank.process_id, "gone")
    assert await money(house.database) == (LARGE - 300, 0)
    assert (await check(house.database)).findings == ()
    watcher.close()
    own.close()


async def test_nobody_dies_of_a_sleep_or_of_a_database_that_was_away(house: House) -> None:
    await fund(house.database, LARGE)
    flaky = Flaky(house.database)
    bank = house.bank(MORTAL)
    await bank.start()
    await calls(bank, 1)
    await kill(bank)
    watcher = house.mover(MORTAL, node="node-2")
    await watcher.step(flaky, look=True)
    await asyncio.sleep(MORTAL.death + 0.3)
    await watcher.step(flaky, look=True)
    assert await state(house.database, bank.process_id) == "alive", "the watcher slept"
    flaky.down = True
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            await watcher.step(flaky, look=True)
        await asyncio.sleep(0.05)
    flaky.down = False
    await watcher.step(flaky, look=True)
    assert await state(house.database, bank.process_id) == "alive", "nobody could beat"
    await until_state(flaky, watcher, bank.process_id, "dead")
    watcher.close()


async def test_a_process_that_is_stopped_is_not_dead_on_its_own_node(house: House) -> None:
    """Its beat stands still for much longer than R, but its lock is held."""
    await fund(house.database, LARGE)
    bank = house.bank(MORTAL)
    await bank.start()
    await calls(bank, 1)
    for task in [*bank._tasks]:
        task.cancel()
    mover = house.mover(MORTAL)
    loop = asyncio.get_running_loop()
    end = loop.time() + 3 * MORTAL.death
    while loop.time() < end:
        await mover.step(house.database, look=True)
        await asyncio.sleep(0.02)
    assert await state(house.database, bank.process_id) == "alive"
    assert (await money(house.database))[1] > 0
    await kill(bank)
    mover.close()


async def test_a_process_whose_journal_vanished_is_judged_by_its_beat(house: House) -> None:
    await fund(house.database, LARGE)
    bank = house.bank(MORTAL)
    await bank.start()
    await calls(bank, 1)
    await kill(bank)
    for path in house.folder.iterdir():
        path.unlink()
    mover = house.mover(MORTAL)
    await until_state(house.database, mover, bank.process_id, "dead")
    assert await money(house.database) == (LARGE, 0)
    mover.close()


async def test_a_row_without_a_process_is_never_forgotten(house: House) -> None:
    """A process that wrote its journal but never got into the database."""
    await fund(house.database, LARGE)
    house.folder.mkdir()
    segment = segments.create(house.folder, "prc_x.1", 1000)
    os.pwrite(segment.fd, frame(record(0, id="free")), 0)
    segment.publish("prc_x", 1)
    segment.close()
    mover = house.mover()
    assert await mover.drain(house.database)
    assert await charged(house.database) == [("free", 0)]
    assert list(house.folder.glob("*.journal")) == []
    mover.close()


async def test_taking_credit_back_recalls_leases(house: House) -> None:
    from unigate.billing.credit import take_back  # noqa: PLC0415 - only here

    await fund(house.database, LARGE)
    async with house.open(replace(QUICK, idle=60)) as bank:
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert (await money(house.database))[1] > 10_000
        await until(lambda: not bank.closing)
        assert await take_back(house.database, id="b1", wallet_id="wal_1", amount=LARGE, terms=QUICK) == LARGE - 1000
        assert await take_back(house.database, id="b1", wallet_id="wal_1", amount=LARGE, terms=QUICK) == LARGE - 1000
        assert await settle(hold, 900)
    report = await house.moved()
    assert report.findings == ()
    assert await money(house.database) == (100, 0)
