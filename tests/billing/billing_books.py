"""Real banks, journals, movers and a real database, driven step by step, with what must hold after each step."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from billing_cases import QUICK, Flaky, fund, key, record
from billing_cases import kill as killed
from sqlalchemy import select

from unigate.base import ids
from unigate.base.errors import GatewayError, NoFunds
from unigate.billing.bank import Bank, Hold
from unigate.billing.check import check
from unigate.billing.follow import close_holds
from unigate.billing.format import frame
from unigate.mover import Mover
from unigate.store.database import Database
from unigate.store.ledger_tables import accounts, holds, processes, usage
from unigate.store.open import connect

R = TypeVar("R")
#: Nothing happens by itself but answering recalls; beats come when the machine says so.
STEPWISE = replace(
    QUICK,
    beat=3600.0,
    silence=36000.0,
    hold_wait=0.4,
    recall_wait=0.1,
    recall_poll=0.001,
    refusal=0.0,
    retry=0.001,
    idle=0.0,
    segment_bytes=2048,
    lease_holds=10,
)
KEYS = (key(), key("key_2"), key("key_3", budgets={"total": 900}), key("key_4", wallet="wal_2"))
NODES = ("node-1", "node-2")
#: What to do, and three numbers that say with whom and how much.
Action = tuple[str, tuple[int, int, int]]


@dataclass
class Open:
    """A call in flight."""

    bank: Bank
    hold: Hold


class Books:
    """Up to three banks on two nodes, their movers, two wallets."""

    #: A migrated database to copy.
    template: Path

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="unigate-books-"))
        self.alarms: list[tuple[str, str]] = []
        self.banks: list[tuple[Bank, str]] = []
        self.dead: list[Bank] = []
        self.calls: list[Open] = []
        #: Id -> cost of what its caller was told to be kept; those that cost more than was held; those of lost nodes.
        self.kept: dict[str, int] = {}
        self.overrun: set[str] = set()
        self.lost: set[str] = set()
        self.granted = 0

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        async def bounded() -> R:
            async with asyncio.timeout(20):
                return await work

        return self.loop.run_until_complete(bounded())

    def make(self, real: Database) -> Flaky:
        """The database; mutants put something else in its place."""
        return Flaky(real)

    @classmethod
    def play(cls, actions: Sequence[Action]) -> None:
        """Do one thing after the other, and look at the books after each; in the end everything comes to rest."""
        books = cls()
        try:
            books.begin()
            for name, numbers in actions:
                books.do(name, *numbers)
                books.the_books_agree()
            books._end()
        finally:
            books._clean_up()

    def do(self, name: str, a: int, b: int, c: int) -> None:
        """One thing, if it is possible."""
        node = NODES[0 if a % 4 else 1]
        who = KEYS[b % len(KEYS)]
        call = a % max(len(self.calls), 1)
        always: dict[str, Callable[[], object]] = {
            "start": lambda: self.start(node),
            "move": lambda: self.move(node),
            "move_unheard": lambda: self.move_unheard(node),
            "another_mover": lambda: self.another_mover(node),
            "top_up": lambda: self.top_up(100 + 30 * b, who.wallet_id),
            "trouble": lambda: self.trouble(a % 2 == 0),
        }
        with_calls: dict[str, Callable[[], object]] = {
            "settle": lambda: self.settle(call, min(b % 14, 10), c if c > 50 else 0),
            "grow": lambda: self.grow(call, c + 1),
        }
        with_banks: dict[str, Callable[[], object]] = {
            "hold": lambda: self.hold(a, who, 1 + c, c // 2),
            "calls": lambda: self.calls_at_once(a, who, [1 + (b + c * n) % 40 for n in range(1 + c % 6)]),
            "beat": lambda: self.beat(a),
            "kill": lambda: self.kill(a, c),
            "end": lambda: self.end(a),
            "lose": lambda: self.lose(a),
        }
        possible = {**always, **(with_calls if self.calls else {}), **(with_banks if self.banks else {})}
        if name in possible:
            possible[name]()

    def begin(self) -> None:
        shutil.copy(self.template, self.folder / "unigate.db")
        self.flaky = self.make(connect(f"sqlite:///{self.folder}/unigate.db"))
        self.movers = {node: self._mover(node) for node in NODES}
        self.run(fund(self.flaky, 1000))
        self.run(fund(self.flaky, 300, wallet="wal_2"))
        self.granted = 1300
        self.start("node-1")

    def _mover(self, node: str) -> Mover:
        return Mover(self.folder / node, node, terms=STEPWISE, alarm=self.alarm)

    def alarm(self, kind: str, text: str) -> None:
        self.alarms.append((kind, text))

    def start(self, node: str) -> None:
        if len(self.banks) == 3:
            return
        bank = Bank(self.flaky, self.folder / node, node, alarm=self.alarm, terms=STEPWISE)
        try:
            self.run(bank.start())
        except GatewayError:
            return
        self.banks.append((bank, node))
        for one, _ in self.banks:
            one.alone = len(self.banks) == 1

    def hold(self, which: int, who: Any, amount: int, less: int) -> None:
        bank = self.banks[which % len(self.banks)][0]
        least = max(amount - less, 1)
        try:
            hold = bank.hold(who, amount) or self.run(bank.hold_slow(who, amount, least))
        except NoFunds:
            if not who.budgets:
                free = self.run(self.free(who.wallet_id))
                assert free < least, f"402 for {least} while {free} were free"
            return
        except GatewayError:
            return
        assert least <= hold.amount <= amount
        self.calls.append(Open(bank, hold))

    async def free(self, wallet: str) -> int:
        """What nobody uses: spendable, or in a lease that is not in use."""
        async with self.flaky.real.reading() as tx:
            row = await tx.one(select(accounts.c.posted - accounts.c.held).where(accounts.c.id == wallet))
        assert row is not None
        leases = [lease for bank, _ in self.banks for lease in (*bank.leases.values(), *bank.retired)]
        return int(row[0]) + sum(lease.free for lease in leases if lease.purpose.wallet_id == wallet)

    def settle(self, which: int, share: int, beyond: int) -> None:
        call = self.calls.pop(which % len(self.calls))
        cost = call.hold.amount * share // 10 + (beyond if share == 10 else 0)
        if share == 0:
            call.hold.release()
            return
        id = ids.new("req")
        one = record(cost, id=id)
        if cost > call.hold.amount:
            self.overrun.add(id)

        async def work() -> bool:
            told: asyncio.Future[bool] = self.loop.create_future()
            call.hold.settle(one, told.set_result)
            return await told

        if self.run(work()):
            self.kept[id] = cost

    def calls_at_once(self, which: int, who: Any, amounts: list[int]) -> None:
        """Several calls of a key that begin together and end as they were held for."""
        bank = self.banks[which % len(self.banks)][0]

        async def call(amount: int) -> None:
            try:
                hold = bank.hold(who, amount) or await bank.hold_slow(who, amount, amount)
            except GatewayError:
                return
            id = ids.new("req")
            told: asyncio.Future[bool] = self.loop.create_future()
            hold.settle(record(amount, id=id), told.set_result)
            if await told:
                self.kept[id] = amount

        async def every() -> None:
            await asyncio.gather(*(call(amount) for amount in amounts))

        self.run(every())

    def grow(self, which: int, amount: int) -> None:
        hold = self.calls[which % len(self.calls)].hold
        before = hold.amount
        try:
            self.run(hold.grow_slow(amount))
        except GatewayError:
            assert hold.amount >= before
        else:
            assert hold.amount >= before + amount, "more where one that nobody waited for any more came late"

    def move(self, node: str) -> None:
        self._step(node)

    def _step(self, node: str) -> int:
        try:
            return self.run(self.movers[node].step(self.flaky, look=True))
        except GatewayError:
            return 1

    def move_unheard(self, node: str) -> None:
        """A batch is moved, and nobody hears of it: it will come again."""
        self.flaky.lose = 1
        self._step(node)
        self.flaky.lose = 0

    def another_mover(self, node: str) -> None:
        """The mover is killed and a new one begins, which knows only what the database says."""
        self.movers[node].close()
        self.movers[node] = self._mover(node)

    def beat(self, which: int) -> None:
        bank = self.banks[which % len(self.banks)][0]
        try:
            self.run(bank._upkeep.beat())
        except GatewayError:
            return

    def top_up(self, amount: int, wallet: str) -> None:
        self.run(fund(self.flaky.real, amount, wallet=wallet))
        self.granted += amount

    def trouble(self, lose: bool) -> None:
        """The next commit's answer is lost, or the commit fails."""
        if lose:
            self.flaky.lose = 1
        else:
            self.flaky.fail = 1

    def _out(self, which: int) -> tuple[Bank, str]:
        bank, node = self.banks.pop(which % len(self.banks))
        self.calls = [call for call in self.calls if call.bank is not bank]
        for one, _ in self.banks:
            one.alone = False
        return bank, node

    def kill(self, which: int, torn: int) -> None:
        bank, _ = self._out(which)
        segment = bank.journal._segment
        if segment is not None and torn:
            path, offset = segment.path, segment.offset
            self.run(killed(bank))
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(frame(record(77, hold="hld_x"))[:torn])
        else:
            self.run(killed(bank))
        self.dead.append(bank)
        self.after_kill(bank)

    def after_kill(self, bank: Bank) -> None:
        """Mutants do something here."""

    def lose(self, which: int) -> None:
        """A whole node falls silent: others close what it held, its rows come late."""
        bank, _ = self._out(which)
        self.run(killed(bank))
        self.lost.add(bank.process_id)

        async def declare() -> None:
            async with self.flaky.real.writing() as tx:
                await tx.run(processes.update().where(processes.c.id == bank.process_id).values(state="dead"))
                await close_holds(tx, bank.process_id)

        self.run(declare())

    def end(self, which: int) -> None:
        index = which % len(self.banks)
        if any(call.bank is self.banks[index][0] for call in self.calls):
            return
        bank, _ = self._out(which)
        self.run(bank.close())

    def the_books_agree(self) -> None:
        report = self.run(check(self.flaky.real))
        assert report.findings == ()
        self.run(self._rows_are_right())

    async def _rows_are_right(self) -> None:
        async with self.flaky.real.reading() as tx:
            rows = await tx.all(
                select(
                    usage.c.id, usage.c.cost, usage.c.charged, usage.c.overrun, usage.c.written_off, holds.c.process_id
                ).outerjoin(holds, holds.c.id == usage.c.hold_id)
            )
            posted = await tx.all(select(accounts.c.posted))
        assert self.granted - sum(int(row[0]) for row in posted) == sum(int(row[2]) for row in rows)
        for id, cost, charged, overrun, written_off, process in rows:
            assert id in self.kept, "a call that failed is not charged"
            assert cost == self.kept[id] == charged + written_off
            if id not in self.overrun and process not in self.lost:
                assert (overrun, written_off) == (0, 0), "what was held is there"

    def _clean_up(self) -> None:
        """Leave nothing behind, whatever happened."""
        try:
            for bank, _ in self.banks:
                self.run(killed(bank))
            if hasattr(self, "flaky"):
                for mover in self.movers.values():
                    mover.close()
                self.run(self.flaky.close())
            rest = asyncio.all_tasks(self.loop)
            for task in rest:
                task.cancel()
            if rest:
                self.loop.run_until_complete(asyncio.wait(rest))
        finally:
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        """Everybody stops, everything is moved: nothing is held, every row is there."""
        self.flaky.lose = self.flaky.fail = 0
        while self.banks:
            bank, _ = self._out(0)
            self.run(killed(bank))
        for node in NODES:
            for _ in range(50):
                if not self._step(node) and not self.movers[node].journals:
                    break
            self.movers[node].close()
        report = self.run(check(self.flaky.real))
        assert report.findings == ()
        assert (report.open_holds, report.held) == (0, 0)
        self.run(self._rows_are_right())
        assert self.run(self._ids()) == self.kept.keys(), "each call that was answered has its row"

    async def _ids(self) -> set[str]:
        async with self.flaky.real.reading() as tx:
            return {str(row[0]) for row in await tx.all(select(usage.c.id))}
