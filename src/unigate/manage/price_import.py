"""Importing a price list: first what it would change, then, if wanted, all of it at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from unigate.base.clock import now_ms
from unigate.base.settings import PriceEntry
from unigate.manage import price_news
from unigate.manage.desk import Desk
from unigate.manage.price_forms import price_of, rates_of, shown_rates, subject_of
from unigate.manage.price_lists import PriceList
from unigate.manage.prices import in_force, new_price, replaced
from unigate.spec.price import Price
from unigate.store import channels as channel_rows
from unigate.store import generations
from unigate.store import prices as rows
from unigate.store.prices import PriceRow
from unigate.store.tables import OWNED_BY_FILE

#: `new`: nothing was known. `changed`: another price holds. `same`: nothing to do. `kept`: the config file owns it.
Change = Literal["new", "changed", "same", "kept"]
_ORDER: Sequence[Change] = ("changed", "new", "kept", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDiff:
    """One entry of a list beside what holds now; rates in decimal USD by the names of the file."""

    change: Change
    model: str | None
    operation: str | None
    when: dict[str, str]
    before: dict[str, Any]
    after: dict[str, Any]
    #: Where `before` comes from: `operator`, `file`, `shipped`, or "" where there is none.
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import changes, or changed."""

    applied: bool
    changes: list[PriceDiff]
    #: Models that the list names and no channel serves: not imported.
    not_served: int = 0
    #: What could not be read -> why.
    left_out: dict[str, str] = field(default_factory=dict)


async def import_prices(
    desk: Desk, given: PriceList, shipped: Sequence[Price] = (), *, apply: bool = False, everything: bool = False
) -> Imported:
    """Compare a list with what holds now, and with `apply` set what is new or changed, in one transaction.

    Without `everything` only models that a channel serves by name or pattern are looked at.
    """
    async with desk.db.writing() as tx:
        await generations.lock(tx)
        entries = list(given.entries)
        if not everything:
            served = _served(await channel_rows.all_channels(tx))
            entries = [entry for entry in entries if entry.model is None or served(entry.model)]
        now, known = now_ms(), await rows.all_prices(tx)
        diffs, told = [], []
        for entry in entries:
            old = in_force(known, subject_of(entry), now)
            diff = _diff(entry, old, shipped)
            diffs.append(diff)
            if apply and diff.change in ("new", "changed"):
                row = new_price(entry, now, old)
                for other in replaced(known, row, now):
                    await rows.set_price(tx, replace(other, enabled=0))
                await rows.add_price(tx, row)
                known = [*known, row]
                told += [(old, row)] if old is not None else []
        await price_news.tell(tx, told)
        if apply:
            await generations.bump(tx, ["prices"])
    return Imported(
        applied=apply,
        changes=sorted(diffs, key=lambda diff: (_ORDER.index(diff.change), diff.model or "", diff.operation or "")),
        not_served=len(given.entries) - len(entries),
        left_out=given.left_out,
    )


def _diff(entry: PriceEntry, old: PriceRow | None, shipped: Iterable[Price]) -> PriceDiff:
    model, operation, conditions = subject_of(entry)
    when = msgspec.json.decode(conditions, type=dict[str, str])
    after = rates_of(entry)
    before = price_of(old) if old is not None else _alike(shipped, model, operation, when)
    change: Change = "new" if before is None else "same" if before.rates == after else "changed"
    source = "" if before is None else "shipped"
    if old is not None:
        source = "file" if old.owned_by == OWNED_BY_FILE else "operator"
        if old.owned_by == OWNED_BY_FILE and change == "changed":
            change = "kept"
    return PriceDiff(
        change=change,
        model=model,
        operation=operation,
        when=when,
        before=shown_rates(before.rates) if before is not None else {},
        after=shown_rates(after),
        source=source,
    )


def _alike(shipped: Iterable[Price], model: str | None, operation: str | None, when: dict[str, str]) -> Price | None:
    found = [p for p in shipped if (p.model, p.operation, dict(p.when)) == (model, operation, when)]
    return max(found, key=lambda price: price.starts_at, default=None)


def _served(channels: Iterable[channel_rows.ChannelRow]) -> Callable[[str], bool]:
    """Tells whether a channel serves a model, by its public or upstream name or by a pattern."""
    names: set[str] = set()
    for channel in channels:
        for public, upstream in msgspec.json.decode(channel.models, type=dict[str, str]).items():
            names |= {public, upstream}
    starts = tuple(name[:-1] for name in names if name.endswith("*"))

    def serves(model: str) -> bool:
        if model.endswith("*"):
            return any(name.startswith(model[:-1]) for name in names)
        return model in names or model.startswith(starts)

    return serves
