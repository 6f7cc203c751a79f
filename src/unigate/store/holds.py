"""The four verbs on holds: grow, lower, capture, close. One table for single calls, leases and tasks.

A hold's numbers are cumulative, `amount >= in_use >= captured`: the owner writes the first two, a capture the third. A
wallet's `held` is the sum of its open `amount - captured`, and so is that of each budget window that a hold counts in.

The owner numbers its statements on a hold (`step`): a statement that comes again, or late after its successor, changes
nothing. A hold that was closed before it was ever opened stays closed. Every verb locks the wallet first, which guards
everything below it. Must not decide how much is wanted, nor when.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case, select, update

from unigate.base.errors import NoFunds
from unigate.base.money import MAX_SUM
from unigate.store.database import Tx
from unigate.store.ledger import change_wallet, lock_wallet
from unigate.store.ledger_tables import holds, recalls, windows
from unigate.store.metadata import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A budget window that a hold counts in: its id (`key/20261121`, `key/202611`, `key/0`) and the key's budget."""

    id: str
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a hold is for; it never changes."""

    id: str
    wallet_id: str
    key_id: str
    kind: str
    #: "": a task's hold, which belongs to no process.
    process_id: str = ""
    day: Window | None = None
    month: Window | None = None
    total: Window | None = None

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that it holds in."""
        return tuple(w for w in (self.day, self.month, self.total) if w is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """A hold as the database has it."""

    id: str
    wallet_id: str
    key_id: str
    kind: str
    amount: int
    in_use: int
    captured: int
    windows: tuple[str, ...]
    step: int
    final: bool
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What may be held: of the wallet, and within the budget windows. The wallet is locked."""

    wallet: int
    #: What the windows leave; MAX_SUM where there are none.
    budgets: int
    written_off_day: int = 0
    written_off: int = 0

    @property
    def left(self) -> int:
        """What may be held."""
        return min(self.wallet, self.budgets)


_COLUMNS = (
    holds.c.id,
    holds.c.wallet_id,
    holds.c.key_id,
    holds.c.kind,
    holds.c.amount,
    holds.c.in_use,
    holds.c.captured,
    holds.c.window_day,
    holds.c.window_month,
    holds.c.window_total,
    holds.c.step,
    holds.c.final,
    holds.c.state,
)
_ONE = select(*_COLUMNS).where(holds.c.id == bindparam("id"))
_SEVERAL = select(*_COLUMNS).where(holds.c.id.in_(bindparam("ids", expanding=True))).order_by(holds.c.id)
_OF_PROCESS = (
    select(*_COLUMNS)
    .where(holds.c.process_id == bindparam("process"), holds.c.state == "open")
    .order_by(holds.c.wallet_id, holds.c.id)
)
_INSERT = insert(holds).on_conflict_do_nothing().returning(holds.c.id)
_RECALL = select(recalls.c.number).where(recalls.c.wallet_id == bindparam("wallet"))
_GROW = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open", holds.c.step < bindparam("to_step"))
    .values(
        amount=holds.c.amount + bindparam("more"),
        step=bindparam("to_step"),
        grown_at=bindparam("to_grown_at"),
    )
)
_LOWER = (
    update(holds)
    .where(
        holds.c.id == bindparam("hold"),
        holds.c.state == "open",
        holds.c.step < bindparam("to_step"),
        holds.c.captured <= bindparam("to_in_use"),
        holds.c.amount >= bindparam("to_amount"),
    )
    .values(
        amount=bindparam("to_amount"),
        in_use=bindparam("to_in_use"),
        step=bindparam("to_step"),
        lowered_at=case(
            (holds.c.lowered_at < bindparam("to_lowered_at"), bindparam("to_lowered_at")), else_=holds.c.lowered_at
        ),
        final=bindparam("to_final"),
    )
)
_CLOSE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open")
    .values(amount=holds.c.captured, in_use=holds.c.captured, state="closed", closed_at=bindparam("now"))
)
_REPORT = (
    update(holds)
    .where(
        holds.c.id == bindparam("hold"),
        holds.c.state == "open",
        holds.c.step <= bindparam("at_step"),
        holds.c.captured <= bindparam("to_in_use"),
        holds.c.amount >= bindparam("to_in_use"),
    )
    .values(in_use=bindparam("to_in_use"))
)
_WINDOW = insert(windows).on_conflict_do_nothing().returning(windows.c.id)
_WINDOW_READ = select(windows.c.budget, windows.c.held, windows.c.captured).where(windows.c.id == bindparam("id"))
_WINDOW_BUDGET = update(windows).where(windows.c.id == bindparam("window")).values(budget=bindparam("to_budget"))
_WINDOW_HELD = (
    update(windows).where(windows.c.id == bindparam("window")).values(held=windows.c.held + bindparam("more"))
)


async def funds(tx: Tx, wallet_id: str, key_id: str, counted: Sequence[Window]) -> Funds:
    """Lock a wallet and say what may be held of it within these windows, whose budgets are noted."""
    wallet = await lock_wallet(tx, wallet_id)
    if wallet is None:
        return Funds(wallet=0, budgets=0)
    left = MAX_SUM
    for window in counted:
        row = await tx.one(_WINDOW_READ, {"id": window.id})
        if row is None:
            new = {"id": window.id, "key_id": key_id, "wallet_id": wallet_id, "budget": window.budget}
            await tx.insert_new(_WINDOW, [{**new, "held": 0, "captured": 0}])
            row = (window.budget, 0, 0)
        elif row[0] != window.budget:
            await tx.run(_WINDOW_BUDGET, {"window": window.id, "to_budget": window.budget})
        left = min(left, window.budget - row[1] - row[2])
    return Funds(
        wallet=wallet.spendable,
        budgets=max(left, 0),
        written_off_day=wallet.written_off_day,
        written_off=wallet.written_off,
    )


async def read(tx: Tx, hold_id: str) -> HoldRow | None:
    """A hold, None where there is none."""
    row = await tx.one(_ONE, {"id": hold_id})
    return None if row is None else _row(row)


async def read_several(tx: Tx, hold_ids: Sequence[str]) -> list[HoldRow]:
    """Those of these holds that exist, by id."""
    return [_row(row) for row in await tx.all(_SEVERAL, {"ids": list(hold_ids)})]


async def of_process(tx: Tx, process_id: str) -> list[HoldRow]:
    """The open holds of a process, by wallet and id."""
    return [_row(row) for row in await tx.all(_OF_PROCESS, {"process": process_id})]


async def grow(tx: Tx, purpose: Purpose, amount: int, *, step: int, at: int) -> int:
    """Open a hold or raise it by `amount`, in its wallet and its windows; the hold's amount after it.

    NoFunds, before anything was written, where wallet or a window do not reach, and where the hold is closed.
    """
    left = (await funds(tx, purpose.wallet_id, purpose.key_id, purpose.windows)).left
    known = await read(tx, purpose.id)
    if known is not None and known.open and known.step >= step:
        return known.amount
    if amount > left or (known is not None and not known.open):
        raise NoFunds
    number = await tx.one(_RECALL, {"wallet": purpose.wallet_id})
    grown_at = number[0] if number is not None else 0
    if known is None:
        await tx.insert_new(_INSERT, [{**_new(purpose, amount, step, at), "grown_at": grown_at}])
    else:
        await tx.run(_GROW, {"hold": purpose.id, "more": amount, "to_step": step, "to_grown_at": grown_at})
    await _move_held(tx, purpose.wallet_id, [w.id for w in purpose.windows], amount)
    return amount + (known.amount if known is not None else 0)


async def open_several(tx: Tx, wanted: Sequence[tuple[Purpose, int]], *, at: int) -> list[str]:
    """Open several new holds on one wallet that is locked and has enough; the ids of those that were not there yet."""
    if not wanted:
        return []
    rows = [{**_new(purpose, amount, 1, at), "grown_at": 0} for purpose, amount in wanted]
    made = {str(row[0]) for row in await tx.insert_new(_INSERT, rows)}
    counted: dict[str, int] = {}
    total = 0
    for purpose, amount in wanted:
        if purpose.id in made:
            total += amount
            for window in purpose.windows:
                counted[window.id] = counted.get(window.id, 0) + amount
    if total:
        await change_wallet(tx, wanted[0][0].wallet_id, held=total)
        await tx.many(_WINDOW_HELD, [{"window": w, "more": n} for w, n in sorted(counted.items())])
    return [purpose.id for purpose, _ in wanted if purpose.id in made]


async def lower(
    tx: Tx, hold_id: str, *, to: int, in_use: int, step: int, at: int, recall: int = 0, final: bool = False
) -> bool:
    """Lower a hold to `to`, never below what is in use; whether it is still open.

    `recall`: the number of the recall that this answers. `final`: nothing more will be taken of it, so it is closed as
    soon as all of it is captured.
    """
    known = await read(tx, hold_id)
    if known is None:
        return False
    await lock_wallet(tx, known.wallet_id)
    known = await read(tx, hold_id)
    if known is None or not known.open:
        return False
    if known.step >= step:
        return True
    values = {"hold": hold_id, "to_amount": to, "to_in_use": in_use, "to_step": step}
    if await tx.run(_LOWER, {**values, "to_lowered_at": recall, "to_final": int(final)}) != 1:
        raise ValueError(f"hold {hold_id} cannot be lowered to {to} with {in_use} in use: {known}")
    await _move_held(tx, known.wallet_id, known.windows, to - known.amount)
    if final and known.captured == to:
        await end(tx, hold_id, at=at)
        return False
    return True


async def close(tx: Tx, hold_id: str, *, at: int, tombstone: Purpose | None = None) -> int:
    """Close a hold; the rest returns to its wallet and windows, and how much it was.

    With `tombstone`, a hold that does not exist is written as closed, so that its opening cannot come later.
    """
    known = await read(tx, hold_id)
    if known is None and tombstone is not None:
        await lock_wallet(tx, tombstone.wallet_id)
        row = _new(tombstone, 0, 0, at)
        if await tx.insert_new(_INSERT, [{**row, "grown_at": 0, "state": "closed", "closed_at": at}]):
            return 0
        known = await read(tx, hold_id)
    if known is None:
        return 0
    await lock_wallet(tx, known.wallet_id)
    known = await read(tx, hold_id)
    if known is None or not known.open:
        return 0
    return await close_locked(tx, known, at=at)


async def close_locked(tx: Tx, hold: HoldRow, *, at: int) -> int:
    """Close an open hold whose wallet is locked, as `hold` was read under that lock; what returned."""
    rest = hold.amount - hold.captured
    await end(tx, hold.id, at=at)
    await _move_held(tx, hold.wallet_id, hold.windows, -rest)
    return rest


async def end(tx: Tx, hold_id: str, *, at: int) -> None:
    """Only mark a hold as closed: the caller, who has locked its wallet, sees to wallet and windows."""
    await tx.run(_CLOSE, {"hold": hold_id, "now": at})


async def report(tx: Tx, rows: Sequence[tuple[str, int, int]]) -> None:
    """Note what is in use of holds, as (id, step, in_use), sorted by wallet and id.

    Nothing changes where the hold has moved on.
    """
    await tx.many(_REPORT, [{"hold": id, "at_step": step, "to_in_use": in_use} for id, step, in_use in rows])


async def _move_held(tx: Tx, wallet_id: str, window_ids: Sequence[str], amount: int) -> None:
    if amount:
        await change_wallet(tx, wallet_id, held=amount)
        for window in window_ids:
            await tx.run(_WINDOW_HELD, {"window": window, "more": amount})


def _new(purpose: Purpose, amount: int, step: int, at: int) -> dict[str, object]:
    return {
        "id": purpose.id,
        "wallet_id": purpose.wallet_id,
        "key_id": purpose.key_id,
        "kind": purpose.kind,
        "process_id": purpose.process_id,
        "amount": amount,
        "in_use": 0 if purpose.kind == "lease" else amount,
        "captured": 0,
        "window_day": purpose.day.id if purpose.day is not None else None,
        "window_month": purpose.month.id if purpose.month is not None else None,
        "window_total": purpose.total.id if purpose.total is not None else None,
        "step": step,
        "lowered_at": 0,
        "final": 0,
        "state": "open",
        "created_at": at,
        "closed_at": 0,
    }


def _row(row: tuple[object, ...]) -> HoldRow:
    id, wallet, key, kind, amount, in_use, captured, day, month, total, step, final, state = row
    return HoldRow(
        id=str(id),
        wallet_id=str(wallet),
        key_id=str(key),
        kind=str(kind),
        amount=_int(amount),
        in_use=_int(in_use),
        captured=_int(captured),
        windows=tuple(str(w) for w in (day, month, total) if w is not None),
        step=_int(step),
        final=bool(final),
        open=state == "open",
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
