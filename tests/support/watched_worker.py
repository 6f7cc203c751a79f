"""A worker that watches its own event loop, and writes down each second for how long it was away at most."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from support.pulse import Pulse
from unigate import server

#: The file's name in the data directory.
LOG = "pulse"


def watched_worker(settings: server.WorkerSettings, sock: socket.socket, ready: Callable[[], None]) -> None:
    """A worker with a watch on its loop."""
    tasks: set[asyncio.Task[None]] = set()

    def and_watch() -> None:
        pulse = Pulse()
        tasks.add(asyncio.ensure_future(pulse.watch()))
        tasks.add(asyncio.ensure_future(_write(pulse, settings.data / LOG)))
        ready()

    server.main(settings, sock, and_watch)


async def _write(pulse: Pulse, log: Path) -> None:
    with log.open("w") as file:
        while True:
            await asyncio.sleep(1)
            pulse.lap()
            print(pulse.laps[-2], file=file, flush=True)
