"""Prices: show, set, withdraw.

A change is a new row that starts now or later, so that each call keeps the price that it was admitted at, and the
rows tell what was charged when. Shipped prices stand below the operator's: see `load.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unigate.base import ids
from unigate.base.clock import now_ms, utc
from unigate.base.errors import NotFound
from unigate.base.settings import PriceEntry
from unigate.manage import price_news
from unigate.manage.audit import noted
from unigate.manage.desk import SHELL, Actor, Desk, check_editable
from unigate.manage.price_forms import price_of, rates_of, rates_text, shown_rates, subject_of
from unigate.spec.price import Price
from unigate.store import generations
from unigate.store import prices as rows
from unigate.store.database import Tx
from unigate.store.prices import PriceRow
from unigate.store.tables import OWNED_BY_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """A price as it is shown; `rates` in decimal USD by the names of the file."""

    id: str
    model: str | None
    operation: str | None
    when: dict[str, str]
    rates: dict[str, Any]
    #: ISO 8601.
    starts: str
    #: `shipped`, `file`, or `operator`.
    source: str
    #: Whether it is the one that holds now, is yet to start, was replaced, or was withdrawn.
    state: str


async def list_prices(desk: Desk, shipped: Sequence[Price] = (), *, history: bool = False) -> list[PriceView]:
    """Prices that hold or are to come, by what they are of; with `history` also replaced and withdrawn ones."""
    async with desk.db.reading() as tx:
        found = await rows.all_prices(tx)
    now = now_ms()
    views = [_view(row, _state(row, found, now)) for row in found]
    views += [shipped_view(price) for price in shipped]
    kept = [view for view in views if history or view.state in ("holds", "to come")]
    return sorted(kept, key=lambda view: (view.operation or "", view.model or "", view.source, view.starts))


async def show_price(desk: Desk, id: str) -> PriceView:
    """One row of the operator's; NotFound."""
    async with desk.db.reading() as tx:
        row = await _price_named(tx, id)
        return _view(row, _state(row, await rows.all_prices(tx), now_ms()))


async def set_price(desk: Desk, entry: PriceEntry, *, actor: Actor = SHELL) -> PriceView:
    """A price from now on, or from `entry.starts` if that is later. BadRequest; Conflict where the file owns it."""
    async with desk.db.writing() as tx:
        await generations.lock(tx)  # of two that set the same price at once, one comes after the other
        now = now_ms()
        known = await rows.all_prices(tx)
        subject = subject_of(entry)
        for row in known:
            if row.subject == subject and row.enabled:
                check_editable(row.owned_by, "price", row.model or row.operation or "")
        old = in_force(known, subject, now)
        row = new_price(entry, now, old)
        for other in replaced(known, row, now):
            await rows.set_price(tx, replace(other, enabled=0))
        await rows.add_price(tx, row)
        await noted(tx, actor, "set", "price", row.id, title(row), None if old is None else facts(old), facts(row))
        await price_news.tell(tx, [(old, row)])
        await generations.bump(tx, ["prices"])
    return _view(row, "holds" if row.starts_at <= now + 1 else "to come")


async def withdraw_price(desk: Desk, id: str, *, actor: Actor = SHELL) -> PriceView:
    """Take a row out of use; what stood before it, or was shipped, holds again. Conflict, NotFound."""
    async with desk.db.writing() as tx:
        row = await _price_named(tx, id)
        check_editable(row.owned_by, "price", id)
        if row.enabled:
            await noted(tx, actor, "withdraw", "price", row.id, title(row), before=facts(row))
            await price_news.tell(tx, [(row, None)])
        row = replace(row, enabled=0)
        await rows.set_price(tx, row)
        await generations.bump(tx, ["prices"])
    return _view(row, "withdrawn")


def new_price(entry: PriceEntry, now: int, old: PriceRow | None, *, owned_by: str = "") -> PriceRow:
    """The row of a price that starts now, or later where the entry says so; BadRequest.

    `old` is the row that holds until then: the new one starts after it, even within the same millisecond.
    """
    model, operation, conditions = subject_of(entry)
    start = max(now, entry.starts or now)
    if old is not None and old.starts_at == start <= now:
        start += 1
    return PriceRow(
        id=ids.new("price"),
        model=model,
        operation=operation,
        conditions=conditions,
        rates=rates_text(rates_of(entry)),
        starts_at=start,
        enabled=1,
        owned_by=owned_by,
        created_at=now,
    )


def replaced(known: Iterable[PriceRow], new: PriceRow, now: int) -> list[PriceRow]:
    """Rows that a new one withdraws: of the same subject and start, where that is yet to come."""
    return [
        row
        for row in known
        if row.enabled and row.subject == new.subject and row.starts_at == new.starts_at and row.starts_at > now
    ]


def in_force(known: Iterable[PriceRow], subject: tuple[str | None, str | None, str], at: int) -> PriceRow | None:
    """The row of a subject that holds at a moment."""
    started = [row for row in known if row.enabled and row.subject == subject and row.starts_at <= at]
    return max(started, key=lambda row: (row.starts_at, row.id), default=None)


def facts(row: PriceRow) -> dict[str, object]:
    """What the audit log tells of a price."""
    price = price_of(row)
    return {
        "model": row.model,
        "operation": row.operation,
        "when": dict(price.when),
        "rates": shown_rates(price.rates),
        "starts": utc(row.starts_at).isoformat(),
        "owned_by": row.owned_by,
    }


def title(row: PriceRow) -> str:
    """What it is a price of, for people."""
    when = ", ".join(f"{name}={value}" for name, value in price_of(row).when.items())
    return " ".join(part for part in (row.operation, row.model, f"({when})" if when else "") if part)


def shipped_view(price: Price) -> PriceView:
    """A shipped price as it is shown."""
    return _shown(price, source="shipped", state="holds")


async def _price_named(tx: Tx, id: str) -> PriceRow:
    row = await rows.price_by_id(tx, id)
    if row is None:
        raise NotFound(f"There is no price {id!r}.")
    return row


def _state(row: PriceRow, known: Sequence[PriceRow], now: int) -> str:
    if not row.enabled:
        return "withdrawn"
    if row.starts_at > now:
        return "to come"
    holding = in_force(known, row.subject, now)
    return "holds" if holding is not None and holding.id == row.id else "replaced"


def _view(row: PriceRow, state: str) -> PriceView:
    return _shown(price_of(row), source="file" if row.owned_by == OWNED_BY_FILE else "operator", state=state)


def _shown(price: Price, *, source: str, state: str) -> PriceView:
    return PriceView(
        id=price.id,
        model=price.model,
        operation=price.operation,
        when=dict(price.when),
        rates=shown_rates(price.rates),
        starts=utc(price.starts_at).isoformat(),
        source=source,
        state=state,
    )
