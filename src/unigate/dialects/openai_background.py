"""How a vendor that speaks OpenAI's responses makes them in the background: its TaskApi, the same for all that offer it.

https://platform.openai.com/docs/guides/background
"""

from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import quote

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects.openai_pictures import told_conditions
from unigate.dialects.openai_responses_usage import drawn, read_usage
from unigate.spec.task import Accepted, Answered, Failure, Json, Message, Order, Pace, Progress, TaskApi
from unigate.spec.usage import Usage

#: Name of the operation that it serves.
OPERATION = "openai.responses.background"
_STATES: Mapping[str, Literal["queued", "running", "succeeded", "failed", "canceled"]] = {
    "queued": "queued",
    "in_progress": "running",
    "completed": "succeeded",
    "incomplete": "succeeded",
    "failed": "failed",
    "cancelled": "canceled",
}


def submit(order: Order, options: Json) -> Message:  # noqa: ARG001  (nothing depends on them)
    """`POST /responses`; `background` is what the caller asked for, and needs `store`."""
    body = {**order.body, "model": order.model, "background": True, "store": True}
    return Message(method="POST", path="/responses", body=msgspec.json.encode(body))


def accepted(order: Order, answered: Answered) -> Accepted:  # noqa: ARG001
    """The vendor's id, and how far it is."""
    told = _response(answered)
    return Accepted(handle={"id": told["id"]}, progress=_progress(told))


def poll(handle: Json, options: Json) -> Message:  # noqa: ARG001
    """`GET /responses/{id}`."""
    return Message(method="GET", path=_path(handle))


def progress(handle: Json, answered: Answered) -> Progress:  # noqa: ARG001
    """Where it stands; what it used once it has ended."""
    return _progress(_response(answered))


def cancel(handle: Json, options: Json) -> Message:  # noqa: ARG001
    """`POST /responses/{id}/cancel`."""
    return Message(method="POST", path=f"{_path(handle)}/cancel")


def _path(handle: Json) -> str:
    return f"/responses/{quote(str(handle['id']), safe='')}"


def _response(answered: Answered) -> dict[str, object]:
    """The response of an answer; BadAnswer where it is none."""
    try:
        told = msgspec.json.decode(answered.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is not JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or told.get("status") not in _STATES:
        raise BadAnswer(detail="the answer is not a response with an id and a status")
    return told


def _progress(told: dict[str, object]) -> Progress:
    """`incomplete` is an end with an answer; a vendor that tells no usage of a cancelled one bills nothing for it."""
    state = _STATES[str(told["status"])]
    usage, pictures = read_usage(told.get("usage")), drawn(told.get("output"))
    used = bool(pictures) or (usage is not None and bool(usage.tokens))
    shown = {name: value for name, value in told.items() if name not in ("id", "previous_response_id")}
    return Progress(
        state=state,
        detail=shown,
        error=_failure(told) if state == "failed" else None,
        units=_units(usage, len(pictures)),
        conditions=_conditions(pictures.values()),
        billed=used and state == "canceled",
    )


def _units(usage: Usage | None, pictures: int) -> dict[str, int] | None:
    units = usage.units if usage is not None else {}
    return {**units, "images": pictures} if pictures else units or None


def _conditions(pictures: Iterable[Mapping[str, object]]) -> dict[str, str | int]:
    """Size and quality of the last picture that tells them."""
    found: dict[str, str | int] = {}
    for one in pictures:
        found.update(told_conditions(one.get("size"), one.get("quality")))
    return found


def _failure(told: dict[str, object]) -> Failure:
    error = told.get("error")
    inner = error if isinstance(error, dict) else {}
    code, message = inner.get("code"), inner.get("message")
    return Failure(
        code=code if isinstance(code, str) and code else "server_error",
        message=message if isinstance(message, str) and message else "The response failed.",
    )


API = TaskApi(
    submit=submit,
    accepted=accepted,
    poll=poll,
    progress=progress,
    cancel=cancel,
    canceled=progress,
    pace=Pace(first=1.0, growth=1.25, longest=10.0),
    deadline=2 * 3600.0,
)
