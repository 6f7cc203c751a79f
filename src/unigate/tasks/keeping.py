"""The loop over tasks: it claims what is due, and what runs it keeps, so that asking after it writes nothing.

A task that is kept is asked after when it is due in memory, once its row was seen to be still this process's. Its lease is
prolonged with those of many others. Whoever has a reason for an earlier look moves the row's `due_at`, and the owner claims
it once more. A lease that could not be prolonged in time is lost: the task is forgotten here, and claimed anew by whoever is
first. Must not know what is done with a task.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.store import task_changes, tasks
from unigate.store.database import Database, Row
from unigate.store.tasks import QUEUE, TaskRow
from unigate.tasks.claims import AT_ONCE, LOOK, REST, Claiming
from unigate.tasks.kept import Kept

log: Any = structlog.get_logger("unigate.tasks")
#: Leases prolonged, and rows given back, in one transaction: others want to write too.
TOGETHER = 300
#: Tasks kept at most, of some 5 KB each; what is more is let go of after each look,
MOST = 50_000
#: and so is one of which its provider tells more characters than this.
LARGEST = 65_536
#: By what name the work of prolonging goes.
_LEASES = "~leases"

Work = Callable[[Sequence[TaskRow]], Awaitable[None]]


class Keeping(Claiming[TaskRow]):
    """Tasks of one process."""

    def __init__(
        self,
        db: Database,
        *,
        owner: str,
        lease: Callable[[], float],
        places: int = 100,
        rest: float = REST,
        look: float = LOOK,
    ) -> None:
        """As `Claiming` has it."""
        super().__init__(db, QUEUE, owner=owner, lease=lease, places=places, rest=rest, look=look)
        self._kept = Kept()
        #: When the loop looks again by itself.
        self._planned = 0

    @property
    def kept(self) -> int:
        """How many tasks rest in memory."""
        return len(self._kept)

    @property
    def late(self) -> int:
        """For how many ms the task at rest that waits longest has been due."""
        due = self._kept.next
        return max(now_ms() - due, 0) if due is not None else 0

    @property
    def keeps(self) -> bool:
        """Whether more tasks may be kept: not by a process that stops, nor by one that has enough."""
        return not self._stopping and len(self._kept) < MOST

    def takes(self, size: int) -> bool:
        """Whether a task may be kept of which so many characters are told."""
        return self.keeps and size <= LARGEST

    def keep(self, row: TaskRow, due: int) -> None:
        """Look at a task again then that was handed out, as it is now."""
        self._kept.rest(row, due)
        if due < self._planned:
            self.poke()

    def adopt(self, row: TaskRow, due: int, until: int) -> None:
        """Keep a task that its row says is this process's until then."""
        self._kept.adopt(row, due, until)
        if due < self._planned:
            self.poke()

    def drop(self, task_id: str) -> None:
        """A task has ended, or is not this process's any more."""
        self._kept.drop(task_id)

    async def stop(self, seconds: float) -> None:
        """See Claiming; what is kept is given back, each to be looked at when it is due."""
        await super().stop(seconds)
        left = self._kept.leave()
        try:
            for start in range(0, len(left), TOGETHER):
                rows = [self._back(row, due) for row, due in left[start : start + TOGETHER]]
                async with self._db.writing() as tx:
                    await task_changes.snooze(tx, sorted(rows, key=lambda row: str(row["of"])))
        except StoreUnavailable as error:
            log.warning("tasks could not be given back", detail=error.detail)

    def _back(self, row: TaskRow, due: int) -> dict[str, Any]:
        values = {"of": row.task.id, "by": self.owner, "due": due}
        return {**values, "to_polls": row.polls, "to_errors": row.errors, "to_missing": row.missing_since}

    async def _turn(self, work: Work, *, together: bool) -> float:
        """Look after what is due of what is kept, prolong leases, and claim."""
        now = now_ms()
        if lost := self._kept.lose(now):
            log.warning("leases of tasks ended before they were prolonged", count=lost)
        most = min(self._places - len(self._at_work), AT_ONCE)
        rows = self._kept.due(now, most) if most > 0 else []
        mine = await self._mine(rows) if rows else []
        if self._stopping:
            for row in mine:  # given back with the others at rest
                self._kept.rest(row, now)
            return self._look
        if mine:
            self._start(work, mine)
        if _LEASES not in self._at_work and self._ending(now):
            self._beside(_LEASES, self._prolong())  # beside the rest: it may have to wait for its turn to write
        wait = await super()._turn(work, together=together)
        now = now_ms()
        if (due := self._kept.next) is not None and most > 0:
            wait = min(wait, max(due - now, 0) / 1000)
        self._planned = now + int(wait * 1000)
        return wait

    async def _mine(self, rows: Sequence[TaskRow]) -> list[TaskRow]:
        """Those that are still this process's, as they are; the others are dropped."""
        ids = [row.task.id for row in rows]
        try:
            async with self._db.reading() as tx:
                found = await tasks.kept(tx, ids, self.owner)
                changed = [row.task.id for row in rows if found.get(row.task.id, row.task.version) != row.task.version]
                anew = {row.task.id: _light(row) for row in await tasks.find_several(tx, changed)} if changed else {}
        except BaseException:
            now = now_ms()
            for row in rows:
                self._kept.rest(row, now)
            raise
        for id in ids:
            if id not in found:
                self._kept.drop(id)
            elif id in anew:
                self._kept.read_anew(anew[id])
        return [anew.get(row.task.id, row) for row in rows if row.task.id in found]

    def _ending(self, now: int) -> list[str]:
        """Those whose leases end first, if it is time to prolong them."""
        return self._kept.ending(now + int(self._lease() * 500), TOGETHER)

    async def _prolong(self) -> None:
        """Prolong leases until none ends soon, and let others write in between."""
        while ending := self._ending(now_ms()):
            until = now_ms() + int(self._lease() * 1000)
            async with self._db.writing() as tx:
                still = await self._queue.keep(tx, self.owner, sorted(ending), until=until)
            self._kept.prolonged(ending, still, until)
            await asyncio.sleep(self._rest)

    def _read(self, rows: Sequence[Row]) -> Sequence[TaskRow]:
        found = [tasks.read(row) for row in rows]
        running = [_light(row) for row in found if row.task.state == "running"]
        others = [row for row in found if row.task.state != "running"]
        until = max((row.lease_until for row in running), default=0)
        return [*self._kept.taken(running, until), *others]

    def _id_of(self, one: TaskRow) -> str:
        return one.task.id

    async def _work(self, work: Work, rows: Sequence[TaskRow]) -> None:
        try:
            await super()._work(work, rows)
        finally:
            self._kept.done(rows)


def _light(row: TaskRow) -> TaskRow:
    """A task that runs without what was sent to its provider: nobody sends it again."""
    return replace(row, body=b"") if row.body else row
