"""Upkeep of the bank: the beat that says that a process lives, and everything that goes with it.

With each beat a process reports what is in use, learns what changed, gives back what nobody uses and answers recalls.
One that no longer counts as alive drops its leases and begins again under a new id. Must not serve calls.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from unigate.base import ids
from unigate.base.clock import LONG_AGO, Seconds, boot_seconds, now_ms
from unigate.base.errors import StoreUnavailable
from unigate.billing import recall
from unigate.billing.journal import Alarm, Failpoint, Journal
from unigate.billing.lease import Account, Lease, Wallet
from unigate.billing.periods import day_of
from unigate.billing.statements import Give
from unigate.billing.teller import Teller
from unigate.spec.record import Record
from unigate.store import holds, processes
from unigate.store.captures import BATCH, capture, cost_of
from unigate.store.processes import Pulse

#: Accounts that nobody uses are forgotten every so many beats.
FORGET_EVERY = 60


class House(recall.Lender, Protocol):
    """What upkeep needs of the bank."""

    folder: Path
    node: str
    process_id: str
    until: Seconds
    alone: bool
    alive: int
    closing: bool
    alarm: Alarm
    failpoint: Failpoint
    on_change: Callable[[set[str]], None]
    wallets: dict[str, Wallet]
    accounts: dict[str, Account]
    leases: dict[str, Lease]
    retired: set[Lease]

    def retire(self, lease: Lease) -> None:
        """Take no more holds from a lease, and give it back when the last of them ends."""
        ...

    def day_end(self) -> Seconds:
        """The moment on the boot clock at which the budgets' day ends."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; it is kept until it ends, and its failure is told."""
        ...


