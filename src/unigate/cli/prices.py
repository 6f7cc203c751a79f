"""`unigate price` and `unigate settings`."""

from typing import Annotated, Any

import msgspec
import typer

from unigate.base.errors import Conflict
from unigate.base.live_settings import LiveSettings
from unigate.base.settings import Moment, PriceEntry, Usd
from unigate.cli.common import (
    DATA,
    USAGE,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    given,
    parsed,
    with_desk,
)
from unigate.cli.options import made_by
from unigate.cli.output import show, show_all
from unigate.cli.price_import import import_list
from unigate.manage import live, prices, shipped
from unigate.manage.desk import Desk
from unigate.manage.price_forms import FORMS
from unigate.manage.prices import PriceView

price_app = typer.Typer()
settings_app = typer.Typer()

price_app.command("import")(import_list)

_COLUMNS = ("model", "operation", "when", "rates", "starts", "source", "state", "id")
PriceId = Annotated[str, typer.Argument(metavar="ID", help="As `price list` shows it.")]
SettingName = Annotated[str, typer.Argument(metavar="NAME")]


def _entry(
    *,
    rates: Annotated[
        list[str],
        typer.Argument(
            metavar="RATE...",
            help=f"NAME=USD, or NAME:VALUE=USD where it depends on a value (per_image:1024x1024=0.04, per_image:default="
            f"0.08). Per million tokens: {', '.join(name for name in FORMS if not name.startswith('per_'))}; else "
            f"{', '.join(name for name in FORMS if name.startswith('per_'))}.",
        ),
    ],
    model: Annotated[str | None, typer.Option(help="A model's public name, or a pattern with * at its end.")] = None,
    operation: Annotated[str | None, typer.Option(help="An operation, such as openai.chat.")] = None,
    when: Annotated[list[str] | None, typer.Option("--when", help="A condition NAME=VALUE; repeat.")] = None,
    starts: Annotated[
        str | None, typer.Option("--from", help="A date from which it holds; now where there is none.")
    ] = None,
) -> PriceEntry:
    """The price that the options of a command make."""
    fields: dict[str, Any] = {}
    for text in rates:
        name, equals, amount = text.partition("=")
        form, colon, value = name.partition(":")
        if form not in FORMS or not equals:
            fail(f"expected NAME=USD with a name of {', '.join(FORMS)}, not {text!r}", USAGE)
        nano = parsed(form, amount, Usd)
        if colon:
            values = fields.setdefault(form, {})
            if not isinstance(values, dict):
                fail(f"{form} is given with and without a value", USAGE)
            values[value] = nano
        elif form in fields:
            fail(f"{form} is given twice", USAGE)
        else:
            fields[form] = nano
    conditions = [text.partition("=") for text in when or ()]
    if not all(equals for _, equals, _ in conditions):
        fail("--when: expected NAME=VALUE", USAGE)
    return PriceEntry(
        model=model,
        operation=operation,
        when={name: value for name, _, value in conditions},
        starts=given("from", starts, Moment),
        **fields,
    )


@price_app.command("list")
def list_prices(
    *,
    history: Annotated[bool, typer.Option("--history", help="Also replaced and withdrawn ones.")] = False,
    own: Annotated[bool, typer.Option("--own", help="Without those that ship with unigate.")] = False,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List prices: your own, and the shipped ones that hold where you have none."""
    below = () if own else shipped.prices()
    views = with_desk(config, data, lambda desk: prices.list_prices(desk, below, history=history))
    show_all(views, _COLUMNS, json=json)


@price_app.command("show")
def show_price(*, id: PriceId, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Show one of your own prices."""
    show(with_desk(config, data, lambda desk: prices.show_price(desk, id)), json=json)


@price_app.command("create")
@made_by(_entry)
def create_price(
    *,
    made: PriceEntry,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Set a price where you have none of that model, operation and conditions yet."""

    async def create(desk: Desk) -> PriceView:
        for view in await prices.list_prices(desk):
            if (view.model, view.operation, view.when) == (made.model, made.operation, made.when):
                raise Conflict(f"There is such a price already ({view.id}): change it by `price set`.")
        return await prices.set_price(desk, made)

    show(with_desk(config, data, create), json=json)


@price_app.command("set")
@made_by(_entry)
def set_price(
    *,
    made: PriceEntry,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Set a price from now on, or from a date; calls already admitted keep theirs."""
    show(with_desk(config, data, lambda desk: prices.set_price(desk, made)), json=json)


@price_app.command("disable")
def disable_price(
    *, id: PriceId, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Withdraw a price; what stood before it, or was shipped, holds again."""
    show(with_desk(config, data, lambda desk: prices.withdraw_price(desk, id)), json=json)


@settings_app.command("list")
def list_settings(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """List all settings."""
    views = with_desk(config, data, live.list_settings)
    show_all(views, ("name", "value", "default", "owned_by"), json=json)


@settings_app.command("show")
def show_setting(
    *, name: SettingName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show one setting."""
    show(with_desk(config, data, lambda desk: live.show_setting(desk, name)), json=json)


@settings_app.command("set")
def set_setting(
    *,
    name: SettingName,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="JSON, or a text.")],
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a setting, within about a second everywhere."""
    found = _value(name, value)
    show(with_desk(config, data, lambda desk: live.set_setting(desk, name, found)), json=json)


@settings_app.command("disable")
def reset_setting(
    *, name: SettingName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Back to the default."""
    show(with_desk(config, data, lambda desk: live.set_setting(desk, name, None)), json=json)


def _value(name: str, text: str) -> object:
    kinds = {field.name: field.type for field in msgspec.structs.fields(LiveSettings)}
    if kinds.get(name) is str:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
