"""Channels: create, show, change. Credentials go in and never come out again (`channel_credentials.py`)."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from unigate.access.secrets import CannotOpen
from unigate.base.errors import BadRequest, Conflict, NotFound
from unigate.base.settings import ChannelEntry
from unigate.manage.audit import noted
from unigate.manage.channel_rows import (
    Given,
    channel_row,
    credential_rows,
    entry_of,
    given_credentials,
    open_options,
    seal_options,
    shown_options,
)
from unigate.manage.desk import SHELL, Actor, Desk, check_editable, unique
from unigate.store import channels as rows
from unigate.store import generations
from unigate.store import users as user_rows
from unigate.store.channels import ChannelRow, CredentialRow
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """A credential as it is shown."""

    id: str
    last4: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """A channel as it is shown; timeouts in seconds."""

    id: str
    name: str
    provider: str
    base_url: str | None
    credentials: list[CredentialView]
    models: dict[str, str]
    groups: list[str]
    priority: int
    weight: int
    concurrency: int
    rpm: int
    timeouts: dict[str, float]
    options: dict[str, object]
    enabled: bool
    owned_by: str
    created_at: int


async def list_channels(desk: Desk) -> list[ChannelView]:
    """All channels by name."""
    async with desk.db.reading() as tx:
        credentials = await rows.all_credentials(tx)
        found = await rows.all_channels(tx)
    return [_view(desk, row, credentials.get(row.id, [])) for row in found]


async def page_channels(desk: Desk, page: Page, *, provider: str | None = None) -> Slice[ChannelView]:
    """A page of channels by name."""
    async with desk.db.reading() as tx:
        credentials = await rows.all_credentials(tx)
        found = await rows.page(tx, page, provider=provider)
    return found.map(lambda row: _view(desk, row, credentials.get(row.id, [])))


async def show_channel(desk: Desk, name: str) -> ChannelView:
    """One channel by name or id; NotFound."""
    async with desk.db.reading() as tx:
        row = await channel_named(tx, name)
        return _view(desk, row, await rows.credentials_of(tx, row.id))


async def channel_entry(desk: Desk, name: str) -> ChannelEntry:
    """A channel in the form in which the file names it, without credentials; NotFound, Conflict."""
    async with desk.db.reading() as tx:
        row = await channel_named(tx, name)
    return _entry(desk, row)


async def create_channel(
    desk: Desk, entry: ChannelEntry, *, credentials: list[Given] | None = None, actor: Actor = SHELL
) -> ChannelView:
    """A new channel with its credentials: those given, else those of the entry. BadRequest, Conflict."""
    given = credentials if credentials is not None else given_credentials(entry)
    with unique(f"There is a channel {entry.name!r} already."):
        async with desk.db.writing() as tx:
            row = seal_options(channel_row(entry, desk.providers, await group_names(tx)), desk.vault)
            await rows.add_channel(tx, row)
            await put_credentials(tx, desk, row.id, given)
            facts = {**channel_facts(row), "credentials": len(given)}
            await noted(tx, actor, "create", "channel", row.id, row.name, after=facts)
            await generations.bump(tx, ["channels"])
            return _view(desk, row, await rows.credentials_of(tx, row.id))


async def set_channel(
    desk: Desk,
    name: str,
    changes: dict[str, Any],
    *,
    credentials: list[Given] | None = None,
    actor: Actor = SHELL,
) -> ChannelView:
    """Change fields of a channel (those of ChannelEntry); `credentials` replaces them all. BadRequest, Conflict, NotFound.

    In `options` a value of None takes the option away; options that are not named stay.
    """
    async with desk.db.writing() as tx:
        old = await channel_named(tx, name)
        check_editable(old.owned_by, "channel", old.name)
        new = _changed(desk, old, changes, await group_names(tx))
        await rows.set_channel(tx, new)
        before, after = channel_facts(old), channel_facts(new)
        if credentials is not None and await put_credentials(tx, desk, old.id, credentials):
            before["credentials"], after["credentials"] = 0, 1  # the log tells that they changed, and no more
        await noted(tx, actor, "set", "channel", old.id, old.name, before, after)
        await generations.bump(tx, ["channels"])
        return _view(desk, new, await rows.credentials_of(tx, old.id))


def channel_facts(row: ChannelRow) -> dict[str, object]:
    """What the audit log tells of a channel; of its options only that they changed."""
    return {
        "provider": row.provider,
        "base_url": row.base_url,
        "models": msgspec.json.decode(row.models),
        "groups": msgspec.json.decode(row.groups),
        "priority": row.priority,
        "weight": row.weight,
        "concurrency": row.concurrency,
        "rpm": row.rpm,
        "timeouts": msgspec.json.decode(row.timeouts),
        "options": row.options,
        "enabled": bool(row.enabled),
        "owned_by": row.owned_by,
    }


async def channel_named(tx: Tx, name: str) -> ChannelRow:
    """The channel by name or id; NotFound."""
    row = await rows.channel_by_name(tx, name)
    if row is None and name.startswith("ch_"):
        row = await rows.channel_by_id(tx, name)
    if row is None:
        raise NotFound(f"There is no channel {name!r}.")
    return row


async def group_names(tx: Tx) -> frozenset[str]:
    """Names of all groups."""
    return frozenset(group.name for group in await user_rows.all_groups(tx))


async def put_credentials(tx: Tx, desk: Desk, channel_id: str, given: list[Given]) -> bool:
    """Give a channel exactly these credentials; whether anything changed."""
    known = await rows.credentials_of(tx, channel_id)
    new, changed, gone = credential_rows(channel_id, given, known, desk.vault)
    for id in gone:
        await rows.drop_credential(tx, id)
    for row in new:
        await rows.add_credential(tx, row)
    for row in changed:
        await rows.set_credential(tx, row)
    return bool(new or changed or gone)


def _entry(desk: Desk, row: ChannelRow) -> ChannelEntry:
    try:
        return entry_of(row, desk.vault)
    except CannotOpen as error:
        raise Conflict(f"The options of this channel cannot be read: {error}.") from None


def _changed(desk: Desk, old: ChannelRow, changes: dict[str, Any], groups: frozenset[str]) -> ChannelRow:
    entry = _entry(desk, old)
    unknown = sorted(changes.keys() - set(ChannelEntry.__struct_fields__) | changes.keys() & {"name", "at"})
    if unknown:
        raise BadRequest(f"A channel has no {unknown[0]!r} that could be changed.")
    values = dict(changes)
    if "options" in values:
        options = {**entry.options, **values["options"]}
        values["options"] = {name: value for name, value in options.items() if value is not None}
    row = channel_row(msgspec.structs.replace(entry, **values), desk.providers, groups)
    row = replace(row, id=old.id, owned_by=old.owned_by, created_at=old.created_at)
    return seal_options(row, desk.vault, old)


def _view(desk: Desk, row: ChannelRow, credentials: list[CredentialRow]) -> ChannelView:
    try:
        options = shown_options(open_options(row, desk.vault))
    except CannotOpen as error:
        options = {"unreadable": str(error)}
    return ChannelView(
        id=row.id,
        name=row.name,
        provider=row.provider,
        base_url=row.base_url or None,
        credentials=[CredentialView(id=c.id, last4=c.last4, enabled=bool(c.enabled)) for c in credentials],
        models=msgspec.json.decode(row.models, type=dict[str, str]),
        groups=msgspec.json.decode(row.groups, type=list[str]),
        priority=row.priority,
        weight=row.weight,
        concurrency=row.concurrency,
        rpm=row.rpm,
        timeouts={name: ms / 1000 for name, ms in msgspec.json.decode(row.timeouts, type=dict[str, int]).items()},
        options=options,
        enabled=bool(row.enabled),
        owned_by=row.owned_by,
        created_at=row.created_at,
    )
