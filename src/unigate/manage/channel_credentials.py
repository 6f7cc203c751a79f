"""A channel's credentials, one by one: added, switched off and on, removed. None is ever shown."""

from dataclasses import replace

from unigate.base.errors import Conflict, NotFound
from unigate.manage.audit import noted
from unigate.manage.channel_rows import Given, credential_rows
from unigate.manage.channels import ChannelView, channel_named, show_channel
from unigate.manage.desk import SHELL, Actor, Desk, check_editable, unique
from unigate.store import channels as rows
from unigate.store import generations
from unigate.store.channels import ChannelRow, CredentialRow
from unigate.store.database import Tx


async def add_credential(desk: Desk, channel: str, given: Given, *, actor: Actor = SHELL) -> ChannelView:
    """Add one behind the others. BadRequest, Conflict where the channel has it, NotFound."""
    with unique("This channel has that credential already."):
        async with desk.db.writing() as tx:
            row, known = await _owned(tx, channel)
            (new,), _, _ = credential_rows(row.id, [given], [], desk.vault)
            if any(one.fingerprint == new.fingerprint for one in known):
                raise Conflict("This channel has that credential already.")
            last = max((one.position for one in known), default=-1)
            await rows.add_credential(tx, replace(new, position=last + 1))
            await _note(tx, actor, "add_credential", row, new)
    return await show_channel(desk, row.id)


async def remove_credential(desk: Desk, channel: str, id: str, *, actor: Actor = SHELL) -> ChannelView:
    """Forget one for good. Conflict where the file owns the channel, NotFound."""
    async with desk.db.writing() as tx:
        row, known = await _owned(tx, channel)
        one = _of(known, id, row)
        await rows.drop_credential(tx, one.id)
        await _note(tx, actor, "remove_credential", row, one)
    return await show_channel(desk, row.id)


async def set_credential(desk: Desk, channel: str, id: str, *, enabled: bool, actor: Actor = SHELL) -> ChannelView:
    """Switch one off or on. Conflict where the file owns the channel, NotFound."""
    async with desk.db.writing() as tx:
        row, known = await _owned(tx, channel)
        one = _of(known, id, row)
        if bool(one.enabled) is not enabled:
            await rows.set_credential(tx, replace(one, enabled=int(enabled)))
            await _note(tx, actor, "enable_credential" if enabled else "disable_credential", row, one)
    return await show_channel(desk, row.id)


async def _owned(tx: Tx, channel: str) -> tuple[ChannelRow, list[CredentialRow]]:
    row = await channel_named(tx, channel)
    check_editable(row.owned_by, "channel", row.name)
    return row, await rows.credentials_of(tx, row.id)


def _of(known: list[CredentialRow], id: str, channel: ChannelRow) -> CredentialRow:
    for one in known:
        if one.id == id:
            return one
    raise NotFound(f"The channel {channel.name!r} has no credential {id!r}.")


async def _note(tx: Tx, actor: Actor, action: str, channel: ChannelRow, one: CredentialRow) -> None:
    await noted(tx, actor, action, "channel", channel.id, channel.name, after={"id": one.id, "last4": one.last4})
    await generations.bump(tx, ["channels"])
