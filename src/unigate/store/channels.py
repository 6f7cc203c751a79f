"""Channels and their sealed credentials as rows."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from unigate.store.database import Tx
from unigate.store.pages import Listing, Page, Slice
from unigate.store.tables import channels, credentials


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A row of `channels`; lists and mappings as JSON text, timeouts in it in ms, `options` sealed or empty."""

    id: str
    name: str
    provider: str
    base_url: str
    models: str
    groups: str
    priority: int
    weight: int
    concurrency: int
    rpm: int
    timeouts: str
    options: str
    enabled: int
    owned_by: str
    created_at: int


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A row of `credentials`: the secret sealed, and a fingerprint by which it is known again."""

    id: str
    channel_id: str
    position: int
    sealed: str
    fingerprint: bytes
    last4: str
    enabled: int
    created_at: int

    def __repr__(self) -> str:
        return f"CredentialRow({self.id})"


_ALL = select(channels).order_by(channels.c.name)
_LIST = Listing(
    select(channels), (channels.c.name,), {"provider": channels.c.provider == bindparam("provider")}, newest_first=False
)
_BY_NAME = select(channels).where(channels.c.name == bindparam("by"))
_BY_ID = select(channels).where(channels.c.id == bindparam("by"))
_ADD = insert(channels)
_CHANGES = (
    "provider",
    "base_url",
    "models",
    "groups",
    "priority",
    "weight",
    "concurrency",
    "rpm",
    "timeouts",
    "options",
    "enabled",
    "owned_by",
)
_SET = (
    update(channels)
    .where(channels.c.id == bindparam("of"))
    .values({name: bindparam(f"to_{name}") for name in _CHANGES})
)
_CREDENTIALS = select(credentials).order_by(credentials.c.channel_id, credentials.c.position, credentials.c.id)
_CREDENTIALS_OF = (
    select(credentials)
    .where(credentials.c.channel_id == bindparam("of"))
    .order_by(credentials.c.position, credentials.c.id)
)
_ADD_CREDENTIAL = insert(credentials)
_SET_CREDENTIAL = (
    update(credentials)
    .where(credentials.c.id == bindparam("of"))
    .values(
        position=bindparam("to_position"),
        sealed=bindparam("to_sealed"),
        fingerprint=bindparam("to_fingerprint"),
        enabled=bindparam("to_enabled"),
    )
)
_DROP_CREDENTIAL = delete(credentials).where(credentials.c.id == bindparam("of"))


async def all_channels(tx: Tx) -> list[ChannelRow]:
    """All channels by name."""
    return [ChannelRow(*row) for row in await tx.all(_ALL)]


async def page(tx: Tx, page: Page, *, provider: str | None = None) -> Slice[ChannelRow]:
    """A page of channels by name."""
    return (await _LIST.read(tx, page, provider=provider)).map(lambda row: ChannelRow(*row))


async def channel_by_id(tx: Tx, id: str) -> ChannelRow | None:
    """The channel of that id."""
    row = await tx.one(_BY_ID, {"by": id})
    return ChannelRow(*row) if row else None


async def channel_by_name(tx: Tx, name: str) -> ChannelRow | None:
    """The channel of that name."""
    row = await tx.one(_BY_NAME, {"by": name})
    return ChannelRow(*row) if row else None


async def add_channel(tx: Tx, channel: ChannelRow) -> None:
    """Insert a channel; ConstraintFailed (unique) where the name is taken."""
    await tx.run(_ADD, asdict(channel))


async def set_channel(tx: Tx, channel: ChannelRow) -> None:
    """Write what may change of a channel."""
    await tx.run(_SET, {"of": channel.id, **{f"to_{name}": getattr(channel, name) for name in _CHANGES}})


async def all_credentials(tx: Tx) -> dict[str, list[CredentialRow]]:
    """All credentials by the id of their channel, in order."""
    found: dict[str, list[CredentialRow]] = {}
    for row in await tx.all(_CREDENTIALS):
        credential = CredentialRow(*row)
        found.setdefault(credential.channel_id, []).append(credential)
    return found


async def credentials_of(tx: Tx, channel_id: str) -> list[CredentialRow]:
    """The credentials of a channel, in order."""
    return [CredentialRow(*row) for row in await tx.all(_CREDENTIALS_OF, {"of": channel_id})]


async def add_credential(tx: Tx, credential: CredentialRow) -> None:
    """Insert a credential."""
    await tx.run(_ADD_CREDENTIAL, asdict(credential))


async def set_credential(tx: Tx, credential: CredentialRow) -> None:
    """Write what may change of a credential: its place, and how it is sealed."""
    values = {name: getattr(credential, name) for name in ("position", "sealed", "fingerprint", "enabled")}
    await tx.run(_SET_CREDENTIAL, {"of": credential.id, **{f"to_{name}": value for name, value in values.items()}})


async def drop_credential(tx: Tx, id: str) -> None:
    """Forget a credential for good."""
    await tx.run(_DROP_CREDENTIAL, {"of": id})
