"""Lists that are read page by page, by the key of the last row seen and never by counting rows off.

So a page costs the same wherever it begins, and rows that come or go meanwhile neither repeat nor hide others.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Integer, Select, bindparam, tuple_

from unigate.base.errors import BadRequest
from unigate.store.database import Row, Tx

T = TypeVar("T")
U = TypeVar("U")

#: Values of the columns that give the order, of the last row of a page.
After = tuple[int | str, ...]
MAX_ROWS = 200
_MAX_INT = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows of a list are wanted: at most `limit` of those behind `after`."""

    limit: int = 50
    after: After | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Generic[T]):
    """Some rows of a list, and where those behind them begin; None: these are the last."""

    rows: list[T]
    next: After | None

    def map(self, change: Callable[[T], U]) -> "Slice[U]":
        """The same place in the list, with other rows."""
        return Slice(rows=[change(row) for row in self.rows], next=self.next)


class Listing:
    """A query with an order and conditions that may be left out.

    `order` are columns of the query whose values together are unique; an index over them carries it. `filters` maps a
    name to a condition whose bound parameters are named alike: `{"role": users.c.role == bindparam("role")}`.
    """

    def __init__(
        self,
        query: Select[Any],
        order: Iterable[Column[Any]],
        filters: Mapping[str, ColumnElement[bool]] | None = None,
        *,
        newest_first: bool = True,
    ) -> None:
        self._query = query
        self._order = tuple(order)
        self._filters = dict(filters or {})
        self._newest_first = newest_first
        selected = list(query.selected_columns)
        self._places = [next(n for n, one in enumerate(selected) if one is column) for column in self._order]
        #: A statement for each set of filters that is really used, so that each is compiled once.
        self._statement = lru_cache(maxsize=256)(self._build)

    async def read(self, tx: Tx, page: Page, **given: Any) -> Slice[Row]:
        """A page of the rows that fulfil the filters given (None: not given). BadRequest for a place that is not here."""
        values = {name: value for name, value in given.items() if value is not None}
        statement = self._statement(frozenset(values), behind=page.after is not None)
        rows = await tx.all(statement, {**values, **self._behind(page.after), "rows": page.limit + 1})
        more = len(rows) > page.limit
        rows = rows[: page.limit]
        return Slice(rows=rows, next=tuple(rows[-1][place] for place in self._places) if more else None)

    def _build(self, names: frozenset[str], *, behind: bool) -> Select[Any]:
        query = self._query.where(*(self._filters[name] for name in sorted(names)))
        if behind:
            here = tuple_(*self._order)
            there = tuple_(*(bindparam(f"after_{n}", type_=column.type) for n, column in enumerate(self._order)))
            query = query.where(here < there if self._newest_first else here > there)
        order = [column.desc() if self._newest_first else column.asc() for column in self._order]
        return query.order_by(*order).limit(bindparam("rows", type_=Integer()))

    def _behind(self, after: After | None) -> dict[str, int | str]:
        if after is None:
            return {}
        if len(after) != len(self._order) or not all(map(_fits, self._order, after)):
            raise BadRequest("This cursor does not belong to this list.", param="cursor")
        return {f"after_{n}": value for n, value in enumerate(after)}


def contains(text: str) -> str:
    """A pattern for `LIKE` with a backslash as escape that finds a text anywhere, in lower case."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _fits(column: Column[Any], value: int | str) -> bool:
    if isinstance(column.type, Integer):
        return type(value) is int and -_MAX_INT <= value < _MAX_INT
    return type(value) is str
