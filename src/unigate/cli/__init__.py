"""The command line: reads arguments, calls a use case, prints what it gives. Nothing is decided here."""

import typer

from unigate.base import log
from unigate.cli import channels, keys, looks, prices, serving, users
from unigate.cli.common import guarded

app = typer.Typer(
    name="unigate",
    help="One address and one key in front of every AI vendor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(serving.app)
app.add_typer(users.user_app, name="user")
app.add_typer(users.group_app, name="group")
app.add_typer(keys.app, name="key")
app.add_typer(channels.app, name="channel")
app.add_typer(prices.price_app, name="price")
app.add_typer(prices.settings_app, name="settings")
app.add_typer(looks.ledger_app, name="ledger")
app.add_typer(looks.app)


def main() -> None:
    """The command `unigate`."""
    log.configure("warning", json=False)  # to standard error, so that --json stays alone on standard output
    guarded(app)
