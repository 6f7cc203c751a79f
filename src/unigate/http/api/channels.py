"""`/api/channels`: accounts with providers, their credentials, health, and calls that try them."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from unigate.base.settings import ChannelEntry, ChannelLimits, ChannelTimeouts, Url
from unigate.http.api.fields import STAYS, Form, Time, View
from unigate.http.api.office import TheDesk, TheLive
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import channel_credentials, channel_models, channel_test, channels, parking
from unigate.manage.channel_rows import Given
from unigate.manage.channels import ChannelView
from unigate.manage.pricing import Watch

router = api_router("channels")
_MOST = 1_000_000_000
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
#: A text, or named texts where the vendor needs several.
Secret = Annotated[str, Field(min_length=1, max_length=65_536)] | Annotated[dict[Name, Name], Field(min_length=1)]
Models = dict[Name, Name] | list[Name] | Literal["*"]


class Limits(Form):
    """0: none."""

    concurrency: Count = STAYS
    rpm: Count = STAYS


class Timeouts(Form):
    """Seconds."""

    connect: Seconds = STAYS
    first_byte: Seconds = STAYS
    idle: Seconds = STAYS
    total: Seconds = STAYS


class ChannelChanges(Form):
    """What is to change; what is left out stays. Models, groups and credentials are replaced whole, options one by one."""

    base_url: Annotated[str | None, Field(max_length=2048, description="null: the provider's own.")] = STAYS
    credentials: Annotated[list[Secret], Field(description="They come out of here never again.")] = STAYS
    models: Annotated[Models, Field(description="Public name: upstream name; or names that are both; or `*`.")] = STAYS
    groups: list[Name] = STAYS
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000, description="Higher first.")] = STAYS
    weight: Annotated[Count, Field(description="Share among channels of the same priority.")] = STAYS
    limits: Limits = STAYS
    timeouts: Timeouts = STAYS
    options: Annotated[
        dict[Name, Any], Field(description="What only some providers need; null takes an option away.")
    ] = STAYS
    enabled: bool = STAYS


class NewChannel(ChannelChanges):
    """A channel to be made."""

    name: Name
    provider: Name = Field(description="One of `/api/providers`.")


class Credential(View):
    """A credential of a channel."""

    id: str
    last4: str
    enabled: bool


class Channel(View):
    """A channel; secrets in its options are blanked."""

    id: str
    name: str
    provider: str
    base_url: str | None
    credentials: list[Credential]
    models: dict[str, str]
    groups: list[str]
    priority: int
    weight: int
    limits: dict[str, int]
    timeouts: dict[str, float]
    options: dict[str, Any]
    enabled: bool
    owned_by: str = Field(description="`file`: it is changed in the config file only.")
    created_at: Time
    warnings: list[str] = Field([], description="What a change left without a price.")


class NewCredential(Form):
    """A credential to be added."""

    secret: Secret


class CredentialChanges(Form):
    """What is to change of a credential."""

    enabled: bool


class Test(Form):
    """What to ask a channel for."""

    model: Name | None = Field(None, description="Public name; the channel's first where left out.")
    operation: Name | None = Field(
        None, description="Such as openai.embeddings; one that fits the model where left out."
    )


class Tried(View):
    """How one credential fared."""

    credential: str
    ok: bool
    status: int = Field(description="The provider's; 0: it did not answer.")
    milliseconds: int
    message: str


class Tests(View):
    """How each credential fared."""

    data: list[Tried]


class Offered(View):
    """A model that the provider offers."""

    name: str
    served_as: list[str] = Field(description="Public names under which the channel serves it.")


class OfferedList(View):
    """All models that the provider offers."""

    data: list[Offered]


class Parked(View):
    """Whether something is tried."""

    until: Time | None = Field(description="null: it is not parked.")
    reason: str
    probing: bool = Field(description="After that, one call at a time tries it.")
    in_flight: int


class CredentialHealth(View):
    """A credential's health."""

    id: str
    last4: str
    enabled: bool
    parked: Parked


class Health(View):
    """A channel's health, as all workers of this node see it."""

    id: str
    name: str
    enabled: bool
    parked: Parked
    error_rate: float
    seconds: float = Field(description="Moving average to a good answer.")
    failures_in_a_row: int
    last_failure: str
    minute: int = Field(description="Calls of the last minute, where there is a limit of them.")
    credentials: list[CredentialHealth]


class HealthList(View):
    """The health of channels by name."""

    data: list[Health]


class ChannelQuery(Listed):
    """Which channels."""

    provider: str | None = None


@route(router, "GET", "/channels", role="operator")
async def list_channels(desk: TheDesk, query: Annotated[ChannelQuery, Query()]) -> Paged[Channel]:
    """List channels by name."""
    return paged(await channels.page_channels(desk, query.page(), provider=query.provider), _channel)


@route(router, "POST", "/channels", role="operator", audit="channel.create", status=201)
async def create_channel(desk: TheDesk, who: Caller, form: NewChannel) -> Channel:
    """Create a channel."""
    watch = await Watch.begin(desk)
    changes = _changes(form, ChannelLimits(), ChannelTimeouts())
    changes["options"] = {name: value for name, value in changes.get("options", {}).items() if value is not None}
    entry = ChannelEntry(name=form.name, provider=form.provider, **changes)
    made = await channels.create_channel(desk, entry, credentials=_credentials(form) or [], actor=who.actor)
    return _channel(made, await watch.warnings())


@route(router, "GET", "/channels/health", role="operator")
async def list_health(desk: TheDesk, live: TheLive, *, parked: bool = False) -> HealthList:
    """Show the health of all channels; `parked`: of those only that have something parked."""
    return HealthList(data=[Health.model_validate(v) for v in await parking.health(desk, live.health(), parked=parked)])


