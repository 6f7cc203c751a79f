"""Group commit: small writes that come at the same time share one transaction, and so one wait for the disk.

Each piece of work is told its own outcome. One that fails makes the others be tried again without it. Must not know what
is written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from unigate.base.errors import StoreUnavailable
from unigate.store.database import Database, Tx

T = TypeVar("T")
Item = TypeVar("Item")
R = TypeVar("R")

#: Pieces of work in one transaction.
TOGETHER = 64


class Batches(Generic[Item, R]):
    """Collects items, and applies those that wait together; for one event loop.

    `apply` gives an outcome for each item, in their order. It may be run again where the transaction was not kept, so it
    changes nothing but through the transaction.
    """

    def __init__(
        self, db: Database, apply: Callable[[Tx, Sequence[Item]], Awaitable[Sequence[R]]], *, together: int = TOGETHER
    ) -> None:
        """`together`: items in one transaction at most."""
        self._db = db
        self._together = together
        self._apply = apply
        self._waiting: list[tuple[Item, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> R:
        """Have an item applied; its outcome, once that is durable.

        Raises what applying it raises, and StoreUnavailable: then nobody knows whether it was kept.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, outcome))
        if self._task is None:
            self._task = loop.create_task(self._write())
        return await outcome

    async def _write(self) -> None:
        """Write until nothing waits any more."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._together], self._waiting[self._together :]
                ready = [pair for pair in batch if not pair[1].done()]  # who waited may have left
                if ready and not await self._try(ready):
                    for pair in ready:
                        await self._try([pair])
        finally:
            self._task = None
            for _, outcome in self._waiting:  # cancelled with its loop: nobody must wait for ever
                outcome.cancel()

    async def _try(self, batch: Sequence[tuple[Item, "asyncio.Future[R]"]]) -> bool:
        """One transaction; False where several failed together and nothing was kept: alone it shows whose fault it is."""
        try:
            async with self._db.writing() as tx:
                made = await self._apply(tx, [item for item, _ in batch])
        except StoreUnavailable as error:
            for _, outcome in batch:
                _fail(outcome, StoreUnavailable(detail=error.detail, retry_after=error.retry_after))
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            if len(batch) > 1:
                return False
            _fail(batch[0][1], error)
        else:
            for (_, outcome), one in zip(batch, made, strict=True):
                if not outcome.done():
                    outcome.set_result(one)
        return True


class Book:
    """Writes for everybody in one process; for one event loop."""

    def __init__(self, db: Database) -> None:
        self._batches: Batches[tuple[str, Callable[[Tx], Awaitable[Any]]], Any] = Batches(db, _each)

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, order: str = "") -> T:
        """Do a piece of work in a transaction that others may share; what it gives, once that is durable.

        The work may be done again where the transaction was not kept, so that it changes nothing but through `tx`. Pieces
        of a transaction are done by `order`: those that lock rows which others lock too name them in it. Raises what the
        work raises, and StoreUnavailable: then nobody knows whether it was kept.
        """
        made: T = await self._batches.put((order, work))
        return made


async def _each(tx: Tx, pieces: Sequence[tuple[str, Callable[[Tx], Awaitable[Any]]]]) -> list[Any]:
    made: list[Any] = [None] * len(pieces)
    for place in sorted(range(len(pieces)), key=lambda n: pieces[n][0]):
        made[place] = await pieces[place][1](tx)
    return made


def _fail(outcome: "asyncio.Future[Any]", error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)
