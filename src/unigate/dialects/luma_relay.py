"""Luma as relays speak it: `/luma/generations`, the form of the vendor's old web API.

Every path is also served below `/pro` and with a slash at its end. Sources: chatgpt-web-midjourney-proxy (`src/api/luma.ts`),
github.com/QuantumNous/new-api's family of relays. The official API is in `luma`; how one is said in the other in `luma_forms`.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qs

import msgspec

from unigate.dialects import luma_checks as checks
from unigate.dialects import luma_relay_read as reading
from unigate.dialects import luma_relay_view as views
from unigate.dialects import relay_tasks as relay
from unigate.dialects.luma_errors import pass_relay as pass_error
from unigate.dialects.luma_errors import write_relay as write_error
from unigate.dialects.luma_relay_server import clean, download
from unigate.dialects.relay_tasks import Refused, error_status, events, missing, read_ids
from unigate.spec.reply import Reply
from unigate.spec.task import Answered, Draft, Headers, Submission, Task, View

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "error_status",
    "events",
    "missing",
    "pass_error",
    "read_ids",
    "write_error",
]

SIGNS = False
#: Two pictures in base64.
_BODY = 60 * 1024 * 1024
_IDS_BODY = 64 * 1024
LISTED, MOST_LISTED, FURTHEST = 20, 100, 10_000
_encode = msgspec.json.encode


_row = partial(relay.row, roots=("/luma", "/pro/luma"), family="luma")
OPERATIONS = (
    _row("luma_relay.create", "POST /generations", "task", "/v1/generations", body="json", body_bytes=_BODY),
    _row("luma_relay.extend", "POST /generations/{id}/extend", "task", body="json", body_bytes=_BODY),
    _row("luma_relay.get", "GET /generations/{id}", "task_get", free=True),
    _row("luma_relay.download", "GET /generations/{id}/download_video_url", "luma_download", free=True),
    # Some clients call it plain text.
    _row("luma_relay.tasks", "POST /tasks", "task_several", body="raw", body_bytes=_IDS_BODY, free=True),
    _row("luma_relay.list", "GET /generations", "luma_list", free=True),
)


def read_task(asked: Submission) -> Draft:
    """The draft of a submission; InvalidJson, BadRequest."""
    return reading.read(asked)


def continue_task(draft: Draft, parent: Task) -> Draft:
    """The draft that goes on from a film; BadRequest."""
    return reading.go_on(draft, parent)


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a submission: the bare generation."""
    return views.accepted(task, view)


def write_task(task: Task, view: View) -> bytes:
    """The bare generation."""
    return _encode(views.generation(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:  # noqa: ARG001 - it has no pages
    """Several tasks in the relays' envelope."""
    return views.write_tasks(tasks, view)


def write_page(tasks: Sequence[Task], view: View, *, limit: int, offset: int, more: bool) -> bytes:  # noqa: ARG001
    """Bare generations."""
    return _encode([views.generation(task, view) for task in tasks])


def read_span(asked: Submission) -> tuple[int, int]:
    """How many are asked for, behind how many; BadRequest."""
    query = parse_qs(asked.query)
    return checks.count(query, "limit", LISTED, MOST_LISTED), checks.count(query, "offset", 0, FURTHEST)


def clean_address(task: Task, view: View) -> str:
    """Our link to a film without a mark; "" where its provider is to be asked for it. Refused where it is not made yet."""
    if task.state != "succeeded":
        raise Refused("The task has not finished yet.", "task_not_finished")
    return str(views.generation(task, view)["url"]) if clean(task.detail) else ""


def write_address(address: str) -> bytes:
    """The address of a film."""
    return _encode({"url": address})


def write_ask(task: Task, answered: Answered, view: View) -> Reply:  # noqa: ARG001
    """The address of a film without a mark, as its relay tells it; BadAnswer."""
    return Reply(write_address(download(answered)))


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001
    """The generation and the task, unsigned."""
    return views.write_notice(task, view)
