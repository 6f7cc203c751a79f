"""Bindings: which user, channel and credential a vendor's id belongs to."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select

from unigate.spec.binding import Binding
from unigate.store.database import Tx
from unigate.store.gateway_tables import bindings
from unigate.store.metadata import insert
from unigate.store.pages import Listing, Page, Slice

_NAMES = tuple(column.name for column in bindings.c)
_THE_ONE = (bindings.c.kind == bindparam("of"), bindings.c.public_id == bindparam("id"))
_OWNED = (*_THE_ONE, bindings.c.user_id == bindparam("user"))
_ADD = insert(bindings).on_conflict_do_nothing(index_elements=["kind", "public_id"])
_FIND = select(bindings).where(*_THE_ONE)
_FIND_OWNED = select(bindings).where(*_OWNED)
_SEVERAL = select(bindings).where(
    bindings.c.kind == bindparam("of"),
    bindings.c.public_id.in_(bindparam("ids", expanding=True)),
    bindings.c.user_id == bindparam("user"),
)
_STRANGERS = (
    select(bindings.c.user_id)
    .where(
        bindings.c.kind.in_(bindparam("kinds", expanding=True)),
        bindings.c.public_id.in_(bindparam("ids", expanding=True)),
        bindings.c.user_id != bindparam("user"),
    )
    .limit(1)
)
_REMOVE = delete(bindings).where(*_OWNED)
_ORDER = (bindings.c.created_at, bindings.c.public_id)
_FILTERS = {"kind": bindings.c.kind == bindparam("kind"), "user_id": bindings.c.user_id == bindparam("user_id")}
_NEWEST = Listing(select(bindings), _ORDER, _FILTERS)
_OLDEST = Listing(select(bindings), _ORDER, _FILTERS, newest_first=False)


async def add(tx: Tx, binding: Binding) -> bool:
    """Insert a binding; what is there already stays. False where that is not of the same user, channel and credential."""
    if await tx.run(_ADD, asdict(binding)):
        return True
    row = await tx.one(_FIND, {"of": binding.kind, "id": binding.public_id})
    return row is not None and _whose(_made(row)) == _whose(binding)


async def find(tx: Tx, kind: str, public_id: str, user_id: str) -> Binding | None:
    """A user's binding; None where there is none or it is another user's."""
    row = await tx.one(_FIND_OWNED, {"of": kind, "id": public_id, "user": user_id})
    return _made(row) if row is not None else None


async def several(tx: Tx, kind: str, public_ids: Sequence[str], user_id: str) -> list[Binding]:
    """A user's bindings of a kind under these ids, in any order."""
    rows = await tx.all(_SEVERAL, {"of": kind, "ids": list(public_ids), "user": user_id})
    return [_made(row) for row in rows]


async def anybodys(tx: Tx, kind: str, public_id: str) -> Binding | None:
    """A binding, whosever it is; None where there is none."""
    row = await tx.one(_FIND, {"of": kind, "id": public_id})
    return _made(row) if row is not None else None


async def strangers(tx: Tx, kinds: Sequence[str], ids: Sequence[str], user_id: str) -> bool:
    """Whether one of these ids is another user's thing of one of these kinds."""
    return await tx.one(_STRANGERS, {"kinds": list(kinds), "ids": list(ids), "user": user_id}) is not None


async def page(tx: Tx, page: Page, kind: str, user_id: str, *, newest_first: bool = True) -> Slice[Binding]:
    """A user's bindings of a kind. BadRequest for a place that is not in this list."""
    listing = _NEWEST if newest_first else _OLDEST
    return (await listing.read(tx, page, kind=kind, user_id=user_id)).map(_made)


async def remove(tx: Tx, kind: str, public_id: str, user_id: str) -> None:
    """Forget a user's binding, if there is one."""
    await tx.run(_REMOVE, {"of": kind, "id": public_id, "user": user_id})


def _made(row: tuple[object, ...]) -> Binding:
    return Binding(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]


def _whose(binding: Binding) -> tuple[str, ...]:
    return binding.user_id, binding.upstream_id, binding.channel_id, binding.credential_id