@route(router, "GET", "/channels/{channel}", role="operator")
async def show_channel(desk: TheDesk, channel: str) -> Channel:
    """Show a channel, by id or name."""
    return _channel(await channels.show_channel(desk, channel))


@route(router, "PATCH", "/channels/{channel}", role="operator", audit="channel.set")
async def change_channel(desk: TheDesk, who: Caller, channel: str, form: ChannelChanges) -> Channel:
    """Change a channel, within about a second everywhere."""
    old = await channels.channel_entry(desk, channel)
    watch = await Watch.begin(desk)
    changes = _changes(form, old.limits, old.timeouts)
    found = await channels.set_channel(desk, channel, changes, credentials=_credentials(form), actor=who.actor)
    return _channel(found, await watch.warnings())


@route(router, "GET", "/channels/{channel}/health", role="operator")
async def show_health(desk: TheDesk, live: TheLive, channel: str) -> Health:
    """Show a channel's health."""
    (found,) = await parking.health(desk, live.health(), channel)
    return Health.model_validate(found)


@route(router, "POST", "/channels/{channel}/unpark", role="operator", audit="channel.unpark", status=204)
async def unpark_channel(desk: TheDesk, who: Caller, channel: str) -> None:
    """Say that a channel and its credentials are well again: they are tried at once."""
    await parking.unpark(desk, channel, actor=who.actor)


@route(router, "POST", "/channels/{channel}/test", role="operator", audit="channel.test")
async def try_channel(desk: TheDesk, live: TheLive, who: Caller, channel: str, form: Test) -> Tests:
    """Ask for as little as can be with each credential. It costs what the provider charges for that."""
    client = live.services.upstreams.client
    found = await channel_test.try_channel(
        desk,
        channel,
        model=form.model,
        operation=form.operation,
        client=client,
        allow_private=live.allow_private,
        actor=who.actor,
    )
    return Tests(data=[Tried.model_validate(one) for one in found])


@route(router, "GET", "/channels/{channel}/models", role="operator")
async def fetch_models(desk: TheDesk, live: TheLive, channel: str, credential: str | None = None) -> OfferedList:
    """Ask the provider which models it offers."""
    client = live.services.upstreams.client
    found = await channel_models.fetch_models(
        desk, channel, credential=credential, client=client, allow_private=live.allow_private
    )
    return OfferedList(data=[Offered.model_validate(one) for one in found])


@route(router, "POST", "/channels/{channel}/credentials", role="operator", audit="channel.add_credential", status=201)
async def add_credential(desk: TheDesk, who: Caller, channel: str, form: NewCredential) -> Channel:
    """Add a credential to a channel."""
    return _channel(await channel_credentials.add_credential(desk, channel, _given(form.secret), actor=who.actor))


@route(
    router,
    "PATCH",
    "/channels/{channel}/credentials/{credential}",
    role="operator",
    audit="channel.enable_credential",
)
async def change_credential(
    desk: TheDesk, who: Caller, channel: str, credential: str, form: CredentialChanges
) -> Channel:
    """Switch a credential off or on."""
    found = await channel_credentials.set_credential(desk, channel, credential, enabled=form.enabled, actor=who.actor)
    return _channel(found)


@route(
    router,
    "DELETE",
    "/channels/{channel}/credentials/{credential}",
    role="operator",
    audit="channel.remove_credential",
)
async def remove_credential(desk: TheDesk, who: Caller, channel: str, credential: str) -> Channel:
    """Remove a credential for good."""
    return _channel(await channel_credentials.remove_credential(desk, channel, credential, actor=who.actor))


@route(
    router,
    "POST",
    "/channels/{channel}/credentials/{credential}/unpark",
    role="operator",
    audit="channel.unpark",
    status=204,
)
async def unpark_credential(desk: TheDesk, who: Caller, channel: str, credential: str) -> None:
    """Say that a credential is well again: it is tried at once."""
    await parking.unpark(desk, channel, credential, actor=who.actor)


def _changes(form: ChannelChanges, limits: ChannelLimits, timeouts: ChannelTimeouts) -> dict[str, Any]:
    """Fields of ChannelEntry that a form names."""
    changes = {
        name: getattr(form, name)
        for name in ("models", "groups", "priority", "weight", "options", "enabled")
        if form.given(name)
    }
    if form.given("base_url"):
        changes["base_url"] = Url(form.base_url) if form.base_url else None
    if form.given("limits"):
        named = form.limits.model_fields_set
        changes["limits"] = ChannelLimits(
            **{name: getattr(form.limits if name in named else limits, name) for name in ("concurrency", "rpm")}
        )
    if form.given("timeouts"):
        named = form.timeouts.model_fields_set
        changes["timeouts"] = ChannelTimeouts(
            **{
                name: getattr(form.timeouts if name in named else timeouts, name)
                for name in ("connect", "first_byte", "idle", "total")
            }
        )
    return changes


def _credentials(form: ChannelChanges) -> list[Given] | None:
    return [_given(one) for one in form.credentials] if form.given("credentials") else None


def _given(secret: str | dict[str, str]) -> Given:
    return secret


def _channel(view: ChannelView, warnings: list[str] | None = None) -> Channel:
    return Channel(
        id=view.id,
        name=view.name,
        provider=view.provider,
        base_url=view.base_url,
        credentials=[Credential.model_validate(one) for one in view.credentials],
        models=view.models,
        groups=view.groups,
        priority=view.priority,
        weight=view.weight,
        limits={"concurrency": view.concurrency, "rpm": view.rpm},
        timeouts=view.timeouts,
        options=view.options,
        enabled=view.enabled,
        owned_by=view.owned_by,
        created_at=view.created_at,
        warnings=warnings or [],
    )
