"""Which calls somebody asks for, by names or ids, and the names of what they speak of.

`own` is the id of the one user whose calls may be seen, None for operators: then also whose they are, and by which
channel they went.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

from unigate.base.errors import BadRequest, NotFound
from unigate.manage.channels import channel_named
from unigate.manage.desk import Desk
from unigate.manage.keys import key_named
from unigate.manage.users import user_named
from unigate.spec.record import End
from unigate.store import keys as key_rows
from unigate.store import usage as rows
from unigate.store.database import Tx
from unigate.store.names import names
from unigate.store.pages import Page, Slice
from unigate.store.usage import UsageRow, Wanted

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls are wanted: user, key and channel by name or id, the moment of admission in ms; None: all."""

    user: str | None = None
    key: str | None = None
    operation: str | None = None
    model: str | None = None
    channel: str | None = None
    ended: str | None = None
    since: int | None = None
    until: int | None = None


async def resolved(tx: Tx, wanted: CallFilter, own: str | None) -> Wanted:
    """The filter with ids in place of names; NotFound for what is not there, or is not this user's to see."""
    if wanted.ended is not None and wanted.ended not in get_args(End):
        raise BadRequest(f"A call ended as one of {', '.join(get_args(End))}.", param="ended")
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise BadRequest("The end of the time comes after its beginning.", param="until")
    user_id = own
    if wanted.user is not None:
        user_id = await _user(tx, wanted.user, own)
    if wanted.channel is not None and own is not None:
        raise NotFound(f"There is no channel {wanted.channel!r}.", param="channel")
    return Wanted(
        user_id=user_id,
        key_id=await _key(tx, wanted.key, own) if wanted.key is not None else None,
        operation=wanted.operation,
        model=wanted.model,
        channel_id=(await channel_named(tx, wanted.channel)).id if wanted.channel is not None else None,
        ended=wanted.ended,
        since=wanted.since,
        until=wanted.until,
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Names of what some rows speak of; of users and channels for operators only."""

    users: Mapping[str, str]
    keys: Mapping[str, str]
    channels: Mapping[str, str]
    private: bool

    @classmethod
    async def of(cls, tx: Tx, found: Sequence[UsageRow], *, own: str | None) -> "Names":
        """The names of these rows."""
        return cls(
            await names(tx, "user", (row.user_id for row in found)),
            await names(tx, "key", (row.key_id for row in found)),
            await names(tx, "channel", (row.channel_id for row in found)) if own is None else {},
            own is None,
        )


async def call_page(
    desk: Desk, page: Page, wanted: CallFilter | None, own: str | None, show: Callable[[UsageRow, Names], T]
) -> Slice[T]:
    """A page of calls, newest first, each as `show` has it. BadRequest, NotFound."""
    async with desk.db.reading() as tx:
        found = await rows.page(tx, page, await resolved(tx, wanted or CallFilter(), own))
        called = await Names.of(tx, found.rows, own=own)
    return found.map(lambda row: show(row, called))


async def _user(tx: Tx, name: str, own: str | None) -> str:
    found = await user_named(tx, name)
    if own is not None and found.id != own:
        raise NotFound(f"There is no user {name!r}.", param="user")
    return found.id


async def _key(tx: Tx, name: str, own: str | None) -> str:
    if own is None:
        return (await key_named(tx, name))[0].id
    found = await key_rows.by_id(tx, name)
    for key, owner in [found] if found is not None else await key_rows.by_name(tx, name):
        if owner.id == own:
            return key.id
    raise NotFound(f"There is no key {name!r}.", param="key")
