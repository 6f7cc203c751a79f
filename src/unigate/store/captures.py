"""Capture: records of ended calls become usage rows, and what they cost leaves hold, wallet and windows.

Only rows that were really inserted are captured, so a record may come any number of times. Per hold and batch there is
one transfer; what a hold does not cover is taken from the wallet within the windows, never below zero, and the rest is
the house's loss. The new rows are counted in their hours. Must not price anything: a record carries its amount.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import msgspec
from sqlalchemy import bindparam, case, select, update

from unigate.base import ids
from unigate.base.money import MAX_SUM
from unigate.spec.record import Attempt, Record
from unigate.spec.usage import INPUT_UNITS, OUTPUT_UNITS
from unigate.store import crossings, hours
from unigate.store import holds as hold_rows
from unigate.store.database import Tx
from unigate.store.holds import HoldRow
from unigate.store.ledger import change_wallet, lock_wallet, note_transfer, window_ids
from unigate.store.ledger_tables import REVENUE, WRITE_OFF, accounts, holds, usage, windows
from unigate.store.metadata import insert

#: Records in one statement.
BATCH = 500

_json = msgspec.json.Encoder().encode

_USAGE = insert(usage).on_conflict_do_nothing(index_elements=["id"]).returning(usage.c.id)
_SHORT = (
    update(usage)
    .where(usage.c.id == bindparam("call"))
    .values(
        charged=bindparam("to_charged"),
        overrun=bindparam("to_overrun"),
        written_off=bindparam("to_written_off"),
        transfer_id=bindparam("to_transfer_id"),
    )
)
_COST = select(usage.c.cost).where(usage.c.id == bindparam("call"))
_RECORDED = select(usage.c.id).where(
    usage.c.id.in_(bindparam("calls", expanding=True)), usage.c.ended.in_(("completed", "empty"))
)
_CAPTURED = holds.c.captured + bindparam("more")
_CAPTURE = (
    update(holds)
    .where(holds.c.id == bindparam("hold"), holds.c.state == "open", holds.c.amount >= _CAPTURED)
    .values(captured=_CAPTURED, in_use=case((holds.c.in_use < _CAPTURED, _CAPTURED), else_=holds.c.in_use))
)
_new_window = insert(windows)
_WINDOW_CAPTURED = _new_window.on_conflict_do_update(
    index_elements=["id"], set_={"captured": windows.c.captured + _new_window.excluded.captured}
)
_WINDOW_HELD = (
    update(windows).where(windows.c.id == bindparam("window")).values(held=windows.c.held - bindparam("less"))
)
_WINDOWS = select(windows.c.id, windows.c.budget - windows.c.held - windows.c.captured).where(
    windows.c.id.in_(bindparam("ids", expanding=True))
)
_LOSS = (
    update(accounts)
    .where(accounts.c.id == bindparam("wallet"))
    .values(written_off_day=bindparam("to_day"), written_off=bindparam("to_written_off"))
)


class _Short(TypedDict):
    """What is changed of a row that its hold did not pay in full."""

    call: str
    to_charged: int
    to_overrun: int
    to_written_off: int
    to_transfer_id: str


@dataclass(slots=True, kw_only=True)
class Captured:
    """What a batch did."""

    #: Rows that were new.
    rows: int = 0
    #: Nano-USD that left wallets.
    charged: int = 0
    #: Wallet -> what the house lost on it in this batch, and on this day so far.
    losses: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: Holds that records name and the database does not know.
    unknown: list[str] = field(default_factory=list)
    #: Wallets that paid, and windows in which that counts.
    wallets: set[str] = field(default_factory=set)
    windows: set[str] = field(default_factory=set)


async def capture(tx: Tx, records: Sequence[Record], *, at: int) -> Captured:
    """Insert the rows of up to BATCH records and capture the new ones; `at` is now, in ms since 1970."""
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.id, record)
    transfers = {record.hold: ids.new("tr") for record in first.values()}
    rows = {record.id: _row(record, transfers[record.hold]) for record in first.values()}
    new = [first[row[0]] for row in await tx.insert_new(_USAGE, list(rows.values()))]
    done = Captured(rows=len(new))
    for short in await _capture_new(tx, new, transfers, done, at=at):
        rows[short["call"]]["charged"] = short["to_charged"]
    await hours.count(tx, [rows[record.id] for record in new])
    await crossings.spent(tx, done.wallets, done.windows, at=at)
    return done


async def _capture_new(
    tx: Tx, new: Sequence[Record], transfers: Mapping[str, str], done: Captured, *, at: int
) -> list[_Short]:
    """Capture what records that were new cost; what was changed of the rows that could not be paid in full by holds."""
    groups: dict[str, _Group] = {}
    for record in new:
        if record.hold:
            group = groups.get(record.hold)
            if group is None:
                group = groups[record.hold] = _Group(record.hold, transfers[record.hold])
            group.records.append(record)
    if not groups:
        return []
    changed: list[_Short] = []
    wallets: dict[str, list[_Group]] = {}
    for hold in await hold_rows.read_several(tx, sorted(groups)):
        wallets.setdefault(hold.wallet_id, []).append(groups.pop(hold.id))
    for wallet_id in sorted(wallets):
        changed += await _capture_wallet(tx, wallet_id, wallets[wallet_id], done, at=at)
    for group in groups.values():
        done.unknown.append(group.hold_id)
        lost = sum(record.cost for record in group.records)
        await _write_off(tx, group.transfer, group.hold_id, lost, at=at)
        changed += [_short(record, 0, 0, group.transfer) for record in group.records if record.cost]
    await tx.many(_SHORT, changed)
    return changed


async def cost_of(tx: Tx, call_id: str) -> int | None:
    """What a call's row says it cost; None where there is no row."""
    row = await tx.one(_COST, {"call": call_id})
    return None if row is None else int(row[0])


