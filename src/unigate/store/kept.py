"""Kept prompts and answers as rows."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as _insert

from unigate.spec.kept import Kept
from unigate.store.database import Tx
from unigate.store.gateway_tables import kept

_ADD = _insert(kept).on_conflict_do_nothing()
_ONE = select(kept).where(kept.c.id == bindparam("of"))
_ENDED = select(kept.c.id).where(kept.c.ends_at <= bindparam("now")).order_by(kept.c.ends_at).limit(bindparam("most"))
_DROP = delete(kept).where(kept.c.id.in_(_ENDED))


async def add(tx: Tx, rows: Iterable[Kept]) -> None:
    """Insert rows; one that is there already stays."""
    for row in rows:
        await tx.run(_ADD, {**asdict(row), "cut": int(row.cut)})


async def find(tx: Tx, id: str) -> Kept | None:
    """What is kept of a call."""
    row = await tx.one(_ONE, {"of": id})
    if row is None:
        return None
    values = dict(zip(kept.c.keys(), row, strict=True))
    return Kept(**{**values, "cut": bool(values["cut"])})


async def drop_ended(tx: Tx, now: int, most: int) -> int:
    """Delete at most so many rows whose term is over; how many it were."""
    return await tx.run(_DROP, {"now": now, "most": most})
