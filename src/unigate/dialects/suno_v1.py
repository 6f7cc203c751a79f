"""The older form of Suno's relays, after SunoAI-API: `generate` answers with the clips that will be, `feed` tells of clips by id.

The clips are named in the answer to the submission, before any server has named them, so their ids are ours (`ALLOTTED`).
Everything else is as in `suno`, and tasks and clips of either form may be named in the other. Source:
github.com/SunoAI-API/Suno-API.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import uuid4

import msgspec

from unigate.base.clock import rfc3339
from unigate.dialects import relay_tasks as relay
from unigate.dialects import suno
from unigate.dialects import suno_read as reading
from unigate.dialects import suno_view as views
from unigate.dialects.relay_tasks import Refused, error_status, events, missing, missing_parent, pass_error, write_error
from unigate.dialects.suno import GUARDED, SIGNS, continue_task, goes_on_from, kept_things, with_kept, write_notice
from unigate.spec.reply import Reply
from unigate.spec.task import ALLOTTED, Draft, Submission, Task, View

__all__ = [
    "GUARDED",
    "OPERATIONS",
    "SHOWS",
    "SIGNS",
    "continue_task",
    "error_status",
    "events",
    "goes_on_from",
    "kept_things",
    "missing",
    "missing_parent",
    "pass_error",
    "with_kept",
    "write_error",
    "write_notice",
]
SHOWS = ("suno", "suno_goamz")
#: Clips that one call may ask after.
MOST = 100
#: Operation -> what it submits, and how many clips come of it.
_ACTIONS = {"suno_v1.generate": ("music", 2), "suno_v1.concat": ("concat", 1), "suno_v1.lyrics": ("lyrics", 0)}
_row = partial(suno.row, free=True)
OPERATIONS = (
    suno.makes("suno_v1.generate", "POST /generate", "/generate/description-mode"),
    suno.makes("suno_v1.concat", "POST /generate/concat"),
    suno.makes("suno_v1.lyrics", "POST /generate/lyrics"),
    _row("suno_v1.feed", "GET /feed/{ids}", "task_things"),
    _row("suno_v1.fetch_lyrics", "GET /lyrics/{id}", "task_get"),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission, with ids for its clips; Refused, InvalidJson."""
    action, count = _ACTIONS[asked.operation.name]
    draft = reading.READERS[action](relay.fields(asked.body))
    return replace(draft, input={**draft.input, ALLOTTED: [str(uuid4()) for _ in range(count)]})


def write_accepted(task: Task, view: View) -> Reply:  # noqa: ARG001 - as every dialect with tasks
    """The reply to a submission: the clips as they will be, or the id of the words."""
    if task.input.get("action") == "LYRICS":
        return Reply(msgspec.json.encode({"id": task.id}))
    clips = [views.new_clip(task, id) for id in relay.allotted(task)]
    batch = {
        "id": task.id,
        "clips": clips,
        "metadata": clips[0]["metadata"],
        "major_model_version": clips[0]["major_model_version"],
        "status": "complete",
        "created_at": rfc3339(task.created_at),
        "batch_size": len(clips),
    }
    return Reply(msgspec.json.encode(batch if len(clips) > 1 else {**clips[0], "clips": clips}))


def read_things(asked: Submission) -> Sequence[str]:
    """The clips that a feed names; Refused."""
    ids = [one.strip() for one in asked.params["ids"].split(",") if one.strip()]
    if len(ids) > MOST:
        raise Refused(f"at most {MOST} clips can be asked after")
    return ids


def write_things(things: Sequence[tuple[str, Task]], view: View) -> bytes:
    """A list of clips."""
    return msgspec.json.encode([views.clip(task, id, view) for id, task in things])


def write_task(task: Task, view: View) -> bytes:  # noqa: ARG001 - as every dialect with tasks
    """The words that a task writes; Refused where it writes none."""
    if task.input.get("action") != "LYRICS":
        raise relay.missing(task.id)
    told = views.lyrics(task)
    status = told["status"] if told["status"] in ("complete", "error") else "running"
    return msgspec.json.encode({"text": told["text"], "title": told["title"], "status": status})


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """The clips of several tasks."""
    return msgspec.json.encode([clip for task in tasks for clip in views.clips(task, view)])
