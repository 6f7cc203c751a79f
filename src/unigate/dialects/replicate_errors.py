"""Errors in Replicate's form: problem documents (RFC 7807), written and passed on.

https://replicate.com/docs/reference/http: `{"title", "detail", "status"}`, with `invalid_fields` where an input does not
fit. `code` is the gateway's own stable code.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from unigate.base.errors import CallerError, GatewayError, NotFound, UpstreamRefused
from unigate.spec.task import Submission

ERROR_TYPE = b"application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Unauthenticated",
    402: "Insufficient credit",
    403: "Forbidden",
    409: "Conflict",
    413: "Request too large",
    415: "Unsupported media type",
    422: "Input validation failed",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}
_NO_KEY = "You did not pass a valid authentication token"
_MISSING = "The requested resource could not be found."
_VERSION = re.compile(r"\b[0-9a-f]{64}\b")
#: Codes of what does not fit, which is 400 elsewhere.
_UNFIT = frozenset({"invalid_callback", "too_many_files"})
_SERVER = 500
_MAX_DETAIL = 2000

#: What is wrong with a field: kind, field, words.
Fault = tuple[str, str, str]


class Invalid(CallerError):
    """The input does not fit the model."""

    status: ClassVar[int] = 422

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("".join(f"- {field}: {words}\n" for _, field, words in faults), param=faults[0][1])
        self.faults = tuple(faults)


class NoVersion(CallerError):
    """The specified version does not exist (or perhaps you don't have permission to use it?)."""

    status: ClassVar[int] = 422


def missing(task_id: str) -> GatewayError:
    """The error for a prediction that is not there, or is another user's."""
    return NotFound(_MISSING, param=task_id[:100])


def unserved(asked: Submission) -> GatewayError:
    """The error for what no channel serves: a version is no valid input, a model or deployment in the path is not there."""
    return NotFound(_MISSING, code="model_not_found") if "owner" in asked.params else NoVersion()


def error_status(error: GatewayError) -> int:
    """A version that nothing serves or prices is no valid input; a vendor's refusal keeps its status."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status
    return Invalid.status if _of_version(error) or error.code in _UNFIT else error.status


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply."""
    status = error_status(error)
    detail = error.message
    title = _TITLES.get(status)
    told: dict[str, object] = {}
    if status == 401 and error.code == "invalid_api_key":
        detail = _NO_KEY
    elif _of_version(error) or isinstance(error, NoVersion):
        title, detail = "Invalid version or not permitted", NoVersion.__doc__ or ""
    elif status == 429:
        seconds = max(1, math.ceil(error.retry_after or 1))
        told["retry_after"] = seconds
        detail = f"Request was throttled. Expected available in {seconds} second{'s' if seconds > 1 else ''}."
    elif status >= _SERVER and request_id:
        detail = f"{detail} (request id: {request_id})"
    if isinstance(error, Invalid):
        told["invalid_fields"] = [
            {"type": kind, "field": field, "description": words} for kind, field, words in error.faults
        ]
    named = {"title": title} if title else {}
    return msgspec.json.encode({**named, "detail": detail, "status": status, "code": error.code, **told})


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal as callers of this dialect read it: as it came where it is a problem, else made one."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if isinstance(told, Mapping) and isinstance(told.get("detail"), str):
        return msgspec.json.encode({"status": status, **told})
    text = body[:_MAX_DETAIL].decode("utf-8", "replace").strip()
    if not text or text[:1] in "<{[":
        text = f"The provider answered with status {status}."
    title = _TITLES.get(status)
    return msgspec.json.encode({**({"title": title} if title else {}), "detail": text, "status": status})


def _of_version(error: GatewayError) -> bool:
    """Whether nothing serves, or nothing prices, what was named by a version."""
    return error.code in {"model_not_found", "price_missing"} and _VERSION.search(error.message) is not None
