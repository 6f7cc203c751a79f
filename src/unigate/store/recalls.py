"""Recalls: asking every owner of leases on a wallet to give back what it does not use.

A recall is a number of the wallet's. A lease has answered it once it was lowered for it and has not grown since; what
was captured in full has nothing to give back. Must not wait: that is billing's.
"""

from sqlalchemy import bindparam, func, or_, select

from unigate.store.database import Tx
from unigate.store.ledger_tables import holds, recalls
from unigate.store.metadata import insert

_new = insert(recalls)
_RAISE = _new.on_conflict_do_update(index_elements=["wallet_id"], set_={"number": recalls.c.number + 1}).returning(
    recalls.c.number
)
_SILENT = (
    select(func.count())
    .select_from(holds)
    .where(
        holds.c.wallet_id == bindparam("wallet"),
        holds.c.state == "open",
        holds.c.kind == "lease",
        holds.c.final == 0,
        holds.c.process_id != bindparam("asker"),
        holds.c.amount > holds.c.captured,
        or_(holds.c.lowered_at < bindparam("asked"), holds.c.grown_at >= bindparam("asked")),
    )
)


async def raise_recall(tx: Tx, wallet_id: str) -> int:
    """Ask the owners of all leases on a wallet, which is locked; the recall's number."""
    rows = await tx.all(_RAISE, {"wallet_id": wallet_id, "number": 1})
    return int(rows[0][0])


async def silent(tx: Tx, wallet_id: str, number: int, *, asker: str) -> int:
    """How many leases of other processes than the asker may still have money to give back.

    A number of 0 means that nobody was asked yet: it counts all that have any.
    """
    row = await tx.one(_SILENT, {"wallet": wallet_id, "asked": number, "asker": asker})
    return int(row[0]) if row is not None else 0
