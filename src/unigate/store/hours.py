"""Hours: usage rows summed up by the hour of their admission, written with them in one transaction.

Pages that show sums read these and not the rows. Must not be written but by the code that writes rows or changes what
they say, since `ledger check` compares both.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, cast, func, literal, select, update

from unigate.store.database import Tx
from unigate.store.gateway_tables import usage_hours
from unigate.store.ledger_tables import usage
from unigate.store.metadata import Int, insert

HOUR_MS = 3_600_000
#: What the hours are kept apart by, and what is summed up; both in the order of the table.
DIMENSIONS = ("user_id", "key_id", "operation", "model", "channel_id", "ended")
FIGURES = tuple(c.name for c in usage_hours.c if c.name not in ("hour", *DIMENSIONS))
#: The first figure counts the rows, the others are columns of theirs.
assert FIGURES[0] == "calls"
_place = itemgetter(*DIMENSIONS)
_figures = itemgetter(*FIGURES[1:])

_new = insert(usage_hours)
_ADD = _new.on_conflict_do_update(
    index_elements=["hour", *DIMENSIONS],
    set_={name: usage_hours.c[name] + _new.excluded[name] for name in FIGURES},
)
_REFUNDED = (
    update(usage_hours)
    .where(usage.c.id == bindparam("call"), usage_hours.c.hour == usage.c.at // HOUR_MS)
    .where(*(usage_hours.c[name] == usage.c[name] for name in DIMENSIONS))
    .values(refunded=usage_hours.c.refunded + bindparam("more"))
)


async def count(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """Count usage rows that were just inserted, as they stand in the table."""
    hours: dict[tuple[Any, ...], list[tuple[int, ...]]] = {}
    for row in rows:
        hours.setdefault((row["at"] // HOUR_MS, *_place(row)), []).append(_figures(row))
    names = ("hour", *DIMENSIONS, *FIGURES)
    # In one order, so that of two that count at once none waits for the other in a circle.
    await tx.many(
        _ADD,
        [
            dict(zip(names, (*hour, len(some), *map(sum, zip(*some, strict=True))), strict=True))
            for hour, some in sorted(hours.items())
        ],
    )


async def refund(tx: Tx, call_id: str, amount: int) -> None:
    """So many nano-USD more of a call were given back."""
    await tx.run(_REFUNDED, {"call": call_id, "more": amount})


def sums(wanted: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]) -> Select[tuple[Any, ...]]:
    """All figures of the hours that fit, summed up by the wanted columns, as whole numbers."""
    figures = [cast(func.coalesce(func.sum(usage_hours.c[name]), literal(0)), Int()).label(name) for name in FIGURES]
    return select(*wanted, *figures).where(*where).group_by(*wanted)
