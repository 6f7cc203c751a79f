"""The bank of a worker process: holds money for calls and settles them, from leases where it can.

`hold` and `settle` are synchronous and take a few microseconds; everything slow is behind `hold_slow`. Paid calls are
refused while the bank cannot be sure: no beat confirmed for S, no journal, too much of it unmoved. Must not know prices.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from unigate.base import ids
from unigate.base.clock import LONG_AGO, Seconds, boot_seconds, boot_seconds_after, now_ms
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.billing import recall
from unigate.billing.entering import Enter
from unigate.billing.journal import Alarm, Failpoint, Journal, Then, no_failpoint
from unigate.billing.lease import Account, Entry, Hold, Lease, LeaseHold, SingleHold, Taken, Waiter, Wallet
from unigate.billing.periods import day_ends_in, day_of, held_windows
from unigate.billing.statements import EndCall, Give, Refill, serve
from unigate.billing.teller import Teller
from unigate.billing.upkeep import Upkeep
from unigate.spec.balance import Balance
from unigate.spec.caller import Key
from unigate.spec.record import Record
from unigate.spec.terms import Terms
from unigate.store.balances import key_balance, user_balance
from unigate.store.database import Database
from unigate.store.holds import Funds, Purpose

__all__ = ["Bank", "Entry", "Hold", "Taken"]

#: Told which of `keys`, `channels`, `prices`, `settings` have changed.
OnChange = Callable[[set[str]], None]


class Bank:
    """Money of one worker process, for its event loop's thread only."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        node: str,
        *,
        alarm: Alarm,
        terms: Terms | None = None,
        on_change: OnChange = lambda _changed: None,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        #: Told of keys whose calls were refused for lack of money.
        self.on_refused: Callable[[Key], None] = lambda _key: None
        self.database = database
        self.node = node
        self.folder = folder
        self.terms = terms or Terms()
        self.alarm = alarm
        self.on_change = on_change
        self.failpoint = failpoint
        self.alone = False
        #: Processes that count as alive, of all nodes, itself included.
        self.alive = 1
        self.wallets: dict[str, Wallet] = {}
        self.accounts: dict[str, Account] = {}
        #: Leases in use, by key.
        self.leases: dict[str, Lease] = {}
        #: Leases that take no more holds but have some, or whose end is not confirmed.
        self.retired: set[Lease] = set()
        self.process_id = ""
        self.journal: Journal
        self.teller: Teller
        #: Until when, on the boot clock, the last confirmed beat allows paid calls.
        self.until = LONG_AGO
        self.closing = False
        self._upkeep = Upkeep(self)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin as a new process instance: journal, row, first beat. Raises OSError, StoreUnavailable."""
        await self._upkeep.start()

    async def close(self) -> None:
        """Take no more calls, give all leases back, and leave the journal to the mover."""
        self.closing = True
        self.until = LONG_AGO
        for account in self.accounts.values():
            for waiter in account.waiters:
                waiter.give_up("the process ends")
        for wallet in self.wallets.values():
            for waiter in wallet.exact:
                waiter.give_up("the process ends")
        await self._upkeep.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self, key: Key, amount: int) -> Hold | None:
        """Hold nano-USD for a call from the key's lease; None where that is not possible at once."""
        lease = self.leases.get(key.id)
        if lease is None or amount > lease.free or lease.key is not key:
            return None
        now = boot_seconds()
        if now >= lease.until or now >= self.until or not self.journal.ready:
            return None
        lease.free -= amount
        lease.active += amount
        lease.last = now
        if lease.free < lease.low:
            self.refill_soon(lease.account)
        return LeaseHold(self, lease, amount)

    async def hold_slow(self, key: Key, amount: int, least: int) -> Hold:
        """Hold `amount` for a call, or what is left down to `least` where all the user has falls short of it.

        Raises NoFunds, once it is proven that not even `least` is there, and StoreUnavailable.
        """
        self._admit()
        account = self._account(key)
        account.last_amount = amount
        self.lease_for(account)
        held = self.hold(key, amount)
        if held is not None:
            return held
        least = min(least, amount)
        now = boot_seconds()
        for known in (account, account.wallet):
            if now < known.refused_until and least >= known.refused:
                self.on_refused(key)
                raise NoFunds
        purpose, day = self._purpose(account, "call")
        waiter = self._waiter(account, amount, least, purpose, day=day)
        account.waiters.append(waiter)
        self.refill_soon(account)
        return await self._wait(waiter)

    @property
    def today(self) -> int:
        """The budgets' day (20261121)."""
        return day_of(now_ms(), self.terms.offset_minutes)

    async def enter(self, key: Key, amount: int, entry: Entry, hold_id: str, *, day: int) -> None:
        """Write a task's entry, and hold `amount` for it under `hold_id` (""; nothing) as of a day, in one transaction.

        Raises Taken, NoFunds (once that is proven) and StoreUnavailable.
        """
        self._admit()
        account = self._account(key)
        purpose, _ = self._purpose(account, "task", day)
        purpose = replace(purpose, id=hold_id, process_id="")
        waiter = self._waiter(account, amount, amount, purpose, day=day, entry=entry)
        self.teller.put(Enter(self, waiter))
        await self._wait(waiter)

    async def extend(self, hold: Hold, amount: int) -> None:
        """See Owner."""
        self._admit()
        if isinstance(hold, LeaseHold):
            lease = hold.lease
            account = lease.account
            waiter = self._waiter(account, amount, amount, lease.purpose, day=hold.day, hold=hold)
            if lease.retired:
                self.want_exact(account.wallet, [waiter])
            else:
                account.waiters.append(waiter)
                self.refill_soon(account)
        else:
            assert isinstance(hold, SingleHold)
            account = hold.account
            waiter = self._waiter(account, amount, amount, hold.purpose, day=hold.day, hold=hold)
            self.want_exact(account.wallet, [waiter])
        await self._wait(waiter)

    def keep(self, record: Record, then: Then) -> None:
        """Keep the record of a call that held nothing and is free. ValueError for one that costs."""
        if record.cost:
            raise ValueError("a call without a hold costs nothing")
        self.journal.append(record, then)

    def careful(self, key: Key) -> bool:
        """Whether so much was lost on this user today that holds are to be taken at the model's maximum."""
        wallet = self.wallets.get(key.wallet_id)
        if wallet is None or not wallet.careful_day:
            return False
        return wallet.careful_day == day_of(now_ms(), self.terms.offset_minutes)

    async def balance(self, key: Key, *, of_key: bool = False) -> Balance:
        """What the key's user has, or what its own budget leaves (`of_key`). Raises StoreUnavailable."""
        async with self.database.reading() as tx:
            if of_key:
                return await key_balance(tx, key.id, key.budgets, day_of(now_ms(), self.terms.offset_minutes))
            return await user_balance(tx, key.wallet_id)

    def refill_soon(self, account: Account) -> None:
        """See Owner."""
        if not account.queued:
            account.queued = True
            self.teller.put(Refill(self, account))

    def lease_for(self, account: Account) -> Lease:
        """See Desk: the lease in use if it still serves the key as it is and the day that it is, else a new one."""
        lease = account.lease
        if lease is not None and not lease.retired:
            if boot_seconds() < lease.until and lease.key is account.key:
                return lease
            purpose, day = self._purpose(account, "lease")
            if lease.purpose.windows == purpose.windows:
                lease.key, lease.day, lease.until = account.key, day, self.day_end()
                return lease
            self.retire(lease)
        purpose, day = self._purpose(account, "lease")
        return Lease(account, purpose, day, self.day_end())

    def adopt(self, lease: Lease) -> None:
        """See Desk."""
        if not lease.retired:
            lease.account.lease = lease
            self.leases[lease.key.id] = lease

    def retire(self, lease: Lease) -> None:
        """Take no more holds from a lease, and give it back when the last of them ends."""
        lease.retired = True
        account = lease.account
        if account.lease is lease:
            account.lease = None
        if self.leases.get(lease.key.id) is lease:
            del self.leases[lease.key.id]
        self.retired.add(lease)
        if lease.active and lease.free:
            self.teller.put(Give(lease))
        self.retire_if_idle(lease)

    def freed(self, lease: Lease) -> None:
        """See Owner."""
        if lease.retired:
            self.retire_if_idle(lease)
        else:
            serve(self, lease)

    def retire_if_idle(self, lease: Lease) -> None:
        """See Owner."""
        if not lease.active:
            self.teller.put(Give(lease, final=True, then=lambda: self.retired.discard(lease)))

    def end_call(self, hold: SingleHold, to: int) -> None:
        """See Owner."""
        self.teller.put(EndCall(hold, to))

    def leases_on(self, wallet_id: str) -> list[Lease]:
        """See Lender."""
        every = (*self.leases.values(), *self.retired)
        return [lease for lease in every if lease.purpose.wallet_id == wallet_id]

    def want_exact(self, wallet: Wallet, waiters: Sequence[Waiter]) -> None:
        """See Desk."""
        wallet.exact += waiters
        if wallet.task is None:
            wallet.task = self.spawn(recall.serve(self, wallet))
            wallet.task.add_done_callback(lambda task: self._served(wallet, task))

    def note_losses(self, wallet: Wallet, funds: Funds) -> None:
        """See Desk."""
        if funds.written_off > self.terms.daily_loss:
            wallet.careful_day = funds.written_off_day

    def day_end(self) -> Seconds:
        """The moment on the boot clock at which the budgets' day ends."""
        return boot_seconds_after(day_ends_in(now_ms(), self.terms.offset_minutes))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; it is kept until it ends, and its failure is told."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.alarm("bank", f"something beside the calls failed: {task.exception()!r}")

    def _served(self, wallet: Wallet, task: asyncio.Task[None]) -> None:
        wallet.task = None
        if task.cancelled() or task.exception() is not None:
            for waiter in wallet.exact:
                waiter.give_up("serving exact holds failed")
            wallet.exact.clear()
        elif wallet.exact:
            self.want_exact(wallet, ())

    def _admit(self) -> None:
        """StoreUnavailable while no paid call may be admitted."""
        if self.closing:
            raise StoreUnavailable(retry_after=1, detail="the process ends")
        if boot_seconds() >= self.until:
            raise StoreUnavailable(retry_after=1, detail="no beat was confirmed for too long")
        if not self.journal.ready:
            raise StoreUnavailable(retry_after=1, detail="the journal cannot be extended, or waits to be moved")

    def _account(self, key: Key) -> Account:
        account = self.accounts.get(key.id)
        if account is None or account.wallet.id != key.wallet_id:
            wallet = self.wallets.get(key.wallet_id)
            if wallet is None:
                wallet = self.wallets[key.wallet_id] = Wallet(key.wallet_id)
            account = self.accounts[key.id] = Account(key, wallet)
        account.key = key
        return account

    def _purpose(self, account: Account, kind: str, day: int = 0) -> tuple[Purpose, int]:
        day = day or self.today
        windows = held_windows(account.key.id, account.key.budgets, day)
        made = Purpose(
            id=ids.new("hld"),
            wallet_id=account.wallet.id,
            key_id=account.key.id,
            kind=kind,
            process_id=self.process_id,
            day=windows.get("day"),
            month=windows.get("month"),
            total=windows.get("total"),
        )
        return made, day

    def _waiter(
        self,
        account: Account,
        amount: int,
        least: int,
        purpose: Purpose,
        *,
        day: int,
        hold: Hold | None = None,
        entry: Entry | None = None,
    ) -> Waiter:
        future: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()
        return Waiter(account, amount, least, purpose, day=day, hold=hold, future=future, entry=entry)

    async def _wait(self, waiter: Waiter) -> Hold:
        """What the waiter gets, in time or not; nothing is left held for a caller who leaves meanwhile."""
        future = waiter.future
        timer = asyncio.get_running_loop().call_later(self.terms.hold_wait, waiter.give_up, "no hold came in time")
        try:
            return await future
        except asyncio.CancelledError:
            if waiter.hold is None and future.done() and not future.cancelled() and future.exception() is None:
                future.result().release()
            waiter.leave()
            raise
        except StoreUnavailable:
            waiter.leave()
            raise
        except NoFunds:
            self.on_refused(waiter.account.key)
            raise
        finally:
            timer.cancel()
