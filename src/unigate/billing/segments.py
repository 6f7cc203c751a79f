"""The files of a journal: `PROCESS.NUMBER.journal`, made under another name, locked, then renamed.

The lock (flock) is held for the life of the process: whoever gets it has proof that the owner is dead. A name is never
used again, and a file never cut. Must not know what stands in it.
"""

import errno
import fcntl
import os
from pathlib import Path

from unigate.base.clock import now_ms

SUFFIX = ".journal"
UNFINISHED = ".new"
#: An unfinished file is left alone for so many milliseconds.
YOUNG_MS = 60_000
#: Systems and file systems without it get a sparse file, whose writes may fail; that is handled.
_NO_ALLOCATION = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class Segment:
    """An open segment of our own, locked."""

    __slots__ = ("fd", "number", "offset", "path", "size")

    def __init__(self, fd: int, path: Path, size: int) -> None:
        self.fd = fd
        #: Given when it is published: one with a higher number exists only when nothing more is written to this one.
        self.number = 0
        self.path = path
        self.size = size
        #: Where the next record goes: behind the last good one.
        self.offset = 0

    def publish(self, process_id: str, number: int) -> None:
        """Give it its name, from when on the mover sees it. OSError leaves it unusable."""
        final = path_of(self.path.parent, process_id, number)
        self.path.rename(final)
        self.path, self.number = final, number

    def close(self) -> None:
        """Let go of the file and its lock."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def create(folder: Path, name: str, size: int) -> Segment:
    """Make and lock an unpublished segment of zeros; OSError where that is not possible."""
    path = folder.joinpath(name + UNFINISHED)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink == 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "a sweep met it before it was locked")
        _allocate(fd, size)
    except BaseException:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return Segment(fd, path, size)


def _allocate(fd: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
            return
        except OSError as error:
            if error.errno not in _NO_ALLOCATION:
                raise
    os.truncate(fd, size)


def published(folder: Path) -> dict[str, list[int]]:
    """All segments of all processes in a folder: process -> numbers in order."""
    found: dict[str, list[int]] = {}
    for path in folder.iterdir():
        parsed = parse(path.name)
        if parsed is not None:
            found.setdefault(parsed[0], []).append(parsed[1])
    for numbers in found.values():
        numbers.sort()
    return found


def parse(name: str) -> tuple[str, int] | None:
    """Process and number of a segment's name, None for anything else."""
    if not name.endswith(SUFFIX):
        return None
    process_id, _, number = name.removesuffix(SUFFIX).rpartition(".")
    return (process_id, int(number)) if process_id and number.isdecimal() else None


def path_of(folder: Path, process_id: str, number: int) -> Path:
    """Where a published segment is."""
    return folder.joinpath(f"{process_id}.{number:08d}{SUFFIX}")


def try_lock(path: Path) -> int | None:
    """Open a file of another process and lock it; None while its owner lives. FileNotFoundError where it is gone."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


def sweep(folder: Path) -> int:
    """Delete unpublished files whose makers died; how many. What was made just now may not be locked yet."""
    swept, before = 0, now_ms() - YOUNG_MS
    for path in folder.iterdir():
        if path.suffix != UNFINISHED:
            continue
        try:
            if path.stat().st_mtime_ns // 1_000_000 > before:
                continue
            fd = try_lock(path)
            if fd is not None:
                path.unlink(missing_ok=True)
                os.close(fd)
                swept += 1
        except FileNotFoundError:
            continue
    return swept


def sync_folder(folder: Path) -> None:
    """Make names durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
