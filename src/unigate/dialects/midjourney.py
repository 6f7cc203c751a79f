"""Midjourney as the open midjourney-proxy servers and the relays that follow them speak it.

Every path is also served below `/{mode}`, such as `/mj-relax`, `/mj-fast`, `/mj-turbo`, `/relax`: that is the speed asked for
(`midjourney_mode.py`), and any other first segment means nothing. Sources: github.com/novicezk/midjourney-proxy,
github.com/trueai-org/midjourney-proxy, github.com/QuantumNous/new-api (`dto/midjourney.go`).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from unigate.base.errors import GatewayError, UpstreamError
from unigate.dialects import midjourney_errors as errors
from unigate.dialects import midjourney_ids as ids
from unigate.dialects import midjourney_view as views
from unigate.dialects.midjourney_errors import (
    Refused,
    Unknown,
    error_status,
    lost,
    pass_error,
    translate,
    unfinished,
    write_error,
)
from unigate.dialects.midjourney_read import go_on, read, read_ids, read_modal, read_resumed
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.spec.task import Answered, Draft, Headers, Json, Submission, Task, View
from unigate.spec.task_page import PageAsked

__all__ = [
    "OPERATIONS",
    "Refused",
    "error_status",
    "pass_error",
    "read_ids",
    "read_resumed",
    "translate",
    "write_error",
]

#: Pictures travel within JSON: five of them, each a third larger than its file.
_BODY = 40 * 1024 * 1024
#: Ids of tasks: a thousand of them.
_IDS_BODY = 64 * 1024
#: Tasks of one list.
_LISTED = 100
SIGNS = False


def _row(name: str, method: str, path: str, use: str, **more: Any) -> Operation:
    return Operation(
        name=f"midjourney.{name}",
        method=method,
        path=f"/mj{path}",
        aliases=tuple(
            alias for each in (path, *more.pop("also", ())) for alias in (f"/mj{each}", f"/{{mode}}/mj{each}")
        )[1:],
        dialect="midjourney",
        family="midjourney",
        use=use,
        **more,
    )


def _makes(name: str, path: str, **more: Any) -> Operation:
    return _row(name, "POST", path, "task", body="json", body_bytes=_BODY, **more)


def _asks(name: str, method: str, path: str, use: str, **more: Any) -> Operation:
    return _row(name, method, path, use, free=True, **more)


OPERATIONS = (
    _makes("imagine", "/submit/imagine"),
    _makes("blend", "/submit/blend"),
    _makes("describe", "/submit/describe"),
    _makes("shorten", "/submit/shorten"),
    _makes("action", "/submit/action"),
    _makes("change", "/submit/change"),
    _makes("simple_change", "/submit/simple-change"),
    _makes("upload", "/submit/upload-discord-images"),
    _makes("show", "/submit/show"),
    _makes("edits", "/submit/edits", also=("/submit/edit",)),
    _makes("retexture", "/submit/retexture"),
    _makes("video", "/submit/video"),
    _makes("swap_face", "/insight-face/swap"),
    # Paid for with the task that it goes on with.
    _asks("modal", "POST", "/submit/modal", "task_resume", body="json", body_bytes=_BODY),
    _asks("fetch", "GET", "/task/{id}/fetch", "task_get"),
    _asks(
        "list_by_condition",
        "POST",
        "/task/list-by-condition",
        "task_several",
        body="json",
        body_bytes=_IDS_BODY,
        also=("/task/list-by-ids",),
    ),
    _asks("image_seed", "GET", "/task/{id}/image-seed", "task_ask"),
    _asks("cancel", "POST", "/task/{id}/cancel", "task_cancel"),
    _asks("list", "GET", "/task/list", "task_list"),
    _asks("queue", "GET", "/task/queue", "task_list"),
    _asks("image", "GET", "/image/{id}", "midjourney_image"),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission; Refused, InvalidJson."""
    return read(asked)


def continue_task(draft: Draft, parent: Task) -> Draft:
    """The draft of a button that was pressed, once its task is known; Refused."""
    return go_on(draft, parent)


def read_resume(asked: Submission, task: Task) -> Json:
    """With what a task that waits for its window goes on; Refused."""
    return read_modal(asked, task)


def read_page(asked: Submission) -> PageAsked:
    """The newest tasks of the calling key, or those of them that wait for a place at a channel."""
    waiting = asked.operation.name == "midjourney.queue"
    return PageAsked(limit=_LISTED, key_id=asked.key_id, states=("waiting",) if waiting else ())


def check_ask(task: Task) -> None:
    """A seed is known once there is a picture; Refused."""
    if task.state != "succeeded":
        raise unfinished()


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a submission."""
    return views.accepted(task, view)


def write_task(task: Task, view: View) -> bytes:
    """The task object."""
    return msgspec.json.encode(views.shown(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """A list of task objects."""
    return msgspec.json.encode([views.shown(task, view) for task in tasks])


def write_ask(task: Task, answered: Answered, view: View) -> Reply:  # noqa: ARG001
    """The seed of a task's picture, as its server told it; BadAnswer."""
    return views.seed(answered, view)


def shown_id(task_id: str, view: View) -> object:
    """An id as a reply to a submission names it."""
    return ids.shown(task_id, view.key_options, view.settings)


def own_refusal(task: Task, failure: UpstreamError) -> GatewayError | None:
    """What a caller reads of the last server's refusal; None: as of any other failure."""
    return errors.own_refusal(task.id, failure)


def missing(task_id: str) -> GatewayError:  # noqa: ARG001 - ids are not repeated to who guesses them
    """There is no such task."""
    return Unknown()


def missing_parent(task_id: str) -> GatewayError:  # noqa: ARG001
    """There is no such task to go on from."""
    return lost()


def events(before: Task | None, after: Task) -> tuple[str, ...]:
    """Every change of status or progress is told."""
    if before is None:
        return ("changed",) if after.ended else ()
    same = (views.status(before), views.progress(before)) == (views.status(after), views.progress(after))
    return () if same else ("changed",)


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001
    """The whole task, unsigned."""
    return ((b"content-type", b"application/json"),), write_task(task, view)
