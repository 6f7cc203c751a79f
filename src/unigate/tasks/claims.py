"""The claiming loop that tasks, notifications and files share: look for what is due, claim it by lease, hand it to work.

Whoever works on a row sees to its next `due_at` and gives up its lease by that, in its own transaction. A process that dies
leaves the lease to end. Must not know what the work is.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import StoreUnavailable
from unigate.store.claims import Queue
from unigate.store.database import Database, Row

log: Any = structlog.get_logger("unigate.tasks")
T = TypeVar("T")

#: Rows claimed in one transaction.
AT_ONCE = 500
#: Seconds between two claims, so that what falls due meanwhile is claimed together,
REST = 0.05
#: longest wait for a look at what others have put into the table,
LOOK = 1.0
#: and the wait after a failure of the database.
PAUSE = 0.5


class Claiming(ABC, Generic[T]):
    """Claims rows of one queue for one process, and hands them out as it reads them."""

    def __init__(
        self,
        db: Database,
        queue: Queue,
        *,
        owner: str,
        lease: Callable[[], float],
        places: int = 100,
        rest: float = REST,
        look: float = LOOK,
    ) -> None:
        """`owner` is unique to this process and start; `lease` gives seconds; `places`: rows at work at a time."""
        self.owner = owner
        self._db = db
        self._queue = queue
        self._id_at = queue.names.index("id")
        self._lease = lease
        self._places = places
        self._rest = rest
        self._look = look
        self._wake = asyncio.Event()
        self._stopping = False
        #: Set while the loop is not looking for what is due.
        self._turned = asyncio.Event()
        self._turned.set()
        #: Rows at work, by id.
        self._at_work: dict[str, asyncio.Task[None]] = {}

    @abstractmethod
    def _read(self, rows: Sequence[Row]) -> Sequence[T]:
        """What is to be worked on of rows that were claimed."""

    @abstractmethod
    def _id_of(self, one: T) -> str:
        """The id of what is worked on."""

    def poke(self) -> None:
        """Something became due."""
        self._wake.set()

    @property
    def at_work(self) -> int:
        """How many rows are being worked on."""
        return len(self._at_work)

    async def run(self, work: Callable[[T], Awaitable[None]]) -> None:
        """Claim, and work on each row by itself, until `stop`. What the work raises is logged; the lease ends then."""

        async def one_by_one(rows: Sequence[T]) -> None:
            await work(rows[0])

        await self._run(one_by_one, together=False)

    async def run_together(self, work: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        """The same for work that takes all rows of a claim at once."""
        await self._run(work, together=True)

    async def stop(self, seconds: float) -> None:
        """Claim nothing more, let what is at work end within some seconds, and give back the rest."""
        end = monotonic() + seconds
        self._stopping = True
        self._wake.set()
        if not self._turned.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._turned.wait(), seconds)
        tasks = set(self._at_work.values())
        if tasks:
            await asyncio.wait(tasks, timeout=max(end - monotonic(), 0))
        left = dict(self._at_work)
        for task in set(left.values()):
            task.cancel()
        await asyncio.gather(*set(left.values()), return_exceptions=True)
        try:
            async with self._db.writing() as tx:
                await self._queue.give_back(tx, self.owner, list(left), now=now_ms())
        except StoreUnavailable as error:
            log.warning("claims could not be given back", detail=error.detail)

    async def _run(self, work: Callable[[Sequence[T]], Awaitable[None]], *, together: bool) -> None:
        while not self._stopping:
            self._wake.clear()
            self._turned.clear()
            try:
                wait = await self._turn(work, together=together)
            except StoreUnavailable as error:
                log.warning("could not look for what is due", detail=error.detail)
                wait = PAUSE
            except Exception:
                log.exception("could not look for what is due")
                wait = PAUSE
            finally:
                self._turned.set()
            if wait > self._rest:
                try:
                    async with asyncio.timeout(wait - self._rest):
                        await self._wake.wait()
                except TimeoutError:
                    pass
            if not self._stopping:
                await asyncio.sleep(self._rest)

    async def _turn(self, work: Callable[[Sequence[T]], Awaitable[None]], *, together: bool) -> float:
        """Claim what is due, as far as there are places; seconds until the next look."""
        most = min(self._places - len(self._at_work), AT_ONCE)
        if most <= 0:
            return self._look  # poked as soon as a place is free
        now = now_ms()
        async with self._db.reading() as tx:
            due = await self._queue.next_due(tx, self.owner, now=now)
        if due is None or due > now:
            return self._look if due is None else min((due - now) / 1000, self._look)
        async with self._db.writing() as tx:
            until = now + int(self._lease() * 1000)
            rows = await self._queue.claim(tx, self.owner, now=now, until=until, most=most)
        if rows and self._stopping:
            async with self._db.writing() as tx:
                await self._queue.give_back(tx, self.owner, [str(row[self._id_at]) for row in rows], now=now)
        elif rows:
            found = self._read(rows)
            for some in [found] if together else [[one] for one in found]:
                if some:
                    self._start(work, some)
            return 0.0
        return min(self._look, 5 * self._rest)  # somebody else was quicker, or a lease ends later than it says

    def _start(self, work: Callable[[Sequence[T]], Awaitable[None]], rows: Sequence[T]) -> None:
        self._run_for([self._id_of(one) for one in rows], self._work(work, rows))

    def _beside(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something that is no row's, as long as there is time for work; what it raises is logged."""
        self._run_for([name], self._guarded(work))

    def _run_for(self, ids: Sequence[str], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        for one in ids:
            self._at_work[one] = task
        task.add_done_callback(lambda done: self._ended(ids, done))

    async def _work(self, work: Callable[[Sequence[T]], Awaitable[None]], rows: Sequence[T]) -> None:
        await self._guarded(work(rows))

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StoreUnavailable as error:
            log.warning("work on what was claimed failed", detail=error.detail)
        except Exception:
            log.exception("work on what was claimed failed")

    def _ended(self, ids: Sequence[str], task: "asyncio.Task[None]") -> None:
        full = len(self._at_work) >= self._places
        for one in ids:
            if self._at_work.get(one) is task:
                del self._at_work[one]
        if full:
            self._wake.set()


class Claims(Claiming[Row]):
    """Claims rows, and hands them out as they are."""

    def _read(self, rows: Sequence[Row]) -> Sequence[Row]:
        return rows

    def _id_of(self, one: Row) -> str:
        return str(one[self._id_at])
