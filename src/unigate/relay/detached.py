"""Work that goes on when its caller leaves: what was sent to a provider is seen to its end, and paid.

It must not know what the work is.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Detached:
    """What is under way in one process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def run(
        self,
        work: Coroutine[Any, Any, Result],
        *,
        may_stop: Callable[[], bool],
        ended: Callable[[BaseException | None], None],
    ) -> Result:
        """What comes of some work. A caller that leaves stops it only where it `may_stop`.

        `ended` is told in any case, before the caller goes on: what went wrong, None for nothing.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(lambda _: ended(self._ended(task)))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if may_stop():
                task.cancel()
            raise

    async def rest(self, seconds: float) -> None:
        """Wait until all has ended."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)

    def _ended(self, task: asyncio.Task[Any]) -> BaseException | None:
        self._running.discard(task)
        return asyncio.CancelledError() if task.cancelled() else task.exception()
