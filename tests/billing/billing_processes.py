"""Starting and talking to processes that have a bank or are a mover (billing_child.py)."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Child:
    """A process that was started by a test, and what it said."""

    def __init__(self, status: socket.socket, orders: int, reader: asyncio.StreamReader) -> None:
        self._told = b""
        while b"\n" not in self._told:
            self._told += status.recv(100)
        status.setblocking(False)
        first, _, self._told = self._told.partition(b"\n")
        self.pid = int(first)
        self.said: list[dict[str, Any]] = []
        self.code: int | None = None
        self._status = status
        self._orders = orders
        self._reader = reader

    def tell(self, **order: object) -> None:
        """Give it an order."""
        with suppress(BrokenPipeError):  # it was killed in the meantime
            os.write(self._orders, (json.dumps(order) + "\n").encode())

    async def hear(self, what: str, *, seconds: float = 30) -> Any:
        """Wait until it says something of that name."""
        async with asyncio.timeout(seconds):
            while True:
                line = await self._reader.readline()
                assert line, f"it ended without saying {what}: {self.said[-5:]}"
                self.said.append(json.loads(line))
                if what in self.said[-1]:
                    return self.said[-1][what]

    async def end(self, *, seconds: float = 60) -> int:
        """Let it come to its end, hearing it out; its exit code, or the negative number of what killed it."""
        if self.code is None:
            self._stop_telling()
            async with asyncio.timeout(seconds):
                while line := await self._reader.readline():
                    self.said.append(json.loads(line))
                while b"\n" not in self._told:
                    self._told += await asyncio.get_running_loop().sock_recv(self._status, 100)
            self._status.close()
            self.code = os.waitstatus_to_exitcode(int(self._told))
        return self.code

    async def kill(self) -> None:
        """Kill it if it still runs, and clean up."""
        if self.code is None:
            self.send(signal.SIGKILL)
            await self.end()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def all(self, what: str) -> list[Any]:
        """Everything that it said under a name."""
        return [line[what] for line in self.said if what in line]

    def _stop_telling(self) -> None:
        orders, self._orders = self._orders, -1
        if orders >= 0:
            os.close(orders)


class Nursery:
    """A process that forks children on demand."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "nursery")
        code = f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}; import billing_child as c"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", f"{code}; c.nursery({self._path!r})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    async def start(self, be: str, url: str, folder: Path, **told: object) -> Child:
        """Start a process that is a `bank` or a `mover`."""
        what = json.dumps({"be": be, "url": url, "folder": str(folder), **told}).encode()
        theirs, orders = os.pipe()
        words, their_words = os.pipe()
        status = socket.socket(socket.AF_UNIX)
        status.connect(self._path)
        socket.send_fds(status, [what], [theirs, their_words])
        os.close(theirs)
        os.close(their_words)
        reader = asyncio.StreamReader(limit=1 << 24)
        pipe = os.fdopen(words, "rb", 0)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return Child(status, orders, reader)

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()
