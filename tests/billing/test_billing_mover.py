"""The mover: follows the living, finishes the dead, and declares nobody dead without proof."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from billing_cases import QUICK, Flaky, House, fund, key, kill, record, settle
from sqlalchemy import select

from support.waiting import until, wait_until
from unigate import mover as mover_module
from unigate.base.errors import StoreUnavailable
from unigate.billing import follow, segments
from unigate.billing.bank import Bank
from unigate.billing.check import check
from unigate.billing.format import HEAD, frame
from unigate.billing.salvage import skip_damage
from unigate.mover import Mover
from unigate.spec.record import Record
from unigate.store import processes
from unigate.store.captures import Captured, capture
from unigate.store.database import Database, Tx
from unigate.store.ledger_tables import accounts, set_aside, usage

KEY = key()
LARGE = 10**9
#: R is 0.7 s.
MORTAL = replace(QUICK, silence=0.5, longest_call=0.1, grace=0.1, idle=60)


async def charged(database: Database) -> list[tuple[str, int]]:
    async with database.reading() as tx:
        return [(str(r[0]), int(r[1])) for r in await tx.all(select(usage.c.id, usage.c.charged).order_by(usage.c.id))]


async def money(database: Database) -> tuple[int, int]:
    """Posted, held."""
    async with database.reading() as tx:
        row = await tx.one(select(accounts.c.posted, accounts.c.held))
    assert row is not None
    return int(row[0]), int(row[1])


async def state(database: Database, process_id: str) -> str | None:
    async with database.reading() as tx:
        return await processes.state(tx, process_id)


async def until_state(database: Database, mover: Mover, process_id: str, wanted: str) -> None:
    for _ in range(500):
        await mover.step(database)
        if await state(database, process_id) == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{process_id} did not become {wanted}")


async def calls(bank: Bank, count: int, cost: int = 100) -> None:
    """So many calls that are kept, `r_00` and so on."""
    for number in range(count):
        hold = bank.hold(KEY, 1000) or await bank.hold_slow(KEY, 1000, 1000)
        assert await settle(hold, cost, id=f"r_{number:03}")


async def test_a_living_journal_is_followed(house: House) -> None:
    await fund(house.database, LARGE)
    mover = house.mover()
    async with house.open() as bank:
        assert await mover.step(house.database) == 0
        await calls(bank, 3)
        assert await mover.step(house.database) == 3
        assert await mover.step(house.database) == 0
        await calls(bank, 3)
        assert await mover.step(house.database) == 3, "the same ids: moved, and not charged again"
        assert len(await charged(house.database)) == 3
        assert mover.lag < 5
    mover.close()


async def test_segments_are_deleted_when_they_are_in_the_database(house: House) -> None:
    await fund(house.database, LARGE)
    terms = replace(QUICK, segment_bytes=4096)
    mover = house.mover(terms)
    async with house.open(terms) as bank:
        await calls(bank, 100)
        assert len(segments.published(house.folder)[bank.process_id]) > 3
        while await mover.step(house.database) or len(segments.published(house.folder)[bank.process_id]) > 1:
            pass
        assert len(await charged(house.database)) == 100
        await until(lambda: not bank.journal._old)
        assert bank.journal.unmoved < 4096
    assert await mover.drain(house.database)
    assert list(house.folder.glob("*.journal")) == []
    mover.close()


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


@pytest.mark.parametrize("cut", [1, HEAD - 1, HEAD, HEAD + 5, -1])
async def test_only_the_torn_end_of_a_dead_process_is_cut(house: House, cut: int) -> None:
    await fund(house.database, LARGE)
    bank = house.bank()
    await bank.start()
    await calls(bank, 3)
    assert bank.journal._segment is not None
    path, offset = bank.journal._segment.path, bank.journal._segment.offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(frame(record(5, hold="h"))[:cut])
    mover = house.mover()
    for _ in range(5):
        await mover.step(house.database)
    assert len(await charged(house.database)) == 3
    assert path.exists()
    await kill(bank)
    await until_state(house.database, mover, bank.process_id, "gone")
    assert not path.exists()
    assert len(await charged(house.database)) == 3
    assert house.alarms == []
    mover.close()


@pytest.mark.parametrize("living", [True, False])
async def test_damage_before_good_records_stops_a_journal(house: House, living: bool) -> None:
    await fund(house.database, LARGE)
    bank = house.bank()
    await bank.start()
    await calls(bank, 6)
    assert bank.journal._segment is not None
    process_id, path = bank.process_id, bank.journal._segment.path
    size = len(frame(record(100, id="r_000", hold=bank.leases[KEY.id].purpose.id)))
    with path.open("r+b") as file:
        file.seek(2 * size + size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))
    if not living:
        await kill(bank)
    mover = house.mover()
    for _ in range(200):
        await mover.step(house.database, look=True)
        if house.alarms:
            break
        await asyncio.sleep(0.01)
    assert house.alarms[0][0] == "journal"
    assert "damaged" in house.alarms[0][1]
    assert [id for id, _ in await charged(house.database)] == ["r_000", "r_001"], "nothing behind it is guessed"
    assert path.exists()
    for _ in range(5):
        await mover.step(house.database, look=True)
    assert "a segment is not damaged" in {f.rule for f in (await check(house.database)).findings}
    if living:
        await until(lambda: bank.process_id != process_id)
        assert await settle(await bank.hold_slow(KEY, 1000, 1000), 5), "it goes on under a new id"
        await bank.close()
    else:
        assert await state(house.database, process_id) == "alive"
        assert (await money(house.database))[1] > 0, "its leases wait for the operator"
    other = house.mover()
    await other.drain(house.database, seconds=5)
    assert path.exists(), "another mover leaves it alone too"
    other.close()
    skipped = await skip_damage(house.database, house.folder, process_id)
    assert [(s.segment, s.start, s.end) for s in skipped] == [(1, 2 * size, 3 * size)]
    assert await mover.drain(house.database), "an operator let it go on"
    assert not path.exists()
    assert [id for id, _ in await charged(house.database)][:5] == ["r_000", "r_001", "r_003", "r_004", "r_005"]
    assert (await money(house.database))[1] == 0
    assert {f.rule for f in (await check(house.database)).findings} == {"no record is set aside"}
    mover.close()


async def test_records_that_cannot_be_read_are_set_aside(house: House) -> None:
    await fund(house.database, LARGE)
    async with house.open() as bank:
        await calls(bank, 2)
        bank.journal.append(record(5, id="no_hold"), lambda _kept: None)
        await asyncio.sleep(0)
        hold = await bank.hold_slow(KEY, 1000, 1000)
        assert await settle(hold, 7, id="r_last")
        mover = house.mover()
        assert await mover.step(house.database) == 4
        mover.close()
    assert [id for id, _ in await charged(house.database)] == ["r_000", "r_001", "r_last"]
    assert [kind for kind, _ in house.alarms] == ["record"]
    async with house.database.reading() as tx:
        row = await tx.one(select(set_aside.c.payload, set_aside.c.reason))
    assert row is not None
    assert b"no_hold" in row[0]
    assert row[1] == "a cost without a hold"
    assert {f.rule for f in (await house.moved()).findings} == {"no record is set aside"}


async def test_a_record_that_the_database_refuses_does_not_hold_up_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fund(house.database, LARGE)

    async def refusing(tx: Tx, records: Sequence[Record], *, at: int) -> Captured:
        done = await capture(tx, records, at=at)
        if any(r.id == "r_001" for r in records):
            raise ValueError("the database does not like it")
        return done

    monkeypatch.setattr(follow, "capture", refusing)
    async with house.open() as bank:
        await calls(bank, 4)
        mover = house.mover()
        await mover.step(house.database)
        mover.close()
        assert [id for id, _ in await charged(house.database)] == ["r_000", "r_002", "r_003"]
        assert [kind for kind, _ in house.alarms] == ["mover", "record"]


async def test_a_mover_that_starts_anew_goes_on_where_the_last_one_was(house: House) -> None:
    await fund(house.database, LARGE)
    terms = replace(QUICK, batch=3)
    async with house.open(terms) as bank:
        await calls(bank, 10)
        for left in (7, 4, 1):
            mover = house.mover(terms)
            assert await mover.step(house.database) == 3
            mover.close()
            assert len(await charged(house.database)) == 10 - left
    assert (await house.moved()).findings == ()
    assert len(await charged(house.database)) == 10


async def test_an_answer_to_the_movers_commit_that_is_lost(house: House) -> None:
    await fund(house.database, LARGE)
    flaky = Flaky(house.database)
    async with house.open() as bank:
        await calls(bank, 5)
        mover = house.mover()
        flaky.lose = 1
        with pytest.raises(StoreUnavailable):
            await mover.step(flaky)
        assert await mover.step(flaky) == 5
        assert sum(c for _, c in await charged(house.database)) == 500
        assert (await money(house.database))[0] == LARGE - 500
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


async def test_two_movers_of_one_node(house: House) -> None:
    house.folder.mkdir()
    first = mover_module.lock(house.folder)
    assert first is not None
    assert mover_module.lock(house.folder) is None
    os.close(first)
    again = mover_module.lock(house.folder)
    assert again is not None
    os.close(again)


async def test_two_movers_that_slipped_through_charge_once(house: House) -> None:
    await fund(house.database, LARGE)
    bank = house.bank()
    await bank.start()
    await calls(bank, 50)
    await kill(bank)
    one, two = house.mover(), house.mover()
    for _ in range(30):
        await asyncio.gather(one.step(house.database, look=True), two.step(house.database, look=True))
    assert sum(c for _, c in await charged(house.database)) == 5000
    assert await money(house.database) == (LARGE - 5000, 0)
    assert (await check(house.database)).findings == ()
    one.close()
    two.close()


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


PROCESS = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from billing_cases import QUICK
from unigate import mover

def alarm(kind, text):
    print("ALARM", kind, text, flush=True)

lock = mover.lock

def tried(folder):
    got = lock(folder)
    print("WAITS" if got is None else "WORKS", flush=True)
    mover.lock = lock
    return got

mover.lock = tried
if "OVER" == sys.argv[2].split("|")[1]:
    mover._Pair._idle = lambda self: self._stop.wait()
mover.main(sys.argv[1], Path(sys.argv[2].split("|")[0]), "node-1", terms=replace(QUICK, lag=0.2), alarm=alarm)
print("ENDED", flush=True)
"""


