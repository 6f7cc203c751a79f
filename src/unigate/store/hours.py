"""Hours and days: usage rows summed up by when they were admitted, written with them in one transaction.

Pages that show sums read these and not the rows. Must not be written but by the code that writes rows or changes what
they say, since `ledger check` compares both.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, cast, func, literal, select, update
from sqlalchemy.sql.base import Executable

from unigate.store.database import Tx
from unigate.store.gateway_tables import usage_days, usage_hours
from unigate.store.ledger_tables import usage
from unigate.store.metadata import Int, insert

HOURS = 24
HOUR_MS = 3_600_000
DAY_MS = HOURS * HOUR_MS
#: What the hours are kept apart by, and what is summed up; both in the order of the table.
DIMENSIONS = ("user_id", "key_id", "operation", "model", "channel_id", "ended")
FIGURES = tuple(c.name for c in usage_hours.c if c.name not in ("hour", *DIMENSIONS))
#: The first figure counts the rows, the others are columns of theirs.
assert FIGURES[0] == "calls"
_place = itemgetter(*DIMENSIONS)
_figures = itemgetter(*FIGURES[1:])


def _adding(table: Table) -> Executable:
    new = insert(table)
    return new.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + new.excluded[name] for name in FIGURES},
    )


def _refunding(table: Table, step: Column[int], size: int) -> Executable:
    return (
        update(table)
        .where(usage.c.id == bindparam("call"), step == usage.c.at // size)
        .where(*(table.c[name] == usage.c[name] for name in DIMENSIONS))
        .values(refunded=table.c.refunded + bindparam("more"))
    )


_ADD_HOUR, _ADD_DAY = _adding(usage_hours), _adding(usage_days)
_REFUNDED = (_refunding(usage_hours, usage_hours.c.hour, HOUR_MS), _refunding(usage_days, usage_days.c.day, DAY_MS))


async def count(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """Count usage rows that were just inserted, as they stand in the table, in their hours and days."""
    hours: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
    for row in rows:
        hours.setdefault((row["at"] // HOUR_MS, *_place(row)), []).append(_figures(row))
    days: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
    counted = []
    for hour, some in hours.items():
        figures = (len(some), *map(sum, zip(*some, strict=True)))
        counted.append((*hour, *figures))
        days.setdefault((hour[0] // HOURS, *hour[1:]), []).append(figures)
    # In one order, so that of two that count at once none waits for the other in a circle.
    names = (*DIMENSIONS, *FIGURES)
    await tx.insert_new(_ADD_HOUR, [dict(zip(("hour", *names), row, strict=True)) for row in sorted(counted)])
    counted = [(*day, *map(sum, zip(*some, strict=True))) for day, some in days.items()]
    await tx.insert_new(_ADD_DAY, [dict(zip(("day", *names), row, strict=True)) for row in sorted(counted)])


async def refund(tx: Tx, call_id: str, amount: int) -> None:
    """So many nano-USD more of a call were given back."""
    for statement in _REFUNDED:
        await tx.run(statement, {"call": call_id, "more": amount})


def sums(table: Table, wanted: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]) -> Select[tuple[Any, ...]]:
    """All figures of the rows of such a table that fit, summed up by the wanted columns, as whole numbers."""
    figures = [cast(func.coalesce(func.sum(table.c[name]), literal(0)), Int()).label(name) for name in FIGURES]
    return select(*wanted, *figures).where(*where).group_by(*wanted)
