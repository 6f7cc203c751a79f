"""What a process tells the database about its holds: refill a lease, give back, end a single hold, hold exactly.

Each settles its numbers when its transaction begins and changes what is in memory when the outcome is known, both
without anything in between. Must not wait for anything but the transaction it is given.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from unigate.base.clock import LONG_AGO, boot_seconds, now_ms
from unigate.base.money import MAX_AMOUNT
from unigate.billing.lease import Account, Done, Hold, Lease, LeaseHold, Owner, SingleHold, TaskHold, Waiter, Wallet
from unigate.spec.terms import Terms
from unigate.store import holds
from unigate.store.database import Tx
from unigate.store.holds import Funds, Purpose


class Desk(Owner, Protocol):
    """What statements need of the bank."""

    terms: Terms
    process_id: str
    #: Whether no other process is alive.
    alone: bool

    def lease_for(self, account: Account) -> Lease:
        """The account's lease, or a new one that is not in use yet."""
        ...

    def adopt(self, lease: Lease) -> None:
        """Spend from this lease from now on."""
        ...

    def want_exact(self, wallet: Wallet, waiters: Sequence[Waiter]) -> None:
        """These need an exact hold."""
        ...

    def note_losses(self, wallet: Wallet, funds: Funds) -> None:
        """Learn how much was lost on a wallet today."""
        ...


class Refill:
    """Raises the lease of a key; where the money is too little for a lease, takes single holds for who waits."""

    def __init__(self, desk: Desk, account: Account) -> None:
        self.wallet_id = account.wallet.id
        self._desk = desk
        self._account = account
        self._waiters: list[Waiter] = []
        self._lease: Lease | None = None
        self._step = self._least = self._ask = self._granted = 0
        self._singles: list[Waiter] = []
        self._funds: Funds | None = None

    def prepare(self) -> None:
        """How much is wanted, and by whom."""
        account, terms = self._account, self._desk.terms
        lease = self._lease = self._desk.lease_for(account)
        self._waiters = [w for w in account.waiters if w.waiting and not give_from_lease(self._desk, lease, w)]
        account.waiters = []
        lease.step += 1
        self._step = lease.step
        largest = max((waiter.amount for waiter in self._waiters), default=account.last_amount)
        target = max((account.rate + account.spent) * terms.lease_seconds, terms.lease_holds * largest)
        needed = sum(waiter.amount for waiter in self._waiters)
        self._least = max(terms.least_holds * largest, 1)
        if boot_seconds() < account.wallet.quiet_until:
            self._ask = 0  # somebody asked for what is left: no lease
        elif self._waiters or lease.free < lease.low:
            self._ask = min(max(needed + target - lease.free, self._least), MAX_AMOUNT)

    async def apply(self, tx: Tx) -> None:
        """A lease if there is enough for one, else single holds as far as the money goes."""
        lease, key = self._the_lease(), self._account.key
        self._granted, self._singles = 0, []
        if not self._waiters and not self._ask:
            return
        funds = self._funds = await holds.funds(tx, self.wallet_id, key.id, lease.purpose.windows)
        most = funds.left if self._desk.alone else funds.left // self._desk.terms.lease_share
        amount = min(most, self._ask)
        if amount >= self._least:
            await holds.grow(tx, lease.purpose, amount, step=self._step, at=now_ms())
            self._granted = amount
            return
        left = funds.left
        for waiter in self._waiters:
            if waiter.hold is None and waiter.waiting and waiter.amount <= left:
                left -= waiter.amount
                self._singles.append(waiter)
        await holds.open_several(tx, [(w.purpose, w.amount) for w in self._singles], at=now_ms())

    async def recover(self, tx: Tx) -> None:
        """Read what became of lease and single holds."""
        lease = self._the_lease()
        row = await holds.read(tx, lease.purpose.id)
        self._granted = row.amount - lease.confirmed if row is not None and row.step >= self._step else 0
        made = {row.id for row in await holds.read_several(tx, [w.purpose.id for w in self._waiters]) if row.open}
        self._singles = [waiter for waiter in self._waiters if waiter.purpose.id in made]

    def done(self) -> None:
        """Serve who waits; who was not served gets an exact hold, or another refill where this one got something."""
        account, lease = self._account, self._the_lease()
        account.queued = False
        if self._funds is not None:
            self._desk.note_losses(account.wallet, self._funds)
        if self._granted:
            lease.confirmed += self._granted
            lease.amount += self._granted
            lease.free += self._granted
            lease.low = self._granted // 2
            self._desk.adopt(lease)
        else:
            lease.low = 0  # not again and again: the next one who finds it too small asks
        single = {id(waiter) for waiter in self._singles}
        rest = []
        for waiter in self._waiters:
            if id(waiter) in single:
                give_single(self._desk, waiter, waiter.amount)
            elif waiter.waiting and not give_from_lease(self._desk, lease, waiter):
                rest.append(waiter)
        if lease.free and account.waiters:
            serve(self._desk, lease)
        if self._granted:
            account.waiters = rest + account.waiters
        elif rest:
            self._desk.want_exact(account.wallet, rest)
        if account.waiters:
            self._desk.refill_soon(account)
        if lease.retired:
            self._desk.retire_if_idle(lease)

    def failed(self, error: BaseException) -> None:
        """Nobody is served."""
        self._account.queued = False
        for waiter in (*self._waiters, *self._account.waiters):
            waiter.give_up(f"no refill: {error!r}")
        self._account.waiters = []

    def _the_lease(self) -> Lease:
        assert self._lease is not None
        return self._lease


