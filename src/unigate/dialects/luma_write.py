"""Writing tasks as generations of Luma's official API.

https://docs.lumalabs.ai, with the vendor's OpenAPI document (github.com/tryAGI/Luma). Files are our links.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from unigate.base.clock import rfc3339
from unigate.dialects import linked
from unigate.spec.reply import Reply
from unigate.spec.task import Headers, Task, View

SIGNS = False
JSON_TYPE = (b"content-type", b"application/json")
#: Of what a caller is told who named an address.
_MOMENTS = ("dreaming", "completed", "failed")
_UNKNOWN = "It is not known what became of this generation. Nothing was charged for it."
#: Camera movements that the vendor's models know.
CONCEPTS = (
    "aerial", "aerial_drone", "bolt_cam", "crane_down", "crane_up", "dolly_zoom", "elevator_doors", "eye_level",
    "ground_level", "handheld", "high_angle", "low_angle", "orbit_left", "orbit_right", "over_the_shoulder", "overhead",
    "pan_left", "pan_right", "pedestal_down", "pedestal_up", "pov", "pull_out", "push_in", "roll_left", "roll_right",
    "selfie", "static", "tilt_down", "tilt_up", "tiny_planet", "truck_left", "truck_right", "zoom_in", "zoom_out",
)  # fmt: skip
_encode = msgspec.json.encode


def state(task: Task) -> str:
    """The vendor's word for where a task stands."""
    match task.state:
        case "succeeded":
            return "completed"
        case "failed" | "unknown" | "canceled":
            return "failed"
        case "running" | "paused" if not task.queued:
            return "dreaming"
        case _:
            return "queued"


def reason(task: Task) -> str | None:
    """Why it failed; None where it did not."""
    if task.state == "canceled":
        return "The generation was canceled."
    if task.state == "unknown":
        return _UNKNOWN
    return (
        (task.error.message if task.error is not None else "The generation failed.") if task.state == "failed" else None
    )


def generation(task: Task, view: View) -> dict[str, Any]:
    """The generation as an object."""
    assets = task.detail.get("assets")
    request = task.input.get("request")
    return {
        "id": task.id,
        "generation_type": task.input.get("makes", "video"),
        "state": state(task),
        "failure_reason": reason(task),
        "created_at": rfc3339(task.created_at),
        "assets": linked(assets, task.outputs, view) if task.state == "succeeded" else None,
        "model": task.model,
        "request": dict(request) if isinstance(request, Mapping) else None,
    }


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a submission."""
    return Reply(write_task(task, view), 201)


def write_task(task: Task, view: View) -> bytes:
    """The generation as it stands."""
    return _encode(generation(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:
    """A page, without the numbers of its place; `next_page`: whether there are more."""
    return write_page(tasks, view, limit=len(tasks), offset=0, more=bool(next_page))


def write_page(tasks: Sequence[Task], view: View, *, limit: int, offset: int, more: bool) -> bytes:
    """A page of a list that is counted from its beginning."""
    shown = [generation(task, view) for task in tasks]
    return _encode({"has_more": more, "count": len(shown), "limit": limit, "offset": offset, "generations": shown})


def write_credits(cents: float) -> bytes:
    """What is left, in cents of a dollar."""
    return _encode({"credit_balance": cents})


def write_concepts() -> bytes:
    """Names of camera movements."""
    return _encode(CONCEPTS)


def write_ping() -> bytes:
    """The gateway is there."""
    return _encode({"message": "pong"})


def events(before: Task | None, after: Task) -> tuple[str, ...]:
    """What is told of a change: that it is dreaming, completed, or has failed."""
    now = state(after)
    return (now,) if now in _MOMENTS and (before is None or state(before) != now) else ()


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001 - all tell the same
    """Headers and body of a callback: the generation."""
    return (JSON_TYPE,), write_task(task, view)
