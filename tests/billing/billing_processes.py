"""Starting and talking to processes that have a bank or are a mover (billing_child.py)."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Child:
    """A process that was started by a test, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []

    def tell(self, **order: object) -> None:
        """Give it an order."""
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(order) + "\n").encode())

    async def hear(self, what: str, *, seconds: float = 30) -> Any:
        """Wait until it says something of that name."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"it ended without saying {what}: {self.said[-5:]}"
                self.said.append(json.loads(line))
                if what in self.said[-1]:
                    return self.said[-1][what]

    async def end(self, *, seconds: float = 30) -> int:
        """Let it come to its end, hearing it out; its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            self.process.stdin.close()
            async for line in self.process.stdout:
                self.said.append(json.loads(line))
            return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def all(self, what: str) -> list[Any]:
        """Everything that it said under a name."""
        return [line[what] for line in self.said if what in line]


async def start(be: str, url: str, folder: Path, **told: object) -> Child:
    """Start a process that is a `bank` or a `mover`."""
    what = json.dumps({"be": be, "url": url, "folder": str(folder), **told})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "ignore",
        "-c",
        f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}; import billing_child; billing_child.main()",
        what,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    return Child(process)
