"""What one process has claimed and keeps: tasks that run, in memory, by the moment at which they are asked after next.

A row that is kept costs the database nothing while nothing changes but the end of its lease, which many rows share. Whose
lease ended is forgotten, and claimed anew by whoever is first. Must not reach the database.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from unigate.store.tasks import TaskRow

#: Entries of the heap that may be out of date, beside as many as there are rows.
_SLACK = 1000


class Kept:
    """Rows that are this process's: at rest until they are due, or busy; for one event loop."""

    def __init__(self) -> None:
        self._rows: dict[str, TaskRow] = {}
        #: When each row at rest is due, and the order of that; what differs from `_due` in it is out of date.
        self._due: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []
        #: The end of each lease, those that end first first: each begins now when it begins.
        self._leases: dict[str, int] = {}
        #: Rows that were handed out and are not at rest again.
        self._busy: dict[str, TaskRow] = {}
        #: Busy ones that there was another reason to look at meanwhile.
        self._again: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def taken(self, rows: Sequence[TaskRow], until: int) -> list[TaskRow]:
        """Rows that were claimed until then; those to look at now: one that is busy is looked at again when it rests."""
        found = []
        for row in rows:
            id = row.task.id
            self._lease(id, until)
            if id in self._busy:
                self._again.add(id)
                continue
            known = self._rows.pop(id, None)
            self._due.pop(id, None)
            self._busy[id] = row if known is None or known.task.version != row.task.version else known
            found.append(self._busy[id])
        return found

    def adopt(self, row: TaskRow, due: int, until: int) -> None:
        """A row that became this process's by what it did, if it was not claimed by it meanwhile."""
        if row.task.id in self._busy or row.task.id in self._rows:
            return
        self._lease(row.task.id, until)
        self.rest(row, due)

    def rest(self, row: TaskRow, due: int) -> None:
        """Keep a row until it is due; one that is not this process's any more is forgotten."""
        id = row.task.id
        self._busy.pop(id, None)
        if id not in self._leases:
            self._again.discard(id)
            return
        if id in self._again:
            self._again.discard(id)
            due = 0
        self._rows[id] = row
        self._due[id] = due
        heappush(self._order, (due, id))

    def due(self, now: int, most: int) -> list[TaskRow]:
        """At most so many of the rows that are due; they are busy from now on."""
        found: list[TaskRow] = []
        while len(found) < most and (at := self.next) is not None and at <= now:
            _, id = heappop(self._order)
            if self._leases[id] <= now:
                self.drop(id)
                continue
            del self._due[id]
            self._busy[id] = self._rows.pop(id)
            found.append(self._busy[id])
        if len(self._order) > 2 * len(self._rows) + _SLACK:
            self._order = [(due, id) for id, due in self._due.items()]
            heapify(self._order)
        return found

    @property
    def next(self) -> int | None:
        """When the next row at rest is due."""
        while self._order and self._due.get(self._order[0][1]) != self._order[0][0]:
            heappop(self._order)
        return self._order[0][0] if self._order else None

    def read_anew(self, row: TaskRow) -> None:
        """A busy row is now so."""
        if row.task.id in self._busy:
            self._busy[row.task.id] = row

    def done(self, rows: Sequence[TaskRow]) -> None:
        """Work is over: what was handed out for it, and neither rests nor was dropped, is not looked after any more."""
        for row in rows:
            if self._busy.get(row.task.id) is row:
                self.drop(row.task.id)

    def drop(self, id: str) -> None:
        """It ended, or is another's."""
        self._rows.pop(id, None)
        self._due.pop(id, None)
        self._leases.pop(id, None)
        self._busy.pop(id, None)
        self._again.discard(id)

    def ending(self, before: int, most: int) -> list[str]:
        """At most so many rows whose leases end before then, those that end first first."""
        found: list[str] = []
        for id, until in self._leases.items():
            if until >= before or len(found) >= most:
                break
            found.append(id)
        return found

    def prolonged(self, asked: Sequence[str], still: set[str], until: int) -> None:
        """The leases of those that are `still` this process's end then; the others are another's, or over."""
        for id in asked:
            if id not in still:
                self.drop(id)
            elif id in self._leases:  # it may have ended meanwhile
                self._lease(id, until)

    def lose(self, now: int) -> int:
        """Forget those whose leases have ended; how many."""
        lost = [id for id in self.ending(now + 1, len(self._leases)) if self._leases[id] <= now]
        for id in lost:
            self.drop(id)
        return len(lost)

    def leave(self) -> list[tuple[TaskRow, int]]:
        """Every row at rest and when it is due; none is kept any more."""
        left = [(row, self._due[id]) for id, row in self._rows.items()]
        for row, _ in left:
            self.drop(row.task.id)
        return left

    def _lease(self, id: str, until: int) -> None:
        self._leases.pop(id, None)
        self._leases[id] = until
