"""What has happened and is yet to be told to accounts, written in the transaction in which it happens.

Whoever tells it takes the row away in the transaction that writes the messages, so that it is told by one process, and by
another where that one dies. Must not know who wants to hear of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Integer, bindparam, delete, insert, select

from unigate.base import ids
from unigate.store.database import Tx
from unigate.store.notice_tables import news


@dataclass(frozen=True, slots=True)
class News:
    """A row of `news`: an event, whom it concerns ("": the operators), and what is to be said as JSON text."""

    id: str
    event: str
    user_id: str
    data: str = field(repr=False)
    at: int

    @property
    def facts(self) -> dict[str, Any]:
        """What is to be said."""
        return msgspec.json.decode(self.data, type=dict[str, Any])


_ADD = insert(news)
_ANY = select(news.c.id).limit(1)
_SOME = (
    select(news.c.id).order_by(news.c.id).limit(bindparam("most", type_=Integer())).with_for_update(skip_locked=True)
)
_TAKE = delete(news).where(news.c.id.in_(select(_SOME.cte("some").c.id))).returning(*news.c)


def made(event: str, user_id: str, data: Mapping[str, object], at: int) -> News:
    """A row; `data` as plain structures, amounts in nano-USD."""
    return News(ids.new("news"), event, user_id, msgspec.json.encode(data, order="deterministic").decode(), at)


async def add(tx: Tx, rows: Sequence[News]) -> None:
    """Insert rows."""
    if rows:
        await tx.many(_ADD, [asdict(row) for row in rows])


async def waits(tx: Tx) -> bool:
    """Whether there is any."""
    return await tx.one(_ANY) is not None


async def take(tx: Tx, most: int) -> list[News]:
    """Take away at most so many of the oldest, but none that somebody else is taking."""
    rows = await tx.all(_TAKE, {"most": most})
    return sorted((News(*row) for row in rows), key=lambda row: row.id)
