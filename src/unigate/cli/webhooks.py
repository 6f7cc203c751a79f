"""`unigate webhook` and `unigate delivery`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, secret_text, with_desk
from unigate.cli.output import print_json, print_rows, print_view, say, show
from unigate.manage import deliveries, webhooks
from unigate.manage.deliveries import MessageFilter
from unigate.manage.webhooks import WebhookForm, WebhookView
from unigate.store.pages import Page, Slice

app = typer.Typer()
delivery_app = typer.Typer()

_COLUMNS = ("id", "user", "url", "events", "enabled", "disabled_because", "failing_since", "created_at")
_MESSAGES = ("id", "task_id", "event", "url", "state", "created_at", "due_at", "tries")
#: Read at once of a list that is printed whole.
_ROWS = 200
WebhookId = Annotated[str, typer.Argument(metavar="ID", help="As `webhook list` shows it.")]
EventsOption = Annotated[
    list[str] | None, typer.Option("--event", help=f"One of {', '.join(webhooks.EVENTS)}; repeat it for several.")
]
SecretOption = Annotated[
    str | None,
    typer.Option(help="`whsec_...` by which it is signed; empty: the user's; - reads it from standard input."),
]


@app.command("list")
def list_webhooks(
    *,
    user: Annotated[str | None, typer.Option(help="Of this user.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List webhooks, newest first."""
    views = with_desk(config, data, lambda desk: _every(lambda page: webhooks.list_webhooks(desk, page, user=user)))
    if json:
        print_json(views)
    else:
        print_rows(views, _COLUMNS)


@app.command("create")
def create_webhook(
    *,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name, id or e-mail address.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to.")],
    event: EventsOption = None,
    secret: SecretOption = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Make a webhook; what signs its messages is shown this once."""
    form = WebhookForm(url=url, events=_events(event), secret=secret_text("secret", secret))
    _told(with_desk(config, data, lambda desk: webhooks.create_webhook(desk, user, form)), json=json)


@app.command("set")
def set_webhook(
    *,
    id: WebhookId,
    url: Annotated[str | None, typer.Option(help="Where to.")] = None,
    event: EventsOption = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Tell it of everything.")] = False,
    secret: SecretOption = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Switch it on or off.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Change a webhook."""
    events = () if all_events else _events(event)
    form = WebhookForm(url=url, events=events, secret=secret_text("secret", secret), enabled=enabled)
    show(with_desk(config, data, lambda desk: webhooks.set_webhook(desk, id, form)), json=json)


@app.command("rotate")
def rotate_webhook(
    *, id: WebhookId, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Give a webhook another secret, shown this once; for a day the old one signs too."""
    _told(with_desk(config, data, lambda desk: webhooks.rotate_webhook(desk, id)), json=json)


@app.command("delete")
def delete_webhook(
    *, id: WebhookId, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Delete a webhook; what waits for it is not sent any more."""
    with_desk(config, data, lambda desk: webhooks.delete_webhook(desk, id))
    if json:
        print_json({"id": id})
    else:
        say(f"deleted {id}")


@app.command("test")
def try_webhook(
    *, id: WebhookId, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False
) -> None:
    """Send an event `test` now; exit code 1 where it was not taken."""
    trial = with_desk(config, data, lambda desk: webhooks.try_webhook(desk, id))
    show(trial, json=json)
    if not trial.ok:
        raise typer.Exit(1)


@delivery_app.command("list")
def list_deliveries(
    *,
    user: Annotated[str | None, typer.Option(help="To this user.")] = None,
    task: Annotated[str | None, typer.Option(help="About this task.")] = None,
    webhook: Annotated[str | None, typer.Option(help="To this webhook.")] = None,
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(deliveries.STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_ROWS, help="The newest so many.")] = 50,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List messages with their tries, newest first."""
    wanted = MessageFilter(user=user, task=task, webhook=webhook, state=state)
    found = with_desk(config, data, lambda desk: deliveries.list_messages(desk, Page(limit=limit), wanted))
    if json:
        print_json(found.rows)
        return
    rows = [{name: getattr(view, name) for name in _MESSAGES} for view in found.rows]
    print_rows([{**row, "tries": [one.status or one.error for one in row["tries"]]} for row in rows], _MESSAGES)


@delivery_app.command("replay")
def replay_delivery(
    *,
    id: Annotated[str, typer.Argument(metavar="ID", help="As `delivery list` shows it.")],
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Send a message again, with the same id; a running gateway does so within about a second."""
    view = with_desk(config, data, lambda desk: deliveries.replay_message(desk, id))
    (print_json if json else print_view)(view)


async def _every(read: Callable[[Page], Awaitable[Slice[WebhookView]]]) -> list[WebhookView]:
    found, page = [], Page(limit=_ROWS)
    while True:
        some = await read(page)
        found += some.rows
        if some.next is None:
            return found
        page = Page(limit=_ROWS, after=some.next)


def _events(given: list[str] | None) -> tuple[str, ...] | None:
    return tuple(given) if given else None


def _told(made: tuple[WebhookView, str], *, json: bool) -> None:
    view, secret = made
    shown: dict[str, Any] = {name: getattr(view, name) for name in WebhookView.__slots__}
    show({**shown, "secret": secret}, json=json)
    if not json:
        say("keep the secret: it is shown this once")
