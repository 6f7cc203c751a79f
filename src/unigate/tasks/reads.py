"""Group reading: what is asked for while the database answers is read together in the next transaction.

Whoever asks sees everything that was durable when they asked. Must not keep anything that was read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from unigate.base.errors import StoreUnavailable
from unigate.store.database import Database, Tx

R = TypeVar("R")
#: Keys in one transaction, and transactions at a time.
TOGETHER, LANES = 100, 2


class Reads(Generic[R]):
    """Reads things by key, for one event loop; `read` gives those that there are."""

    def __init__(self, db: Database, read: Callable[[Tx, Sequence[str]], Awaitable[Mapping[str, R]]]) -> None:
        self._db = db
        self._read = read
        self._waiting: dict[str, list[asyncio.Future[R | None]]] = {}
        #: Those that read, and how many of them will look again at what waits.
        self._lanes: set[asyncio.Task[None]] = set()
        self._reading = 0

    async def get(self, key: str) -> R | None:
        """What is under a key; None for nothing. Raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[R | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(waiter)
        if self._reading < LANES:
            self._reading += 1
            lane = loop.create_task(self._work())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await waiter

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._turn()
        finally:
            self._reading -= 1  # in the very turn in which nothing waited: whoever comes now begins another

    async def _turn(self) -> None:
        keys = list(self._waiting)[:TOGETHER]
        asked = {key: self._waiting.pop(key) for key in keys}
        try:
            async with self._db.reading() as tx:
                found = await self._read(tx, keys)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            for waiter in (one for waiters in asked.values() for one in waiters):
                if not waiter.done():
                    waiter.set_exception(_again(error))
        else:
            for key, waiters in asked.items():
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(found.get(key))


def _again(error: Exception) -> Exception:
    """An error of one's own: one that is raised twice would carry both callers' traces."""
    return (
        StoreUnavailable(detail=error.detail, retry_after=error.retry_after)
        if isinstance(error, StoreUnavailable)
        else error
    )
