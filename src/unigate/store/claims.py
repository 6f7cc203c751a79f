"""Claiming rows by lease: work that waits in a table is taken by one process at a time, and by another when its lease ends.

Serves every table with the columns `id`, `due_at`, `owner` and `lease_until`. A claim moves `due_at` to the lease's end, so
that what is being worked on is not looked at again and again. Where somebody else may have a reason to look before that, they
move `due_at` alone: `due_at < lease_until` tells the owner, who claims its own row once more. Must not know what the work is.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    case,
    literal_column,
    or_,
    select,
    update,
)

from unigate.store.database import Row, Tx


def one_of(column: ColumnElement[str], *values: str) -> ColumnElement[bool]:
    """`column IN (...)` with the values in the text: only so do both databases see that a partial index fits."""
    written: list[ColumnElement[str]] = [literal_column(f"'{value}'", Text()) for value in values]
    return column.in_(written) if len(written) > 1 else column == written[0]


class Queue:
    """The rows of a table that wait for somebody; `waiting` is the condition of the table's index over `due_at`."""

    def __init__(
        self,
        table: Table,
        waiting: ColumnElement[bool],
        *,
        returned: ColumnElement[bool] | None = None,
        moved: ColumnElement[bool] | None = None,
    ) -> None:
        """`returned`: which of them a process that stops may give back before their lease ends; None: all.

        `moved`: of which of them others may move `due_at`, so that their owner claims them once more; None: of none.
        """
        #: Names of the columns, in the order of the rows.
        self.names: tuple[str, ...] = tuple(table.c.keys())
        free = table.c.lease_until <= _whole("now")
        seen = free
        if moved is not None:
            free = or_(free, and_(moved, table.c.owner == bindparam("by"), table.c.due_at < table.c.lease_until))
            seen = or_(free, table.c.due_at > _whole("now"))  # what others were told to look at is nothing to wait for
        due = (
            select(table.c.id)
            .where(waiting, table.c.due_at <= _whole("now"), free)
            .order_by(table.c.due_at, table.c.id)
            .limit(_whole("most"))
            .with_for_update(skip_locked=True)
            .cte("due")  # computed once: as a mere subquery PostgreSQL may run it again for each row
        )
        #: Both conditions again: another process may have had the row between the look and the lock.
        self._claim = (
            update(table)
            .where(table.c.id.in_(select(due.c.id)), waiting, free)
            .values(owner=bindparam("by"), lease_until=_whole("until"), due_at=_whole("until"))
            .returning(*table.c)
        )
        self._moved = moved is not None
        self._next = select(table.c.due_at).where(*((waiting, seen) if self._moved else (waiting,)))
        self._next = self._next.order_by(table.c.due_at).limit(1)
        mine = (table.c.owner == bindparam("by"), table.c.id.in_(bindparam("ids", expanding=True)), waiting)
        self._prolong = update(table).where(*mine).values(lease_until=_whole("until"), due_at=_whole("until"))
        unmoved = case((table.c.due_at < table.c.lease_until, table.c.due_at), else_=_whole("until"))
        kept = mine if moved is None else (*mine, moved)
        #: Locked in one order, as whoever changes several rows in a transaction does.
        ours = select(table.c.id).where(*kept).order_by(table.c.id).with_for_update().cte("ours")
        self._keep = (
            update(table)
            .where(table.c.id.in_(select(ours.c.id)), *kept[:1], waiting)
            .values(lease_until=_whole("until"), due_at=unmoved)
            .returning(table.c.id)
        )
        back = mine if returned is None else (*mine, returned)
        self._give_back = update(table).where(*back).values(lease_until=0, due_at=_whole("now"), owner="")

    async def claim(self, tx: Tx, owner: str, *, now: int, until: int, most: int) -> list[Row]:
        """Take up to `most` rows that are due, those that waited longest first; all columns as the claim left them."""
        rows = await tx.all(self._claim, {"by": owner, "now": now, "until": until, "most": most})
        place = self.names.index("id")
        return sorted(rows, key=lambda row: str(row[place]))

    async def next_due(self, tx: Tx, owner: str = "", *, now: int = 0) -> int | None:
        """When the next row is due that this owner may claim, or somebody's lease ends; None where none waits."""
        row = await tx.one(self._next, {"by": owner, "now": now} if self._moved else None)
        return None if row is None or row[0] is None else int(row[0])

    async def prolong(self, tx: Tx, owner: str, ids: Sequence[str], *, until: int) -> None:
        """Keep rows that this owner works on for longer."""
        if ids:
            await tx.run(self._prolong, {"by": owner, "ids": list(ids), "until": until})

    async def keep(self, tx: Tx, owner: str, ids: Sequence[str], *, until: int) -> set[str]:
        """Keep rows for longer, and what others have moved as it is; those that are still this owner's."""
        return {str(row[0]) for row in await tx.all(self._keep, {"by": owner, "ids": list(ids), "until": until})}

    async def give_back(self, tx: Tx, owner: str, ids: Sequence[str], *, now: int) -> None:
        """Let go of rows that this owner has claimed and did nothing about."""
        if ids:
            await tx.run(self._give_back, {"by": owner, "ids": list(ids), "now": now})


def _whole(name: str) -> BindParameter[int]:
    return bindparam(name, type_=Integer())