def started(url: str, folder: Path, how: str) -> "subprocess.Popen[str]":
    here = Path(__file__).parent
    command = [sys.executable, "-W", "ignore", "-c", PROCESS, url, f"{folder}|{how}", str(here), str(here.parent)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", ["BOTH", "OVER"])
async def test_the_process(database_url: str, house: House, how: str) -> None:
    """It moves, also when its idle thread never runs; a second one waits; told to stop it moves to the end."""
    await fund(house.database, LARGE)
    house.folder.mkdir()
    process = started(database_url, house.folder, how)
    assert process.stdout is not None
    assert process.stdout.readline() == "WORKS\n"
    second = started(database_url, house.folder, how)
    assert second.stdout is not None
    assert second.stdout.readline() == "WAITS\n"
    try:
        async with house.open() as bank:
            await calls(bank, 30)
            for _ in range(1000):
                if len(await charged(house.database)) == 30:
                    break
                await asyncio.sleep(0.02)
            await calls(bank, 60)
        for one in (process, second):
            one.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None and second.poll() is not None, seconds=20)
        assert [out.read() for out in (process.stdout, second.stdout)] == ["ENDED\n", "ENDED\n"]
    finally:
        for one in (process, second):
            if one.poll() is None:
                one.kill()
            one.communicate()
    assert len(await charged(house.database)) == 60
    report = await check(house.database)
    assert report.findings == ()
    assert report.held == 0
    assert list(house.folder.glob("*.journal")) == []


async def test_idle_time_only() -> None:
    """The idle thread asks for no more than idle time, and those that it starts neither."""
    if not hasattr(os, "SCHED_IDLE"):
        pytest.skip("this system has no such class")
    loop = asyncio.get_running_loop()

    def policy() -> int:
        mover_module._only_when_idle()
        return os.sched_getscheduler(0)

    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    with ThreadPoolExecutor(1) as pool:
        assert await loop.run_in_executor(pool, policy) == os.SCHED_IDLE
    assert os.sched_getscheduler(0) != os.SCHED_IDLE
