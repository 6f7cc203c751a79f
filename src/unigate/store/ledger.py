"""Accounts and transfers: double entry, only ever appended to.

A wallet's row keeps what its transfers add up to; the accounts of the house (`system:...`) are sums over transfers.
The wallet's row is locked before anything below it (windows, holds), wallets in the order of their ids.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, select, update

from unigate.base.errors import BadRequest, Conflict, NoFunds, NotFound
from unigate.base.money import MAX_AMOUNT, MAX_SUM
from unigate.store import crossings, hours
from unigate.store.database import Tx
from unigate.store.ledger_tables import GRANTS, REVENUE, accounts, transfers, usage, windows
from unigate.store.metadata import insert

_OPEN = insert(accounts).on_conflict_do_nothing().returning(accounts.c.id)
_LOCK = (
    select(
        accounts.c.granted,
        accounts.c.posted,
        accounts.c.held,
        accounts.c.written_off_day,
        accounts.c.written_off,
    )
    .where(accounts.c.id == bindparam("id"))
    .with_for_update()
)
_CHANGE = (
    update(accounts)
    .where(accounts.c.id == bindparam("wallet"))
    .where(accounts.c.posted + bindparam("more_posted") >= accounts.c.held + bindparam("more_held"))
    .values(
        granted=accounts.c.granted + bindparam("more_granted"),
        posted=accounts.c.posted + bindparam("more_posted"),
        held=accounts.c.held + bindparam("more_held"),
    )
)
_TRANSFER = insert(transfers).on_conflict_do_nothing().returning(transfers.c.id)
_KNOWN = select(transfers.c.debit, transfers.c.credit, transfers.c.amount, transfers.c.code).where(
    transfers.c.id == bindparam("id")
)
_CALL = (
    select(usage.c.key_id, usage.c.day, usage.c.charged, usage.c.refunded)
    .where(usage.c.id == bindparam("id"))
    .with_for_update()
)
_PAYER = (
    select(transfers.c.debit).join(usage, usage.c.transfer_id == transfers.c.id).where(usage.c.id == bindparam("call"))
)
_REFUNDED = update(usage).where(usage.c.id == bindparam("call")).values(refunded=usage.c.refunded + bindparam("more"))
_WINDOW_REFUND = (
    update(windows)
    .where(windows.c.id.in_(bindparam("ids", expanding=True)))
    .values(captured=windows.c.captured - bindparam("less"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """A wallet's row, locked."""

    granted: int
    posted: int
    held: int
    written_off_day: int
    written_off: int

    @property
    def spendable(self) -> int:
        """What may still be held."""
        return self.posted - self.held


def window_ids(key_id: str, day: int) -> tuple[str, str, str]:
    """The windows that count a call of a key admitted on `day` (20261121): its day, its month, all time."""
    return f"{key_id}/{day}", f"{key_id}/{day // 100}", f"{key_id}/0"


async def open_account(tx: Tx, wallet_id: str, at: int) -> None:
    """Make a wallet with nothing in it, unless there is one."""
    sums = {"granted": 0, "posted": 0, "held": 0, "written_off_day": 0, "written_off": 0}
    await tx.insert_new(_OPEN, [{"id": wallet_id, **sums, "created_at": at}])


async def lock_wallet(tx: Tx, wallet_id: str) -> Wallet | None:
    """Lock a wallet for the rest of the transaction and read it; None where there is none."""
    row = await tx.one(_LOCK, {"id": wallet_id})
    if row is None:
        return None
    return Wallet(granted=row[0], posted=row[1], held=row[2], written_off_day=row[3], written_off=row[4])


async def change_wallet(tx: Tx, wallet_id: str, *, granted: int = 0, posted: int = 0, held: int = 0) -> None:
    """Add to a wallet's sums; NoFunds where less would be posted than held."""
    values = {"wallet": wallet_id, "more_granted": granted, "more_posted": posted, "more_held": held}
    if await tx.run(_CHANGE, values) != 1:
        raise NoFunds


