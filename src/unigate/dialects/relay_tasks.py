"""What relays of music and film have in common on the wire: envelope, words of states, times, errors, notices.

`{"code": "success", "message": "", "data": ...}`; tasks go NOT_START, SUBMITTED, QUEUED, IN_PROGRESS, SUCCESS or FAILURE; times
are seconds; a refusal is a `TaskError`: code, message, data null. Sources: github.com/Suno-API/Suno-API,
github.com/QuantumNous/new-api (`dto/task.go`, `relay/channel/task`). Must not know any vendor's fields.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, ChannelOff, GatewayError, NoFunds, UpstreamRefused
from unigate.dialects import addresses, json_read
from unigate.spec.operation import Operation
from unigate.spec.task import ALLOTTED, Failure, Notify, Progress, Task

SUCCESS = "success"
State = Literal["queued", "running", "succeeded", "failed", "canceled"]
#: A relay's word -> what it means; what is not here is on its way.
STATES: Mapping[str, State] = {
    "NOT_START": "queued",
    "SUBMITTED": "queued",
    "QUEUED": "queued",
    "IN_PROGRESS": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "FAILED": "failed",
    "FAIL": "failed",
    "CANCEL": "canceled",
    "CANCELED": "canceled",
    "CANCELLED": "canceled",
}
_SHOWN: Mapping[str, str] = {"waiting": "NOT_START", "submitting": "NOT_START", "succeeded": "SUCCESS"}
#: Tasks that one call may ask after: gateways of the new-api family ask after all that are on their way at once.
MOST_IDS = 1000
_LONGEST_HOOK = 2000
#: A relay's codes -> the status that they amount to: of our account there, of what does not exist, of its own trouble.
_AMOUNTS: Mapping[str, int] = {
    "quota_not_enough": 402,
    "insufficient_user_quota": 402,
    "task_not_exist": 404,
    "task_channel_disable": 503,
    "internal_error": 500,
    "do_request_failed": 500,
    "fail_to_fetch_task": 500,
    "read_response_body_failed": 500,
    "unmarshal_response_body_failed": 500,
}
#: Our codes -> the convention's.
_CODES: Mapping[str, str] = {
    "insufficient_quota": "quota_not_enough",
    "invalid_json": "invalid_request",
    "upstream_error": "do_request_failed",
    "upstream_timeout": "do_request_failed",
    "task_not_found": "task_not_exist",
}
_STATUS = re.compile("[45][0-9]{2}")
_PERCENT = re.compile(r"\s*([0-9]{1,5})(?:\.[0-9]+)?\s*%?\s*")
_OBJECT: "msgspec.json.Decoder[dict[str, Any]]" = msgspec.json.Decoder(dict[str, Any])
#: Why a task failed, where the vendor did not say it.
_REASONS: Mapping[str, str] = {
    "task_unknown": "It is not known whether the provider took the task; nothing was charged."
}
Fields = Mapping[str, Any]


class Refused(BadRequest):
    """The request is not valid."""

    def __init__(self, message: str, code: str = "invalid_request") -> None:
        super().__init__(message, code=code)


def row(
    name: str, call: str, use: str, *also: str, roots: Sequence[str], dialect: str = "", family: str = "", **more: Any
) -> Operation:
    """An operation; `call`: method and path below the roots, such as `GET /fetch/{id}`, `also`: other paths of it.

    Each path also works with a slash at its end. The dialect is what the name begins with, the family the dialect.
    """
    method, _, path = call.partition(" ")
    first, *others = (f"{root}{one}{slash}" for root in roots for one in (path, *also) for slash in ("", "/"))
    dialect = dialect or name.partition(".")[0]
    family = family or dialect
    return Operation(
        name=name, method=method, path=first, aliases=tuple(others), dialect=dialect, family=family, use=use, **more
    )


def fields(body: bytes) -> dict[str, Any]:
    """The members of a body; InvalidJson where it is no object."""
    return json_read.decode(body or b"{}", _OBJECT)


def text(given: Fields, name: str, most: int = 0) -> str:
    """A member that is a text, "" where it is not there; Refused where it is none, has a NUL, or is too long."""
    told = given.get(name)
    if told is None:
        return ""
    if not isinstance(told, str) or "\0" in told:
        raise Refused(f"{name} must be a string")
    if most and len(told) > most:
        raise Refused(f"{name} is longer than {most} characters")
    return told


def read_notify(given: Fields, name: str = "notify_hook") -> Notify | None:
    """Where the caller wants to hear of the end; Refused for what is no address."""
    hook = text(given, name, _LONGEST_HOOK)
    if not hook:
        return None
    if not addresses.plain(hook, login=False):
        raise Refused(f"{name} is no address that can be notified")
    return Notify(url=hook)


def read_ids(body: bytes) -> list[str]:
    """The ids of a query for several tasks; Refused."""
    told = fields(body).get("ids")
    if not isinstance(told, list) or len(told) > MOST_IDS:
        raise Refused(f"ids must be a list of at most {MOST_IDS} task ids")
    return [one for one in told if isinstance(one, str) and one and "\0" not in one]


def envelope(data: object, more: Fields | None = None) -> bytes:
    """A good answer; `more`: members beside the envelope's."""
    return msgspec.json.encode({"code": SUCCESS, "message": "", "data": data, **(more or {})})


