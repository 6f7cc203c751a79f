"""The limiter process: one set of buckets for all workers of a node, behind a Unix socket.

It runs beside the workers in the supervisor's group and keeps nothing on disk: a new one starts with full buckets
and learns from the workers which calls are on their way. A worker that dies gives back its places by its connection.
"""

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import msgspec

from unigate.access.limiter_frames import Done, Frames, Hello, Resume, Take, Used, frame, requests
from unigate.access.limits import Buckets, Standing
from unigate.base.clock import monotonic_ns

#: Admitted calls of one connection at most; a worker's own limits are far below.
MAX_OPEN: Final = 200_000
#: Bytes of a Unix socket's path, the end included: 108 on Linux, 104 on macOS.
_LONGEST_PATH: Final = 103
_WORKS: Final = frame((0, Standing()))


class Server:
    """Answers workers out of one set of buckets."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        """`clock_ns`: monotonic nanoseconds."""
        self.buckets = Buckets(clock_ns)
        self._listening: asyncio.Server | None = None
        self._path = ""
        self._workers: set[_Worker] = set()

    async def start(self, path: str) -> None:
        """Listen at `path`, for this user only. OSError where another limiter listens there already."""
        listener = listen(path)
        self._path = path
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_unix_server(lambda: _Worker(self.buckets, self._workers), sock=listener)

    async def close(self) -> None:
        """Stop listening and drop the workers, who then serve on their own."""
        if self._listening is not None:
            self._listening.close()
            _remove(self._path)
        for worker in tuple(self._workers):
            worker.abort()


class _Worker(asyncio.Protocol):
    """One worker's connection, with the calls of it that are on their way."""

    def __init__(self, buckets: Buckets, workers: "set[_Worker]") -> None:
        self._buckets = buckets
        self._workers = workers
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        #: Number -> key, whether it occupies a place, tokens reserved.
        self._open: dict[int, tuple[str, bool, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._workers.add(self)

    def data_received(self, data: bytes) -> None:
        out = bytearray()
        try:
            for payload in self._frames.feed(data):
                out += self._handle(requests.decode(payload))
        except (ValueError, msgspec.DecodeError):
            self.abort()
            return
        if out and self._transport is not None:
            self._transport.write(bytes(out))

    def connection_lost(self, _exc: Exception | None) -> None:
        """The worker is gone: its places are free. The tokens of its calls may have been used, so they stay taken."""
        self._transport = None
        self._workers.discard(self)
        for key, place, _ in self._open.values():
            self._buckets.done(key, concurrency=place, unused=0)
        self._open.clear()

    def pause_writing(self) -> None:
        """A worker that doesn't read its answers gets no further ones."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _handle(self, message: Hello | Take | Resume | Done) -> bytes:
        """The answer to one message, b"" where there is none; ValueError for what no worker would send."""
        match message:
            case Take(number, key, rpm, tpm, concurrency, tokens):
                self._check(number)
                standing = self._buckets.admit(key, (rpm, tpm, concurrency), tokens)
                if not standing.refused:
                    self._open[number] = (key, concurrency > 0, tokens)
                return frame((number, standing))
            case Done(number, tokens):
                call = self._open.pop(number, None)
                if call is not None:
                    self._buckets.done(call[0], concurrency=call[1], unused=call[2] - tokens)
            case Used(number, tokens):
                if number in self._open:
                    self._buckets.used(self._open[number][0], tokens)
            case Resume(number, key, rpm, tpm, concurrency, tokens):
                self._check(number)
                self._buckets.resume(key, (rpm, tpm, concurrency))
                self._open[number] = (key, concurrency > 0, tokens)
            case Hello():
                return _WORKS
        return b""

    def _check(self, number: int) -> None:
        if not number or number in self._open or len(self._open) >= MAX_OPEN:
            raise ValueError("a call's number is used twice, or there are too many")


def listen(path: str) -> socket.socket:
    """A listening Unix socket that only this user can open; one left behind by a dead limiter is replaced.

    OSError where a limiter still listens there, or where something else stands in its place.
    """
    with contextlib.suppress(FileNotFoundError):
        if not Path(path).is_socket():
            Path(path).lstat()
            raise FileExistsError(f"{path} exists and is not a socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(1.0)
            try:
                other.connect(path)
            except (ConnectionRefusedError, FileNotFoundError):
                Path(path).unlink()
            else:
                raise OSError(f"another limiter listens at {path}")
    listener = socket.socket(socket.AF_UNIX)
    try:
        # The mode is set before anybody can connect, since nothing listens yet.
        listener.bind(path)
        Path(path).chmod(0o600)
        listener.listen(128)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def place(folder: str) -> str:
    """Where the socket goes: into the data folder, or, where that path is too long for a socket, a fresh private one."""
    path = Path(folder, "limiter.sock")
    if len(os.fsencode(path)) > _LONGEST_PATH:
        path = Path(tempfile.mkdtemp(prefix="unigate-"), "limiter.sock")
    return str(path)


def main(path: str, ready: Callable[[], object] | None = None) -> None:
    """The process: serve at `path` until SIGTERM or SIGINT. `ready` is called once it listens."""
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(path, ready))


async def _serve(path: str, ready: Callable[[], object] | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(monotonic_ns)
    await server.start(path)
    if ready is not None:
        ready()
    try:
        await stop.wait()
    finally:
        await server.close()


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of uvloop where it is installed, else asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
