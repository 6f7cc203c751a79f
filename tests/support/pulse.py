"""For how long an event loop was kept from everything else by what runs in it, on a machine that has other things to do.

Measured is the time between two turns, less the time in which the thread could have run and the system ran others
(Linux counts that): what remains is its own work, and its waiting for disks, locks and other threads. A single long one
may still be the machine's doing; what the code does to the loop comes again in each lap.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns

#: Nanoseconds for which the loop may be away.
BOUND = 50_000_000
_EVERY = 0.005
_COUNTED = Path("/proc/thread-self/schedstat")


class Pulse:
    """Notes, lap by lap, the longest time for which the loop did nothing else."""

    def __init__(self) -> None:
        #: Nanoseconds.
        self.laps = [0]
        self._seen: tuple[int, int] | None = None

    async def watch(self) -> None:
        """Look until cancelled."""
        with suppress(OSError):
            fd = os.open(_COUNTED, os.O_RDONLY)  # of the thread that opens it
            try:
                while True:
                    self.look(_waited(fd))
                    await asyncio.sleep(_EVERY)
            finally:
                os.close(fd)
        while True:  # a system that does not count
            self.look(0)
            await asyncio.sleep(_EVERY)

    def look(self, waited: int) -> None:
        """Take in one turn; `waited`: for how long the thread has waited for a processor in its life."""
        now = monotonic_ns()
        if self._seen is not None:
            away = now - self._seen[0] - (waited - self._seen[1]) - int(_EVERY * 1e9)
            self.laps[-1] = max(self.laps[-1], away)
        self._seen = now, waited

    def lap(self) -> None:
        """Begin another lap."""
        self.laps.append(0)

    @property
    def longest(self) -> int:
        """The longest time of the best lap that has ended."""
        return min(self.laps[:-1])


def _waited(fd: int) -> int:
    return int(os.pread(fd, 100, 0).split()[1])