async def recorded(tx: Tx, call_ids: Sequence[str]) -> set[str]:
    """Which of these calls have the row of an answer: they are charged, and will not be again."""
    found: set[str] = set()
    for at in range(0, len(call_ids), BATCH):
        some = {"calls": list(call_ids[at : at + BATCH])}
        found |= {str(row[0]) for row in await tx.all(_RECORDED, some)}
    return found


class _Group:
    """The new records that one hold pays, and the id of the transfer that captures them."""

    __slots__ = ("hold_id", "records", "transfer")

    def __init__(self, hold_id: str, transfer: str) -> None:
        self.hold_id = hold_id
        self.transfer = transfer
        self.records: list[Record] = []


class _Wallet:
    """One wallet's part of a batch, while its row is locked."""

    __slots__ = ("at", "captured", "charged", "held", "left", "lost", "short", "windows_held")

    def __init__(self, left: int, at: int) -> None:
        self.at = at
        #: What is spendable beyond all holds, at this point of the batch.
        self.left = left
        self.charged = 0
        self.held = 0
        self.lost = 0
        #: Window -> (key, what was captured), window -> what is no longer held.
        self.captured: dict[str, tuple[str, int]] = {}
        self.windows_held: dict[str, int] = {}
        self.short: list[_Short] = []

    def count(self, record: Record, amount: int) -> None:
        """Count a charge in the windows of its admission."""
        if amount and record.day:
            for window in window_ids(record.key, record.day):
                self.captured[window] = (record.key, self.captured.get(window, ("", 0))[1] + amount)

    def release(self, hold: HoldRow, amount: int) -> None:
        """So much is no longer held."""
        self.held += amount
        for window in hold.windows:
            self.windows_held[window] = self.windows_held.get(window, 0) + amount


async def _capture_wallet(tx: Tx, wallet_id: str, groups: Sequence[_Group], done: Captured, *, at: int) -> list[_Short]:
    row = await lock_wallet(tx, wallet_id)
    wallet = _Wallet(row.spendable if row is not None else 0, at)
    locked = {hold.id: hold for hold in await hold_rows.read_several(tx, [group.hold_id for group in groups])}
    for group in groups:
        await _capture_hold(tx, wallet, locked[group.hold_id], group)
    if wallet.charged or wallet.held:
        await change_wallet(tx, wallet_id, posted=-wallet.charged, held=-wallet.held)
    await tx.many(_WINDOW_HELD, [{"window": w, "less": n} for w, n in sorted(wallet.windows_held.items())])
    new = {"wallet_id": wallet_id, "budget": MAX_SUM, "held": 0}
    counted = sorted(wallet.captured.items())
    await tx.many(_WINDOW_CAPTURED, [{"id": w, "key_id": key, **new, "captured": n} for w, (key, n) in counted])
    done.charged += wallet.charged
    if wallet.charged:
        done.wallets.add(wallet_id)
        done.windows.update(wallet.captured)
    if wallet.lost and row is not None:
        day = max(record.day for group in groups for record in group.records)
        so_far = wallet.lost + (row.written_off if row.written_off_day == day else 0)
        await tx.run(_LOSS, {"wallet": wallet_id, "to_day": day, "to_written_off": min(so_far, MAX_SUM)})
        done.losses[wallet_id] = (wallet.lost, so_far)
    return wallet.short


