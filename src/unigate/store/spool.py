"""Spool: files that live as long as a call. Short ones stay in memory, others lie on a disk.

They have no name there wherever the system can do that (Linux), so nothing is left of them when a process is killed. What is written and read on a disk is so beside the event loop, by few threads of its own.
"""

import asyncio
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

from unigate.base.errors import StoreUnavailable

#: Bytes of a file that wait in memory before they are written; a shorter file is never on a disk.
HELD = 64 << 10
#: Bytes of a disk that are left free: journals and database lie there too.
RESERVE = 64 << 20
_THREADS = 4
_T = TypeVar("_T")


class Spool:
    """Makes files below one folder; None: where the system has its temporary ones."""

    def __init__(self, folder: Path | None = None, *, reserve: int = RESERVE) -> None:
        self._folder = folder
        self._reserve = reserve
        self._threads: ThreadPoolExecutor | None = None

    def file(self) -> "Spooled":
        """A new, empty file."""
        return Spooled(self)

    def run(self, work: Callable[..., _T], *args: object) -> asyncio.Future[_T]:
        """Begin what waits for a disk, or thinks long, beside the event loop; to be awaited."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="spool")
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    def create(self) -> BinaryIO:
        """A file on the disk, open and without a name. StoreUnavailable where the disk has no room; OSError."""
        folder = self._folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.check_room()
        return tempfile.TemporaryFile(buffering=0, dir=folder)

    def check_room(self) -> None:
        """StoreUnavailable where less than the reserve is free."""
        disk = os.statvfs(self._folder or tempfile.gettempdir())
        if disk.f_bavail * disk.f_frsize < self._reserve:
            raise StoreUnavailable(retry_after=5.0, detail="spool: the disk is nearly full")


class Spooled:
    """One file. Fulfils `spec.form.Source`."""

    __slots__ = ("_closed", "_file", "_lock", "_spool", "_waiting", "size")

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting = bytearray()
        self._file: BinaryIO | None = None
        #: Held by whoever is at the file: it is not closed under a thread's hands.
        self._lock = Lock()
        self._closed = False
        #: Bytes.
        self.size = 0

    @property
    def at_hand(self) -> bool:
        """All of it is in memory."""
        return self._file is None

    @property
    def full(self) -> bool:
        """So much waits in memory that `write` should be awaited."""
        return len(self._waiting) > HELD

    def add(self, data: bytes) -> None:
        """Put bytes at the end."""
        self._waiting += data
        self.size += len(data)

    async def write(self) -> None:
        """Take to the disk what waits in memory. StoreUnavailable. Where it is cancelled, what it began is done first."""
        if not self._waiting:
            return
        data, self._waiting = self._waiting, bytearray()
        writing = self._spool.run(self._put, data)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            if not writing.cancelled():
                writing.exception()  # nobody else asks
            raise

    def read(self, at: int, size: int) -> bytes:
        """See Source. StoreUnavailable where the disk fails."""
        if self._closed:
            raise ValueError("this file was closed")
        if self._file is None:
            return bytes(self._waiting[at : at + size])
        with self._using() as file:
            return os.pread(file.fileno(), size, at)

    def open(self) -> BinaryIO:
        """See Source."""
        return io.BufferedReader(_Opened(self), HELD)

    def close(self) -> None:
        """See Source. Where a thread is at the file, it is closed when that thread has done."""
        self._closed = True
        self._waiting = bytearray()
        self._shut()

    def _put(self, data: bytearray) -> None:
        with self._using(make=True) as file, memoryview(data) as view:
            self._spool.check_room()
            done = 0
            while done < len(view):
                done += file.write(view[done:])

    @contextmanager
    def _using(self, *, make: bool = False) -> Iterator[BinaryIO]:
        """The file on the disk. StoreUnavailable where the disk fails; ValueError once closed."""
        try:
            with self._lock:
                if self._closed:
                    raise ValueError("this file was closed")
                if self._file is None and make:
                    self._file = self._spool.create()
                assert self._file is not None
                yield self._file
        except OSError as error:
            raise StoreUnavailable(retry_after=1.0, detail=f"spool: {error}") from None
        finally:
            if self._closed:
                self._shut()

    def _shut(self) -> None:
        if self._file is not None and self._lock.acquire(blocking=False):
            with suppress(OSError):
                self._file.close()
            self._lock.release()


class _Opened(io.RawIOBase):
    """A place in a file."""

    def __init__(self, file: Spooled) -> None:
        self._spooled = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # what BufferedReader gives
        data = self._spooled.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._spooled.size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at
