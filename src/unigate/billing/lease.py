"""What a process knows of the money that it may spend: leases and holds, in memory.

A lease's numbers are cumulative: `amount = used + active + free`. `amount` falls before a lower is sent and rises only
after a grow is confirmed, so the database never has less than is here. Everything here is synchronous: between a check
and the subtraction nothing else can run. Must not reach the database.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from unigate.base.clock import LONG_AGO, Seconds
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.billing.journal import Journal, Then
from unigate.spec.caller import Key
from unigate.spec.record import Record
from unigate.store.database import Tx
from unigate.store.holds import Purpose


class Wallet:
    """What a process knows of one wallet."""

    __slots__ = ("careful_day", "exact", "id", "quiet_until", "refused", "refused_until", "task")

    def __init__(self, id: str) -> None:
        self.id = id
        #: Until then no lease is taken on it: somebody asked for what is left.
        self.quiet_until = LONG_AGO
        #: The smallest amount that was refused on proof, and until when that is remembered.
        self.refused = 0
        self.refused_until = LONG_AGO
        #: Those who need an exact hold, and the task that serves them.
        self.exact: list[Waiter] = []
        self.task: asyncio.Task[None] | None = None
        #: The day on which so much was lost on it that holds are taken at the maximum.
        self.careful_day = 0


class Account:
    """What a process knows of one key's spending."""

    __slots__ = (
        "key",
        "last_amount",
        "lease",
        "queued",
        "rate",
        "refused",
        "refused_until",
        "spent",
        "waiters",
        "wallet",
    )

    def __init__(self, key: Key, wallet: Wallet) -> None:
        self.key = key
        self.wallet = wallet
        self.lease: Lease | None = None
        #: Callers that wait for the one refill.
        self.waiters: list[Waiter] = []
        self.queued = False
        #: Nano-USD since the last beat, and what a beat's time usually costs.
        self.spent = 0
        self.rate = 0
        self.last_amount = 0
        self.refused = 0
        self.refused_until = LONG_AGO


class Lease:
    """A part of a wallet that this process may spend for one key."""

    __slots__ = (
        "account",
        "active",
        "amount",
        "confirmed",
        "day",
        "free",
        "key",
        "last",
        "low",
        "purpose",
        "reported",
        "retired",
        "step",
        "until",
        "used",
    )

    def __init__(self, account: Account, purpose: Purpose, day: int, until: Seconds) -> None:
        self.account = account
        self.key = account.key
        self.purpose = purpose
        #: The day in whose windows its calls count, and the moment (boot clock) when that ends.
        self.day = day
        self.until = until
        self.amount = 0
        #: Captured, or to be captured once the journal is moved.
        self.used = 0
        self.active = 0
        self.free = 0
        #: The database's `amount` after the last statement whose outcome is known.
        self.confirmed = 0
        #: What of `used + active` was reported last, with the statement's number.
        self.reported = 0
        self.step = 0
        #: A refill is asked for where less than this is free.
        self.low = 0
        self.last = LONG_AGO
        #: It takes no new holds, and is given back when the last one ends.
        self.retired = False

    def squeeze(self) -> int:
        """Give up what is free; what is left."""
        self.amount -= self.free
        self.free = 0
        return self.amount


class Owner(Protocol):
    """What a hold needs of the bank."""

    journal: Journal

    def retire_if_idle(self, lease: Lease) -> None:
        """Give back a retired lease whose last hold has ended."""
        ...

    def end_call(self, hold: "SingleHold", to: int) -> None:
        """Lower a single hold to what it cost, or close it where that is nothing."""
        ...

    def freed(self, lease: Lease) -> None:
        """Something of a lease has become free, and somebody waits or it is retired."""
        ...

    async def extend(self, hold: "Hold", amount: int) -> None:
        """Raise a hold by `amount`. Raises NoFunds, StoreUnavailable."""
        ...

    def refill_soon(self, account: Account) -> None:
        """Ask for a refill in the background."""
        ...


class Hold:
    """Money set aside for one call: settled or released exactly once."""

    __slots__ = ("_owner", "amount", "day", "open")

    def __init__(self, owner: Owner, amount: int, day: int) -> None:
        self._owner = owner
        #: Nano-USD.
        self.amount = amount
        self.day = day
        self.open = True

    def settle(self, record: Record, then: Then) -> None:
        """Take `record.cost`, give back the rest, and keep the record; `then` tells whether it is kept."""
        raise NotImplementedError

    def release(self) -> None:
        """Nothing was used and nothing is recorded; harmless after the end."""
        raise NotImplementedError

    def grow(self, amount: int) -> bool:
        """Raise it by `amount` from what is at hand."""
        raise NotImplementedError

    async def grow_slow(self, amount: int) -> None:
        """Raise it by `amount`. Raises NoFunds, StoreUnavailable; it may still rise later then."""
        if amount > 0 and not self.grow(amount):
            await self._owner.extend(self, amount)

    def _end(self) -> None:
        if not self.open:
            raise RuntimeError("a hold ends only once")
        self.open = False


