"""Taking credit back: leases are recalled first, then at most what is spendable is transferred."""

import asyncio

from unigate.base.clock import monotonic, now_ms
from unigate.spec.terms import Terms
from unigate.store import ledger, recalls
from unigate.store.database import Database


async def take_back(
    database: Database, *, id: str, wallet_id: str, amount: int, terms: Terms | None = None, note: str = ""
) -> int:
    """Take up to `amount` nano-USD of credit back; how much it was. `id` makes it happen once.

    Raises NotFound, BadRequest, StoreUnavailable.
    """
    await recall(database, wallet_id, terms)
    async with database.writing() as tx:
        return await ledger.take_back(tx, id=id, wallet_id=wallet_id, amount=amount, at=now_ms(), note=note)


async def recall(database: Database, wallet_id: str, terms: Terms | None = None) -> None:
    """Have the free part of a wallet's leases given back. Owners that stay silent keep what they lease."""
    terms = terms or Terms()
    async with database.writing() as tx:
        await ledger.lock_wallet(tx, wallet_id)
        number = await recalls.raise_recall(tx, wallet_id)
    deadline = monotonic() + terms.recall_wait
    while monotonic() < deadline:
        async with database.reading() as tx:
            if not await recalls.silent(tx, wallet_id, number, asker=""):
                break
        await asyncio.sleep(terms.recall_poll)
