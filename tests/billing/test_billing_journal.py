"""The journal: what is written is read, whatever happens to the bytes; what cannot be written fails alone."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from billing_cases import QUICK, record
from hypothesis import given
from hypothesis import strategies as st

from support.waiting import until
from unigate.base.errors import StoreUnavailable
from unigate.billing import segments
from unigate.billing.format import HEAD, VERSION, any_record, blank, decode, flaw_of, frame, read
from unigate.billing.journal import Journal
from unigate.spec.record import Attempt, Record
from unigate.spec.terms import Terms


def some(count: int) -> list[Record]:
    made = []
    for number in range(count):
        one = record(number, hold="h" if number else "", id=f"req_{number}")
        one.at = number
        one.attempts = [Attempt("ch", "cr", 500, "upstream_error", number)] * (number % 3)
        made.append(one)
    return made


def test_records_come_back_as_they_were() -> None:
    records = some(7)
    data = b"".join(frame(r) for r in records) + bytes(100)
    entries, end = read(data, 0, 500)
    assert [decode(entry) for entry in entries] == records
    assert end == len(data) - 100
    assert entries[-1].end == end
    assert blank(data, end)
    assert not any_record(data, end + 1)


def test_a_batch_ends_where_it_is_told_to() -> None:
    data = b"".join(frame(r) for r in some(5))
    entries, end = read(data, 0, 2)
    assert len(entries) == 2
    more, _ = read(data, end, 500)
    assert [decode(e).id for e in more] == ["req_2", "req_3", "req_4"]


def test_a_journal_cut_anywhere_gives_what_is_there_in_full() -> None:
    frames = [frame(r) for r in some(3)]
    ends = [sum(map(len, frames[: n + 1])) for n in range(3)]
    data = b"".join(frames)
    for cut in range(len(data) + 1):
        for tail in (b"", bytes(64)):
            entries, end = read(data[:cut] + tail, 0, 500)
            assert len(entries) == sum(1 for e in ends if e <= cut), cut
            assert end == max([e for e in ends if e <= cut], default=0)
            assert not any_record(data[:cut] + tail, end + 1), "a torn end is not damage"


def test_a_bit_that_flips_is_seen() -> None:
    frames = [frame(r) for r in some(3)]
    data = b"".join(frames)
    first, second = len(frames[0]), len(frames[0]) + len(frames[1])
    for place in range(len(data)):
        for bit in (1, 16, 128):
            broken = bytearray(data)
            broken[place] ^= bit
            entries, end = read(bytes(broken), 0, 500)
            intact = 0 if place < first else 1 if place < second else 2
            assert len(entries) == intact, (place, bit)
            assert [decode(e) for e in entries] == some(3)[:intact]
            assert any_record(bytes(broken), end + 1) == (intact < 2), "good records behind it: damage"


@given(st.binary(max_size=200), st.integers(0, 3))
def test_noise_is_no_record(noise: bytes, good: int) -> None:
    data = b"".join(frame(r) for r in some(good))
    entries, end = read(data + noise, 0, 500)
    assert [decode(e) for e in entries[:good]] == some(good)
    assert len(entries) == good
    assert end == len(data)


def test_a_record_of_another_version_is_told_apart_from_damage() -> None:
    data = bytearray(frame(some(1)[0]))
    body = bytes(data[HEAD:])
    from unigate.billing import format as form  # noqa: PLC0415 - its head is nobody else's business

    data[:HEAD] = form._HEAD.pack(form.MARK, VERSION + 1, 0, len(body), form._crc(VERSION + 1, body))
    entries, _ = read(bytes(data), 0, 500)
    with pytest.raises(ValueError, match=r"version 2"):
        decode(entries[0])


FLAWS: list[tuple[str, Callable[[Record], object]]] = [
    ("negative", lambda r: msgspec.structs.replace(r, cost=-1)),
    ("over the cost", lambda r: msgspec.structs.replace(r, cost=1, over=2)),
    ("huge", lambda r: msgspec.structs.replace(r, cost=10**15 + 1)),
    ("no hold", lambda r: msgspec.structs.replace(r, hold="")),
    ("no id", lambda r: msgspec.structs.replace(r, id="")),
    ("a day before days", lambda r: msgspec.structs.replace(r, day=-1)),
    ("a number that no column takes", lambda r: msgspec.structs.replace(r, at=2**63)),
    ("counts that no column takes", lambda r: msgspec.structs.replace(r, units={"input": 2**63})),
    ("a negative count", lambda r: msgspec.structs.replace(r, units={"input": -1})),
]


@pytest.mark.parametrize(("what", "change"), FLAWS)
def test_a_record_that_nobody_could_mean(what: str, change: Callable[[Record], Record]) -> None:
    good = record(5, hold="h")
    assert flaw_of(good) == ""
    bad = change(good)
    assert flaw_of(bad) != ""
    entries, _ = read(frame(bad), 0, 1)
    with pytest.raises(ValueError, match=r"."):
        decode(entries[0])


def test_a_lone_surrogate_costs_no_record() -> None:
    one = record(5, hold="h", id="req_1")
    one.model = "\ud800"
    one.units = {"\ud800": 1}
    entries, _ = read(frame(one), 0, 1)
    assert decode(entries[0]).id == "req_1"
    assert decode(entries[0]).model == "?"


class Keeper:
    """A journal's surroundings."""

    def __init__(self, folder: Path, terms: Terms = QUICK, *, database: bool = True) -> None:
        self.folder = folder
        self.alarms: list[tuple[str, str]] = []
        self.rescued: list[Record] = []
        self.database = database
        self.told: dict[str, bool] = {}
        self.journal = Journal(folder, "prc_1", terms, alarm=self.alarm, fallback=self.rescue)

    def alarm(self, kind: str, text: str) -> None:
        self.alarms.append((kind, text))

    async def rescue(self, records: Sequence[Record]) -> None:
        if not self.database:
            raise StoreUnavailable
        self.rescued += records

    def append(self, one: Record, undo: Callable[[], None] | None = None) -> None:
        self.journal.append(one, lambda kept: self.told.update({one.id: kept}), undo)

    def written(self) -> list[str]:
        """Ids on file, segment by segment."""
        found = []
        for number in segments.published(self.folder).get("prc_1", []):
            data = segments.path_of(self.folder, "prc_1", number).read_bytes()
            found += [decode(entry).id for entry in read(data, 0, 10**6)[0]]
        return found


