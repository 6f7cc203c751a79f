"""Udio as relays speak it: `/udio/submit/music`, `/udio/fetch`, and the forms of other relays for the same.

Every path also works with a slash at its end. Sources: chatgpt-web-midjourney-proxy (`src/api/udio.ts`),
github.com/flowese/UdioWrapper (the vendor's web calls). What all relays have in common is in `relay_tasks`.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qs

import msgspec

from unigate.dialects import relay_tasks as relay
from unigate.dialects import udio_read as reading
from unigate.dialects import udio_view as views
from unigate.dialects.relay_tasks import (
    error_status,
    events,
    missing,
    missing_parent,
    pass_error,
    read_ids,
    write_error,
)
from unigate.dialects.udio_read import kept_things, with_kept
from unigate.spec.reply import Reply
from unigate.spec.task import Draft, Headers, Submission, Task, View

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "error_status",
    "events",
    "kept_things",
    "missing",
    "missing_parent",
    "pass_error",
    "read_ids",
    "with_kept",
    "write_error",
]

SIGNS = False
_BODY = 256 * 1024
_JSON_TYPE = (b"content-type", b"application/json")


_row = partial(relay.row, roots=("/udio",))
OPERATIONS = (
    _row("udio.music", "POST /submit/music", "task", "/submit/MUSIC", "/submit/Music", body="json", body_bytes=_BODY),
    _row("udio.generate", "POST /generate-proxy", "task", body="json", body_bytes=_BODY),
    _row("udio.fetch", "GET /fetch/{id}", "task_get", free=True),
    _row("udio.fetch_many", "POST /fetch", "task_several", free=True, body="json", body_bytes=_BODY),
    _row("udio.songs", "GET /query", "task_things", "/songs", free=True),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission; Refused, InvalidJson."""
    return reading.read(asked)


def goes_on_from(draft: Draft) -> str:
    """The song that a draft goes on from."""
    return reading.source_of(draft)


def continue_task(draft: Draft, parent: Task) -> Draft:
    """The draft once the task is known whose song it goes on from; Refused."""
    return reading.go_on(draft, parent)


def write_accepted(task: Task, view: View) -> Reply:  # noqa: ARG001 - as every dialect's
    """The reply to a submission: the task's id; of callers that ask by song, the songs' too."""
    if task.called != "udio.generate":
        return Reply(relay.envelope(task.id))
    return Reply(relay.envelope(task.id, {"generation_id": task.id, "track_ids": list(views.ids(task))}))


def write_task(task: Task, view: View) -> bytes:
    """The task."""
    return relay.envelope(views.shown(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """Several tasks."""
    return relay.envelope([views.shown(task, view) for task in tasks])


def read_things(asked: Submission) -> Sequence[str]:
    """The songs that a query names, with commas between them; Refused."""
    query = parse_qs(asked.query)
    given = [*query.get("ids", ()), *query.get("songIds", ())]
    found = [one for text in given for one in text.split(",") if one]
    if not found or len(found) > relay.MOST_IDS:
        raise relay.Refused(f"ids must be 1 to {relay.MOST_IDS} ids of songs")
    return found


def write_things(things: Sequence[tuple[str, Task]], view: View) -> bytes:
    """Songs, without an envelope."""
    return msgspec.json.encode({"songs": [views.song(task, id, view) for id, task in things]})


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001
    """The task itself, unsigned."""
    return (_JSON_TYPE,), msgspec.json.encode(views.shown(task, view))
