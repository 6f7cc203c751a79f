"""Exact holds: what a call needs and no lease gives, refused only where nobody may have money to give back.

Must not wait for other processes: that is recall.py's.
"""

from unigate.base.clock import boot_seconds, now_ms
from unigate.billing.lease import Lease, LeaseHold, SingleHold, Waiter, Wallet
from unigate.billing.statements import Desk, give_single, new_holds, take_more
from unigate.store import holds, recalls
from unigate.store.database import Tx


class Exact:
    """Holds for the very amounts that are asked for; refuses only where nobody may have money to give back."""

    def __init__(self, desk: Desk, wallet: Wallet, asked: int) -> None:
        self.wallet_id = wallet.id
        self._desk = desk
        self._wallet = wallet
        #: The recall that owners have answered, 0 where none was asked.
        self._asked = asked
        #: The recall that was raised in the end, 0 where everybody was served or refused.
        self.recall = 0
        self._waiters: list[Waiter] = []
        self._granted: dict[int, int] = {}
        self._refused: list[tuple[Waiter, bool]] = []
        #: Whose entry is another's.
        self._taken: list[Waiter] = []
        self._steps: dict[str, int] = {}

    def prepare(self) -> None:
        """Who waits, and the steps of the holds that are to be raised."""
        wallet = self._wallet
        self._waiters = [waiter for waiter in wallet.exact if waiter.waiting]
        wallet.exact = []
        for waiter in self._waiters:
            hold = waiter.hold
            if isinstance(hold, LeaseHold) and hold.lease.purpose.id not in self._steps:
                hold.lease.step += 1
                self._steps[hold.lease.purpose.id] = hold.lease.step
            elif isinstance(hold, SingleHold) and hold.purpose.id not in self._steps:
                hold.step += 1
                self._steps[hold.purpose.id] = hold.step

    async def apply(self, tx: Tx) -> None:
        """In the order in which they came, as far as the money goes."""
        self._granted, self._refused, self._taken, self.recall = {}, [], [], 0
        left = 0
        budgets: dict[str, int] = {}
        for waiter in self._waiters:
            key = waiter.account.key.id
            if key not in budgets:
                funds = await holds.funds(tx, self.wallet_id, key, waiter.purpose.windows)
                left = funds.wallet if not budgets else left
                budgets[key] = funds.budgets
        for waiter in self._waiters:
            if waiter.waiting and waiter.amount <= min(left, budgets[waiter.account.key.id]):
                if waiter.entry is not None and not await waiter.entry.enter(tx):
                    self._taken.append(waiter)
                    continue
                left -= self._grant(waiter, waiter.amount, budgets)
        told = self._granted.keys() | {id(waiter) for waiter in self._taken}
        short = [waiter for waiter in self._waiters if waiter.waiting and id(waiter) not in told]
        if short and await recalls.silent(tx, self.wallet_id, self._asked, asker=self._desk.process_id):
            self.recall = await recalls.raise_recall(tx, self.wallet_id)
        elif short:
            for waiter in short:
                most = min(left, budgets[waiter.account.key.id])
                if waiter.entry is not None and await waiter.entry.taken(tx):
                    self._taken.append(waiter)
                elif waiter.entry is None and waiter.least <= most:
                    left -= self._grant(waiter, min(most, waiter.amount), budgets)
                else:
                    self._refused.append((waiter, left < waiter.least))
        await self._hold(tx)

    async def recover(self, tx: Tx) -> None:
        """Read what was held; who got nothing asks again."""
        self._granted, self._refused, self._taken = {}, [], []
        rows = {row.id: row for row in await holds.read_several(tx, [w.purpose.id for w in self._waiters])}
        more = {}
        for id_ in self._steps:
            row = await holds.read(tx, id_)
            more[id_] = row.amount if row is not None and row.step >= self._steps[id_] else 0
        for waiter in self._waiters:
            hold = waiter.hold
            if hold is None:
                found = rows.get(waiter.purpose.id)
                if found is not None and found.open:
                    self._granted[id(waiter)] = found.amount
            else:
                known = hold.lease if isinstance(hold, LeaseHold) else hold
                assert isinstance(known, Lease | SingleHold)
                if more[known.purpose.id] - known.confirmed >= waiter.amount:
                    more[known.purpose.id] -= waiter.amount
                    self._granted[id(waiter)] = waiter.amount

    def done(self) -> None:
        """Serve, refuse, and keep the others waiting."""
        now, terms = boot_seconds(), self._desk.terms
        for waiter in self._waiters:
            amount = self._granted.get(id(waiter))
            if amount is not None:
                self._give(waiter, amount)
        for waiter, by_wallet in self._refused:
            known = self._wallet if by_wallet else waiter.account
            if now >= known.refused_until or waiter.least < known.refused:
                known.refused = waiter.least
            known.refused_until = now + terms.refusal
            waiter.refuse()
        for waiter in self._taken:
            waiter.step_back()
        gone = (*self._taken, *(waiter for waiter, _ in self._refused))
        told = self._granted.keys() | {id(waiter) for waiter in gone}
        self._wallet.exact = [w for w in self._waiters if id(w) not in told and w.waiting] + self._wallet.exact

    def failed(self, error: BaseException) -> None:
        """Nobody is served; what is written beside a hold may stand all the same."""
        for waiter in self._waiters:
            if waiter.entry is not None and id(waiter) in self._granted:
                waiter.entry.orphaned()
            waiter.give_up(f"no exact hold: {error!r}")

    def _grant(self, waiter: Waiter, amount: int, budgets: dict[str, int]) -> int:
        self._granted[id(waiter)] = amount
        budgets[waiter.account.key.id] -= amount
        return amount

    async def _hold(self, tx: Tx) -> None:
        now = now_ms()
        granted = [(waiter, self._granted[id(waiter)]) for waiter in self._waiters if id(waiter) in self._granted]
        opened = [one for waiter, amount in granted if waiter.hold is None for one in new_holds(waiter, amount)]
        await holds.open_several(tx, opened, at=now)
        more: dict[str, tuple[holds.Purpose, int]] = {}
        for waiter, amount in granted:
            hold = waiter.hold
            if hold is not None:
                purpose = hold.lease.purpose if isinstance(hold, LeaseHold) else waiter.purpose
                more[purpose.id] = (purpose, more.get(purpose.id, (purpose, 0))[1] + amount)
        for id_, (purpose, amount) in sorted(more.items()):
            await holds.grow(tx, purpose, amount, step=self._steps[id_], at=now)

    def _give(self, waiter: Waiter, amount: int) -> None:
        hold = waiter.hold
        if hold is None:
            give_single(self._desk, waiter, amount)
            return
        if isinstance(hold, LeaseHold):
            lease = hold.lease
            lease.confirmed += amount
            lease.amount += amount
            lease.free += amount
            if waiter.waiting:
                take_more(hold, amount)
        elif isinstance(hold, SingleHold):
            hold.confirmed += amount
            hold.amount += amount
            if not hold.open:
                self._desk.end_call(hold, hold.cost)
        if waiter.waiting:
            waiter.future.set_result(hold)