async def _capture_hold(tx: Tx, wallet: _Wallet, hold: HoldRow, group: _Group) -> None:
    records, transfer = group.records, group.transfer
    free = hold.amount - hold.captured if hold.open else 0
    covered, short = 0, []
    for record in records:
        part = min(record.cost - record.over, free - covered)
        covered += part
        wallet.count(record, part)
        if part < record.cost:
            short.append((record, part))
    if covered:
        if await tx.run(_CAPTURE, {"hold": hold.id, "more": covered}) != 1:
            raise RuntimeError(f"hold {hold.id} changed while its wallet was locked")
        wallet.release(hold, covered)
        wallet.charged += covered
        who = {"debit": hold.wallet_id, "credit": REVENUE, "code": "capture", "at": wallet.at, "hold_id": hold.id}
        await note_transfer(tx, id=transfer, amount=covered, **who)  # type: ignore[arg-type]
    all_of_it = hold.final and hold.captured + covered == hold.amount
    if hold.open and (all_of_it or any(record.single for record in records)):
        await hold_rows.end(tx, hold.id, at=wallet.at)
        rest = hold.amount - hold.captured - covered
        wallet.release(hold, rest)
        wallet.left += rest
    if short:
        await _capture_short(tx, wallet, group, hold, short)


async def _capture_short(
    tx: Tx, wallet: _Wallet, group: _Group, hold: HoldRow, short: Sequence[tuple[Record, int]]
) -> None:
    """Take what a hold did not cover from the wallet within the windows; the rest is lost."""
    overrun, lost = ids.new("tr"), ids.new("tr")
    taken = missed = 0
    for record, part in short:
        missing = record.cost - part
        more = min(missing, wallet.left, await _window_left(tx, wallet, record))
        wallet.left -= more
        wallet.count(record, more)
        taken += more
        missed += missing - more
        paid_by = group.transfer if part else overrun if more else lost
        wallet.short.append(_short(record, part, more, paid_by))
    wallet.charged += taken
    wallet.lost += missed
    if taken:
        who = {"debit": hold.wallet_id, "credit": REVENUE, "code": "overrun", "at": wallet.at, "hold_id": hold.id}
        await note_transfer(tx, id=overrun, amount=taken, **who)  # type: ignore[arg-type]
    await _write_off(tx, lost, hold.id, missed, at=wallet.at)


async def _window_left(tx: Tx, wallet: _Wallet, record: Record) -> int:
    """What the budgets leave to a record, with what this batch has already done to them."""
    if not record.day:
        return MAX_SUM
    left = MAX_SUM
    for window, amount in await tx.all(_WINDOWS, {"ids": list(window_ids(record.key, record.day))}):
        spent = wallet.captured.get(window, ("", 0))[1] - wallet.windows_held.get(window, 0)
        left = min(left, amount - spent)
    return max(left, 0)


async def _write_off(tx: Tx, id: str, hold_id: str, amount: int, *, at: int) -> None:
    if amount:
        who = {"debit": WRITE_OFF, "credit": REVENUE, "code": "write_off", "at": at, "hold_id": hold_id}
        await note_transfer(tx, id=id, amount=amount, **who)  # type: ignore[arg-type]


def _short(record: Record, part: int, more: int, transfer: str) -> _Short:
    return {
        "call": record.id,
        "to_charged": part + more,
        "to_overrun": more,
        "to_written_off": record.cost - part - more,
        "to_transfer_id": transfer,
    }


def _row(record: Record, transfer: str) -> dict[str, Any]:
    units = record.units
    input_tokens = output_tokens = 0
    for unit, count in units.items():
        if unit in INPUT_UNITS:
            input_tokens += count
        elif unit in OUTPUT_UNITS:
            output_tokens += count
    return {
        "id": record.id,
        "at": record.at,
        "user_id": record.user,
        "key_id": record.key,
        "group_name": _text(record.group),
        "operation": record.operation,
        "model": _text(record.model),
        "channel_id": record.channel,
        "upstream_model": _text(record.upstream_model),
        "status": record.status,
        "ended": record.end,
        "stream": int(record.stream),
        "estimated": int(record.estimated),
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "units": _json(units).decode() if units else "",
        "cost": record.cost,
        "charged": record.cost,
        "overrun": 0,
        "written_off": 0,
        "refunded": 0,
        "first_us": record.first_us,
        "total_us": record.total_us,
        "own_us": record.own_us,
        "price_id": record.price,
        "multiplier": record.multiplier,
        "attempts": _trail(record.attempts),
        "hold_id": record.hold,
        "day": record.day,
        "transfer_id": transfer if record.cost else "",
        "error": _text(record.error),
        "upstream_request_id": _text(record.request_id_upstream),
    }


def _trail(attempts: list[Attempt]) -> str:
    """The tries as JSON; "" for one that went well, since the row itself says it all."""
    told = len(attempts) > 1 or any(attempt.error for attempt in attempts)
    return _json(attempts).decode() if told else ""


def _text(value: str) -> str:
    """Text from outside as both databases take it: PostgreSQL knows no NUL."""
    return value.replace("\0", "\ufffd") if "\0" in value else value