def status(task: Task) -> str:
    """The convention's word for where a task stands."""
    if task.state == "running":
        told = str(task.detail.get("status", ""))
        if task.queued:
            return told if STATES.get(told) == "queued" else "SUBMITTED"
        return "IN_PROGRESS"
    return _SHOWN.get(task.state, "FAILURE")


def progress(task: Task) -> str:
    """`"0%"` to `"100%"`."""
    return "100%" if task.ended else f"{max(task.percent, 0)}%"


def fail_reason(task: Task) -> str:
    """Why it failed, in the vendor's words; "" where it did not."""
    if task.state not in ("failed", "unknown", "canceled"):
        return ""
    if task.error is None:
        return "The task failed."
    return _REASONS.get(task.error.code) or task.error.message or task.error.code


def shown(task: Task, action: str, data: object) -> dict[str, Any]:
    """A task object around a vendor's own data."""
    return {
        "task_id": task.id,
        "notify_hook": task.notify.url if task.notify is not None else "",
        "action": action,
        "status": status(task),
        "fail_reason": fail_reason(task),
        "submit_time": task.created_at // 1000,
        "start_time": task.started_at // 1000,
        "finish_time": task.finished_at // 1000,
        "progress": progress(task),
        "search_item": "",
        "data": data,
    }


def allotted(task: Task) -> Sequence[str]:
    """The ids that what it makes was given before its relay had named it."""
    return _ids(task.input)


def names(task: Task, seen: Sequence[str]) -> Mapping[str, str]:
    """Of a relay's ids of what it makes, the ids that callers know; `seen`: those that failed are told nowhere else."""
    theirs = dict.fromkeys((*_ids(task.detail), *seen))
    return dict(zip(theirs, allotted(task), strict=False))


def _ids(value: Fields) -> Sequence[str]:
    told = value.get(ALLOTTED)
    return [str(one) for one in told] if isinstance(told, list | tuple) else ()


def events(before: Task | None, after: Task) -> tuple[str, ...]:
    """Of what a notified caller hears: the end."""
    return ("ended",) if after.ended and (before is None or not before.ended) else ()


def missing(task_id: str) -> GatewayError:  # noqa: ARG001 - ids are not repeated to who guesses them
    """There is no such task."""
    return Refused("task_not_exist", "task_not_exist")


def missing_parent(task_id: str) -> GatewayError:  # noqa: ARG001
    """There is no such task, or thing, to go on from."""
    return Refused("task_origin_not_exist", "task_origin_not_exist")


