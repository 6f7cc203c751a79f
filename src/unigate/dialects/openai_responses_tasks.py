"""Responses that are made in the background: the task half of the dialect `openai_responses`.

Such a response has an id of ours in the vendor's shape. What is shown of it is the vendor's own account, as it was last
asked for, under that id. https://platform.openai.com/docs/guides/background
"""

import re
import secrets
from collections.abc import Mapping, Sequence

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import NotFound
from unigate.spec.facts import Facts
from unigate.spec.reply import Reply
from unigate.spec.task import Draft, Failure, Headers, Submission, Task, TaskState, View

__all__ = [
    "SIGNS",
    "continue_task",
    "draft",
    "events",
    "missing",
    "own_id",
    "write_accepted",
    "write_notice",
    "write_task",
    "write_tasks",
]

#: Nobody is notified: the vendor has webhooks for a project, not for a call.
SIGNS = False

_OURS = re.compile(r"resp_[0-9a-f]{32}")
#: The words of the vendor for a task's state, where it did not say one itself that fits.
_STATUS: Mapping[TaskState, str] = {
    "waiting": "queued",
    "submitting": "queued",
    "running": "in_progress",
    "paused": "in_progress",
    "succeeded": "completed",
    "failed": "failed",
    "canceled": "cancelled",
    "unknown": "failed",
}
_ENDS = frozenset({"completed", "incomplete", "failed", "cancelled"})
_LOST = Failure(code="server_error", message="The provider did not tell what came of this response.")


def own_id(id: str) -> bool:
    """Whether an id has the shape of ours; the vendor's are longer."""
    return _OURS.fullmatch(id) is not None


def draft(operation: str, facts: Facts, asked: Submission) -> Draft:
    """The draft of a response; what is remembered of it is no prompt."""
    body: dict[str, object] = msgspec.json.decode(asked.body)
    body.pop("usage", None)  # by which callers ask us for the cost
    return Draft(
        operation=operation,
        model=facts.model,
        body=body,
        input={"previous_response_id": facts.previous or None, "metadata": body.get("metadata") or {}},
        conditions=facts.conditions,
        task_id=f"resp_{now_ms():012x}{secrets.token_hex(10)}",
    )


def continue_task(draft: Draft, parent: Task) -> Draft:  # noqa: ARG001  (no draft of this dialect names a parent)
    """The draft."""
    return draft


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a submission: the response, mostly `queued`."""
    return Reply(write_task(task, view))


def write_task(task: Task, view: View) -> bytes:  # noqa: ARG001  (it names no files)
    """The response as the vendor last told of it, under our id."""
    return msgspec.json.encode(_response(task))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:
    """Several of them, as the vendor's lists are."""
    del view
    return msgspec.json.encode({"object": "list", "data": [*map(_response, tasks)], "has_more": bool(next_page)})


def missing(task_id: str) -> NotFound:
    """The error for a response that is not there, or is another user's."""
    return NotFound(f"Response with id '{task_id[:100]}' not found.")


def events(before: Task | None, after: Task) -> tuple[str, ...]:  # noqa: ARG001
    """Nothing is told."""
    return ()


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001
    """The response; never asked for, since there are no events."""
    return (), write_task(task, view)


def _response(task: Task) -> dict[str, object]:
    shown: dict[str, object] = {
        "object": "response",
        "created_at": task.created_at // 1000,
        "background": True,
        "error": None,
        "incomplete_details": None,
        "model": task.model,
        "output": [],
        "usage": None,
        "metadata": task.input.get("metadata") or {},
        **task.detail,
        "id": task.id,
        "previous_response_id": task.input.get("previous_response_id"),
    }
    told = shown.get("status")
    if task.state == "running" and not task.queued and told == "queued":
        told = "in_progress"
    if not isinstance(told, str) or task.ended != (told in _ENDS):
        told = _STATUS[task.state]
        if task.ended:
            shown["completed_at"] = None
    shown["status"] = told
    if told == "failed" and not shown["error"]:
        failure = task.error or _LOST
        shown["error"] = {"code": failure.code, "message": failure.message}
    return shown
