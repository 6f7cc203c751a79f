"""The mover: follows journals, living or dead, and charges each record once."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

import pytest
from billing_cases import KEY, LARGE, QUICK, Flaky, House, calls, fund, kill, record, settle
from billing_seen import charged, money, state, until_state
from sqlalchemy import select

from support.waiting import until
from unigate.base.errors import StoreUnavailable
from unigate.billing import follow, segments
from unigate.billing.check import check
from unigate.billing.format import HEAD, frame
from unigate.billing.salvage import skip_damage
from unigate.spec.record import Record
from unigate.store.captures import Captured, capture
from unigate.store.database import Tx
from unigate.store.ledger_tables import set_aside


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
