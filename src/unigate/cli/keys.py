"""`unigate key`."""

from pathlib import Path
from typing import Annotated

import typer

from unigate.base.settings import Moment, Usd
from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, given, named_option, secret_text, with_desk
from unigate.cli.options import made_by
from unigate.cli.output import plain, print_json, print_view, say, show_all
from unigate.manage import keys
from unigate.manage.keys import KeyForm, KeyView

app = typer.Typer()

_COLUMNS = ("name", "user", "last4", "models", "budgets", "rpm", "tpm", "concurrency", "expires", "enabled", "id")
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Name, USER/NAME, or id.")]


def _form(
    *,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model's name, or a pattern with one *; repeat.")
    ] = None,
    address: Annotated[list[str] | None, typer.Option("--address", help="An address or network; repeat.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="relay, platform or manage; repeat.")] = None,
    expires: Annotated[str | None, typer.Option(help="A date such as 2027-01-01, or never.")] = None,
    budget_day: Annotated[
        str | None, typer.Option(metavar="USD|none", help="Most that it spends in a day (UTC).")
    ] = None,
    budget_month: Annotated[str | None, typer.Option(metavar="USD|none", help="The same for a month.")] = None,
    budget_total: Annotated[str | None, typer.Option(metavar="USD|none", help="The same for all time.")] = None,
    rpm: Annotated[int | None, typer.Option(help="Requests per minute; 0 = no limit.")] = None,
    tpm: Annotated[int | None, typer.Option(help="Tokens per minute; 0 = no limit.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls at once; 0 = no limit.")] = None,
    user_view: Annotated[
        bool | None, typer.Option("--user-view/--no-user-view", help="Whether it may see its user's balance.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Days for which prompts and answers of its calls are kept; 0 = they are not.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, such as midjourney_mode=relax; NAME= takes it away; repeat.")
    ] = None,
) -> KeyForm:
    """What a key allows, as its options say."""
    budgets = {
        period: None if text.lower() == "none" else given(f"budget-{period}", text, Usd)
        for period, text in (("day", budget_day), ("month", budget_month), ("total", budget_total))
        if text is not None
    }
    never = expires is not None and expires.lower() == "never"
    return KeyForm(
        models=tuple(model or ()) or None,
        addresses=tuple(address or ()) or None,
        scopes=tuple(scope or ()) or None,
        expires_at=0 if never else given("expires", expires, Moment),
        budgets=budgets or None,
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
        user_view=user_view,
        keep_days=keep_days,
        options=dict(named_option(text) for text in option) if option else None,
    )


def _show(view: KeyView, *, json: bool, secret: str | None = None) -> None:
    if json:
        print_json(plain(view) if secret is None else {**plain(view), "secret": secret})
        return
    print_view(view)
    if secret is not None:
        say(f"\n{secret}\nThis is the key. It is shown this once.")


@app.command("list")
def list_keys(
    *,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List keys."""
    views = with_desk(config, data, lambda desk: keys.list_keys(desk, user))
    show_all(views, _COLUMNS, json=json)


@app.command("show")
def show_key(*, name: KeyName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Show what a key allows."""
    _show(with_desk(config, data, lambda desk: keys.show_key(desk, name)), json=json)


@app.command("create")
@made_by(_form)
def create_key(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    user: Annotated[str, typer.Option(help="Who pays.")],
    secret: Annotated[
        str | None, typer.Option(help="A key of your own choice; - reads it from standard input.")
    ] = None,
    made: KeyForm,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a key, and show it this once."""
    own = secret_text("secret", secret)
    view, shown = with_desk(config, data, lambda desk: keys.create_key(desk, user, name, made, secret=own))
    _show(view, json=json, secret=shown)


@app.command("set")
@made_by(_form)
def set_key(
    *,
    name: KeyName,
    made: KeyForm,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change what a key allows; what is not named stays."""
    _show(with_desk(config, data, lambda desk: keys.set_key(desk, name, made)), json=json)


@app.command("disable")
def disable_key(
    *, name: KeyName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Refuse a key, within about a second everywhere."""
    _set_enabled(name, config, data, json=json, enabled=False)


@app.command("enable")
def enable_key(
    *, name: KeyName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Undo disable."""
    _set_enabled(name, config, data, json=json, enabled=True)


@app.command("rotate")
def rotate_key(
    *, name: KeyName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Give a key another secret, and show it this once; the old one ends at once."""
    view, made = with_desk(config, data, lambda desk: keys.rotate_key(desk, name))
    _show(view, json=json, secret=made)


def _set_enabled(name: str, config: Path | None, data: Path, *, json: bool, enabled: bool) -> None:
    form = KeyForm(enabled=enabled)
    _show(with_desk(config, data, lambda desk: keys.set_key(desk, name, form)), json=json)
