"""A third form of Suno's relays, after GoAmz: `/suno/v1/music` with an `input`, `code` a number, clips by their ids.

Everything else is as in `suno`. The paths for lyrics and the words of `status` are ASSUMED: no source shows them.
"""

from collections.abc import Mapping, Sequence

import msgspec

from unigate.base.errors import GatewayError
from unigate.dialects import relay_tasks as relay
from unigate.dialects import suno
from unigate.dialects import suno_read as reading
from unigate.dialects import suno_view as views
from unigate.dialects.relay_tasks import Refused, error_status, events, missing, missing_parent
from unigate.dialects.suno import GUARDED, SIGNS, continue_task, goes_on_from, kept_things, with_kept, write_notice
from unigate.spec.reply import Reply
from unigate.spec.task import Draft, Submission, Task, View

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
    "with_kept",
    "write_notice",
]
SHOWS = ("suno", "suno_v1")
#: This form's names of models -> the usual ones.
MODELS: Mapping[str, str] = {
    "mv-v3.0": "chirp-v3-0",
    "mv-v3.5": "chirp-v3-5",
    "mv-v4": "chirp-v4",
    "mv-auk": "chirp-auk",
    "mv-bluejay": "chirp-bluejay",
    "mv-crow": "chirp-crow",
}
_STATUS: Mapping[str, str] = {"SUCCESS": "completed", "FAILURE": "failed", "IN_PROGRESS": "processing"}
_ASKED = ("gpt_description_prompt", "prompt", "title", "tags", "mv", "continue_at")
OPERATIONS = (
    suno.makes("suno_goamz.music", "POST /v1/music", "/v1/mv-3.5/music"),
    suno.makes("suno_goamz.lyrics", "POST /v1/lyrics"),
    suno.makes("suno_goamz.concat", "POST /v1/v3.0/music/concat"),
    suno.row("suno_goamz.fetch", "GET /v1/music/{id}", "task_get", "/v1/lyrics/{id}", free=True),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission; Refused, InvalidJson."""
    given = relay.fields(asked.body)
    inner = given.get("input", {})
    if not isinstance(inner, dict):
        raise Refused("input must be an object")
    flat = {name: value for name, value in given.items() if name not in ("input", "custom_mode")} | inner
    mv = relay.text(flat, "mv").strip()
    flat |= {"mv": MODELS[mv]} if mv in MODELS else {}
    if asked.operation.name == "suno_goamz.music":
        return reading.music(flat)
    return reading.lyrics(flat) if asked.operation.name == "suno_goamz.lyrics" else reading.concat(flat)


def write_accepted(task: Task, view: View) -> Reply:  # noqa: ARG001 - as every dialect with tasks
    """The reply to a submission."""
    return Reply(_written(200, "success", {"task_id": task.id}))


def write_task(task: Task, view: View) -> bytes:
    """A task: its clips by their ids, or its words."""
    about = {
        "task_id": task.id,
        "status": _STATUS.get(relay.status(task), "pending"),
        "fail_reason": relay.fail_reason(task),
        "input": {name: task.input[name] for name in _ASKED if name in task.input},
    }
    if task.input.get("action") == "LYRICS":
        told = views.lyrics(task)
        return _written(200, "success", {**about, "text": told["text"], "title": told["title"]})
    clips = {clip["id"]: clip for clip in views.clips(task, view)}
    return _written(200, "success", {**about, "clips": clips})


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """Several tasks, as the first form shows them."""
    return suno.write_tasks(tasks, view)


def write_error(error: GatewayError, request_id: str) -> bytes:
    """An error, whose `code` is its status."""
    return _numbered(error_status(error), relay.write_error(error, request_id))


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal, whose `code` is its status."""
    return _numbered(400 if status == 404 else status, relay.pass_error(status, body))


def _numbered(status: int, body: bytes) -> bytes:
    return msgspec.json.encode({**relay.loosely(body), "code": status})


def _written(code: int, message: str, data: object) -> bytes:
    return msgspec.json.encode({"code": code, "message": message, "data": data})