class Upkeep:
    """The background side of a bank."""

    def __init__(self, bank: House) -> None:
        self._bank = bank
        self._loops: list[asyncio.Task[None]] = []
        self._generations: dict[str, int] = {}
        self._dead = False
        self._beats = 0

    async def start(self) -> None:
        """Begin as a new process instance. Raises OSError, StoreUnavailable."""
        await self._begin()
        self._loops = [self._bank.spawn(self._beat_loop()), self._bank.spawn(self._watch_loop())]

    async def stop(self) -> None:
        """Give everything back and leave the journal to the mover."""
        bank = self._bank
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for lease in list(bank.leases.values()):
            bank.retire(lease)
        await bank.teller.rest(bank.terms.hold_wait)
        await bank.journal.close()
        await self._resolve()
        await bank.teller.stop()
        try:
            async with bank.database.writing() as tx:
                await processes.stop(tx, bank.process_id, at=now_ms())
        except StoreUnavailable as error:
            bank.alarm("store", f"the end of process {bank.process_id} could not be noted: {error.detail}")

    async def beat(self) -> None:
        """One beat. Raises StoreUnavailable."""
        bank = self._bank
        if self._dead or bank.teller.passed:
            await self._begin_again()
            return
        every = (*bank.leases.values(), *bank.retired)
        changed = [lease for lease in every if lease.used + lease.active != lease.reported]
        changed.sort(key=lambda lease: (lease.purpose.wallet_id, lease.purpose.id))
        reports = [(lease.purpose.id, lease.step, lease.used + lease.active) for lease in changed]
        sent = boot_seconds()
        bank.failpoint("beat.before")
        async with bank.database.writing() as tx:
            pulse = await processes.beat(tx, bank.process_id)
            if pulse is not None:
                await holds.report(tx, reports)
        bank.failpoint("beat.after")
        if pulse is None:
            await self._begin_again()
            return
        for lease, (_, step, in_use) in zip(changed, reports, strict=True):
            if lease.step == step:
                lease.reported = in_use
        await self._learn(sent, pulse)

    async def _begin(self) -> None:
        bank = self._bank
        process_id = ids.new("prc")
        journal = Journal(
            bank.folder,
            process_id,
            bank.terms,
            alarm=bank.alarm,
            fallback=self._into_database,
            failpoint=bank.failpoint,
        )
        journal.open()
        sent = boot_seconds()
        try:
            async with bank.database.writing() as tx:
                await processes.register(tx, process_id, bank.node, at=now_ms())
                pulse = await processes.beat(tx, process_id)
        except BaseException:
            journal.discard()
            raise
        assert pulse is not None
        bank.process_id, bank.journal = process_id, journal
        bank.teller = Teller(bank.database, process_id, bank.terms, alarm=bank.alarm, failpoint=bank.failpoint)
        bank.teller.start()
        self._dead = False
        await self._learn(sent, pulse)

    async def _begin_again(self) -> None:
        """Drop all leases, which others have closed or will, and go on as a new process instance."""
        bank = self._bank
        if not self._dead:
            bank.alarm("process", f"process {bank.process_id} no longer counts as alive and begins again")
            self._dead = True
            bank.until = LONG_AGO
            for lease in (*bank.leases.values(), *bank.retired):
                lease.retired = True
                lease.account.lease = None
            bank.leases.clear()
            bank.retired.clear()
            await bank.teller.stop()
        old = bank.journal
        await self._begin()
        bank.journal.uncertain += old.uncertain
        old.uncertain = []
        await old.close()

    async def _learn(self, sent: Seconds, pulse: Pulse) -> None:
        """Take in a beat's answer; `sent` is when the beat was sent."""
        bank = self._bank
        if not bank.journal.note(pulse.segments):
            bank.alarm("journal", f"a segment of process {bank.process_id} is damaged; it begins again")
            async with bank.database.writing() as tx:
                await processes.stop(tx, bank.process_id, at=now_ms())
            await self._begin_again()
            return
        bank.journal.mend()
        bank.alive = max(pulse.alive, 1)
        bank.alone = pulse.alive <= 1
        if not bank.closing:
            bank.until = sent + bank.terms.silence
        changed = {name for name, number in pulse.generations.items() if self._generations.get(name, number) != number}
        self._generations = dict(pulse.generations)
        if changed:
            bank.on_change(changed)
        self._answer(pulse.recalled)
        self._tidy()
        if bank.journal.uncertain:
            await self._resolve()

    def _tidy(self) -> None:
        """Give back what nobody used for a while, and follow the calendar."""
        bank, now = self._bank, boot_seconds()
        today, day_end = day_of(now_ms(), bank.terms.offset_minutes), bank.day_end()
        for lease in list(bank.leases.values()):
            account = lease.account
            account.rate = max(account.spent, account.rate * 3 // 4)
            account.spent = 0
            lease.until = day_end if lease.day == today else LONG_AGO
            if now - lease.last >= bank.terms.idle:
                if not lease.active:
                    bank.retire(lease)
                elif lease.free:
                    bank.teller.put(Give(lease))
        self._beats += 1
        if self._beats % FORGET_EVERY == 0:
            used = {lease.key.id for lease in bank.leases.values()}
            for key_id, account in list(bank.accounts.items()):
                if key_id not in used and not account.waiters and not account.queued:
                    del bank.accounts[key_id]
            wallets = {account.wallet.id for account in bank.accounts.values()}
            for wallet_id, wallet in list(bank.wallets.items()):
                if wallet_id not in wallets and wallet.task is None and not wallet.exact:
                    del bank.wallets[wallet_id]

    def _answer(self, recalled: Mapping[str, int]) -> None:
        """Lower the leases on wallets that others need, and take none there for a while."""
        bank = self._bank
        for wallet_id, number in recalled.items():
            wallet = bank.wallets.get(wallet_id)
            if wallet is not None:
                wallet.quiet_until = boot_seconds() + bank.terms.recall_wait
                bank.spawn(recall.give_back(bank, wallet, number))

    async def _beat_loop(self) -> None:
        bank = self._bank
        while True:
            await asyncio.sleep(bank.terms.beat)
            try:
                await self.beat()
            except StoreUnavailable:
                bank.journal.mend()
            except Exception as error:  # noqa: BLE001 - the next beat tries again
                bank.alarm("process", f"a beat failed: {error!r}")

    async def _watch_loop(self) -> None:
        """Look for recalls more often than a beat, while there is anything to give back to others."""
        bank = self._bank
        while True:
            await asyncio.sleep(bank.terms.recall_poll)
            if bank.alone or not (bank.leases or bank.retired):
                continue
            try:
                async with bank.database.reading() as tx:
                    recalled = await processes.recalled(tx, bank.process_id)
                self._answer(recalled)
            except StoreUnavailable:
                continue
            except Exception as error:  # noqa: BLE001 - the next look tries again
                bank.alarm("process", f"looking for recalls failed: {error!r}")

    async def _into_database(self, records: Sequence[Record]) -> None:
        """The journal's fallback."""
        for start in range(0, len(records), BATCH):
            async with self._bank.database.writing() as tx:
                await capture(tx, records[start : start + BATCH], at=now_ms())

    async def _resolve(self) -> None:
        """Make certain that calls that failed for want of a place to keep their record are not charged later."""
        bank = self._bank
        items, bank.journal.uncertain = bank.journal.uncertain, []
        for place, (record, undo) in enumerate(items):
            free = msgspec.structs.replace(record, cost=0, over=0, hold="", single=False, end="failed")
            try:
                async with bank.database.writing() as tx:
                    await capture(tx, [free], at=now_ms())
                    cost = await cost_of(tx, record.id)
            except StoreUnavailable:
                bank.journal.uncertain += items[place:]
                return
            if undo is not None and not cost:
                undo()
