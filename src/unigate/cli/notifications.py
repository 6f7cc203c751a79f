"""`unigate notification`: what accounts are told, and where."""

from typing import Annotated, Any

import msgspec
import typer

from unigate.base.settings import Usd
from unigate.cli.common import DATA, USAGE, ConfigOption, DataOption, JsonOption, fail, given, secret_text, with_desk
from unigate.cli.output import print_json, print_rows, print_view, say
from unigate.manage import notifications
from unigate.manage.notification_forms import TargetForm
from unigate.manage.notifications import NotificationForm, NotificationView

app = typer.Typer()

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="Name, id or e-mail address.")]
_COLUMNS = ("id", "kind", "address", "url", "format", "events", "enabled", "disabled_because")
_TRIALS = ("target", "kind", "ok", "status", "error", "ms")


@app.command("list")
def list_notifications(
    *, user: UserArgument, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Show what a user is told, and where."""
    _show(with_desk(config, data, lambda desk: notifications.show_notifications(desk, user)), {}, json=json)


@app.command("set")
def set_notifications(
    *,
    user: UserArgument,
    targets: Annotated[
        str | None,
        typer.Option(
            help='All targets as a JSON list, such as \'[{"kind": "webhook", "url": "https://..."}]\'; '
            "- reads it from standard input."
        ),
    ] = None,
    low_balance: Annotated[str | None, typer.Option(help="USD below which a balance is low; empty: as usual.")] = None,
    language: Annotated[str | None, typer.Option(help="zh or en; empty: as usual.")] = None,
    task_callback_url: Annotated[
        str | None, typer.Option(help="Where tasks are told that name no callback; empty: nowhere.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change what a user is told; secrets that are made are shown this once."""
    form = NotificationForm(
        targets=_targets(secret_text("targets", targets)),
        low_balance=-1 if low_balance == "" else given("low-balance", low_balance, Usd),
        language=language,
        task_callback_url=task_callback_url,
    )
    _show(*with_desk(config, data, lambda desk: notifications.set_notifications(desk, user, form)), json=json)


@app.command("test")
def try_notifications(
    *,
    user: UserArgument,
    target: Annotated[str | None, typer.Option(help="Only this one, as `notification list` shows it.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Send a test to a user's targets now; exit code 1 where one did not take it."""
    trials = with_desk(config, data, lambda desk: notifications.try_notifications(desk, user, target))
    if json:
        print_json(trials)
    else:
        print_rows(trials, _TRIALS)
    if not all(trial.ok for trial in trials):
        raise typer.Exit(1)


def _targets(text: str | None) -> tuple[TargetForm, ...] | None:
    """Targets from JSON."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=tuple[TargetForm, ...], strict=True)
        for given in msgspec.json.decode(text, type=list[dict[str, Any]]):
            for name in given.keys() - TargetForm.__slots__:
                fail(f"--targets: a target has no {name!r}", USAGE)
    except msgspec.DecodeError as error:
        fail(f"--targets: {error}", USAGE)
    return found


def _show(view: NotificationView, secrets: dict[str, str], *, json: bool) -> None:
    shown: dict[str, Any] = {name: getattr(view, name) for name in NotificationView.__slots__}
    if json:
        print_json({**shown, "secrets": secrets})
        return
    print_rows(shown.pop("targets"), _COLUMNS)
    print_view(shown)
    for target, secret in secrets.items():
        say(f"secret of {target}: {secret}")
    if secrets:
        say("keep the secrets: they are shown this once")
