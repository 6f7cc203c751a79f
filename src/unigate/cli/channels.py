"""`unigate channel`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from unigate.base.settings import ChannelEntry, ChannelLimits, ChannelTimeouts, Name, Url
from unigate.cli.common import (
    DATA,
    USAGE,
    WANTING,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    named_option,
    parsed,
    secret_text,
    with_desk,
)
from unigate.cli.options import made_by
from unigate.cli.output import show, show_all
from unigate.manage import channels
from unigate.manage.channel_rows import Given
from unigate.manage.channel_test import try_channel
from unigate.manage.channels import ChannelView
from unigate.manage.desk import Desk

app = typer.Typer()

_COLUMNS = ("name", "provider", "base_url", "models", "groups", "priority", "weight", "enabled", "owned_by", "id")
#: Names of the parts of a credential.
_PART = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
ChannelName = Annotated[str, typer.Argument(metavar="NAME")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options of a command say of a channel."""

    #: Fields of ChannelEntry, but limits and timeouts: of these some may stay.
    changes: dict[str, Any]
    credentials: list[Given] | None = field(repr=False)
    concurrency: int | None
    rpm: int | None
    timeouts: list[str]

    def limits(self, old: ChannelLimits) -> ChannelLimits:
        """Limits as asked for, else the old ones."""
        return ChannelLimits(
            concurrency=old.concurrency if self.concurrency is None else self.concurrency,
            rpm=old.rpm if self.rpm is None else self.rpm,
        )


def _asked(
    *,
    base_url: Annotated[str | None, typer.Option(help="Where the provider has none of its own.")] = None,
    credential: Annotated[
        list[str] | None,
        typer.Option(help="A secret, or a=x,b=y where it has parts; - reads it; repeat for several."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="PUBLIC=UPSTREAM, or a NAME that is both, or *; repeat.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group that may use it; repeat.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher first.")] = None,
    weight: Annotated[int | None, typer.Option(min=0, help="Share among channels of the same priority.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=0, help="Calls at once; 0 = no limit.")] = None,
    rpm: Annotated[int | None, typer.Option(min=0, help="Calls per minute; 0 = no limit.")] = None,
    timeout: Annotated[
        list[str] | None, typer.Option(help="connect, first_byte, idle or total=SECONDS; repeat.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE (JSON, or a text); NAME= takes it away; repeat.")
    ] = None,
) -> _Asked:
    changes: dict[str, Any] = {}
    if priority is not None:
        changes["priority"] = priority
    if weight is not None:
        changes["weight"] = weight
    if base_url is not None:
        changes["base_url"] = Url(base_url) if base_url else None
    if model:
        changes["models"] = dict(_model(text) for text in model)
    if group:
        changes["groups"] = [parsed("group", text, Name) for text in group]
    if option:
        changes["options"] = dict(named_option(text) for text in option)
    return _Asked(
        changes=changes,
        credentials=_credentials(credential),
        concurrency=concurrency,
        rpm=rpm,
        timeouts=timeout or [],
    )


def _model(text: str) -> tuple[str, str]:
    public, equals, upstream = text.partition("=")
    return public, upstream if equals else public


def _timeouts(entry: ChannelTimeouts, texts: list[str]) -> ChannelTimeouts:
    kinds = {field.name: field.type for field in msgspec.structs.fields(ChannelTimeouts) if field.name != "at"}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in kinds:
            fail(f"--timeout: expected one of {', '.join(kinds)}=SECONDS, not {text!r}", USAGE)
        entry = msgspec.structs.replace(entry, **{name: parsed("timeout", value, kinds[name])})
    return entry


def _credentials(texts: list[str] | None) -> list[Given] | None:
    if not texts:
        return None
    return [_credential(secret_text("credential", text) or "") for text in texts]


def _credential(text: str) -> Given:
    """A secret, or its parts by name; a cookie (`__client=...; more=...`) is one secret."""
    pieces = [piece.partition("=") for piece in text.split(",")]
    if ";" not in text and all(equals and _PART.fullmatch(name) and value for name, equals, value in pieces):
        return {name: value for name, _, value in pieces}
    return text


@app.command("list")
def list_channels(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """List all channels."""
    views = with_desk(config, data, channels.list_channels)
    show_all(views, _COLUMNS, json=json)


@app.command("show")
def show_channel(
    *, name: ChannelName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show one channel, without its credentials."""
    show(with_desk(config, data, lambda desk: channels.show_channel(desk, name)), json=json)


@app.command("create")
@made_by(_asked)
def create_channel(
    *,
    name: ChannelName,
    provider: Annotated[str, typer.Option(help="One of `unigate providers`.")],
    made: _Asked,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a channel."""
    entry = msgspec.structs.replace(
        ChannelEntry(
            name=name,
            provider=provider,
            limits=made.limits(ChannelLimits()),
            timeouts=_timeouts(ChannelTimeouts(), made.timeouts),
        ),
        **made.changes,
    )

    async def create(desk: Desk) -> ChannelView:
        return await channels.create_channel(desk, entry, credentials=made.credentials)

    show(with_desk(config, data, create), json=json)


@app.command("set")
@made_by(_asked)
def set_channel(
    *,
    name: ChannelName,
    made: _Asked,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a channel; what is not named stays, what is named (models, groups, credentials) is replaced whole."""

    async def change(desk: Desk) -> ChannelView:
        changes = dict(made.changes)
        if made.concurrency is not None or made.rpm is not None or made.timeouts:
            old = await channels.channel_entry(desk, name)
            changes["limits"] = made.limits(old.limits)
            changes["timeouts"] = _timeouts(old.timeouts, made.timeouts)
        return await channels.set_channel(desk, name, changes, credentials=made.credentials)

    show(with_desk(config, data, change), json=json)


@app.command("disable")
def disable_channel(
    *, name: ChannelName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Send no further calls to a channel."""
    _set_enabled(name, config, data, json=json, enabled=False)


@app.command("enable")
def enable_channel(
    *, name: ChannelName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Undo disable."""
    _set_enabled(name, config, data, json=json, enabled=True)


@app.command("test")
def probe_channel(
    *,
    name: ChannelName,
    model: Annotated[str | None, typer.Option(help="Public name of the model to ask.")] = None,
    operation: Annotated[str | None, typer.Option(help="By which to ask it, such as openai.embeddings.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Ask a channel's provider for very little with each credential. It costs what the provider charges for that."""
    tried = with_desk(
        config, data, lambda desk: try_channel(desk, name, model=model, operation=operation, allow_private=True)
    )
    show_all(tried, ("credential", "ok", "status", "milliseconds", "message"), json=json)
    if not all(one.ok for one in tried):
        raise typer.Exit(WANTING)


def _set_enabled(name: str, config: Path | None, data: Path, *, json: bool, enabled: bool) -> None:
    changes = {"enabled": enabled}
    show(with_desk(config, data, lambda desk: channels.set_channel(desk, name, changes)), json=json)
