"""Usage: what calls used and were charged, one by one and summed up. Changes nothing.

`own` is the id of the one user whose calls may be seen, None for operators: then also whose they are, and by which
channel they went.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest
from unigate.manage.call_filter import CallFilter, Names, call_page, resolved
from unigate.manage.desk import Desk
from unigate.store import usage as rows
from unigate.store.database import Tx
from unigate.store.hours import DAY_MS, FIGURES, HOUR_MS
from unigate.store.names import Kind, names
from unigate.store.pages import Page, Slice
from unigate.store.usage import UsageRow, Wanted

#: What an overview may be kept apart by -> where it stands.
DIMENSIONS: Mapping[str, rows.By] = {
    "user": "user_id",
    "key": "key_id",
    "channel": "channel_id",
    "model": "model",
    "operation": "operation",
    "ended": "ended",
}
#: Those that only operators see.
_PRIVATE = frozenset(("user", "channel"))
#: Those with so many values that only the highest are read step by step.
_MANY = frozenset(("user", "key"))
_NAMED: Mapping[str, Kind] = {"user": "user", "key": "key", "channel": "channel"}
STEPS = ("hour", "day", "all")
#: Steps of one overview at most: two months by the hour, four years by the day.
MOST_STEPS = 1500
#: Values of a dimension that an overview tells apart at most.
MOST_VALUES = 100
#: Over the whole of more time than this, days are summed up and not hours.
LONG_MS = 7 * DAY_MS
_DEFAULT_MS = {"hour": DAY_MS, "day": 30 * DAY_MS, "all": 30 * DAY_MS}
_CHARGED, _CALLS = FIGURES.index("charged"), FIGURES.index("calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Calls summed up; money in nano-USD, times in microseconds and on average."""

    calls: int
    estimated: int
    input_tokens: int
    output_tokens: int
    cost: int
    charged: int
    refunded: int
    first_us: int
    total_us: int
    own_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Sums of one step and one value."""

    #: Where the step begins, in ms since 1970; None: the whole time.
    start: int | None
    #: Id, or name where it has none; None where the overview is kept apart by nothing.
    value: str | None
    #: The name that belongs to an id, None where that is not known.
    name: str | None
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What was used from `since` to `until` (ms, whole hours or days); `parts` hold the values with the highest charges."""

    since: int
    until: int
    total: Sums
    parts: list[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """What one call used and was charged; money in nano-USD, times in ms since 1970 or microseconds, as the row says."""

    id: str
    at: int
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    group: str
    operation: str
    model: str
    channel_id: str | None
    channel: str | None
    ended: str
    estimated: bool
    input_tokens: int
    output_tokens: int
    units: dict[str, int]
    cost: int
    charged: int
    written_off: int
    refunded: int
    price_id: str
    multiplier: int
    total_us: int


async def list_usage(
    desk: Desk, page: Page, wanted: CallFilter | None = None, *, own: str | None = None
) -> Slice[UsageView]:
    """A page of calls, newest first. BadRequest, NotFound."""
    return await call_page(desk, page, wanted, own, _view)


async def overview(
    desk: Desk,
    wanted: CallFilter | None = None,
    *,
    step: str = "day",
    by: str | None = None,
    most: int = 10,
    own: str | None = None,
) -> Overview:
    """Sums of what was used, by step and by the `most` highest values of a dimension. BadRequest, NotFound.

    Without `since` the last 24 hours by the hour, else 30 days. Bounds are widened to whole hours, to whole days where
    steps are days or the whole of more than a week is asked for.
    """
    if by is not None and (by not in DIMENSIONS or (own is not None and by in _PRIVATE)):
        known = ", ".join(name for name in DIMENSIONS if own is None or name not in _PRIVATE)
        raise BadRequest(f"Usage is told apart by {known}, not by {by!r}.", param="by")
    if not 1 <= most <= MOST_VALUES:
        raise BadRequest(f"Between 1 and {MOST_VALUES} values are told apart.", param="top")
    given, size = _bounded(wanted or CallFilter(), step)
    async with desk.db.reading() as tx:
        found = await resolved(tx, given, own)
        total, parts = await _summed(tx, found, step, size, by=by, most=most)
    assert given.since is not None
    assert given.until is not None
    return Overview(since=given.since, until=given.until, total=total, parts=parts)


def _bounded(wanted: CallFilter, step: str) -> tuple[CallFilter, rows.Step]:
    """The filter with both bounds on whole hours or days, and which of both are summed up; BadRequest.

    Over the whole of a longer time, days are exact enough.
    """
    if step not in STEPS:
        raise BadRequest(f"A step is one of {', '.join(STEPS)}, not {step!r}.", param="step")
    until = wanted.until if wanted.until is not None else now_ms() + 1
    if wanted.since is not None and wanted.since >= until:
        raise BadRequest("The end of the time comes after its beginning.", param="until")
    long = wanted.since is None or until - wanted.since > LONG_MS
    days = step == "day" or (step == "all" and long)
    size = DAY_MS if days else HOUR_MS
    until = -(-until // size) * size
    since = max(0, (until - _DEFAULT_MS[step] if wanted.since is None else wanted.since) // size * size)
    if step != "all" and (until - since) // size > MOST_STEPS:
        raise BadRequest(f"These are more than {MOST_STEPS} steps: take longer ones, or less time.", param="step")
    return replace(wanted, since=since, until=until), "day" if days else "hour"


async def _summed(
    tx: Tx, wanted: Wanted, step: str, size: rows.Step, *, by: str | None, most: int
) -> tuple[Sums, list[Part]]:
    """The sum of all, and the parts."""
    ms = HOUR_MS if size == "hour" else DAY_MS
    if by is None:
        found = await rows.summed(tx, size, wanted, apart=step != "all")
        figures = found if step == "all" else [row[1:] for row in found]
        parts = [] if step == "all" else [_part(row[0] * ms, None, None, row[1:]) for row in found]
        return _sums(_added(figures)), parts
    column = DIMENSIONS[by]
    steps: list[Any] = []
    if by in _MANY or step == "all":
        values = await rows.summed(tx, size, wanted, by=column, apart=False)
    else:
        steps = await rows.summed(tx, size, wanted, by=column)
        values = _folded(steps)
    # The highest charges first, then the most calls.
    best = sorted(values, key=lambda row: (-row[1 + _CHARGED], -row[1 + _CALLS], row[0]))[:most]
    called = await names(tx, _NAMED[by], (row[0] for row in best)) if by in _NAMED else {}
    total = _sums(_added([row[1:] for row in values]))
    if step == "all":
        return total, [_part(None, row[0], called.get(row[0]), row[1:]) for row in best]
    only = {row[0] for row in best}
    if by in _MANY and best:
        steps = await rows.summed(tx, size, wanted, by=column, only=sorted(only))
    return total, [_part(row[0] * ms, row[1], called.get(row[1]), row[2:]) for row in steps if row[1] in only]


def _folded(steps: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Sums by value of sums by step and value."""
    values: dict[str, list[Sequence[int]]] = {}
    for row in steps:
        values.setdefault(row[1], []).append(row[2:])
    return [(value, *_added(some)) for value, some in values.items()]


def _part(start: int | None, value: str | None, name: str | None, figures: Sequence[Any]) -> Part:
    return Part(start=start, value=value, name=name, sums=_sums(figures))


def _added(some: Sequence[Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip(*some, strict=True)] if some else [0] * len(FIGURES)


def _sums(row: Sequence[Any]) -> Sums:
    figures = dict(zip(FIGURES, row, strict=True))
    for name in ("first_us", "total_us", "own_us"):
        figures[name] //= max(1, figures["calls"])
    return Sums(**figures)


def _view(row: UsageRow, called: Names) -> UsageView:
    return UsageView(
        id=row.id,
        at=row.at,
        user_id=row.user_id,
        user=called.users.get(row.user_id),
        key_id=row.key_id,
        key=called.keys.get(row.key_id),
        group=row.group_name,
        operation=row.operation,
        model=row.model,
        channel_id=row.channel_id if called.private else None,
        channel=called.channels.get(row.channel_id),
        ended=row.ended,
        estimated=bool(row.estimated),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        units=msgspec.json.decode(row.units) if row.units else {},
        cost=row.cost,
        charged=row.charged,
        written_off=row.written_off,
        refunded=row.refunded,
        price_id=row.price_id,
        multiplier=row.multiplier,
        total_us=row.total_us,
    )
