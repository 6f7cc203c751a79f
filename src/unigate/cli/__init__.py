"""The command line: reads arguments, calls a use case, prints what it gives. Nothing is decided here.

A command loads what it needs: the modules below of groups, whose use cases know the database, when one of their commands
is named.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from unigate.cli import looks, serving
from unigate.cli.common import guarded

#: Name, module, the name of its app there, help.
_GROUPS = (
    ("user", "users", "user_app", "Users: who pays, and who may sign in."),
    ("group", "users", "group_app", "Groups: a price multiplier, and the channels that its users may use."),
    ("key", "keys", "app", "Callers' API keys."),
    ("channel", "channels", "app", "Channels: accounts with providers."),
    ("price", "prices", "price_app", "Prices in USD; a change is a new price from now on, or from a date."),
    ("secret", "secret", "app", "The secret that seals credentials at rest."),
    ("settings", "prices", "settings_app", "Settings that can change while the gateway runs."),
)


def _later(module: str, app: str) -> type[TyperGroup]:
    """A group that loads its commands when it is asked for them."""

    class Later(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            self._load()
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            self._load()
            return super().get_command(ctx, cmd_name)

        def _load(self) -> None:
            if not self.commands:
                found: Any = typer.main.get_command(getattr(import_module(f"{__name__}.{module}"), app))
                self.commands = found.commands

    return Later


app = typer.Typer(
    name="unigate",
    help="One address and one key in front of every AI vendor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(serving.app)
for _name, _module, _app, _help in _GROUPS:
    app.add_typer(typer.Typer(), name=_name, cls=_later(_module, _app), help=_help, no_args_is_help=True)
app.add_typer(looks.ledger_app, name="ledger", help="The books.", no_args_is_help=True)
app.add_typer(looks.app)


def main() -> None:
    """The command `unigate`."""
    guarded(app)
