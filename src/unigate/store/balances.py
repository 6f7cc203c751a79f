"""What is shown of a user's or a key's money, in one snapshot."""

from collections.abc import Mapping

from sqlalchemy import bindparam, func, or_, select

from unigate.spec.balance import Balance
from unigate.store.database import Tx
from unigate.store.ledger import window_ids
from unigate.store.ledger_tables import accounts, holds, windows

#: Of several budgets the one that lasts longest is shown.
_PERIODS = (("total", holds.c.window_total, 2), ("month", holds.c.window_month, 1), ("day", holds.c.window_day, 0))
_IN_USE = func.coalesce(func.sum(holds.c.in_use - holds.c.captured), 0)
_USER = select(
    accounts.c.granted,
    accounts.c.posted,
    select(_IN_USE)
    .where(holds.c.wallet_id == bindparam("wallet"), holds.c.state == "open")
    .scalar_subquery()
    .label("in_use"),
).where(accounts.c.id == bindparam("wallet"))
_WINDOW = select(windows.c.captured).where(windows.c.id == bindparam("window"))
_OF_KEY = holds.c.key_id == bindparam("key")
_ALL = select(_IN_USE).where(_OF_KEY, holds.c.state == "open")
_IN_WINDOW = {
    period: select(_IN_USE).where(
        _OF_KEY, holds.c.state == "open", or_(window == bindparam("window"), window.is_(None))
    )
    for period, window, _ in _PERIODS
}


async def user_balance(tx: Tx, wallet_id: str) -> Balance:
    """What a user was granted, has used and has in use."""
    row = await tx.one(_USER, {"wallet": wallet_id})
    if row is None:
        return Balance(granted=0, used=0, in_use=0)
    return Balance(granted=int(row[0]), used=int(row[0]) - int(row[1]), in_use=int(row[2]))


async def key_balance(tx: Tx, key_id: str, budgets: Mapping[str, int], day: int) -> Balance:
    """The same for a key within its budget: in total, else this month, else today; all time where it has none."""
    ids = window_ids(key_id, day)
    for period, _, place in _PERIODS:
        if period in budgets:
            window = await tx.one(_WINDOW, {"window": ids[place]})
            in_use = await tx.one(_IN_WINDOW[period], {"key": key_id, "window": ids[place]})
            return Balance(granted=budgets[period], used=_number(window), in_use=_number(in_use))
    window = await tx.one(_WINDOW, {"window": ids[2]})
    return Balance(granted=None, used=_number(window), in_use=_number(await tx.one(_ALL, {"key": key_id})))


def _number(row: tuple[object, ...] | None) -> int:
    if row is None:
        return 0
    assert isinstance(row[0], int)
    return row[0]
