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

#: Pieces of work in one transaction.
TOGETHER = 64


class _Piece(Generic[T]):
    """One piece of work, and who waits for it."""

    __slots__ = ("order", "outcome", "work")

    def __init__(self, work: Callable[[Tx], Awaitable[T]], order: str) -> None:
        self.work = work
        self.order = order
        self.outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()


class Book:
    """Writes for everybody in one process; for one event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[_Piece[Any]] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Tx], Awaitable[T]], *, order: str = "") -> T:
        """Do a piece of work in a transaction that others may share; what it gives, once that is durable.

        The work may be done again where the transaction was not kept, so that it changes nothing but through `tx`. Pieces
        of a transaction are done by `order`: those that lock rows which others lock too name them in it. Raises what the
        work raises, and StoreUnavailable: then nobody knows whether it was kept.
        """
        piece = _Piece(work, order)
        self._waiting.append(piece)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())
        return await piece.outcome

    async def _write(self) -> None:
        """Write until nothing waits any more."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                ready = [piece for piece in batch if not piece.outcome.done()]  # who waited may have left
                ready.sort(key=lambda piece: piece.order)
                if len(ready) == 1 or (ready and not await self._together(ready)):
                    for piece in ready:
                        await self._alone(piece)
        finally:
            self._task = None
            if self._waiting:  # cancelled with its loop: whoever still waits must not wait for ever
                for piece in self._waiting:
                    piece.outcome.cancel()

    async def _together(self, pieces: Sequence[_Piece[Any]]) -> bool:
        """Do them in one transaction; False where one of them failed and nothing was kept."""
        try:
            async with self._db.writing() as tx:
                made = [await piece.work(tx) for piece in pieces]
        except StoreUnavailable as error:
            for piece in pieces:
                _fail(piece, StoreUnavailable(detail=error.detail, retry_after=error.retry_after))
            return True
        except Exception:  # noqa: BLE001 - alone it shows whose fault it is
            return False
        for piece, outcome in zip(pieces, made, strict=True):
            if not piece.outcome.done():
                piece.outcome.set_result(outcome)
        return True

    async def _alone(self, piece: _Piece[Any]) -> None:
        try:
            async with self._db.writing() as tx:
                outcome = await piece.work(tx)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            _fail(piece, error)
        else:
            if not piece.outcome.done():
                piece.outcome.set_result(outcome)


def _fail(piece: _Piece[Any], error: Exception) -> None:
    if not piece.outcome.done():
        piece.outcome.set_exception(error)
