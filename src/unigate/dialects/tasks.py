"""Tasks of all kinds in one form: `GET /v1/tasks`, one of them, its cancelling, its events. Answered from our own state.

Each vendor's own form of a task is its dialect's business; this one is the gateway's own, and its errors are OpenAI's.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import parse_qsl

import msgspec

from unigate.base.clock import rfc3339
from unigate.base.errors import BadRequest, NotFound
from unigate.base.money import format_usd
from unigate.dialects.openai_errors import pass_error, write_error
from unigate.spec.operation import Operation
from unigate.spec.task import Failure, Submission, Task, TaskState, View
from unigate.spec.task_page import PageAsked

__all__ = [
    "EVERY_TASK",
    "OPERATIONS",
    "missing",
    "pass_error",
    "read_page",
    "unified",
    "write_error",
    "write_task",
    "write_tasks",
]


def _operation(name: str, method: str, path: str, use: str) -> Operation:
    return Operation(
        name=f"tasks.{name}", method=method, path=path, dialect="tasks", family="tasks", use=use, free=True
    )


OPERATIONS = (
    _operation("list", "GET", "/v1/tasks", "task_list"),
    _operation("get", "GET", "/v1/tasks/{id}", "task_get"),
    _operation("cancel", "POST", "/v1/tasks/{id}/cancel", "task_cancel"),
    _operation("events", "GET", "/v1/tasks/{id}/events", "task_events"),
)
#: Tasks of all dialects are shown.
EVERY_TASK = True
MOST = 200
#: What a caller sees -> which states it stands for, and of those that run, whether they have begun.
STATES: Mapping[str, tuple[tuple[TaskState, ...], bool | None]] = MappingProxyType(
    {
        "waiting": (("waiting",), None),
        "queued": (("submitting", "running"), True),
        "running": (("running",), False),
        "paused": (("paused",), None),
        "succeeded": (("succeeded",), None),
        "failed": (("failed", "unknown"), None),
        "canceled": (("canceled",), None),
    }
)
_UNKNOWN = Failure(
    code="outcome_unknown",
    message="The request was sent, and nobody can find out what came of it. Nothing was charged.",
)
_FAILED = Failure(code="task_failed", message="The task failed.")
_PARAMETERS = frozenset({"state", "kind", "dialect", "model", "key", "since", "until", "limit", "cursor"})
_NUMBER = re.compile(r"[0-9]{1,3}")


def unified(task: Task, view: View) -> dict[str, object]:
    """The task as it is shown: states are words of STATES, times RFC 3339, money decimal text."""
    failure = shown_failure(task)
    return {
        "id": task.id,
        "object": "task",
        "kind": task.operation,
        "dialect": task.dialect,
        "model": task.model,
        "state": shown_state(task),
        "progress": 100 if task.state == "succeeded" else None if task.percent < 0 else task.percent,
        "ahead": task.ahead if task.state == "waiting" else None,
        "input": task.input,
        "previews": [] if task.ended else list(task.previews),
        "assets": [
            {
                "id": asset.id,
                "kind": asset.kind,
                "media_type": asset.media_type or None,
                "url": view.link(asset),
                "size": None if asset.size < 0 else asset.size,
            }
            for asset in task.outputs
        ],
        "error": None if failure is None else {"code": failure.code, "message": failure.message},
        "cost_usd": format_usd(task.cost) if task.ended else None,
        "parent_id": task.parent_id or None,
        "key_id": task.key_id,
        "created_at": _time(task.created_at),
        "started_at": _time(task.started_at),
        "finished_at": _time(task.finished_at),
        "metadata": dict(task.conditions),
    }


def write_task(task: Task, view: View) -> bytes:
    """The task."""
    return msgspec.json.encode(unified(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:
    """A page of tasks."""
    return msgspec.json.encode(
        {"object": "list", "data": [unified(task, view) for task in tasks], "next": next_page or None}
    )


def missing(task_id: str) -> NotFound:
    """The error for a task that is not there, or is another user's."""
    return NotFound(f"Task with id '{task_id[:100]}' not found.", code="task_not_found", param="id")


def shown_state(task: Task) -> str:
    """One of STATES."""
    if task.state == "unknown":
        return "failed"
    if task.state == "submitting" or (task.state == "running" and task.queued):
        return "queued"
    return task.state


def shown_failure(task: Task) -> Failure | None:
    """Why it failed; None where it did not."""
    if task.state == "unknown":
        return task.error or _UNKNOWN
    return task.error or _FAILED if task.state == "failed" else None


def read_page(asked: Submission) -> PageAsked:
    """Which tasks are asked for; BadRequest for what is unknown, stands twice, or can't be."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(asked.query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise BadRequest(f"Unknown parameter: '{name[:100]}'.", param=name[:100])
        if name in given:
            raise BadRequest(f"The parameter '{name}' stands more than once.", param=name)
        if "\0" in value:
            raise BadRequest(f"The parameter '{name}' contains a NUL character.", param=name)
        given[name] = value
    states, queued = _states(given)
    return PageAsked(
        limit=_limit(given),
        cursor=given.get("cursor", ""),
        key_id=asked.key_id if given.get("key") == "this" else given.get("key"),
        operation=given.get("kind"),
        dialect=given.get("dialect"),
        model=given.get("model"),
        states=states,
        queued=queued,
        since=_moment(given, "since"),
        until=_moment(given, "until"),
    )


def _states(given: Mapping[str, str]) -> tuple[tuple[TaskState, ...], bool | None]:
    if "state" not in given:
        return (), None
    found = STATES.get(given["state"])
    if found is None:
        raise BadRequest(f"Invalid 'state': expected one of {', '.join(STATES)}.", param="state")
    return found


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", "50")
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise BadRequest(f"Invalid 'limit': expected a number from 1 to {MOST}.", param="limit")
    return int(text)


def _moment(given: Mapping[str, str], name: str) -> int | None:
    """Milliseconds since 1970; a date alone is its midnight in UTC."""
    if name not in given:
        return None
    text = given[name].replace(" ", "+")  # a plus that was not escaped
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"Invalid '{name}': expected a moment such as 2026-01-31T12:00:00Z.", param=name) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    if not 1970 <= found.year <= 9998:
        raise BadRequest(f"Invalid '{name}': expected a moment between 1970 and 9998.", param=name)
    return round(found.timestamp() * 1000)


def _time(ms: int) -> str | None:
    return rfc3339(ms) if ms else None