def admits(keeper: Keeper) -> bool:
    """Whether a paid call may be admitted."""
    return keeper.journal.ready


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


async def test_the_lock_is_held_for_life(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, Terms(segment_bytes=2048))
    keeper.journal.open()
    for one in some(30):
        keeper.append(one)
    await asyncio.sleep(0)
    numbers = segments.published(tmp_path)["prc_1"]
    paths = [segments.path_of(tmp_path, "prc_1", n) for n in numbers]
    assert len(paths) > 1
    assert [segments.try_lock(p) for p in paths] == [None] * len(paths), "rotated ones too"
    await keeper.journal.close()
    for path in paths:
        fd = segments.try_lock(path)
        assert fd is not None
        os.close(fd)


async def test_two_starters_on_one_journal(tmp_path: Path) -> None:
    """The second neither gets the lock nor the name of what the first has begun."""
    first = segments.create(tmp_path, "prc_1.1", 100)
    with pytest.raises(FileExistsError):
        segments.create(tmp_path, "prc_1.1", 100)
    assert segments.try_lock(first.path) is None
    first.publish("prc_1", 1)
    assert segments.try_lock(first.path) is None
    first.close()


def test_what_is_no_segment_is_left_alone(tmp_path: Path) -> None:
    for name in (
        "mover.lock",
        "x.journal",
        "prc_1.abc.journal",
        "prc_1.00000001.journal.bak",
        "prc_1.00000002.journal",
    ):
        (tmp_path / name).touch()
    assert segments.published(tmp_path) == {"prc_1": [2]}


def test_unfinished_files_of_the_dead_are_swept(tmp_path: Path) -> None:
    living = segments.create(tmp_path, "prc_1.1", 100)
    for name in ("prc_1.1.new", "prc_2.1.new"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "prc_3.1.new").touch()
    assert segments.sweep(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prc_1.1.new", "prc_3.1.new"], "one lives, one is young"
    (tmp_path / "prc_3.1.new").unlink()
    living.publish("prc_1", 1)
    assert [p.name for p in tmp_path.iterdir()] == ["prc_1.00000001.journal"]
    living.close()


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from billing_cases import record
from test_billing_journal import Keeper
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
