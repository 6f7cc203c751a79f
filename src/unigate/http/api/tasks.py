"""`/api/tasks`: which tasks there are, how each went, and cancelling one. Users see their own, operators all."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field

from unigate.http.api.calls import own
from unigate.http.api.fields import Time, TimeIn, Usd, View
from unigate.http.api.office import TheDesk, TheLive
from unigate.http.api.pages import Listed, Paged, paged
from unigate.http.api.requests import Try
from unigate.http.api.routes import api_router, route
from unigate.http.api.who import Caller
from unigate.manage import tasks
from unigate.manage.tasks import TaskDetail as Found
from unigate.manage.tasks import TaskFilter

router = api_router("tasks")
State = Literal["waiting", "queued", "running", "paused", "succeeded", "failed", "canceled"]


class TaskRecord(View):
    """How a task stands."""

    id: str
    state: State
    kind: str = Field(description="As it is priced: `midjourney.upscale`.")
    dialect: str
    model: str
    progress: int | None
    user_id: str
    user: str | None
    key_id: str
    key: str | None
    channel_id: str | None = Field(description="For operators only.")
    channel: str | None
    held: Usd
    cost: Usd
    error: str
    message: str
    parent_id: str | None
    request_id: str
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class TaskDetail(TaskRecord):
    """One task with its tries and its money."""

    attempts: list[Try]
    group: str
    input: dict[str, Any]
    conditions: dict[str, Any]
    units: dict[str, int] = Field(description="What it consumes at most.")
    upstream_model: str | None
    handle: dict[str, Any] | None = Field(description="What the provider gave us to ask after it; for operators only.")
    polls: int
    errors: int
    submitted_at: Time | None
    deadline_at: Time | None


class TaskQuery(Listed):
    """Which tasks."""

    user: str | None = Field(None, description="By name or id.")
    key: str | None = Field(None, description="By name or id.")
    state: State | None = None
    kind: str | None = None
    dialect: str | None = None
    model: str | None = None
    since: TimeIn | None = Field(None, description="Made at or after.")
    until: TimeIn | None = Field(None, description="Made before.")


@route(router, "GET", "/tasks", role="user")
async def list_tasks(desk: TheDesk, who: Caller, query: Annotated[TaskQuery, Query()]) -> Paged[TaskRecord]:
    """List tasks, newest first."""
    wanted = TaskFilter(**query.model_dump(exclude={"limit", "cursor"}))
    return paged(await tasks.list_tasks(desk, query.page(), wanted, own=own(who)), TaskRecord.model_validate)


@route(router, "GET", "/tasks/{task_id}", role="user")
async def show_task(desk: TheDesk, who: Caller, task_id: str) -> TaskDetail:
    """Show a task with the tries that it took."""
    return _detail(await tasks.show_task(desk, task_id, own=own(who)))


@route(router, "POST", "/tasks/{task_id}/cancel", role="user", audit="task.cancel")
async def cancel_task(desk: TheDesk, live: TheLive, who: Caller, task_id: str) -> TaskDetail:
    """Cancel a task; one that has ended stays as it is. 409 where its provider cannot."""
    before = await tasks.task_of(desk, task_id, own=own(who))
    if not before.ended:
        after = await live.services.tasks.cancel(before)
        await tasks.note_cancel(desk, who.actor, before, after)
    return _detail(await tasks.show_task(desk, task_id, own=own(who)))


def _detail(found: Found) -> TaskDetail:
    return TaskDetail(
        **TaskRecord.model_validate(found.task).__dict__,
        attempts=[Try.model_validate(one) for one in found.attempts],
        group=found.group,
        input=dict(found.input),
        conditions=dict(found.conditions),
        units=dict(found.units),
        upstream_model=found.upstream_model,
        handle=None if found.handle is None else dict(found.handle),
        polls=found.polls,
        errors=found.errors,
        submitted_at=found.submitted_at,
        deadline_at=found.deadline_at,
    )
