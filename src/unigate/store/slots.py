"""Connections that take turns: first come, first served, with a bound on the wait and on the queue."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Generic, TypeVar

from unigate.base.errors import StoreUnavailable

T = TypeVar("T")

#: More callers than this waiting for one database is a jam, and further ones are refused at once.
MAX_WAITING = 2048


def unavailable(detail: str) -> StoreUnavailable:
    """The error that every failure to reach the database becomes; `detail` is for the log."""
    return StoreUnavailable(detail=detail, retry_after=1.0)


class Slots(Generic[T]):
    """A fixed set of things, each used by one caller at a time."""

    def __init__(self, items: Iterable[T]) -> None:
        self._free = list(items)
        self._waiting: deque[asyncio.Future[T]] = deque()

    async def take(self, seconds: float) -> T:
        """The next free one; StoreUnavailable when none became free in time."""
        if self._free:
            return self._free.pop()  # the last one used, which is the warm one
        if len(self._waiting) >= MAX_WAITING:
            raise unavailable("too many transactions wait for the database")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        self._waiting.append(waiter)
        timer = loop.call_later(seconds, expire, waiter, "no connection became free in time")
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give(waiter.result())  # it was handed over in the same turn of the loop
            raise
        finally:
            timer.cancel()
            with suppress(ValueError):
                self._waiting.remove(waiter)

    def give(self, item: T) -> None:
        """Hand one back: to whoever waits longest, else to the free ones."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        self._free.append(item)


def expire(waiter: "asyncio.Future[T]", detail: str) -> None:
    """End a wait that has lasted too long."""
    if not waiter.done():
        waiter.set_exception(unavailable(detail))
