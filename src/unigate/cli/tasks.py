"""`unigate task`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unigate.base.settings import Moment
from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, given, settings_of, with_desk
from unigate.cli.output import print_json, print_rows, show, show_all
from unigate.manage import tasks
from unigate.manage.desk import SHELL, Desk
from unigate.manage.tasks import TaskDetail, TaskFilter, TaskView
from unigate.store.pages import Page

if TYPE_CHECKING:
    from unigate.base.settings import Settings
    from unigate.spec.task import Task

app = typer.Typer()

_COLUMNS = ("id", "state", "progress", "kind", "model", "user", "channel", "held", "cost", "error", "created_at")
_TRIES = ("channel", "credential_id", "status", "error", "milliseconds")
#: Read at once.
_ROWS = 200
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


@app.command("list")
def list_tasks(
    *,
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(tasks.STATES)}.")] = None,
    kind: Annotated[str | None, typer.Option(help="As it is priced, such as midjourney.imagine.")] = None,
    dialect: Annotated[str | None, typer.Option(help="In which it was asked for, such as midjourney.")] = None,
    model: Annotated[str | None, typer.Option(help="Public name of a model.")] = None,
    user: Annotated[str | None, typer.Option(help="Name or id.")] = None,
    key: Annotated[str | None, typer.Option(help="Name or id.")] = None,
    since: Annotated[str | None, typer.Option(help="Made at or after this date or moment.")] = None,
    until: Annotated[str | None, typer.Option(help="Made before it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List tasks, newest first."""
    wanted = TaskFilter(
        user=user,
        key=key,
        state=state,
        kind=kind,
        dialect=dialect,
        model=model,
        since=given("since", since, Moment),
        until=given("until", until, Moment),
    )

    async def some(desk: Desk) -> list[TaskView]:
        found: list[TaskView] = []
        page = Page(limit=min(limit, _ROWS))
        while True:
            part = await tasks.list_tasks(desk, page, wanted)
            found += part.rows
            left = limit - len(found)
            if part.next is None or left <= 0:
                return found
            page = Page(limit=min(left, _ROWS), after=part.next)

    show_all(with_desk(config, data, some), _COLUMNS, json=json)


@app.command("show")
def show_task(
    *,
    task: TaskId,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Show a task with the tries that it took."""
    _shown(with_desk(config, data, lambda desk: tasks.show_task(desk, task)), json=json)


@app.command("cancel")
def cancel_task(
    *,
    task: TaskId,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Cancel a task, at its provider too; one that has ended stays as it is."""
    _shown(_cancelled(config, data, task), json=json)


def _cancelled(config: Path | None, data: Path, task: str) -> TaskDetail:
    settings = settings_of(config, data)

    async def cancel(desk: Desk) -> TaskDetail:
        before = await tasks.task_of(desk, task)
        if not before.ended:
            await tasks.note_cancel(desk, SHELL, before, await _cancel(desk, settings, before))
        return await tasks.show_task(desk, task)

    return with_desk(config, data, cancel)


async def _cancel(desk: Desk, settings: "Settings", task: "Task") -> "Task":
    """Cancel as a worker does, from here: its provider is asked by the task's own channel, and whoever is to be told is."""
    from functools import partial

    from unigate.access.keys import Keys
    from unigate.access.limits import Limits
    from unigate.base.clock import monotonic_ns
    from unigate.billing.bank import Bank
    from unigate.billing.prices import Prices
    from unigate.manage import kept, load
    from unigate.relay.bindings import Bindings
    from unigate.relay.keeping import Keeper
    from unigate.relay.metrics import Metrics
    from unigate.relay.services import Services
    from unigate.relay.task_parts import TaskParts, TaskPlaces
    from unigate.relay.upstreams import Upstreams
    from unigate.routing.choice import Router
    from unigate.upstream import Client

    db, client = desk.db, Client()
    svc = Services(
        keys=Keys(db, desk.secret, desk.others),
        limits=Limits(monotonic_ns),
        router=Router(),
        prices=Prices(()),
        bank=Bank(db, settings.data / "journal", "shell", alarm=lambda _what, _detail: None),
        upstreams=Upstreams(client, allow_private=settings.server.allow_private_upstreams),
        bindings=Bindings(db),
        models={},
        metrics=Metrics(),
        settings=await load.load_settings(db),
        keeper=Keeper(partial(kept.save, db)),
    )
    svc.router.replace(await load.load_channels(db, desk.vault, desk.providers))
    places = TaskPlaces(
        data=settings.data,
        storage=settings.storage.url,
        keep=settings.storage.keep,
        aws={name: value.reveal() for name, value in settings.aws.items()},
        secret=desk.secret,
        others=desk.others,
        allow_private=settings.server.allow_private_upstreams,
    )
    try:
        return await TaskParts(db, svc, client, places).tasks.cancel(task)
    finally:
        await client.close()


def _shown(found: TaskDetail, *, json: bool) -> None:
    if json:
        print_json(found)
        return
    show(found.task, json=False)
    if found.attempts:
        print_rows(found.attempts, _TRIES)
