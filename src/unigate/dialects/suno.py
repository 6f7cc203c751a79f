"""Suno as the servers of the Suno-API convention and the relays after them speak it: `/suno/submit/...`, `/suno/fetch`.

Every path is also served below `/sunoapi`, and with a slash at its end; the queries below `/suno/submit/fetch` too. Sources:
github.com/Suno-API/Suno-API, github.com/QuantumNous/new-api (`relay/channel/task/suno`). Uploads and what is asked of single
clips are in `suno_things`, two older forms of the same in `suno_v1` and `suno_goamz`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from unigate.dialects import relay_tasks as relay
from unigate.dialects import suno_further as further
from unigate.dialects import suno_read as reading
from unigate.dialects import suno_view as views
from unigate.dialects.relay_tasks import (
    Refused,
    error_status,
    events,
    missing,
    missing_parent,
    pass_error,
    read_ids,
    write_error,
)
from unigate.dialects.suno_read import GUARDED, go_on, source, things, with_things
from unigate.spec.binding import Binding
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.spec.task import Draft, Headers, Submission, Task, View

__all__ = [
    "GUARDED",
    "OPERATIONS",
    "SHOWS",
    "SIGNS",
    "error_status",
    "events",
    "missing",
    "missing_parent",
    "pass_error",
    "read_ids",
    "write_error",
]
SIGNS = False
#: Tasks of the older forms are shown too.
SHOWS = ("suno_v1", "suno_goamz")
#: Lyrics are the longest that a body holds.
_BODY = 256 * 1024
_ROOTS = ("/suno", "/sunoapi")
#: Operation -> what it submits; that of the path, in any case, where it is not here.
_ACTIONS: Mapping[str, str] = {
    "suno.music": "music",
    "suno.lyrics": "lyrics",
    "suno.concat": "concat",
    "suno.upload_url": "upload",
}

#: What is submitted -> how it is read.
READERS = {**reading.READERS, **further.READERS}


row = partial(relay.row, roots=_ROOTS, family="suno")


def makes(name: str, call: str, *also: str, **more: Any) -> Operation:
    """An operation that makes a task."""
    return row(name, call, "task", *also, body="json", body_bytes=_BODY, **more)


OPERATIONS = (
    makes("suno.music", "POST /submit/music"),
    makes("suno.lyrics", "POST /submit/lyrics"),
    makes("suno.concat", "POST /submit/concat"),
    # The same with another case of letters, as some gateways send it, and what newer relays have beside.
    makes("suno.submit", "POST /submit/{action}"),
    makes("suno.upload_url", "POST /uploads/audio-url", roots=(*_ROOTS, "/sunoi")),
    row("suno.fetch", "GET /fetch/{id}", "task_get", "/submit/fetch/{id}", free=True),
    row("suno.fetch_many", "POST /fetch", "task_several", "/submit/fetch", free=True, body="json", body_bytes=_BODY),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission; Refused, InvalidJson."""
    action = _ACTIONS.get(asked.operation.name) or asked.params["action"].lower()
    reader = READERS.get(action) if action != "upload" or asked.operation.name == "suno.upload_url" else None
    if reader is None:
        raise Refused("invalid_action")
    return reader(relay.fields(asked.body))


def kept_things(draft: Draft) -> Sequence[tuple[str, str]]:
    """Clips and personas that a draft names."""
    return things(draft)


def with_kept(draft: Draft, found: Mapping[str, Binding]) -> Draft:
    """The draft, sent to where these are; Refused where one is not there."""
    return with_things(draft, found)


def goes_on_from(draft: Draft) -> str:
    """The clip that a draft goes on from."""
    return source(draft)


def continue_task(draft: Draft, parent: Task) -> Draft:
    """The draft once the task is known whose clip it goes on from; Refused."""
    return go_on(draft, parent)


def write_accepted(task: Task, view: View) -> Reply:  # noqa: ARG001 - as every dialect with tasks
    """The reply to a submission: `data` is the task's id."""
    return Reply(relay.envelope(task.id, views.submitted(task)))


def write_task(task: Task, view: View) -> bytes:
    """A task in its envelope."""
    return relay.envelope(views.shown(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """Several of them."""
    return relay.envelope([views.shown(task, view) for task in tasks])


def selects(body: bytes) -> Callable[[Task], bool]:
    """What says which tasks a query for several is about, which may be for one action only; Refused."""
    action = relay.text(relay.fields(body), "action").upper()
    return lambda task: not action or task.input.get("action") == action


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001
    """The task without an envelope, unsigned."""
    return ((b"content-type", b"application/json"),), msgspec.json.encode(views.shown(task, view))
