"""Tasks as operators and their owners see them: which there are, how each went, by which tries, and what it cost.

Changes nothing: a task is cancelled by whoever follows it. `own` is the id of the one user whose tasks may be seen, None
for operators: then also whose they are, and where they went.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from unigate.base.errors import BadRequest, NotFound
from unigate.dialects.tasks import STATES, shown_failure, shown_state
from unigate.manage.audit import noted
from unigate.manage.call_filter import CallFilter, resolved
from unigate.manage.desk import Actor, Desk
from unigate.manage.requests import TryView
from unigate.spec.record import Attempt
from unigate.spec.task import Task
from unigate.store import tasks as rows
from unigate.store.database import Tx
from unigate.store.names import names
from unigate.store.pages import Page, Slice
from unigate.store.tasks import TaskRow

_attempts = msgspec.json.Decoder(list[Attempt])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks are wanted: user and key by name or id, `state` as it is shown, moments in ms; None: all."""

    user: str | None = None
    key: str | None = None
    state: str | None = None
    kind: str | None = None
    dialect: str | None = None
    model: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """How a task stands; times in ms since 1970, money in nano-USD. None: not yet, or not for this user to see."""

    id: str
    state: str
    kind: str
    dialect: str
    model: str
    #: Percent.
    progress: int | None
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    channel_id: str | None
    channel: str | None
    held: int
    cost: int
    #: Our code, or the provider's, for why it failed; "" where it did not.
    error: str
    message: str
    parent_id: str | None
    request_id: str
    created_at: int
    started_at: int | None
    finished_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """One task with its tries and its money."""

    task: TaskView
    attempts: list[TryView]
    group: str
    input: Mapping[str, object]
    conditions: Mapping[str, object]
    #: What it consumes at most, by unit.
    units: Mapping[str, int]
    upstream_model: str | None
    #: What the provider gave us to ask after it.
    handle: Mapping[str, object] | None
    #: How often the provider was asked, and how often in a row that failed.
    polls: int
    errors: int
    submitted_at: int | None
    deadline_at: int | None


async def list_tasks(
    desk: Desk, page: Page, wanted: TaskFilter | None = None, *, own: str | None = None
) -> Slice[TaskView]:
    """A page of tasks, newest first. BadRequest, NotFound."""
    wanted = wanted or TaskFilter()
    if wanted.state is not None and wanted.state not in STATES:
        raise BadRequest(f"A state is one of {', '.join(STATES)}, not {wanted.state!r}.", param="state")
    states, queued = STATES[wanted.state] if wanted.state is not None else ((), None)
    async with desk.db.reading() as tx:
        given = await resolved(tx, CallFilter(user=wanted.user, key=wanted.key), own)
        found = await rows.LISTING.read(
            tx,
            page,
            user_id=given.user_id,
            key_id=given.key_id,
            operation=wanted.kind,
            dialect=wanted.dialect,
            model=wanted.model,
            states=list(states) or None,
            queued=None if queued is None else int(queued),
            since=wanted.since,
            until=wanted.until,
        )
        tasks = [rows.read(row).task for row in found.rows]
        return Slice(rows=await _views(tx, tasks, own), next=found.next)


async def show_task(desk: Desk, id: str, *, own: str | None = None) -> TaskDetail:
    """One task; NotFound where there is none, or it is another user's."""
    async with desk.db.reading() as tx:
        row = await _row(tx, id, own)
        (view,) = await _views(tx, [row.task], own)
        tries = _attempts.decode(row.attempts) if row.attempts else []
        channels = await names(tx, "channel", (one.channel for one in tries)) if own is None else {}
    task, private = row.task, own is None
    return TaskDetail(
        task=view,
        attempts=[
            TryView(
                channel_id=one.channel if private else None,
                channel=channels.get(one.channel),
                credential_id=one.credential or None if private else None,
                status=one.status,
                error=one.error,
                milliseconds=one.ms,
            )
            for one in tries
        ],
        group=row.group_name,
        input=task.input,
        conditions=task.conditions,
        units=row.units,
        upstream_model=row.upstream_model if private else None,
        handle=task.handle if private else None,
        polls=row.polls,
        errors=row.errors,
        submitted_at=task.submitted_at or None,
        deadline_at=task.deadline_at or None,
    )


async def task_of(desk: Desk, id: str, *, own: str | None = None) -> Task:
    """A task as it stands; NotFound."""
    async with desk.db.reading() as tx:
        return (await _row(tx, id, own)).task


async def note_cancel(desk: Desk, actor: Actor, before: Task, after: Task) -> None:
    """Enter in the audit log that somebody cancelled a task."""
    async with desk.db.writing() as tx:
        was, now = {"state": shown_state(before)}, {"state": shown_state(after)}
        await noted(tx, actor, "task.cancel", "task", after.id, after.operation, was, now)


async def _row(tx: Tx, id: str, own: str | None) -> TaskRow:
    row = await rows.find(tx, id)
    if row is None or own not in (None, row.task.user_id):
        raise NotFound(f"There is no task {id!r}.")
    return row


async def _views(tx: Tx, tasks: Sequence[Task], own: str | None) -> list[TaskView]:
    keys = await names(tx, "key", (task.key_id for task in tasks))
    users = await names(tx, "user", (task.user_id for task in tasks))
    channels = await names(tx, "channel", (task.channel_id for task in tasks)) if own is None else {}
    return [_view(task, users, keys, channels, private=own is None) for task in tasks]


def _view(
    task: Task, users: Mapping[str, str], keys: Mapping[str, str], channels: Mapping[str, str], *, private: bool
) -> TaskView:
    failure = shown_failure(task)
    return TaskView(
        id=task.id,
        state=shown_state(task),
        kind=task.operation,
        dialect=task.dialect,
        model=task.model,
        progress=None if task.percent < 0 else task.percent,
        user_id=task.user_id,
        user=users.get(task.user_id),
        key_id=task.key_id,
        key=keys.get(task.key_id),
        channel_id=task.channel_id or None if private else None,
        channel=channels.get(task.channel_id),
        held=task.held,
        cost=task.cost,
        error=failure.code if failure is not None else "",
        message=failure.message if failure is not None else "",
        parent_id=task.parent_id or None,
        request_id=task.request_id,
        created_at=task.created_at,
        started_at=task.started_at or None,
        finished_at=task.finished_at or None,
    )
