"""The journal: records are kept before anybody is told, and what cannot be written fails alone."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from billing_cases import record
from billing_keeper import Keeper, admits, some

from support.waiting import until
from unigate.billing import segments
from unigate.billing.format import frame
from unigate.billing.journal import Journal
from unigate.spec.terms import Terms


async def test_records_of_one_turn_are_written_together_before_anybody_is_told(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.journal.open()
    seen = []

    def then(kept: bool) -> None:
        seen.append((kept, keeper.written()))

    for one in some(3):
        keeper.journal.append(one, then)
    assert seen == []
    await asyncio.sleep(0)
    assert seen == [(True, ["req_0", "req_1", "req_2"])] * 3
    await keeper.journal.close()


async def test_one_callers_failure_is_not_anothers(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.journal.open()
    one, two, three = some(3)

    def fails(_kept: bool) -> None:
        raise RuntimeError("handler is closed")

    keeper.append(one)
    keeper.journal.append(two, fails)
    keeper.append(three)
    await asyncio.sleep(0)
    assert keeper.told == {"req_0": True, "req_2": True}
    assert keeper.written() == ["req_0", "req_1", "req_2"]
    assert [kind for kind, _ in keeper.alarms] == ["callback"]
    await keeper.journal.close()


async def test_segments_follow_each_other(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=2048))
    keeper.journal.open()
    for one in some(60):
        keeper.append(one)
        if one.id.endswith("7"):
            await asyncio.sleep(0.005)
    await until(lambda: len(keeper.told) == 60)
    assert all(keeper.told.values())
    assert keeper.written() == [f"req_{n}" for n in range(60)]
    numbers = segments.published(tmp_path)["prc_1"]
    assert len(numbers) > 3
    assert all(segments.path_of(tmp_path, "prc_1", n).stat().st_size == 2048 for n in numbers), "preallocated"
    await keeper.journal.close()
    assert list(tmp_path.glob("*.new")) == [], "the spare is not left behind"


async def test_segments_are_numbered_in_the_order_in_which_they_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the spare one is not ready in time: a higher number says that a segment is complete."""
    keeper = Keeper(tmp_path, Terms(segment_bytes=2048))
    keeper.journal.open()
    create = segments.create

    def slow(folder: Path, name: str, size: int) -> segments.Segment:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
        return create(folder, name, size)

    monkeypatch.setattr(segments, "create", slow)
    for number in range(40):
        keeper.append(record(id=f"req_{number}"))
        await asyncio.sleep(0.03 if number % 5 == 4 else 0)
    await until(lambda: len(keeper.told) == 40)
    assert keeper.written() == [f"req_{number}" for number in range(40)]
    await keeper.journal.close()


async def test_a_record_larger_than_a_segment_goes_into_the_database(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=600))
    keeper.journal.open()
    large, small = record(id="large"), record(id="small")
    large.error = "x" * 1000
    keeper.append(large)
    await until(lambda: keeper.told == {"large": True})
    keeper.append(small)
    await until(lambda: keeper.told == {"large": True, "small": True})
    assert [r.id for r in keeper.rescued] == ["large"]
    assert keeper.written() == ["small"]
    await keeper.journal.close()


async def test_a_record_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.journal.open()
    undone = []
    bad = record(id="bad")
    bad.error = "x" * (1 << 21)
    keeper.append(bad, lambda: undone.append("bad"))
    keeper.append(record(id="good"))
    await until(lambda: len(keeper.told) == 2)
    assert keeper.told == {"bad": False, "good": True}
    assert undone == ["bad"]
    await keeper.journal.close()


def full(journal: Journal) -> None:
    """Let the current segment's file be one that is always full."""
    assert journal._segment is not None
    device = os.open("/dev/full", os.O_RDWR)
    os.dup2(device, journal._segment.fd)
    os.close(device)


