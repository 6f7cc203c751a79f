"""Generation numbers: one for each kind of thing that processes keep in memory, raised by whoever changes it."""

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import bindparam, select, update

from unigate.store.database import Tx
from unigate.store.tables import generations

Kind = Literal["channels", "keys", "prices", "settings"]

_ALL = select(generations.c.name, generations.c.number).order_by(generations.c.name)
_LOCK = _ALL.with_for_update()
_BUMP = update(generations).where(generations.c.name == bindparam("kind")).values(number=generations.c.number + 1)


async def read(tx: Tx) -> dict[str, int]:
    """The numbers by kind."""
    return {row[0]: row[1] for row in await tx.all(_ALL)}


async def lock(tx: Tx) -> None:
    """Let no other transaction that locks or bumps go on before this one has ended."""
    await tx.all(_LOCK)


async def bump(tx: Tx, kinds: Iterable[Kind]) -> None:
    """Raise the numbers of what this transaction changed; done last, and in one order, so that nobody waits twice."""
    for kind in sorted(set(kinds)):
        await tx.run(_BUMP, {"kind": kind})
