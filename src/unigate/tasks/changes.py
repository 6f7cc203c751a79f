"""Waking who waits for a task to change: at once where the change was made in this process, else within a second.

One look at the database serves everybody who waits. Must not know what has changed.
"""

import asyncio
from collections.abc import Callable

import structlog

from unigate.base.errors import StoreUnavailable
from unigate.store import tasks
from unigate.store.database import Database

log: structlog.stdlib.BoundLogger = structlog.get_logger("unigate.tasks")
#: Seconds between two looks at what other processes have changed.
LOOK = 1.0
#: Tasks in one look.
TOGETHER = 400


class Changes:
    """Who waits for which task, in one process."""

    def __init__(self, db: Database, *, look: Callable[[], float] = lambda: LOOK) -> None:
        self._db = db
        self._look = look
        #: Task -> those who wait, each with the version that it has seen.
        self._waiting: dict[str, dict[asyncio.Future[None], int]] = {}
        self._task: asyncio.Task[None] | None = None

    def tell(self, task_id: str) -> None:
        """A task has changed."""
        for waiter in self._waiting.pop(task_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, task_id: str, *, beyond: int, seconds: float) -> bool:
        """Wait until a task's version is above `beyond`, as far as is known; False where the time is over."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(task_id, {})[waiter] = beyond
        if self._task is None:
            self._task = loop.create_task(self._watch())
        timer = loop.call_later(seconds, _give_up, waiter)
        try:
            await waiter
        except TimeoutError:
            return False
        finally:
            timer.cancel()
            waiters = self._waiting.get(task_id)
            if waiters is not None:
                waiters.pop(waiter, None)
                if not waiters:
                    del self._waiting[task_id]
        return True

    async def close(self) -> None:
        """Wake everybody, and look no more."""
        for task_id in list(self._waiting):
            self.tell(task_id)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(self._look())
                ids = list(self._waiting)
                for start in range(0, len(ids), TOGETHER):
                    await self._see(ids[start : start + TOGETHER])
        finally:
            self._task = None

    async def _see(self, ids: list[str]) -> None:
        try:
            async with self._db.reading() as tx:
                found = await tasks.versions(tx, ids)
        except StoreUnavailable as error:
            log.warning("could not look at tasks", detail=error.detail)
            return
        for task_id in ids:
            waiters = self._waiting.get(task_id)
            if waiters and found.get(task_id, 1 << 62) > min(waiters.values()):
                self.tell(task_id)


def _give_up(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