def error_status(error: GatewayError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, UpstreamRefused):
        return 400 if error.upstream_status == 404 else error.upstream_status
    if isinstance(error, NoFunds):
        return 403
    if isinstance(error, ChannelOff):
        return BadRequest.status
    return 503 if error.code == "model_not_found" else error.status


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply: a TaskError, and beside it what clients in browsers read."""
    code = "task_channel_disable" if isinstance(error, ChannelOff) else _CODES.get(error.code, error.code)
    kind = "new_api_error" if error.status in (401, 402, 403) else error.kind
    return _error(code, error.message, {"type": kind, "code": error.code, "request_id": request_id})


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal in the convention's form, in the vendor's words."""
    told = loosely(body)
    nested: object = told.get("error")
    inner: dict[str, Any] = (
        nested if isinstance(nested, dict) else {"message": told.get("detail") if nested is None else nested}
    )
    code = told.get("code") if isinstance(told.get("code"), str) else inner.get("code")
    words = (told.get("message"), inner.get("message"), "The provider refused the request.")
    message = next(one for one in words if isinstance(one, str) and one)
    code = code if isinstance(code, str) and code else "task_not_exist" if status == 404 else "invalid_request"
    return _error(code, message, {"type": "upstream_error", "code": code})


def _error(code: str, message: str, inner: Fields) -> bytes:
    return msgspec.json.encode({"code": code, "message": message, "data": None, "error": {"message": message, **inner}})


def loosely(body: bytes) -> dict[str, Any]:
    """An object that a vendor sent; {} for anything else."""
    try:
        return _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def adjusted(status: int, body: bytes) -> tuple[int, bytes]:
    """An error of a relay's with the status that it amounts to."""
    code = loosely(body).get("code")
    return (_AMOUNTS.get(code, status) if isinstance(code, str) else status), body


def answered(body: bytes) -> dict[str, Any]:
    """A relay's answer; BadAnswer where it is no object, UpstreamRefused for a refusal that came as 2xx."""
    try:
        told = _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the relay's answer is no JSON object") from None
    code = told.get("code")
    if code is not None and str(code).lower() not in (SUCCESS, "200", "0", "1"):
        raise UpstreamRefused(_amount(str(code)), body)
    if code is None and (told.get("error") or told.get("success") is False):
        raise UpstreamRefused(400, body)
    return told


def _amount(code: str) -> int:
    """The status that a refusal's code amounts to; many relays write the status itself."""
    return _AMOUNTS.get(code) or (int(code) if _STATUS.fullmatch(code) else 400)


def submitted_id(told: Fields) -> str:
    """The id in the answer to a submission, wherever the relay puts it; BadAnswer."""
    data = told.get("data")
    inner = data if isinstance(data, dict) else {}
    for found in (data, inner.get("task_id"), told.get("task_id"), told.get("id"), inner.get("id")):
        if isinstance(found, str) and found:
            return found
    raise BadAnswer(detail="a submission was accepted without an id")


def percent(told: object) -> int | None:
    """`"30%"` or 30 as a number; None for anything else."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        return max(0, min(int(told), 100))
    found = _PERCENT.fullmatch(told) if isinstance(told, str) else None
    return min(int(found[1]), 100) if found else None


def failed(told: Fields, reason: str, detail: Fields) -> Progress:
    """The end of a task that its relay could not complete, in its own words."""
    message = told.get("fail_reason")
    message = message if isinstance(message, str) and message else reason
    return Progress(state="failed", error=Failure(code="task_failed", message=message), detail=detail)


def in_order(handles: Sequence[Mapping[str, object]], tasks: Sequence[Fields]) -> list[Fields | None]:
    """Of several tasks that a relay tells of, those of the handles (`id`), in their order; None for unknown ones."""
    known = {str(task.get("task_id") or task.get("id")): task for task in tasks}
    return [known.get(str(handle["id"])) for handle in handles]
