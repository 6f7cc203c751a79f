"""`unigate channel`."""

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
    parsed,
    secret_text,
    with_desk,
)
from unigate.cli.output import print_json, print_rows, print_view
from unigate.manage import channels
from unigate.manage.channel_rows import Given
from unigate.manage.channel_test import try_channel
from unigate.manage.channels import ChannelView
from unigate.manage.desk import Desk

app = typer.Typer()

_COLUMNS = ("name", "provider", "base_url", "models", "groups", "priority", "weight", "enabled", "owned_by", "id")
ChannelName = Annotated[str, typer.Argument(metavar="NAME")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Where the provider has none of its own.")]
Credentials = Annotated[
    list[str] | None,
    typer.Option("--credential", help="A secret, or a=x,b=y where it has parts; - reads it; repeat for several."),
]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="PUBLIC=UPSTREAM, or a NAME that is both, or *; repeat.")
]
Groups = Annotated[list[str] | None, typer.Option("--group", help="A group that may use it; repeat.")]
Priority = Annotated[int | None, typer.Option(help="Higher first.")]
Weight = Annotated[int | None, typer.Option(min=0, help="Share among channels of the same priority.")]
Concurrency = Annotated[int | None, typer.Option(min=0, help="Calls at once; 0 = no limit.")]
Rpm = Annotated[int | None, typer.Option(min=0, help="Calls per minute; 0 = no limit.")]
Timeouts = Annotated[
    list[str] | None, typer.Option("--timeout", help="connect, first_byte, idle or total=SECONDS; repeat.")
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", help="NAME=VALUE (JSON, or a text); NAME= takes it away; repeat."),
]


def _show(view: ChannelView, *, json: bool) -> None:
    (print_json if json else print_view)(view)


def _changes(**options: Any) -> dict[str, Any]:
    """Fields of ChannelEntry that the options of a command name."""
    changes = {name: options[name] for name in ("priority", "weight") if options[name] is not None}
    if options["base_url"] is not None:
        changes["base_url"] = Url(options["base_url"]) if options["base_url"] else None
    if options["model"]:
        changes["models"] = dict(_model(text) for text in options["model"])
    if options["group"]:
        changes["groups"] = [parsed("group", text, Name) for text in options["group"]]
    if options["option"]:
        changes["options"] = dict(_option(text) for text in options["option"])
    return changes


def _model(text: str) -> tuple[str, str]:
    public, equals, upstream = text.partition("=")
    return public, upstream if equals else public


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        fail(f"--option: expected NAME=VALUE, not {text!r}", USAGE)
    try:
        return name, msgspec.json.decode(value) if value else None
    except msgspec.DecodeError:
        return name, value


def _timeouts(entry: ChannelTimeouts, texts: list[str] | None) -> ChannelTimeouts:
    kinds = {field.name: field.type for field in msgspec.structs.fields(ChannelTimeouts) if field.name != "at"}
    for text in texts or ():
        name, _, value = text.partition("=")
        if name not in kinds:
            fail(f"--timeout: expected one of {', '.join(kinds)}=SECONDS, not {text!r}", USAGE)
        entry = msgspec.structs.replace(entry, **{name: parsed("timeout", value, kinds[name])})
    return entry


def _limits(entry: ChannelLimits, concurrency: int | None, rpm: int | None) -> ChannelLimits:
    return ChannelLimits(
        concurrency=entry.concurrency if concurrency is None else concurrency,
        rpm=entry.rpm if rpm is None else rpm,
    )


def _credentials(texts: list[str] | None) -> list[Given] | None:
    if not texts:
        return None
    return [_credential(secret_text("credential", text) or "") for text in texts]


def _credential(text: str) -> Given:
    pieces = [piece.partition("=") for piece in text.split(",")]
    if all(equals and name.isidentifier() and value for name, equals, value in pieces):
        return {name: value for name, _, value in pieces}
    return text


@app.command("list")
def list_channels(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """List all channels."""
    views = with_desk(config, data, channels.list_channels)
    if json:
        print_json(views)
    else:
        print_rows(views, _COLUMNS)


@app.command("show")
def show_channel(
    *, name: ChannelName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show one channel, without its credentials."""
    _show(with_desk(config, data, lambda desk: channels.show_channel(desk, name)), json=json)


@app.command("create")
def create_channel(
    *,
    name: ChannelName,
    provider: Annotated[str, typer.Option(help="One of `unigate providers`.")],
    base_url: BaseUrl = None,
    credential: Credentials = None,
    model: Models = None,
    group: Groups = None,
    priority: Priority = None,
    weight: Weight = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeouts = None,
    option: Options = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a channel."""
    changes = _changes(
        base_url=base_url, model=model, group=group, priority=priority, weight=weight, option=option
    )  # fmt: skip
    entry = msgspec.structs.replace(
        ChannelEntry(
            name=name,
            provider=provider,
            limits=_limits(ChannelLimits(), concurrency, rpm),
            timeouts=_timeouts(ChannelTimeouts(), timeout),
        ),
        **changes,
    )
    given = _credentials(credential)

    async def create(desk: Desk) -> ChannelView:
        return await channels.create_channel(desk, entry, credentials=given)

    _show(with_desk(config, data, create), json=json)


@app.command("set")
def set_channel(
    *,
    name: ChannelName,
    base_url: BaseUrl = None,
    credential: Credentials = None,
    model: Models = None,
    group: Groups = None,
    priority: Priority = None,
    weight: Weight = None,
    concurrency: Concurrency = None,
    rpm: Rpm = None,
    timeout: Timeouts = None,
    option: Options = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a channel; what is not named stays, what is named (models, groups, credentials) is replaced whole."""
    changes = _changes(base_url=base_url, model=model, group=group, priority=priority, weight=weight, option=option)
    given = _credentials(credential)

    async def change(desk: Desk) -> ChannelView:
        if concurrency is not None or rpm is not None or timeout:
            old = await channels.channel_entry(desk, name)
            changes["limits"] = _limits(old.limits, concurrency, rpm)
            changes["timeouts"] = _timeouts(old.timeouts, timeout)
        return await channels.set_channel(desk, name, changes, credentials=given)

    _show(with_desk(config, data, change), json=json)


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
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Ask a channel's provider for one token with each credential. It costs what the provider charges for that."""
    tried = with_desk(config, data, lambda desk: try_channel(desk, name, model=model, allow_private=True))
    if json:
        print_json(tried)
    else:
        print_rows(tried, ("credential", "ok", "status", "milliseconds", "message"))
    if not all(one.ok for one in tried):
        raise typer.Exit(WANTING)


def _set_enabled(name: str, config: Path | None, data: Path, *, json: bool, enabled: bool) -> None:
    changes = {"enabled": enabled}
    _show(with_desk(config, data, lambda desk: channels.set_channel(desk, name, changes)), json=json)
