"""The spool: short files in memory, others on a disk without a name, and what closing means while a thread is at one."""

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

from unigate.base.errors import StoreUnavailable
from unigate.store.spool import HELD, Spool, Spooled

DATA = os.urandom(HELD * 3)


async def made(folder: Path) -> Spooled:
    """A file of which most is on a disk."""
    file = Spool(folder, reserve=0).file()
    told = []
    for data in (DATA[:HELD], DATA[HELD : HELD + 1]):
        file.add(data)
        told.append(file.full)
    assert told == [False, True]
    await file.write()
    file.add(DATA[HELD + 1 :])
    await file.write()
    return file


async def test_a_file_is_read_by_ranges_and_as_a_file(tmp_path: Path) -> None:
    short, long = Spool(tmp_path).file(), await made(tmp_path)
    short.add(DATA)
    assert (short.at_hand, long.at_hand, list(tmp_path.iterdir())) == (True, False, [])
    for file in (short, long):
        assert file.size == len(DATA)
        assert file.read(5, 10) == DATA[5:15]
        assert file.read(len(DATA) - 5, 10) == DATA[-5:]
        assert file.read(len(DATA), 10) == b""
        with file.open() as one, file.open() as other:
            assert one.read() == DATA
            assert other.read(3) == DATA[:3]
            assert other.seek(-4, io.SEEK_END) == len(DATA) - 4
            assert other.read() == DATA[-4:]
            assert other.seek(1) == 1
            assert other.seek(1, io.SEEK_CUR) == other.tell() == 2
            assert other.read(1) == DATA[2:3]
            with pytest.raises(ValueError, match="before"):
                other.seek(-1)
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read(0, 1)
        with pytest.raises(ValueError, match="closed"):
            one.read(1)
        file.close()


async def test_nothing_to_write_is_no_file(tmp_path: Path) -> None:
    file = Spool(tmp_path / "none").file()
    await file.write()
    assert file.at_hand and not (tmp_path / "none").exists()


async def test_a_file_is_closed_when_the_thread_that_is_at_it_has_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, reading, go = await made(tmp_path), threading.Event(), threading.Event()
    pread = os.pread

    def slow(number: int, size: int, at: int) -> bytes:
        reading.set()
        go.wait(20)
        return pread(number, size, at)  # of a closed number this would be an error, or another file's bytes

    monkeypatch.setattr(os, "pread", slow)
    found = asyncio.ensure_future(asyncio.to_thread(file.read, 0, 10))
    await asyncio.to_thread(reading.wait, 20)
    file.close()
    assert opened(tmp_path) == 1
    go.set()
    assert await found == DATA[:10]
    assert opened(tmp_path) == 0


async def test_a_disk_that_fails_is_told_as_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"")
    no_folder = Spool(place).file()
    no_folder.add(DATA)
    with pytest.raises(StoreUnavailable):
        await no_folder.write()
    full = Spool(tmp_path, reserve=1 << 62).file()
    full.add(DATA)
    with pytest.raises(StoreUnavailable) as failed:
        await full.write()
    assert "nearly full" in failed.value.detail
    file = await made(tmp_path)
    file.add(DATA)

    def broken(_fd: int, _size: int, _at: int) -> bytes:
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(StoreUnavailable):
        await Spool().run(file.read, 0, 1)
    file.close()


@pytest.mark.parametrize("left", [False, True])
async def test_a_cancelled_write_is_done_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, left: bool
) -> None:
    spool, writing, go = Spool(tmp_path, reserve=0), threading.Event(), threading.Event()
    room = Spool.check_room

    def slow(self: Spool) -> None:
        writing.set()
        go.wait(20)
        room(self)

    monkeypatch.setattr(Spool, "check_room", slow)
    file = spool.file()
    file.add(DATA)
    task = asyncio.ensure_future(file.write())
    await asyncio.to_thread(writing.wait, 20)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    if left:
        file.close()
    go.set()
    await asyncio.wait([task])
    assert task.cancelled()
    if not left:
        assert file.read(0, file.size) == DATA  # all or nothing
        file.close()
    assert not opened(tmp_path) and not list(tmp_path.iterdir())


def opened(folder: Path) -> int:
    """Files below a folder that this process has open."""
    found = 0
    for place in Path("/proc/self/fd").iterdir():
        try:
            found += str(place.readlink()).startswith(str(folder))
        except OSError:
            continue
    return found