async def test_a_write_that_fails_goes_on_in_a_new_segment(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.journal.open()
    one, two, three = some(3)
    keeper.append(one)
    await asyncio.sleep(0)
    full(keeper.journal)
    keeper.append(two)
    keeper.append(three)
    await asyncio.sleep(0)
    assert keeper.told == {"req_0": True, "req_1": True, "req_2": True}
    assert keeper.written() == ["req_0", "req_1", "req_2"]
    assert keeper.rescued == []
    assert admits(keeper)
    assert "No space left" in keeper.alarms[0][1]
    await keeper.journal.close()


@pytest.mark.parametrize("database", [True, False])
async def test_a_journal_that_cannot_be_written_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: bool
) -> None:
    keeper = Keeper(tmp_path, database=database)
    keeper.journal.open()
    one, two, three = some(3)
    undone = []
    keeper.append(one)
    await asyncio.sleep(0)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        keeper.append(two, lambda: undone.append("two"))
        await until(lambda: len(keeper.told) == 2)
        assert keeper.told["req_1"] is database
        assert not admits(keeper), "no paid call is admitted any more"
        assert keeper.rescued == ([two] if database else [])
        assert [r for r, _ in keeper.journal.uncertain] == ([] if database else [two])
        assert undone == [], "it may be in the database all the same"
    keeper.journal.mend()
    assert admits(keeper)
    keeper.append(three)
    await asyncio.sleep(0)
    assert keeper.told["req_2"]
    assert keeper.written() == ["req_0", "req_2"]
    await keeper.journal.close()


@pytest.mark.parametrize("cut", range(0, 1300, 61))
async def test_a_short_write_keeps_what_is_there_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    keeper = Keeper(tmp_path)
    keeper.journal.open()
    write = os.pwrite
    calls = []

    def short(fd: int, data: bytes, offset: int) -> int:
        calls.append(len(data))
        return write(fd, data[:cut] if len(calls) == 1 else data, offset)

    monkeypatch.setattr(os, "pwrite", short)
    records = some(4)
    for one in records:
        keeper.append(one)
    await asyncio.sleep(0)
    assert all(keeper.told.values())
    assert len(keeper.told) == 4
    assert keeper.written() == [r.id for r in records], "each once, in order"
    assert len(segments.published(tmp_path)["prc_1"]) == (1 if cut >= sum(len(frame(r)) for r in records) else 2)
    await keeper.journal.close()


async def test_a_bound_on_what_is_not_moved(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=2048, journal_bytes=2500))
    keeper.journal.open()
    for one in some(20):
        keeper.append(one)
    await asyncio.sleep(0)
    assert all(keeper.told.values()), "what was admitted is kept"
    assert keeper.journal.unmoved >= 2500
    assert not admits(keeper)
    numbers = segments.published(tmp_path)["prc_1"]
    assert keeper.journal.note(dict.fromkeys(numbers[:-1], (2048, "moved")))
    assert admits(keeper)
    assert not keeper.journal.note({numbers[-1]: (0, "stopped")})
    await keeper.journal.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_syncing_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=65536, sync=0.01))
    keeper.journal.open()
    synced: list[int] = []
    sync = os.fsync

    def observed(fd: int) -> None:
        synced.append(fd)
        if fails and len(synced) == 1:
            raise OSError(errno.EIO, "Input/output error")
        sync(fd)

    monkeypatch.setattr(os, "fsync", observed)
    for one in some(5):
        keeper.append(one)
    await until(lambda: len(synced) >= (2 if fails else 1))
    await keeper.journal.close()
    again = [f"req_{n}" for n in range(5)]
    assert keeper.written() == (again + again if fails else again), "what may be lost is written anew"
    assert [kind for kind, _ in keeper.alarms] == (["journal"] if fails else [])


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from billing_cases import record
from billing_keeper import Keeper
from unigate.spec.terms import Terms

async def main():
    keeper = Keeper(Path(sys.argv[1]), Terms(segment_bytes=8192))
    keeper.journal.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    for number in range(20):
        keeper.append(record(id=f"req_{number}"))
        await asyncio.sleep(0)
    while len(keeper.told) < 20:
        await asyncio.sleep(0.01)
    assert all(keeper.told.values()), keeper.told
    written, rescued = keeper.written(), [r.id for r in keeper.rescued]
    assert sorted(written + rescued) == sorted(keeper.told), (written, rescued)
    assert written and rescued
    assert not keeper.journal.ready
    await keeper.journal.close()

asyncio.run(main())
"""


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(here), str(here.parent)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
