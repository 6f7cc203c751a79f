"""Usage rows to be looked at: pages of calls, and sums by hour, day or whatever the hours are kept apart by.

A page costs about the same whatever it is filtered by. Rows have indexes by time, user and key only, since each further
one would slow the mover down; what else is asked for is looked up in the hours (`hours.py`), which say where such rows are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select

from unigate.store.database import Row, Tx
from unigate.store.gateway_tables import usage_hours
from unigate.store.hours import DIMENSIONS, HOUR_MS, sums
from unigate.store.ledger_tables import usage
from unigate.store.pages import Listing, Page, Slice

Step = Literal["hour", "day"]
By = Literal["user_id", "key_id", "operation", "model", "channel_id", "ended"]

#: Of the newest rows so many are looked at one by one before the hours are asked.
NEAR = 10_000
_HOURS_OF_A_DAY = 24
#: What rows can be found by without the hours.
_INDEXED = frozenset(("user_id", "key_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which calls are wanted; None: all. `since` and `until` (exclusive) in ms since 1970, of their admission."""

    user_id: str | None = None
    key_id: str | None = None
    operation: str | None = None
    model: str | None = None
    channel_id: str | None = None
    ended: str | None = None
    since: int | None = None
    until: int | None = None

    def given(self) -> dict[str, Any]:
        """What is filtered by."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def fits(self, row: "UsageRow") -> bool:
        """Whether a row is wanted."""
        given = self.given()
        since, until = given.pop("since", row.at), given.pop("until", row.at + 1)
        return since <= row.at < until and all(getattr(row, name) == value for name, value in given.items())


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A row of `usage`; `units` and `attempts` as JSON text."""

    id: str
    at: int
    user_id: str
    key_id: str
    group_name: str
    operation: str
    model: str
    channel_id: str
    upstream_model: str
    status: int
    ended: str
    stream: int
    estimated: int
    input_tokens: int
    output_tokens: int
    units: str
    cost: int
    charged: int
    overrun: int
    written_off: int
    refunded: int
    first_us: int
    total_us: int
    own_us: int
    price_id: str
    multiplier: int
    attempts: str
    hold_id: str
    day: int
    transfer_id: str
    error: str
    upstream_request_id: str


_FILTERS: Mapping[str, ColumnElement[bool]] = {
    **{name: usage.c[name] == bindparam(name) for name in DIMENSIONS},
    "since": usage.c.at >= bindparam("since"),
    "until": usage.c.at < bindparam("until"),
}
_HOUR_FILTERS: Mapping[str, ColumnElement[bool]] = {
    **{name: usage_hours.c[name] == bindparam(name) for name in DIMENSIONS},
    "since": usage_hours.c.hour >= bindparam("since"),
    "until": usage_hours.c.hour < bindparam("until"),
}
_LIST = Listing(select(usage), (usage.c.at, usage.c.id), _FILTERS)
_BY_ID = select(usage).where(usage.c.id == bindparam("by"))


async def by_id(tx: Tx, id: str) -> UsageRow | None:
    """The row of one call."""
    row = await tx.one(_BY_ID, {"by": id})
    return UsageRow(*row) if row else None


async def page(tx: Tx, page: Page, wanted: Wanted) -> Slice[UsageRow]:
    """A page of calls, newest first. BadRequest for a cursor of another list."""
    given = wanted.given()
    if given.keys() <= _INDEXED | {"since", "until"}:
        return _rows(await _LIST.read(tx, page, **given))
    indexed = {name: value for name, value in given.items() if name in _INDEXED or name in ("since", "until")}
    edge = await _edge(tx, page, indexed)
    if edge is None:
        return _rows(await _LIST.read(tx, page, **given))
    near = await _LIST.read(tx, page, **{**given, "since": edge})
    if near.next is not None:
        return _rows(near)
    missing = page.limit + 1 - len(near.rows)
    found = [*near.rows, *await _far(tx, given, edge, missing)]
    rows = [UsageRow(*row) for row in found[: page.limit]]
    return Slice(rows=rows, next=(rows[-1].at, rows[-1].id) if len(found) > page.limit else None)


def _rows(found: Slice[Row]) -> Slice[UsageRow]:
    return found.map(lambda row: UsageRow(*row))


async def _edge(tx: Tx, page: Page, indexed: Mapping[str, Any]) -> int | None:
    """The moment of the row NEAR places behind the page's beginning; None where there are not so many."""
    values = dict(indexed)
    if page.after is not None:
        values["until"] = min(int(page.after[0]) + 1, values.get("until", int(page.after[0]) + 1))
    row = await tx.one(_edge_of(frozenset(values)), {**values, "near": NEAR})
    return int(row[0]) if row else None


