"""Marks: which things are on their bad side now and were told of, so that nobody is told again before they were well.

One statement says whether a mark is new or higher: of several processes that see the same crossing, one is told so.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, select, update

from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.notice_tables import marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A row of `marks`; time in ms since 1970."""

    #: A kind, a slash, and what it is about: `low/wal_...`.
    subject: str
    #: How far it is; 0: it was, until `at`.
    level: int = 1
    #: Against what it was measured.
    bound: int = 0
    #: The process that saw it, where others can't.
    by: str = ""
    at: int


_new = insert(marks)
_VALUES = {name: _new.excluded[name] for name in ("level", "bound", "by", "at")}
_RAISE = _new.on_conflict_do_update(
    index_elements=[marks.c.subject], set_=_VALUES, where=marks.c.level < _new.excluded.level
).returning(marks.c.subject)
_PUT = _new.on_conflict_do_update(index_elements=[marks.c.subject], set_=_VALUES)
_CLEAR = delete(marks).where(marks.c.subject == bindparam("of"))
_LIFT = update(marks).where(marks.c.subject == bindparam("of"), marks.c.level > 0).values(level=0, at=bindparam("now"))
_SOME = select(marks).where(marks.c.subject.in_(bindparam("subjects", expanding=True)))
_LIKE = select(marks).where(marks.c.subject.like(bindparam("pattern"))).order_by(marks.c.subject)
_OLD = delete(marks).where(marks.c.subject.like(bindparam("pattern")), marks.c.at < bindparam("before"))


async def raised(tx: Tx, mark: Mark) -> bool:
    """Set a mark; whether there was none, or only a lower one."""
    return bool(await tx.insert_new(_RAISE, [asdict(mark)]))


async def put(tx: Tx, mark: Mark) -> None:
    """Set a mark, whatever there was."""
    await tx.run(_PUT, asdict(mark))


async def lifted(tx: Tx, subject: str, *, at: int) -> None:
    """What bore a mark, if there is one, is well again; the mark stays to say since when."""
    await tx.run(_LIFT, {"of": subject, "now": at})


async def cleared(tx: Tx, subject: str) -> bool:
    """Take a mark away; whether there was one."""
    return await tx.run(_CLEAR, {"of": subject}) == 1


async def some(tx: Tx, subjects: Collection[str]) -> dict[str, Mark]:
    """Marks by subject, of those that there are."""
    rows = await tx.all(_SOME, {"subjects": sorted(subjects)}) if subjects else []
    return {mark.subject: mark for mark in map(_mark, rows)}


async def of_kind(tx: Tx, kind: str) -> list[Mark]:
    """All marks of a kind."""
    return [_mark(row) for row in await tx.all(_LIKE, {"pattern": f"{kind}/%"})]


async def drop_old(tx: Tx, pattern: str, before: int) -> int:
    """Take away marks from before then whose subject is like this (SQL's `LIKE`); how many there were."""
    return await tx.run(_OLD, {"pattern": pattern, "before": before})


def _mark(row: Sequence[object]) -> Mark:
    subject, level, bound, by, at = row
    assert isinstance(level, int) and isinstance(bound, int) and isinstance(at, int)  # noqa: PT018 - of one row
    return Mark(subject=str(subject), level=level, bound=bound, by=str(by), at=at)
