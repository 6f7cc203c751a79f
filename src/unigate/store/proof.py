"""Questions whose answer must be "nothing": where the books disagree with themselves.

Each gives rows of (what it concerns, what the books say, what it adds up to). All are asked in one snapshot.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, Table, and_, case, cast, func, literal, or_, select, union_all

from unigate.store.batch_tables import ENDS as BATCH_ENDS
from unigate.store.batch_tables import batches
from unigate.store.database import Tx
from unigate.store.gateway_tables import usage_days, usage_hours
from unigate.store.hours import DIMENSIONS, FIGURES, HOUR_MS, HOURS
from unigate.store.ledger_tables import (
    REVENUE,
    accounts,
    holds,
    processes,
    segments,
    set_aside,
    transfers,
    usage,
    windows,
)
from unigate.store.task_tables import OPEN_STATES, tasks

_ZERO = literal(0)
_IS_OPEN = holds.c.state == "open"
_entries = union_all(
    select(transfers.c.credit.label("account"), transfers.c.amount.label("amount"), transfers.c.code.label("code")),
    select(transfers.c.debit, -transfers.c.amount, transfers.c.code),
).subquery()
_sums = (
    select(
        _entries.c.account,
        func.sum(_entries.c.amount).label("posted"),
        func.sum(case((_entries.c.code.in_(["grant", "take_back"]), _entries.c.amount), else_=0)).label("granted"),
    )
    .group_by(_entries.c.account)
    .subquery()
)
_held = (
    select(holds.c.wallet_id, func.sum(holds.c.amount - holds.c.captured).label("held"))
    .where(_IS_OPEN)
    .group_by(holds.c.wallet_id)
    .subquery()
)
_rows = (
    select(
        usage.c.hold_id,
        func.sum(usage.c.charged - usage.c.overrun).label("captured"),
        func.sum(usage.c.overrun).label("overrun"),
        func.sum(usage.c.written_off).label("written_off"),
    )
    .group_by(usage.c.hold_id)
    .subquery()
)


def _of_code(code: str) -> Select[tuple[str, int]]:
    return (
        select(transfers.c.hold_id, func.sum(transfers.c.amount).label("amount"))
        .where(transfers.c.code == code)
        .group_by(transfers.c.hold_id)
    )


_captures, _overruns, _losses = (_of_code(code).subquery() for code in ("capture", "overrun", "write_off"))


def _window_sums() -> Select[tuple[str, int]]:
    """What the rows say of each window: by day, by month, for all time."""
    net = usage.c.charged - usage.c.refunded
    numbers = (cast(usage.c.day, String), cast(usage.c.day // 100, String), literal("0"))
    parts = [
        select((usage.c.key_id + "/" + number).label("id"), net.label("net")).where(usage.c.day > 0)
        for number in numbers
    ]
    every = union_all(*parts).subquery()
    return select(every.c.id, func.sum(every.c.net).label("net")).group_by(every.c.id)


_counted = _window_sums().subquery()


def _window_held() -> Select[tuple[str, int]]:
    parts = [
        select(column.label("id"), (holds.c.amount - holds.c.captured).label("held")).where(
            _IS_OPEN, column.is_not(None)
        )
        for column in (holds.c.window_day, holds.c.window_month, holds.c.window_total)
    ]
    every = union_all(*parts).subquery()
    return select(every.c.id, func.sum(every.c.held).label("held")).group_by(every.c.id)


_windows_held = _window_held().subquery()


def _sums_differ(
    table: Table, says: ColumnElement[Any], of: Table, at: ColumnElement[Any]
) -> Select[tuple[str, int, int]]:
    """Sums that differ from what they are of: where, and of the first figure that differs what both say."""
    step = at.label("step")
    says_all = [table.c[name].label(f"says_{name}") for name in FIGURES]
    rows = [func.count() if name not in of.c else func.sum(of.c[name]) for name in FIGURES]
    both = union_all(
        select(
            says.label("step"),
            *(table.c[name] for name in DIMENSIONS),
            *says_all,
            *(_ZERO.label(f"rows_{name}") for name in FIGURES),
        ),
        select(step, *(of.c[name] for name in DIMENSIONS), *([_ZERO] * len(FIGURES)), *rows).group_by(
            step, *(of.c[name] for name in DIMENSIONS)
        ),
    ).subquery()
    sums = [(name, func.sum(both.c[f"says_{name}"]), func.sum(both.c[f"rows_{name}"])) for name in FIGURES]
    where: ColumnElement[str] = cast(both.c.step, String)
    for name in DIMENSIONS:
        where = where + "/" + both.c[name]
    figure = case(*((says != rows, name) for name, says, rows in sums))
    return (
        select(
            where + " " + figure,
            case(*((says != rows, says) for _, says, rows in sums)),
            case(*((says != rows, rows) for _, says, rows in sums)),
        )
        .group_by(both.c.step, *(both.c[name] for name in DIMENSIONS))
        .having(or_(*(says != rows for _, says, rows in sums)))
    )


#: What is asked -> the rows that should not be.
QUESTIONS: dict[str, Select[tuple[object, ...]]] = {
    "posted is the sum of transfers": select(accounts.c.id, accounts.c.posted, func.coalesce(_sums.c.posted, 0))
    .outerjoin(_sums, _sums.c.account == accounts.c.id)
    .where(accounts.c.posted != func.coalesce(_sums.c.posted, 0)),
    "granted is the sum of grants": select(accounts.c.id, accounts.c.granted, func.coalesce(_sums.c.granted, 0))
    .outerjoin(_sums, _sums.c.account == accounts.c.id)
    .where(accounts.c.granted != func.coalesce(_sums.c.granted, 0)),
    "transfers are between wallets and the house": select(_sums.c.account, _ZERO, _sums.c.posted)
    .outerjoin(accounts, accounts.c.id == _sums.c.account)
    .where(accounts.c.id.is_(None), _sums.c.account.not_like("system:%")),
    "held is the sum of open holds": select(accounts.c.id, accounts.c.held, func.coalesce(_held.c.held, 0))
    .outerjoin(_held, _held.c.wallet_id == accounts.c.id)
    .where(accounts.c.held != func.coalesce(_held.c.held, 0)),
    "holds are of wallets": select(_held.c.wallet_id, _ZERO, _held.c.held)
    .outerjoin(accounts, accounts.c.id == _held.c.wallet_id)
    .where(accounts.c.id.is_(None)),
    "held is covered": select(accounts.c.id, accounts.c.held, accounts.c.posted).where(
        or_(accounts.c.held < 0, accounts.c.held > accounts.c.posted)
    ),
    "a hold's numbers are nested": select(holds.c.id, holds.c.amount, holds.c.captured).where(
        or_(holds.c.in_use > holds.c.amount, holds.c.captured > holds.c.in_use, holds.c.captured < 0)
    ),
    "captured is the sum of rows": select(holds.c.id, holds.c.captured, func.coalesce(_rows.c.captured, 0))
    .outerjoin(_rows, _rows.c.hold_id == holds.c.id)
    .where(holds.c.captured != func.coalesce(_rows.c.captured, 0)),
    "captured is the sum of transfers": select(holds.c.id, holds.c.captured, func.coalesce(_captures.c.amount, 0))
    .outerjoin(_captures, _captures.c.hold_id == holds.c.id)
    .where(holds.c.captured != func.coalesce(_captures.c.amount, 0)),
    "overruns are the sum of transfers": select(_rows.c.hold_id, _rows.c.overrun, func.coalesce(_overruns.c.amount, 0))
    .outerjoin(_overruns, _overruns.c.hold_id == _rows.c.hold_id)
    .where(_rows.c.overrun != func.coalesce(_overruns.c.amount, 0)),
    "losses are the sum of transfers": select(_rows.c.hold_id, _rows.c.written_off, func.coalesce(_losses.c.amount, 0))
    .outerjoin(_losses, _losses.c.hold_id == _rows.c.hold_id)
    .where(_rows.c.written_off != func.coalesce(_losses.c.amount, 0)),
    "a row pays or is free": select(usage.c.id, usage.c.cost, usage.c.charged).where(
        or_(
            usage.c.cost != usage.c.charged + usage.c.written_off,
            usage.c.refunded > usage.c.charged,
            and_(usage.c.cost > 0, or_(usage.c.hold_id == "", usage.c.transfer_id == "")),
        )
    ),
    "a row's transfer exists": select(usage.c.id, usage.c.cost, _ZERO)
    .outerjoin(transfers, transfers.c.id == usage.c.transfer_id)
    .where(usage.c.transfer_id != "", transfers.c.id.is_(None)),
    "a window's captures are its rows": select(windows.c.id, windows.c.captured, func.coalesce(_counted.c.net, 0))
    .outerjoin(_counted, _counted.c.id == windows.c.id)
    .where(windows.c.captured != func.coalesce(_counted.c.net, 0)),
    "rows count in windows": select(_counted.c.id, _ZERO, _counted.c.net)
    .outerjoin(windows, windows.c.id == _counted.c.id)
    .where(windows.c.id.is_(None), _counted.c.net != 0),
    "a window's held is that of its holds": select(windows.c.id, windows.c.held, func.coalesce(_windows_held.c.held, 0))
    .outerjoin(_windows_held, _windows_held.c.id == windows.c.id)
    .where(windows.c.held != func.coalesce(_windows_held.c.held, 0)),
    "an hour is the sum of its rows": _sums_differ(usage_hours, usage_hours.c.hour, usage, usage.c.at // HOUR_MS),
    "a day is the sum of its hours": _sums_differ(
        usage_days, usage_days.c.day, usage_hours, usage_hours.c.hour // HOURS
    ),
    "an open hold has an owner": select(holds.c.id, holds.c.amount, holds.c.captured)
    .outerjoin(processes, processes.c.id == holds.c.process_id)
    .where(_IS_OPEN, holds.c.kind != "task", or_(processes.c.id.is_(None), processes.c.state == "gone")),
    "a task's open hold has an open task": select(holds.c.id, holds.c.amount, holds.c.captured)
    .outerjoin(tasks, tasks.c.hold_id == holds.c.id)
    .outerjoin(batches, batches.c.hold_id == holds.c.id)
    .where(
        _IS_OPEN,
        holds.c.kind == "task",
        or_(tasks.c.id.is_(None), tasks.c.finished_at > 0),
        or_(batches.c.id.is_(None), batches.c.state.in_(BATCH_ENDS)),
    ),
    "a batch that ended has no open hold": select(batches.c.id, holds.c.amount, holds.c.captured)
    .join(holds, holds.c.id == batches.c.hold_id)
    .where(_IS_OPEN, batches.c.hold_id != "", batches.c.state.in_(BATCH_ENDS)),
    "an open task's hold is open": select(tasks.c.id, tasks.c.held, func.coalesce(holds.c.amount, 0))
    .outerjoin(holds, holds.c.id == tasks.c.hold_id)
    .where(tasks.c.hold_id != "", tasks.c.finished_at == 0, func.coalesce(holds.c.state, "") != "open"),
    "a task that ended has one row, which says what it cost": select(
        tasks.c.id, tasks.c.cost, func.coalesce(usage.c.cost, 0)
    )
    .outerjoin(usage, usage.c.id == tasks.c.request_id)
    .where(
        tasks.c.hold_id != "",
        tasks.c.finished_at > 0,
        or_(usage.c.id.is_(None), usage.c.cost != tasks.c.cost, usage.c.hold_id != tasks.c.hold_id),
    ),
    "a task ends when its state says so": select(tasks.c.id, tasks.c.finished_at, _ZERO).where(
        tasks.c.state.in_(OPEN_STATES) != (tasks.c.finished_at == 0)
    ),
    "a task has a hold of its own": select(tasks.c.hold_id, func.count(), literal(1))
    .where(tasks.c.hold_id != "")
    .group_by(tasks.c.hold_id)
    .having(func.count() > 1),
    "a segment is not damaged": select(
        (segments.c.process_id + " segment " + cast(segments.c.number, String)), segments.c.position, _ZERO
    ).where(segments.c.state == "stopped"),
    "no record is set aside": select(set_aside.c.id, func.length(set_aside.c.payload), _ZERO),
}
_REFUNDS = select(func.coalesce(func.sum(transfers.c.amount), 0)).where(
    transfers.c.code == "refund", transfers.c.debit == REVENUE
)
_REFUNDED = select(func.coalesce(func.sum(usage.c.refunded), 0))
_PENDING = select(
    func.count(),
    func.coalesce(func.sum(holds.c.amount - holds.c.captured), 0),
    func.coalesce(func.sum(holds.c.in_use - holds.c.captured), 0),
).where(_IS_OPEN)


async def ask(tx: Tx) -> list[tuple[str, str, int, int]]:
    """All rows that should not be: question, what it concerns, what the books say, what it adds up to."""
    found = [
        (question, str(row[0]), _int(row[1]), _int(row[2]))
        for question, statement in QUESTIONS.items()
        for row in await tx.all(statement)
    ]
    refunds, refunded = await tx.one(_REFUNDS), await tx.one(_REFUNDED)
    if refunds != refunded and refunds is not None and refunded is not None:
        found.append(("refunds are the sum of transfers", REVENUE, _int(refunded[0]), _int(refunds[0])))
    return found


async def pending(tx: Tx) -> tuple[int, int, int]:
    """Open holds, what they hold, and what of that is in use or not moved yet."""
    row = await tx.one(_PENDING)
    return (_int(row[0]), _int(row[1]), _int(row[2])) if row is not None else (0, 0, 0)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
