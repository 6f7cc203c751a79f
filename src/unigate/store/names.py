"""Names of things whose ids stand in rows that outlive them."""

from collections.abc import Iterable, Mapping
from typing import Literal

from sqlalchemy import bindparam, select

from unigate.store.database import Tx
from unigate.store.tables import channels, keys, users

Kind = Literal["user", "key", "channel"]

_NAMES = {
    kind: select(table.c.id, table.c.name).where(table.c.id.in_(bindparam("ids", expanding=True)))
    for kind, table in (("user", users), ("key", keys), ("channel", channels))
}


async def names(tx: Tx, kind: Kind, ids: Iterable[str]) -> Mapping[str, str]:
    """Names by id, of those that exist."""
    wanted = sorted({id for id in ids if id})
    if not wanted:
        return {}
    return {row[0]: row[1] for row in await tx.all(_NAMES[kind], {"ids": wanted})}
