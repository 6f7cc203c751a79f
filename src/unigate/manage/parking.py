"""Parking: what the workers of this node have learnt of channels, and an operator's word that one is well again.

Health lives in the memory of each worker. The word is left in the database, with the number that makes every worker of
every node load its channels anew; whoever loads them later has nothing parked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import NotFound
from unigate.manage.audit import noted
from unigate.manage.channels import channel_named
from unigate.manage.desk import SHELL, Actor, Desk, json_text
from unigate.routing.snapshot import ChannelState, ParkedState, Snapshot
from unigate.store import channels as rows
from unigate.store import generations, settings_rows
from unigate.store.database import Tx
from unigate.store.settings_rows import SettingRow

#: The gateway's own setting: id -> when it was said.
_NAME = "_unparked"
#: By then every process has heard of it.
_REMEMBERED_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedView:
    """How a channel or credential stands; times in ms since 1970."""

    #: Until when it is not tried, None where it is not parked.
    until: int | None
    reason: str
    #: After that one call at a time tries it.
    probing: bool
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHealthView:
    """A credential's health."""

    id: str
    last4: str
    enabled: bool
    parked: ParkedView


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """A channel's health, as the workers of this node see it together."""

    id: str
    name: str
    enabled: bool
    parked: ParkedView
    #: Share of the latest calls that failed, and a moving average of seconds to a good answer.
    error_rate: float
    seconds: float
    failures_in_a_row: int
    last_failure: str
    #: Calls of the last minute, where the channel has a limit of them.
    minute: int
    credentials: list[CredentialHealthView]


async def health(
    desk: Desk, known: Mapping[str, object] | None, name: str | None = None, *, parked: bool = False
) -> list[HealthView]:
    """The health of all channels, or of one, by name; `parked`: only where something is. NotFound.

    `known` is what the workers publish (`routing.snapshot`), None where there is nothing yet.
    """
    states = msgspec.convert(known, Snapshot).channels if known is not None else {}
    async with desk.db.reading() as tx:
        some = [await channel_named(tx, name)] if name is not None else await rows.all_channels(tx)
        credentials = await rows.all_credentials(tx)
    views = []
    for row in some:
        state = states.get(row.id, ChannelState())
        own = [
            CredentialHealthView(
                id=c.id,
                last4=c.last4,
                enabled=bool(c.enabled),
                parked=_parked(state.credentials.get(c.id, ParkedState())),
            )
            for c in credentials.get(row.id, [])
        ]
        views.append(
            HealthView(
                id=row.id,
                name=row.name,
                enabled=bool(row.enabled),
                parked=_parked(state),
                error_rate=round(state.bad / (state.good + state.bad + 2.0), 4),
                seconds=round(state.seconds, 4),
                failures_in_a_row=state.failures,
                last_failure=state.last_failure,
                minute=state.minute,
                credentials=own,
            )
        )
    return [view for view in views if not parked or _any_parked(view)]


async def unpark(desk: Desk, name: str, credential: str | None = None, *, actor: Actor = SHELL) -> None:
    """Say that a channel, or one of its credentials, is well again: tried at once by every worker. NotFound."""
    async with desk.db.writing() as tx:
        await generations.lock(tx)  # of two that say it at once, one comes after the other
        channel = await channel_named(tx, name)
        owned = await rows.credentials_of(tx, channel.id)
        if credential is not None and credential not in {c.id for c in owned}:
            raise NotFound(f"The channel {channel.name!r} has no credential {credential!r}.")
        now = now_ms()
        told = {id: at for id, at in (await unparked(tx)).items() if at > now - _REMEMBERED_MS}
        # The router lifts a channel with all its credentials.
        subject = credential or channel.id
        told[subject] = max(now, told.get(subject, 0) + 1)
        row = SettingRow(name=_NAME, value=json_text(told), owned_by="", changed_at=now)
        await settings_rows.put_setting(tx, row)
        facts = {"unparked": credential or "all"}
        await noted(tx, actor, "unpark", "channel", channel.id, channel.name, after=facts)
        await generations.bump(tx, ["channels"])


async def unparked(tx: Tx) -> dict[str, int]:
    """What was said of late: id of a channel or credential -> when."""
    row = await settings_rows.setting(tx, _NAME)
    return msgspec.json.decode(row.value, type=dict[str, int]) if row is not None else {}


def _parked(state: ParkedState) -> ParkedView:
    return ParkedView(until=state.until or None, reason=state.reason, probing=state.gated, in_flight=state.in_flight)


def _any_parked(view: HealthView) -> bool:
    return view.parked.until is not None or any(c.parked.until is not None for c in view.credentials)
