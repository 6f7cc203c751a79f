"""Holds for tasks: taken in the very transaction that writes the task, so that neither stands without the other.

A submission is one statement among others of its process. Where the wallet falls short it goes the way of an exact hold,
with what it writes: money that others hold without need is asked for first, and only then the answer is no. Must not know
what a task is.
"""

from unigate.base.clock import now_ms
from unigate.billing.lease import Waiter
from unigate.billing.statements import Desk, give_single, new_holds
from unigate.store import holds
from unigate.store.database import Tx


class Enter:
    """Writes an entry and takes the hold that goes with it."""

    def __init__(self, desk: Desk, waiter: Waiter) -> None:
        assert waiter.entry is not None
        self.wallet_id = waiter.account.wallet.id
        self._desk = desk
        self._waiter = waiter
        self._entry = waiter.entry
        self._granted = self._taken = False

    def prepare(self) -> None:
        """Everything was settled when it was asked for."""

    async def apply(self, tx: Tx) -> None:
        """Both or none; the wallet is locked first, as always."""
        self._granted = self._taken = False
        waiter = self._waiter
        if not waiter.waiting:
            return
        purpose, amount = waiter.purpose, waiter.amount
        left = (await holds.funds(tx, self.wallet_id, purpose.key_id, purpose.windows)).left
        if amount > left:
            self._taken = await self._entry.taken(tx)
        elif await self._entry.enter(tx):
            self._granted = True
            if purpose.id:
                await holds.open_several(tx, new_holds(waiter, amount), at=now_ms())
        else:
            self._taken = True

    async def recover(self, tx: Tx) -> None:
        """Look whether it stands; where it does not, it is asked for once more."""
        self._granted, self._taken = await self._entry.entered(tx), False

    def done(self) -> None:
        """Serve, step back, or ask for what others hold."""
        waiter = self._waiter
        if self._granted:
            give_single(self._desk, waiter, waiter.amount)
        elif self._taken:
            waiter.step_back()
        elif waiter.waiting:
            self._desk.want_exact(waiter.account.wallet, [waiter])

    def failed(self, error: BaseException) -> None:
        """It was not written, or nobody knows: a process that counts as dead hears no more of its COMMIT."""
        if self._granted:
            self._entry.orphaned()
        self._waiter.give_up(f"no hold for a task: {error!r}")