async def note_transfer(
    tx: Tx, *, id: str, debit: str, credit: str, amount: int, code: str, at: int, hold_id: str = "", note: str = ""
) -> bool:
    """Append a transfer; False if it is there already, Conflict if something else bears its id."""
    row = {"id": id, "debit": debit, "credit": credit, "amount": amount, "code": code, "at": at}
    if await tx.insert_new(_TRANSFER, [{**row, "hold_id": hold_id, "note": note}]):
        return True
    if await tx.one(_KNOWN, {"id": id}) != (debit, credit, amount, code):
        raise Conflict(f"another transfer has the id {id}")
    return False


async def grant(tx: Tx, *, id: str, wallet_id: str, amount: int, at: int, note: str = "") -> bool:
    """Give credit (a top-up); False if `id` did so already. BadRequest past the largest sum, NotFound without wallet."""
    _check(amount)
    wallet = await _locked(tx, wallet_id)
    row = {"debit": GRANTS, "credit": wallet_id, "amount": amount, "code": "grant", "at": at, "note": note}
    if not await note_transfer(tx, id=id, **row):  # type: ignore[arg-type]
        return False
    if wallet.granted + amount > MAX_SUM:
        raise BadRequest("This would exceed the largest amount that a wallet can be given.")
    await change_wallet(tx, wallet_id, granted=amount, posted=amount)
    await crossings.given(tx, wallet_id, at=at)
    return True


async def take_back(tx: Tx, *, id: str, wallet_id: str, amount: int, at: int, note: str = "") -> int:
    """Take credit back, at most what is spendable now; how much it was. Recall leases first (billing/credit.py)."""
    _check(amount)
    wallet = await _locked(tx, wallet_id)
    known = await tx.one(_KNOWN, {"id": id})
    if known is not None:
        if known[:2] != (wallet_id, GRANTS):
            raise Conflict(f"another transfer has the id {id}")
        return int(known[2])
    taken = min(amount, wallet.spendable)
    if taken:
        row = {"debit": wallet_id, "credit": GRANTS, "amount": taken, "code": "take_back", "at": at, "note": note}
        await note_transfer(tx, id=id, **row)  # type: ignore[arg-type]
        await change_wallet(tx, wallet_id, granted=-taken, posted=-taken)
        await crossings.spent(tx, [wallet_id], at=at)
    return taken


async def refund(tx: Tx, *, id: str, call_id: str, amount: int, at: int, note: str = "") -> bool:
    """Give back part of what a call was charged, to its wallet and its windows; False if `id` did so already.

    BadRequest beyond what was charged, NotFound for a call that paid nothing.
    """
    _check(amount)
    payer = await tx.one(_PAYER, {"call": call_id})
    if payer is None:
        raise NotFound("This call was not charged.")
    wallet_id = str(payer[0])
    await _locked(tx, wallet_id)
    row = {"debit": REVENUE, "credit": wallet_id, "amount": amount, "code": "refund", "at": at, "note": note or call_id}
    if not await note_transfer(tx, id=id, **row):  # type: ignore[arg-type]
        return False
    call = await tx.one(_CALL, {"id": call_id})
    if call is None or call[3] + amount > call[2]:
        raise BadRequest("More than was charged cannot be refunded.")
    await change_wallet(tx, wallet_id, posted=amount)
    await tx.run(_REFUNDED, {"call": call_id, "more": amount})
    counted = window_ids(call[0], call[1])
    await tx.run(_WINDOW_REFUND, {"ids": list(counted), "less": amount})
    await hours.refund(tx, call_id, amount)
    await crossings.given(tx, wallet_id, counted, at=at)
    return True


async def _locked(tx: Tx, wallet_id: str) -> Wallet:
    wallet = await lock_wallet(tx, wallet_id)
    if wallet is None:
        raise NotFound("There is no such wallet.")
    return wallet


def _check(amount: int) -> None:
    if not 0 < amount <= MAX_AMOUNT:
        raise BadRequest("An amount is more than nothing and at most a million USD.")