@lru_cache(maxsize=64)
def _edge_of(names: frozenset[str]) -> Select[Any]:
    query = select(usage.c.at).where(*(_FILTERS[name] for name in sorted(names)))
    return query.order_by(usage.c.at.desc()).offset(bindparam("near", type_=Integer())).limit(1)


async def _far(tx: Tx, given: Mapping[str, Any], edge: int, count: int) -> list[Row]:
    """Up to `count` of the newest rows before `edge` that fulfil all filters, found by their hours."""
    values = {name: value for name, value in given.items() if name in DIMENSIONS}
    last = edge // HOUR_MS
    first = given.get("since", 0) // HOUR_MS
    hours = await tx.all(_hours_of(frozenset(values)), {**values, "since": first, "until": last + 1, "rows": count + 1})
    calls, lower = 0, None
    for hour, some in hours:
        lower = hour
        calls += 0 if hour == last else some  # of the last hour nobody knows which are before the edge
        if calls >= count:
            break
    if lower is None:
        return []
    bounds = {"lower": lower, "upper": last, "edge": edge, "since": given.get("since", 0), "rows": count}
    return await tx.all(_far_of(frozenset(values)), {**values, **bounds})


@lru_cache(maxsize=64)
def _hours_of(names: frozenset[str]) -> Select[Any]:
    query = select(usage_hours.c.hour, func.sum(usage_hours.c.calls))
    query = query.where(*(_HOUR_FILTERS[name] for name in sorted(names | {"since", "until"})))
    query = query.group_by(usage_hours.c.hour).order_by(usage_hours.c.hour.desc())
    return query.limit(bindparam("rows", type_=Integer()))


@lru_cache(maxsize=64)
def _far_of(names: frozenset[str]) -> Select[Any]:
    """Rows by way of their hours: each hour leads to its key's rows of that hour, by the index over keys and time."""
    start = usage_hours.c.hour * HOUR_MS
    query = select(usage).where(
        *(_HOUR_FILTERS[name] for name in sorted(names)),
        usage_hours.c.hour.between(bindparam("lower"), bindparam("upper")),
        usage.c.at >= start,
        usage.c.at < start + HOUR_MS,
        *(usage.c[name] == usage_hours.c[name] for name in DIMENSIONS),
        usage.c.at < bindparam("edge"),
        usage.c.at >= bindparam("since"),
    )
    return query.order_by(usage.c.at.desc(), usage.c.id.desc()).limit(bindparam("rows", type_=Integer()))


async def total(tx: Tx, wanted: Wanted) -> Row:
    """All figures of the hours that fit, in the order of `hours.FIGURES`."""
    row = await tx.one(_total_of(frozenset(wanted.given())), _in_hours(wanted))
    assert row is not None
    return row


async def ranked(tx: Tx, by: By, wanted: Wanted, most: int) -> list[Row]:
    """The values of one dimension for which most was charged: value, figures."""
    statement = _ranked_of(by, frozenset(wanted.given()))
    return await tx.all(statement, {**_in_hours(wanted), "rows": most})


async def series(tx: Tx, step: Step, wanted: Wanted, by: By | None = None, only: tuple[str, ...] = ()) -> list[Row]:
    """Figures step by step: the hour in which it begins, with `by` its value (one of `only`), figures."""
    statement = _series_of(step, by, frozenset(wanted.given()))
    return await tx.all(statement, {**_in_hours(wanted), **({"only": list(only)} if by else {})})


def _in_hours(wanted: Wanted) -> dict[str, Any]:
    """The filters with their bounds in whole hours: the first one counts whole, and so does the last."""
    values = wanted.given()
    if "since" in values:
        values["since"] //= HOUR_MS
    if "until" in values:
        values["until"] = -(-values["until"] // HOUR_MS)
    return values


def _where(names: frozenset[str]) -> list[ColumnElement[bool]]:
    return [_HOUR_FILTERS[name] for name in sorted(names)]


@lru_cache(maxsize=64)
def _total_of(names: frozenset[str]) -> Select[Any]:
    return sums([], *_where(names))


@lru_cache(maxsize=256)
def _ranked_of(by: By, names: frozenset[str]) -> Select[Any]:
    column = usage_hours.c[by]
    charged, calls = func.sum(usage_hours.c.charged), func.sum(usage_hours.c.calls)
    query = sums([column], *_where(names)).order_by(charged.desc(), calls.desc(), column)
    return query.limit(bindparam("rows", type_=Integer()))


@lru_cache(maxsize=256)
def _series_of(step: Step, by: By | None, names: frozenset[str]) -> Select[Any]:
    hour = usage_hours.c.hour
    start = (hour if step == "hour" else hour // _HOURS_OF_A_DAY * _HOURS_OF_A_DAY).label("start")
    if by is None:
        return sums([start], *_where(names)).order_by(start)
    column = usage_hours.c[by]
    only = column.in_(bindparam("only", expanding=True))
    return sums([start, column], *_where(names), only).order_by(start, column)
