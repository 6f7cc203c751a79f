"""Thresholds of money: a balance that became low or empty, a budget of a key that is nearly or wholly used.

Looked at within the transactions that move the money, while the wallet is locked, so that each crossing is one row of news
however many processes move money. A balance is what was not charged yet: what is only held for calls on their way counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Text, bindparam, literal_column, select

from unigate.base.live_settings import NotifySettings
from unigate.base.money import MAX_SUM, parse_usd
from unigate.store import marks, news, settings_rows
from unigate.store.database import Tx
from unigate.store.ledger_tables import accounts, windows
from unigate.store.marks import Mark
from unigate.store.news import News
from unigate.store.notice_tables import marks as marks_table
from unigate.store.notice_tables import notifications
from unigate.store.tables import users


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that was refused for lack of money in a wallet, or within one of these windows."""

    wallet_id: str
    windows: tuple[str, ...]
    #: Milliseconds since 1970.
    at: int


#: Percent of a budget that are told.
NEARLY, WHOLLY = 80, 100
_LOW = literal_column("'low/'", Text())
_BUDGET = literal_column("'budget/'", Text())
_WALLETS = (
    select(accounts.c.id, accounts.c.posted, users.c.id, notifications.c.low_balance, marks_table.c.level)
    .join(users, users.c.wallet_id == accounts.c.id)
    .outerjoin(notifications, notifications.c.user_id == users.c.id)
    .outerjoin(marks_table, marks_table.c.subject == _LOW + accounts.c.id)
    .where(accounts.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(accounts.c.id)
)
_WINDOWS = (
    select(
        windows.c.id, windows.c.budget, windows.c.captured, users.c.id, marks_table.c.level, marks_table.c.bound,
        windows.c.key_id,
    )
    .join(users, users.c.wallet_id == windows.c.wallet_id)
    .outerjoin(marks_table, marks_table.c.subject == _BUDGET + windows.c.id)
    .where(windows.c.id.in_(bindparam("ids", expanding=True)), windows.c.budget < MAX_SUM)
    .order_by(windows.c.id)
)  # fmt: skip


async def spent(tx: Tx, wallet_ids: Collection[str], window_ids: Collection[str] = (), *, at: int) -> None:
    """Money has left wallets, which are locked, and counts in windows: tell of what was crossed."""
    found = await _balances(tx, wallet_ids, at, told=True)
    await news.add(tx, found + await _budgets(tx, window_ids, at, told=True))


async def given(tx: Tx, wallet_id: str, window_ids: Collection[str] = (), *, at: int) -> None:
    """A wallet, which is locked, got money, which counts in windows no more."""
    await marks.lifted(tx, f"empty/{wallet_id}", at=at)
    await _balances(tx, [wallet_id], at, told=False)
    await _budgets(tx, window_ids, at, told=False)


async def refused(tx: Tx, refusal: Refusal) -> None:
    """Tell of a refusal, whose wallet is locked, as of the scarcer of wallet and windows.

    One that is heard of after there was money again is told no more.
    """
    wallets = await _rows(tx, _WALLETS, [refusal.wallet_id])
    if not wallets:
        return
    _, posted, user, _, _ = wallets[0]
    if (tight := _tight(await _rows(tx, _WINDOWS, refusal.windows), posted)) is not None:
        if await marks.raised(tx, Mark(subject=f"budget/{tight[0]}", level=WHOLLY, bound=tight[1], at=refusal.at)):
            await news.add(
                tx, [news.made("key.budget", user, {**_facts(tight), "percent": WHOLLY, "refused": True}, refusal.at)]
            )
        return
    empty = f"empty/{refusal.wallet_id}"
    if _is_news((await marks.some(tx, [empty])).get(empty), refusal.at):
        await marks.put(tx, Mark(subject=empty, at=refusal.at))
        await news.add(tx, [news.made("balance.empty", user, {"balance": posted}, refusal.at)])


async def untold(tx: Tx, refusals: Sequence[Refusal]) -> list[Refusal]:
    """Those that `refused` would tell: most were told before, which is seen without any lock."""
    wallets = {row[0]: row[1] for row in await _rows(tx, _WALLETS, {one.wallet_id for one in refusals})}
    windows = {row[0]: row for row in await _rows(tx, _WINDOWS, {id for one in refusals for id in one.windows})}
    empty = await marks.some(tx, [f"empty/{wallet}" for wallet in wallets])
    found = []
    for one in refusals:
        if one.wallet_id not in wallets:
            continue
        tight = _tight([windows[id] for id in one.windows if id in windows], wallets[one.wallet_id])
        if (tight[4] or 0) < WHOLLY if tight is not None else _is_news(empty.get(f"empty/{one.wallet_id}"), one.at):
            found.append(one)
    return found


async def low_balance(tx: Tx) -> int:
    """The threshold of those who have set none, in nano-USD."""
    row = await settings_rows.setting(tx, "notify")
    value: Any = msgspec.json.decode(row.value).get("low_balance_usd") if row is not None else None
    try:
        return parse_usd(value if isinstance(value, str) else NotifySettings().low_balance_usd)
    except ValueError:
        return parse_usd(NotifySettings().low_balance_usd)


async def _balances(tx: Tx, wallet_ids: Collection[str], at: int, *, told: bool) -> list[News]:
    """Set and take away marks of low balances; what is to be told."""
    found: list[News] = []
    rows = await _rows(tx, _WALLETS, wallet_ids)
    usual = await low_balance(tx) if rows else 0
    for wallet, posted, user, own, level in rows:
        bound = usual if own is None or own < 0 else own
        if posted >= bound:
            if level:
                await marks.cleared(tx, f"low/{wallet}")
        elif told and not level:
            await marks.put(tx, Mark(subject=f"low/{wallet}", bound=bound, at=at))
            found.append(news.made("balance.low", user, {"balance": posted, "threshold": bound}, at))
    return found


async def _budgets(tx: Tx, window_ids: Collection[str], at: int, *, told: bool) -> list[News]:
    """Set and take away marks of budgets; what is to be told."""
    found: list[News] = []
    for row in await _rows(tx, _WINDOWS, window_ids):
        window, budget, captured, user, level, bound, _ = row
        if not budget:  # nothing is ever used of it
            continue
        reached = _reached(captured, budget)
        before = level or 0
        if before and (bound != budget or not told):  # of what was told before, no more counts than is so now
            before = min(before, reached)
        if told and reached > before:
            found.append(news.made("key.budget", user, {**_facts(row), "percent": reached}, at))
            before = reached
        if not before:
            if level:
                await marks.cleared(tx, f"budget/{window}")
        elif (before, budget) != (level, bound):
            await marks.put(tx, Mark(subject=f"budget/{window}", level=before, bound=budget, at=at))
    return found


def _tight(some: Sequence[tuple[Any, ...]], posted: int) -> tuple[Any, ...] | None:
    """The window of which less is left than of the balance, and the least; None: there is none."""
    found = min(some, key=lambda row: row[1] - row[2], default=None)
    return found if found is not None and found[1] - found[2] < posted else None


def _is_news(known: Mark | None, at: int) -> bool:
    """Whether a refusal then is the first since there was money."""
    return known is None or (known.level == 0 and known.at < at)


async def _rows(tx: Tx, statement: Any, some: Collection[str]) -> list[tuple[Any, ...]]:
    return await tx.all(statement, {"ids": sorted(some)}) if some else []


def _reached(captured: int, budget: int) -> int:
    """The highest of the told parts of a budget that was used."""
    used = captured * 100
    return WHOLLY if used >= budget * WHOLLY else NEARLY if used >= budget * NEARLY else 0


def _facts(row: Sequence[Any]) -> dict[str, object]:
    """What is said of a window."""
    return {"key_id": row[6], "window": row[0], "budget": row[1], "spent": row[2]}