class Give:
    """Lowers a lease to what is in use; `final`: for good."""

    def __init__(self, lease: Lease, *, recall: int = 0, final: bool = False, then: Done | None = None) -> None:
        self.wallet_id = lease.purpose.wallet_id
        self._lease = lease
        self._recall = recall
        self._final = final
        self._then = then
        self._to = self._step = 0

    def prepare(self) -> None:
        """The limit in memory falls before the database is told."""
        lease = self._lease
        self._to = lease.squeeze()
        self._final = self._final and not lease.active
        lease.step += 1
        self._step = lease.step

    async def apply(self, tx: Tx) -> None:
        """Lower it."""
        await holds.lower(
            tx,
            self._lease.purpose.id,
            to=self._to,
            in_use=self._to,
            step=self._step,
            at=now_ms(),
            recall=self._recall,
            final=self._final,
        )

    async def recover(self, tx: Tx) -> None:
        """It is as low as it was told to be."""

    def done(self) -> None:
        """The money is back."""
        self._lease.confirmed = self._lease.reported = self._to
        forget_refusals(self._lease.account)
        if self._then is not None:
            self._then()

    def failed(self, _error: BaseException) -> None:
        """The lease stays as it is in the database; reclaiming gives it back."""
        if self._then is not None:
            self._then()


class EndCall:
    """Lowers a single hold to what its call cost, or closes it where that is nothing."""

    def __init__(self, hold: SingleHold, to: int) -> None:
        self.wallet_id = hold.purpose.wallet_id
        self._hold = hold
        self._to = to
        self._step = 0

    def prepare(self) -> None:
        """The next step of this hold."""
        self._hold.step += 1
        self._step = self._hold.step

    async def apply(self, tx: Tx) -> None:
        """Lower or close."""
        purpose, to = self._hold.purpose, self._to
        if to:
            await holds.lower(tx, purpose.id, to=to, in_use=to, step=self._step, at=now_ms(), final=True)
        else:
            await holds.close(tx, purpose.id, at=now_ms(), tombstone=purpose)

    async def recover(self, tx: Tx) -> None:
        """It was lowered or closed."""

    def done(self) -> None:
        """The money is back."""
        forget_refusals(self._hold.account)

    def failed(self, _error: BaseException) -> None:
        """Reclaiming closes it."""


def forget_refusals(account: Account) -> None:
    """Money came back: what was refused may be there now."""
    account.refused_until = account.wallet.refused_until = LONG_AGO


def give_from_lease(desk: Desk, lease: Lease, waiter: Waiter) -> bool:
    """Serve a waiter from a lease; whether that was possible."""
    hold = waiter.hold
    if hold is None:
        if waiter.amount > lease.free or lease.retired:
            return False
        lease.free -= waiter.amount
        lease.active += waiter.amount
        lease.last = boot_seconds()
        waiter.future.set_result(LeaseHold(desk, lease, waiter.amount))
        return True
    if isinstance(hold, LeaseHold) and hold.lease is lease and take_more(hold, waiter.amount):
        waiter.future.set_result(hold)
        return True
    return False


def serve(desk: Desk, lease: Lease) -> None:
    """Serve who waits for a refill from what has become free in the meantime, in the order in which they came."""
    waiters = lease.account.waiters
    while waiters and (not waiters[0].waiting or give_from_lease(desk, lease, waiters[0])):
        del waiters[0]


def take_more(hold: LeaseHold, amount: int) -> bool:
    """Raise a hold from its lease's free part, retired or not."""
    lease = hold.lease
    if amount > lease.free or not hold.open:
        return False
    lease.free -= amount
    lease.active += amount
    hold.amount += amount
    return True


def new_holds(waiter: Waiter, amount: int) -> list[tuple[Purpose, int]]:
    """The holds that are opened where somebody gets an amount: one, or one for each task that it pays."""
    parts = waiter.entry.parts if waiter.entry is not None else ()
    return [(replace(waiter.purpose, id=id_), part) for id_, part in parts] or [(waiter.purpose, amount)]


def give_single(desk: Desk, waiter: Waiter, amount: int) -> None:
    """A single hold, or a task's, is there; where nobody waits for it any more, it ends."""
    hold: Hold
    if waiter.entry is not None:
        hold = TaskHold(desk, waiter.entry, waiter.purpose, amount, waiter.day)
    else:
        hold = SingleHold(desk, waiter.account, waiter.purpose, amount, waiter.day)
    if waiter.waiting:
        waiter.future.set_result(hold)
    else:
        hold.release()
