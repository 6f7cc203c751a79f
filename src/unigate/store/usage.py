"""Usage rows to be looked at: pages of calls, and sums by hour, day or whatever the hours are kept apart by.

A page costs about the same whatever it is filtered by. Rows have indexes by time, user and key only, since each further
one would slow the mover down; what else is asked for is looked up in the hours (`hours.py`), which say where such rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import ColumnElement, Integer, Select, Table, bindparam, select

from unigate.store.database import Row, Tx
from unigate.store.gateway_tables import usage_days, usage_hours
from unigate.store.hours import DAY_MS, DIMENSIONS, HOUR_MS, sums
from unigate.store.ledger_tables import usage
from unigate.store.pages import Listing, Page, Slice

Step = Literal["hour", "day"]
By = Literal["user_id", "key_id", "operation", "model", "channel_id", "ended"]

#: Of the newest rows so many are looked at one by one before the hours are asked.
NEAR = 10_000
#: Pairs of hour and key that are read at once, and keys of one hour that are looked at one by one.
_AT_ONCE, _FEW = 200, 8
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
_LIST = Listing(select(usage), (usage.c.at, usage.c.id), _FILTERS)
_AT, _ID = (list(usage.c.keys()).index(name) for name in ("at", "id"))
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
    """Up to `count` of the newest rows before `edge` that fulfil all filters, found by their hours, the newest first."""
    values = {name: value for name, value in given.items() if name in DIMENSIONS}
    statement = _hours_of(frozenset(values))
    since = given.get("since", 0)
    until = edge // HOUR_MS + 1
    found: list[Row] = []
    while len(found) < count:
        bounds = {"since": since // HOUR_MS, "until": until, "rows": _AT_ONCE}
        pairs = await tx.all(statement, {**values, **bounds})
        if not pairs:
            break
        keys: dict[int, list[str]] = {}
        for hour, key in pairs:
            keys.setdefault(hour, []).append(key)
        if len(pairs) == _AT_ONCE:
            keys[pairs[-1][0]] = []  # perhaps not all keys of that hour are here
        for hour, some in keys.items():
            until = hour
            inside = {"since": max(since, hour * HOUR_MS), "until": min(edge, (hour + 1) * HOUR_MS)}
            found += await _hour(tx, {**given, **inside}, some, count - len(found))
            if len(found) >= count:
                break
    return found[:count]


async def _hour(tx: Tx, given: Mapping[str, Any], keys: list[str], count: int) -> list[Row]:
    """The newest rows of one hour: key by key where few keys have any, else through all of the hour."""
    wanted = Page(limit=count)
    if not 0 < len(keys) <= _FEW:
        return (await _LIST.read(tx, wanted, **given)).rows
    rows = [row for key in keys for row in (await _LIST.read(tx, wanted, **{**given, "key_id": key})).rows]
    return sorted(rows, key=itemgetter(_AT, _ID), reverse=True)[:count]


@lru_cache(maxsize=64)
def _hours_of(names: frozenset[str]) -> Select[Any]:
    """Hours and keys that have such rows, the newest hour first."""
    query = select(usage_hours.c.hour, usage_hours.c.key_id)
    query = query.where(*(_filter(usage_hours, name) for name in sorted(names | {"since", "until"})))
    query = query.group_by(usage_hours.c.hour, usage_hours.c.key_id).order_by(usage_hours.c.hour.desc())
    return query.limit(bindparam("rows", type_=Integer()))


async def summed(
    tx: Tx, step: Step, wanted: Wanted, *, by: By | None = None, apart: bool = True, only: Sequence[str] | None = None
) -> list[Row]:
    """Figures of what was used: the step in which it was (hours or days since 1970) if `apart`, the value of `by`, figures.

    `only` these values of `by`. Bounds are whole steps: the first and the last count whole.
    """
    names = frozenset(wanted.given()) | ({"only"} if only is not None else set())
    values = wanted.given()
    size = HOUR_MS if step == "hour" else DAY_MS
    if "since" in values:
        values["since"] //= size
    if "until" in values:
        values["until"] = -(-values["until"] // size)
    if only is not None:
        values["only"] = list(only)
    return await tx.all(_summed(step, by, apart, names), values)


@lru_cache(maxsize=256)
def _summed(step: Step, by: By | None, apart: bool, names: frozenset[str]) -> Select[Any]:
    table = usage_hours if step == "hour" else usage_days
    columns: list[ColumnElement[Any]] = [table.c[step]] if apart else []
    where = [_filter(table, name) for name in sorted(names - {"only"})]
    if by is not None:
        columns.append(table.c[by])
        if "only" in names:
            where.append(table.c[by].in_(bindparam("only", expanding=True)))
    return sums(table, columns, *where).order_by(*columns)


def _filter(table: Table, name: str) -> ColumnElement[bool]:
    """A condition on a table of sums."""
    step = next(iter(table.primary_key.columns))
    if name == "since":
        return step >= bindparam("since")
    return step < bindparam("until") if name == "until" else table.c[name] == bindparam(name)
