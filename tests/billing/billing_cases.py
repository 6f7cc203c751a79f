"""What the tests of the money share: a wallet with money, a key, records, a bank and a mover with short terms."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.billing.bank import Bank, Hold
from unigate.billing.check import Report, check
from unigate.mover import Mover
from unigate.spec.caller import Group, Key
from unigate.spec.record import Record
from unigate.spec.terms import Terms
from unigate.store import ledger
from unigate.store.database import Database, Tx

GROUP = Group(id="grp_1", name="default")
#: Terms scaled down so that what takes seconds takes moments.
QUICK = Terms(
    beat=0.1,
    recall_poll=0.02,
    idle=0.3,
    refusal=0.05,
    scan=0.05,
    poll=0.005,
    torn=0.2,
    segment_bytes=64 * 1024,
    journal_bytes=8 * 2**20,
)
#: With these R is 0.7 s.
MORTAL = replace(QUICK, silence=0.5, longest_call=0.1, grace=0.1, idle=60)


def key(id: str = "key_1", *, wallet: str = "wal_1", budgets: Mapping[str, int] | None = None) -> Key:
    """A key of the user whose wallet is named."""
    return Key(
        id=id,
        name=id,
        last4="abcd",
        user_id="usr_1",
        user_name="alice",
        group=GROUP,
        wallet_id=wallet,
        budgets=budgets or {},
    )


def record(
    cost: int = 0, *, id: str = "", hold: str = "", over: int = 0, single: bool = False, day: int = 20261121
) -> Record:
    """A call that ended."""
    return Record(
        id=id or ids.new("req"),
        at=now_ms(),
        user="usr_1",
        key="key_1",
        group="default",
        operation="openai.chat",
        model="m",
        channel="ch_1",
        upstream_model="m-1",
        status=200,
        end="completed",
        stream=False,
        estimated=False,
        units={"input": 3, "output": 5},
        cost=cost,
        first_us=10,
        total_us=20,
        own_us=1,
        price="prc_1",
        multiplier=1_000_000,
        attempts=[],
        hold=hold,
        over=over,
        single=single,
        day=day,
    )


KEY = key()
#: More than any test spends.
LARGE = 10**9


async def fund(database: Database, amount: int, *, wallet: str = "wal_1") -> None:
    """Make a wallet if need be, and give it credit."""
    async with database.writing() as tx:
        await ledger.open_account(tx, wallet, now_ms())
        if amount:
            await ledger.grant(tx, id=ids.new("tr"), wallet_id=wallet, amount=amount, at=now_ms())


async def settle(hold: Hold, cost: int, *, id: str = "") -> bool:
    """Settle a hold and wait until it is known whether the record is kept."""
    kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    hold.settle(record(cost, id=id), kept.set_result)
    return await kept


async def calls(bank: Bank, count: int, cost: int = 100) -> None:
    """So many calls that are kept, `r_00` and so on."""
    for number in range(count):
        hold = bank.hold(KEY, 1000) or await bank.hold_slow(KEY, 1000, 1000)
        assert await settle(hold, cost, id=f"r_{number:03}")


def queued(bank: Bank) -> dict[str, int]:
    """How long each queue of a bank is."""
    return {
        "waiters": sum(len(account.waiters) for account in bank.accounts.values()),
        "exact": sum(len(wallet.exact) for wallet in bank.wallets.values()),
        "statements": len(bank.teller._queue),
        "tasks": len(bank._tasks),
        "leases": len(bank.leases) + len(bank.retired),
        "pending": len(bank.journal._pending),
        "uncertain": len(bank.journal.uncertain),
    }


@dataclass
class House:
    """A bank, a mover and what they complained of, on one database."""

    database: Database
    folder: Path
    terms: Terms = QUICK
    node: str = "node-1"
    alarms: list[tuple[str, str]] = field(default_factory=list)

    def alarm(self, kind: str, text: str) -> None:
        """Note a complaint."""
        self.alarms.append((kind, text))

    def bank(self, terms: Terms | None = None) -> Bank:
        """A bank that has not been started."""
        return Bank(self.database, self.folder, self.node, alarm=self.alarm, terms=terms or self.terms)

    def mover(self, terms: Terms | None = None, *, node: str = "") -> Mover:
        """A mover of this node, or of another one with a folder of its own."""
        folder = self.folder.with_name(node) if node else self.folder
        return Mover(folder, node or self.node, terms=terms or self.terms, alarm=self.alarm)

    @asynccontextmanager
    async def open(self, terms: Terms | None = None) -> AsyncIterator[Bank]:
        """A bank that runs."""
        bank = self.bank(terms)
        await bank.start()
        try:
            yield bank
        finally:
            await bank.close()

    async def moved(self) -> Report:
        """Move everything that can be moved, and check the ledger."""
        mover = self.mover()
        await mover.drain(self.database)
        while await mover.step(self.database):
            pass
        mover.close()
        return await check(self.database)


class Flaky:
    """A database that can be made to fail: out of reach, or with the answer to a commit lost."""

    def __init__(self, real: Database) -> None:
        self.real = real
        self.kind = real.kind
        #: Nothing can be reached.
        self.down = False
        #: So many of the next commits are kept without anybody hearing of it.
        self.lose = 0
        #: So many of the next transactions fail before their commit.
        self.fail = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        """A transaction that writes, unless it fails."""
        self._reach()
        async with self.real.writing() as tx:
            yield tx
            if self.fail:
                self.fail -= 1
                raise StoreUnavailable(detail="failed before the commit")
        if self.lose:
            self.lose -= 1
            raise StoreUnavailable(detail="the commit's answer was lost")

    @asynccontextmanager
    async def reading(self, *, statement: float | None = None) -> AsyncIterator[Tx]:
        """A transaction that reads, unless it fails."""
        self._reach()
        async with self.real.reading(statement=statement) as tx:
            yield tx

    async def close(self) -> None:
        """Close it."""
        await self.real.close()

    def _reach(self) -> None:
        if self.down:
            raise StoreUnavailable(detail="out of reach")


async def kill(bank: Bank) -> None:
    """End a bank as a kill would: nothing more reaches the database, and its locks are gone."""
    bank.closing = True
    for task in [*bank._tasks, bank.teller._task]:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    journal = bank.journal
    for segment in (journal._segment, journal._spare, *journal._old.values()):
        if segment is not None:
            segment.close()
