"""Serving who needs an exact hold: first from what is spendable, then from what others give back, and "no" only on proof.

One task per wallet serves all who wait. It takes back this process's own leases, tries, and where other processes may
have money that they do not use, asks for it and waits until each has answered. An owner that stays silent makes it
"not now", never "no money".
"""

import asyncio
from typing import Protocol

from unigate.base.clock import boot_seconds
from unigate.base.errors import StoreUnavailable
from unigate.billing.exact import Exact
from unigate.billing.lease import Lease, Wallet
from unigate.billing.statements import Desk, Give
from unigate.billing.teller import Teller
from unigate.store import recalls
from unigate.store.database import Database


class Lender(Desk, Protocol):
    """What serving needs of the bank."""

    database: Database
    teller: Teller

    def leases_on(self, wallet_id: str) -> list[Lease]:
        """The leases of this process on a wallet."""
        ...


async def serve(lender: Lender, wallet: Wallet) -> None:
    """Serve everybody who waits for an exact hold on a wallet, until nobody does."""
    asked = 0
    while any(waiter.waiting for waiter in wallet.exact):
        wallet.quiet_until = boot_seconds() + lender.terms.recall_wait
        await give_back(lender, wallet)
        exact = Exact(lender, wallet, asked)
        await lender.teller.carry(exact)
        asked = exact.recall
        if asked and not await _answered(lender, wallet, asked):
            for waiter in wallet.exact:
                waiter.give_up(f"owners of leases on {wallet.id} did not answer recall {asked}")


async def give_back(lender: Lender, wallet: Wallet, recall: int = 0) -> None:
    """Lower this process's leases on a wallet to what is in use; `recall`: the number that this answers."""
    gives = [Give(lease, recall=recall) for lease in lender.leases_on(wallet.id) if lease.free or recall]
    await asyncio.gather(*(lender.teller.carry(give) for give in gives))


async def _answered(lender: Lender, wallet: Wallet, asked: int) -> bool:
    """Wait until every owner has answered; False where that takes too long, or nobody waits any more."""
    terms = lender.terms
    deadline = boot_seconds() + terms.recall_wait
    while boot_seconds() < deadline and any(waiter.waiting for waiter in wallet.exact):
        try:
            async with lender.database.reading() as tx:
                if not await recalls.silent(tx, wallet.id, asked, asker=lender.process_id):
                    return True
        except StoreUnavailable:
            pass  # the deadline decides
        await asyncio.sleep(terms.recall_poll)
    return False