class LeaseHold(Hold):
    """A hold from a lease."""

    __slots__ = ("_paid", "lease")

    def __init__(self, owner: Owner, lease: Lease, amount: int) -> None:
        self._owner = owner
        self.lease = lease
        self.amount = amount
        self.day = lease.day
        self.open = True
        self._paid = 0

    def settle(self, record: Record, then: Then) -> None:
        """See Hold."""
        self._end()
        lease, amount, cost = self.lease, self.amount, record.cost
        lease.active -= amount
        record.day = self.day
        if cost:
            over = cost - amount - lease.free
            if over > 0:  # neither the hold nor the lease's free part reach
                record.over = over
                cost -= over
            self._paid = cost
            lease.used += cost
            lease.account.spent += cost
            record.hold = lease.purpose.id
            lease.free += amount - cost
            self._owner.journal.append(record, then, self._undo)
        else:
            lease.free += amount
            self._owner.journal.append(record, then)
        if lease.retired or lease.account.waiters:
            self._owner.freed(lease)

    def release(self) -> None:
        """See Hold."""
        if self.open:
            self.open = False
            lease = self.lease
            lease.active -= self.amount
            lease.free += self.amount
            if lease.retired or lease.account.waiters:
                self._owner.freed(lease)

    def grow(self, amount: int) -> bool:
        """See Hold."""
        lease = self.lease
        if amount > lease.free or not self.open or lease.retired:
            return False
        lease.free -= amount
        lease.active += amount
        self.amount += amount
        if lease.free < lease.low:
            self._owner.refill_soon(lease.account)
        return True

    def _undo(self) -> None:
        lease = self.lease
        lease.used -= self._paid
        lease.free += self._paid
        if lease.retired or lease.account.waiters:
            self._owner.freed(lease)


class SingleHold(Hold):
    """A hold that was taken for one call alone."""

    __slots__ = ("account", "confirmed", "cost", "purpose", "step")

    def __init__(self, owner: Owner, account: Account, purpose: Purpose, amount: int, day: int) -> None:
        super().__init__(owner, amount, day)
        self.account = account
        self.purpose = purpose
        self.step = 1
        self.confirmed = amount
        #: What it paid in the end.
        self.cost = 0

    def settle(self, record: Record, then: Then) -> None:
        """See Hold."""
        self._end()
        cost = self.cost = min(record.cost, self.amount)
        record.day = self.day
        if cost:
            record.over = record.cost - cost
            record.hold = self.purpose.id
            record.single = True
            self.account.spent += cost
            self._owner.journal.append(record, then, self._undo)
        else:
            self._owner.journal.append(record, then)
        if cost < self.amount:
            self._owner.end_call(self, cost)

    def release(self) -> None:
        """See Hold."""
        if self.open:
            self.open = False
            self._owner.end_call(self, 0)

    def grow(self, amount: int) -> bool:
        """See Hold: a single hold has nothing at hand."""
        return amount <= 0

    def _undo(self) -> None:
        self.cost = 0
        self._owner.end_call(self, 0)


class Entry(Protocol):
    """What is written in the transaction that takes a hold for a task: its row, and the token of its request."""

    @property
    def parts(self) -> Sequence[tuple[str, int]]:
        """Ids and amounts of the holds that what is held is divided into, one for each task; none: one hold for all."""
        ...

    async def enter(self, tx: Tx) -> bool:
        """Write it; False, with nothing written, where the token is another task's or the task's id is taken."""
        ...

    async def entered(self, tx: Tx) -> bool:
        """Whether it stands written."""
        ...

    async def taken(self, tx: Tx) -> bool:
        """Whether `enter` would say False."""
        ...

    def orphaned(self) -> None:
        """It was written after whoever wanted it had gone: see that it ends."""
        ...


class Taken(Exception):
    """The entry's token or id is another task's; nothing was written or held."""


class TaskHold(Hold):
    """A hold that belongs to a task and to no process: it ends with the task's row."""

    __slots__ = ("_entry", "purpose")

    def __init__(self, owner: Owner, entry: Entry, purpose: Purpose, amount: int, day: int) -> None:
        super().__init__(owner, amount, day)
        self._entry = entry
        self.purpose = purpose

    def release(self) -> None:
        """Nobody waits for it any more."""
        if self.open:
            self.open = False
            self._entry.orphaned()


class Waiter:
    """A caller that waits for money: for a hold of its own, or for more of one that it has."""

    __slots__ = ("account", "amount", "day", "entry", "future", "hold", "least", "purpose")

    def __init__(
        self,
        account: Account,
        amount: int,
        least: int,
        purpose: Purpose,
        *,
        day: int,
        hold: Hold | None,
        future: "asyncio.Future[Hold]",
        entry: Entry | None = None,
    ) -> None:
        self.account = account
        #: What is written together with the hold, where that is a task's.
        self.entry = entry
        self.amount = amount
        #: Less than `amount` will do where the money falls short, down to this.
        self.least = least
        #: What a single hold for it would be.
        self.purpose = purpose
        self.day = day
        #: The hold to raise, None where a new one is wanted.
        self.hold = hold
        self.future = future

    @property
    def waiting(self) -> bool:
        """Whether somebody still waits."""
        return not self.future.done()

    def refuse(self) -> None:
        """There is not enough money, on proof."""
        if self.waiting:
            self.future.set_exception(NoFunds())

    def step_back(self) -> None:
        """Its entry is another's."""
        if self.waiting:
            self.future.set_exception(Taken())

    def give_up(self, detail: str) -> None:
        """It is not known whether there is enough money."""
        if self.waiting:
            self.future.set_exception(StoreUnavailable(retry_after=1, detail=detail))

    def leave(self) -> None:
        """Stand in no queue any more: while the database is away nobody else would clear them."""
        for queue in (self.account.waiters, self.account.wallet.exact):
            with suppress(ValueError):
                queue.remove(self)


Done = Callable[[], None]
