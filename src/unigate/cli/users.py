"""`unigate user` and `unigate group`."""

from pathlib import Path
from typing import Annotated

import typer

from unigate.base.money import format_usd
from unigate.base.settings import DEFAULT_GROUP, Multiplier, Usd
from unigate.cli.common import (
    DATA,
    ConfigOption,
    DataOption,
    JsonOption,
    given,
    parsed,
    secret_text,
    with_desk,
)
from unigate.cli.options import made_by
from unigate.cli.output import plain, print_json, print_view, say, show, show_all
from unigate.manage import groups, users
from unigate.manage.users import UserChanges

user_app = typer.Typer()
group_app = typer.Typer()

_USER_COLUMNS = ("name", "email", "role", "group", "balance", "used", "enabled", "owned_by", "id")
_GROUP_COLUMNS = ("name", "multiplier", "enabled", "owned_by", "id")
UserName = Annotated[str, typer.Argument(metavar="NAME", help="Name, id or e-mail address.")]
GroupName = Annotated[str, typer.Argument(metavar="NAME")]
Factor = Annotated[str | None, typer.Option("--multiplier", help="What prices are multiplied by, such as 1.25.")]


def _changes(
    *,
    email: Annotated[str | None, typer.Option(help="E-mail address to sign in with.")] = None,
    password: Annotated[str | None, typer.Option(help="Password; - reads it from standard input.")] = None,
    role: Annotated[str | None, typer.Option(help="user, operator, or owner.")] = None,
    group: Annotated[str | None, typer.Option(help="Name of the group.")] = None,
) -> UserChanges:
    """What the options say of a user."""
    return UserChanges(email=email, password=secret_text("password", password), role=role, group=group)


@user_app.command("list")
def list_users(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """List all users with their balances in USD."""
    views = with_desk(config, data, users.list_users)
    show_all(views, _USER_COLUMNS, json=json)


@user_app.command("show")
def show_user(
    *, name: UserName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show one user."""
    show(with_desk(config, data, lambda desk: users.show_user(desk, name)), json=json)


@user_app.command("create")
@made_by(_changes)
def create_user(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    made: UserChanges,
    credit: Annotated[str | None, typer.Option(help="USD to begin with.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a user. The first owner is made this way: --role owner --email E --password -."""
    amount = given("credit", credit, Usd) or 0
    view = with_desk(
        config,
        data,
        lambda desk: users.create_user(
            desk,
            name,
            email=made.email,
            password=made.password,
            role=made.role or "user",
            group=made.group or DEFAULT_GROUP,
            credit=amount,
        ),
    )
    show(view, json=json)


@user_app.command("set")
@made_by(_changes)
def set_user(
    *,
    name: UserName,
    made: UserChanges,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a user; what is not named stays."""
    show(with_desk(config, data, lambda desk: users.set_user(desk, name, made)), json=json)


@user_app.command("disable")
def disable_user(
    *, name: UserName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Refuse the user's keys and sign-in, within about a second everywhere."""
    _set_enabled(name, config, data, json=json, enabled=False)


@user_app.command("enable")
def enable_user(
    *, name: UserName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Undo disable."""
    _set_enabled(name, config, data, json=json, enabled=True)


@user_app.command("topup")
def topup(
    *,
    name: UserName,
    amount: Annotated[str, typer.Argument(metavar="USD", help="How much credit to give, such as 25 or 0.5.")],
    note: Annotated[str, typer.Option(help="Kept with the transfer.")] = "",
    id: Annotated[str | None, typer.Option("--id", help="Your own id of this payment: it is given once.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Give a user credit."""
    nano = parsed("usd", amount, Usd)
    own = None if id is None else f"topup:{id}"
    show(with_desk(config, data, lambda desk: users.topup(desk, name, nano, note=note, id=own)), json=json)


@user_app.command("takeback")
def take_back(
    *,
    name: UserName,
    amount: Annotated[str, typer.Argument(metavar="USD", help="How much credit to take back.")],
    note: Annotated[str, typer.Option(help="Kept with the transfer.")] = "",
    id: Annotated[str | None, typer.Option("--id", help="Your own id of this: it happens once.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Take credit back, at most what is left of it."""
    nano = parsed("usd", amount, Usd)
    own = None if id is None else f"takeback:{id}"
    view, taken = with_desk(config, data, lambda desk: users.take_back(desk, name, nano, note=note, id=own))
    if json:
        print_json({**plain(view), "taken": format_usd(taken)})
    else:
        say(f"took {format_usd(taken)} USD back")
        print_view(view)


@group_app.command("list")
def list_groups(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """List all groups."""
    views = with_desk(config, data, groups.list_groups)
    show_all(views, _GROUP_COLUMNS, json=json)


@group_app.command("show")
def show_group(
    *, name: GroupName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show one group."""
    show(with_desk(config, data, lambda desk: groups.show_group(desk, name)), json=json)


@group_app.command("create")
def create_group(
    *,
    name: GroupName,
    multiplier: Factor = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Create a group."""
    factor = parsed("multiplier", multiplier or "1", Multiplier)
    show(with_desk(config, data, lambda desk: groups.create_group(desk, name, factor)), json=json)


@group_app.command("set")
def set_group(
    *,
    name: GroupName,
    multiplier: Factor = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a group's multiplier, for calls from now on."""
    factor = given("multiplier", multiplier, Multiplier)
    show(with_desk(config, data, lambda desk: groups.set_group(desk, name, factor)), json=json)


@group_app.command("disable")
def disable_group(
    *, name: GroupName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Refuse the keys of all users of a group."""
    show(with_desk(config, data, lambda desk: groups.set_group(desk, name, enabled=False)), json=json)


@group_app.command("enable")
def enable_group(
    *, name: GroupName, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Undo disable."""
    show(with_desk(config, data, lambda desk: groups.set_group(desk, name, enabled=True)), json=json)


def _set_enabled(name: str, config: Path | None, data: Path, *, json: bool, enabled: bool) -> None:
    changes = UserChanges(enabled=enabled)
    show(with_desk(config, data, lambda desk: users.set_user(desk, name, changes)), json=json)
