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
    ("code", "codes", "app", "Redemption codes: credit that whoever has the code can take, once."),
    ("webhook", "webhooks", "app", "Webhooks: addresses that are told of the ends of their user's tasks."),
    ("delivery", "webhooks", "delivery_app", "Messages to callers' addresses, and how each try went."),
    ("notification", "notifications", "app", "Notifications: what accounts are told, by mail or webhook."),
    ("task", "tasks", "app", "Tasks: what is made while nobody waits."),
    ("usage", "usage", "app", "What was used: sums by time and by user, key, model, channel, operation or end."),
    ("secret", "secret", "app", "The secret that seals credentials at rest."),
    ("storage", "storage", "app", "Where files of tasks are kept."),
    ("settings", "prices", "settings_app", "Settings that can change while the gateway runs."),
)


def _later(module: str, app: str) -> type[TyperGroup]:
    """A group that loads its commands when it is asked for them."""

    class Later(TyperGroup):
        def make_context(self, *args: Any, **extra: Any) -> Any:
            found: Any = typer.main.get_command(getattr(import_module(f"{__name__}.{module}"), app))
            self.commands = found.commands
            if found.callback is not None and found.invoke_without_command:  # it is a command itself
                self.callback, self.params = found.callback, found.params
                self.invoke_without_command, self.no_args_is_help = True, False
            return super().make_context(*args, **extra)

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
