"""Telling of changes of prices, in the transaction that makes them: one event for all of one transaction."""

from collections.abc import Sequence

from unigate.base.clock import now_ms
from unigate.manage.price_forms import price_of, shown_rates
from unigate.store import news
from unigate.store.database import Tx
from unigate.store.prices import PriceRow

#: Changes that one event names.
_MOST = 100
#: What held before, what does from then on; None: nothing of the operator's.
Change = tuple[PriceRow | None, PriceRow | None]


async def tell(tx: Tx, changes: Sequence[Change]) -> None:
    """Say that prices change; nothing where there is no change."""
    if not changes:
        return
    now = now_ms()
    told = [_told(old, new, now) for old, new in changes[:_MOST]]
    await news.add(tx, [news.made("price.changed", "", {"prices": told, "count": len(changes)}, now)])


def _told(old: PriceRow | None, new: PriceRow | None, now: int) -> dict[str, object]:
    row = new or old
    assert row is not None
    at = new.starts_at if new is not None else now
    when = ", ".join(f"{name}={value}" for name, value in price_of(row).when.items())
    title = " ".join(part for part in (row.operation, row.model, f"({when})" if when else "") if part)
    return {"title": title, "old": _rates(old), "new": _rates(new), "at": max(at, now)}


def _rates(row: PriceRow | None) -> str:
    """Amounts in decimal USD by their names."""
    if row is None:
        return ""
    parts = []
    for name, amount in shown_rates(price_of(row).rates).items():
        some = amount.items() if isinstance(amount, dict) else [("", amount)]
        parts += [f"{name} {value} {usd}" if value else f"{name} {usd}" for value, usd in some]
    return ", ".join(parts)
