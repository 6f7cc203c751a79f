"""Transfers of one wallet to be looked at, newest first."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, select, tuple_, union_all
from sqlalchemy.sql.selectable import CompoundSelect

from unigate.base.errors import BadRequest
from unigate.store.database import Tx
from unigate.store.ledger_tables import transfers
from unigate.store.metadata import Int, Str
from unigate.store.pages import Page, Slice


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A row of `transfers`."""

    id: str
    debit: str
    credit: str
    amount: int
    code: str
    hold_id: str
    note: str
    at: int


_FILTERS: dict[str, ColumnElement[bool]] = {
    "code": transfers.c.code == bindparam("code"),
    "since": transfers.c.at >= bindparam("since"),
    "until": transfers.c.at < bindparam("until"),
    "after": tuple_(transfers.c.at, transfers.c.id)
    < tuple_(bindparam("after_at", type_=Int()), bindparam("after_id", type_=Str())),
}


async def page(
    tx: Tx, page: Page, wallet_id: str, *, code: str | None = None, since: int | None = None, until: int | None = None
) -> Slice[TransferRow]:
    """A page of what a wallet gave and got; `since` and `until` (exclusive) in ms. BadRequest for another list's cursor."""
    values: dict[str, Any] = {"code": code, "since": since, "until": until}
    values = {name: value for name, value in values.items() if value is not None}
    names = frozenset(values)
    if page.after is not None:
        if [type(value) for value in page.after] != [int, str]:
            raise BadRequest("This cursor does not belong to this list.", param="cursor")
        names |= {"after"}
        values |= {"after_at": page.after[0], "after_id": page.after[1]}
    statement = _page_of(names)
    found = await tx.all(statement, {**values, "wallet": wallet_id, "rows": page.limit + 1})
    rows = [TransferRow(*row) for row in found[: page.limit]]
    return Slice(rows=rows, next=(rows[-1].at, rows[-1].id) if len(found) > page.limit else None)


@lru_cache(maxsize=64)
def _page_of(names: frozenset[str]) -> CompoundSelect[Any]:
    """The newest of both sides, each by its own index, and of those the newest."""
    where = [_FILTERS[name] for name in sorted(names)]
    sides = [
        _newest(select(transfers).where(side == bindparam("wallet"), *where)).subquery()
        for side in (transfers.c.debit, transfers.c.credit)
    ]
    both = union_all(*(select(side) for side in sides))
    return both.order_by(both.selected_columns.at.desc(), both.selected_columns.id.desc()).limit(
        bindparam("rows", type_=Integer())
    )


def _newest(query: Select[Any]) -> Select[Any]:
    return query.order_by(transfers.c.at.desc(), transfers.c.id.desc()).limit(bindparam("rows", type_=Integer()))
