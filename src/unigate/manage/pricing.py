"""Pricing: what a call would cost, and which models that channels serve have no price."""

from collections.abc import Mapping
from dataclasses import dataclass

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, Forbidden
from unigate.billing.prices import Prices
from unigate.dialects import operations
from unigate.manage import load, shipped
from unigate.manage.desk import Desk
from unigate.manage.doctor import paid_operations
from unigate.manage.groups import group_named
from unigate.spec.caller import Group
from unigate.spec.usage import FALLBACK, MAX_COUNT, Usage

_NOBODY = Group(id="", name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """A model without a price, with the names of the channels in use that serve it."""

    model: str
    channels: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteView:
    """What a call would cost a group; amounts in nano-USD."""

    operation: str
    model: str
    group: str
    #: Millionths, already in `cost`.
    multiplier: int
    cost: int
    #: The row that says so, "" where calls without a price are free.
    price_id: str
    #: All rows that could have, the best first.
    price_ids: list[str]


async def unpriced(desk: Desk) -> list[Unpriced]:
    """Models that a channel in use serves under a name of their own, but no price is known for, by name."""
    prices = Prices(await load.load_prices(desk.db, shipped.prices()))
    now = now_ms()
    missing: dict[str, set[str]] = {}
    for channel in await load.load_channels(desk.db, desk.vault, desk.providers):
        paid = [row.name for row in paid_operations(channel)] if channel.enabled else []
        for model in channel.models:
            if paid and not model.endswith("*") and not any(_priced(prices, name, model, now) for name in paid):
                missing.setdefault(model, set()).add(channel.name)
    return [Unpriced(model=model, channels=sorted(names)) for model, names in sorted(missing.items())]


class Watch:
    """Tells what a change leaves without a price: `watch = await Watch.begin(desk)`, the change, `await watch.warnings()`."""

    def __init__(self, desk: Desk, before: frozenset[tuple[str, str]]) -> None:
        self._desk = desk
        self._before = before

    @classmethod
    async def begin(cls, desk: Desk) -> "Watch":
        """Look before a change."""
        return cls(desk, _pairs(await unpriced(desk)))

    async def warnings(self) -> list[str]:
        """Sentences about models that have had a price, or no channel, before the change, and now lack one."""
        settings = await load.load_settings(self._desk.db)
        what = "calls of it are free of charge" if settings.allow_unpriced else "calls of it are refused"
        found: list[str] = []
        for one in await unpriced(self._desk):
            new = [name for name in one.channels if (one.model, name) not in self._before]
            if new:
                found.append(f"The model {one.model!r} of the channel {', '.join(new)} has no price: {what}.")
        return found


async def quote(
    desk: Desk,
    model: str,
    units: Mapping[str, int],
    *,
    operation: str = "openai.chat",
    group: str = "default",
    conditions: Mapping[str, str] | None = None,
) -> QuoteView:
    """What a call that uses so many units would cost now. BadRequest, Forbidden (`price_missing`), NotFound (group)."""
    if operation not in {row.name for row in operations()}:
        raise BadRequest(f"There is no operation {operation!r}.", param="operation")
    for unit, count in units.items():
        if unit not in FALLBACK:
            raise BadRequest(f"A unit is one of {', '.join(FALLBACK)}, not {unit!r}.", param=unit)
        if not 0 <= count <= MAX_COUNT:
            raise BadRequest(f"A count lies between 0 and {MAX_COUNT}.", param=unit)
    async with desk.db.reading() as tx:
        row = await group_named(tx, group)
    settings = await load.load_settings(desk.db)
    prices = Prices(await load.load_prices(desk.db, shipped.prices()), allow_unpriced=settings.allow_unpriced)
    payer = Group(id=row.id, name=row.name, multiplier=row.multiplier)
    found = prices.quote(operation, model, payer, now_ms())
    cost, by = found.cost(Usage(dict(units)), conditions or {})
    return QuoteView(
        operation=operation,
        model=model,
        group=row.name,
        multiplier=row.multiplier,
        cost=cost,
        price_id=by,
        price_ids=list(found.price_ids),
    )


def _priced(prices: Prices, operation: str, model: str, now: int) -> bool:
    try:
        prices.quote(operation, model, _NOBODY, now)
    except Forbidden:
        return False
    return True


def _pairs(found: list[Unpriced]) -> frozenset[tuple[str, str]]:
    return frozenset((one.model, name) for one in found for name in one.channels)
