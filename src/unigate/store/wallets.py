"""What users' wallets hold, for showing only: no decision is made from these figures."""

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, cast, func, select

from unigate.store.database import Tx
from unigate.store.ledger_tables import accounts, holds
from unigate.store.metadata import Int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Nano-USD: `balance + used + in_use` is what was granted; the free part of a lease is balance."""

    granted: int = 0
    used: int = 0
    in_use: int = 0

    @property
    def balance(self) -> int:
        """What is left."""
        return self.granted - self.used - self.in_use


_IN_USE = cast(func.coalesce(func.sum(holds.c.in_use - holds.c.captured), 0), Int())
_ALL = (
    select(accounts.c.id, accounts.c.granted, accounts.c.granted - accounts.c.posted, _IN_USE)
    .outerjoin(holds, and_(holds.c.wallet_id == accounts.c.id, holds.c.state == "open"))
    .group_by(accounts.c.id)
)
_SOME = _ALL.where(accounts.c.id.in_(bindparam("ids", expanding=True)))
_ONE = _ALL.where(accounts.c.id == bindparam("of"))


async def all_shown(tx: Tx) -> dict[str, Shown]:
    """All wallets by id."""
    return {row[0]: Shown(granted=row[1], used=row[2], in_use=row[3]) for row in await tx.all(_ALL)}


async def shown_of(tx: Tx, wallet_ids: list[str]) -> dict[str, Shown]:
    """Some wallets by id."""
    rows = await tx.all(_SOME, {"ids": wallet_ids}) if wallet_ids else []
    return {row[0]: Shown(granted=row[1], used=row[2], in_use=row[3]) for row in rows}


async def shown(tx: Tx, wallet_id: str) -> Shown:
    """One wallet."""
    row = await tx.one(_ONE, {"of": wallet_id})
    return Shown(granted=row[1], used=row[2], in_use=row[3]) if row else Shown()
