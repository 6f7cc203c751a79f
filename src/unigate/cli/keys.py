"""`unigate key`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unigate.base.settings import Moment, Usd
from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, given, secret_text, with_desk
from unigate.cli.output import plain, print_json, print_rows, print_view, say
from unigate.manage import keys
from unigate.manage.keys import KeyForm, KeyView

app = typer.Typer()

_COLUMNS = ("name", "user", "last4", "models", "budgets", "rpm", "tpm", "concurrency", "expires", "enabled", "id")
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Name, USER/NAME, or id.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="A model's name, or a pattern with one *; repeat.")]
Addresses = Annotated[list[str] | None, typer.Option("--address", help="An address or network; repeat.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="relay or manage; repeat.")]
Expires = Annotated[str | None, typer.Option(help="A date such as 2027-01-01, or never.")]
Day = Annotated[
    str | None, typer.Option("--budget-day", metavar="USD|none", help="Most that it spends in a day (UTC).")
]
Month = Annotated[str | None, typer.Option("--budget-month", metavar="USD|none", help="The same for a month.")]
Total = Annotated[str | None, typer.Option("--budget-total", metavar="USD|none", help="The same for all time.")]
Rpm = Annotated[int | None, typer.Option(help="Requests per minute; 0 = no limit.")]
Tpm = Annotated[int | None, typer.Option(help="Tokens per minute; 0 = no limit.")]
Concurrency = Annotated[int | None, typer.Option(help="Calls at once; 0 = no limit.")]
UserView = Annotated[
    bool | None, typer.Option("--user-view/--no-user-view", help="Whether it may see its user's balance.")
]


def _form(**options: Any) -> KeyForm:
    """The form that the options of a command make."""
    budgets = {
        period: None if text.lower() == "none" else given(f"budget-{period}", text, Usd)
        for period in keys.PERIODS
        if (text := options.pop(period)) is not None
    }
    expires = options.pop("expires")
    never = expires is not None and expires.lower() == "never"
    lists = {name: tuple(options.pop(name) or ()) or None for name in ("models", "addresses", "scopes")}
    fields: dict[str, Any] = {**options, **lists}
    return KeyForm(budgets=budgets or None, expires_at=0 if never else given("expires", expires, Moment), **fields)


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
    if json:
        print_json(views)
    else:
        print_rows(views, _COLUMNS)


@app.command("show")
def show_key(*, name: KeyName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Show what a key allows."""
    _show(with_desk(config, data, lambda desk: keys.show_key(desk, name)), json=json)


@app.command("create")
def create_key(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    user: Annotated[str, typer.Option(help="Who pays.")],
    secret: Annotated[
        str | None, typer.Option(help="A key of your own choice; - reads it from standard input.")
    ] = None,
    model: Models = None,
    address: Addresses = None,
    scope: Scopes = None,
    expires: Expires = None,
    budget_day: Day = None,
    budget_month: Month = None,
    budget_total: Total = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    user_view: UserView = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a key, and show it this once."""
    form = _form(
        models=model, addresses=address, scopes=scope, expires=expires, day=budget_day, month=budget_month,
        total=budget_total, rpm=rpm, tpm=tpm, concurrency=concurrency, user_view=user_view,
    )  # fmt: skip
    own = secret_text("secret", secret)
    view, made = with_desk(config, data, lambda desk: keys.create_key(desk, user, name, form, secret=own))
    _show(view, json=json, secret=made)


@app.command("set")
def set_key(
    *,
    name: KeyName,
    model: Models = None,
    address: Addresses = None,
    scope: Scopes = None,
    expires: Expires = None,
    budget_day: Day = None,
    budget_month: Month = None,
    budget_total: Total = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    user_view: UserView = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change what a key allows; what is not named stays."""
    form = _form(
        models=model, addresses=address, scopes=scope, expires=expires, day=budget_day, month=budget_month,
        total=budget_total, rpm=rpm, tpm=tpm, concurrency=concurrency, user_view=user_view,
    )  # fmt: skip
    _show(with_desk(config, data, lambda desk: keys.set_key(desk, name, form)), json=json)


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
