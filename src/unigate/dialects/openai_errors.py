"""Errors in OpenAI's form: writing ours, reading whatever vendors that call themselves compatible send.

https://platform.openai.com/docs/guides/error-codes/api-errors: `{"error": {"message", "type", "param", "code"}}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from unigate.base.errors import GatewayError

_MAX_MESSAGE = 2000
_SERVER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorError:
    """What a vendor said went wrong, for logs and for passing on."""

    message: str
    type: str = ""
    param: str | None = None
    code: str | None = None
    #: The body is in OpenAI's form already, so that it passes as it came.
    own_form: bool = False


def error_object(error: GatewayError, request_id: str) -> dict[str, str | None]:
    """The object under `error`; a failure of ours names the request, so that a caller can ask about it."""
    message = error.message
    if error.status >= _SERVER and request_id:
        message = f"{message} (request id: {request_id})"
    return {"message": message, "type": error.kind, "param": error.param, "code": error.code}


def write_error(error: GatewayError, request_id: str) -> bytes:
    """The body of an error reply."""
    return msgspec.json.encode({"error": error_object(error, request_id)})


def write_stream_error(error: GatewayError, request_id: str, watch: object = None) -> bytes:  # noqa: ARG001
    """The event that ends a stream which broke: what official SDKs raise on."""
    return b"data: " + write_error(error, request_id) + b"\n\n"


def read_error(status: int, body: bytes) -> VendorError:
    """What a vendor's error body says; never raises.

    Known forms beside OpenAI's own: `error` as text, a list around the object (Google), `message` or `detail` at the top
    (FastAPI, Mistral), and pages of HTML.
    """
    told: object
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:_MAX_MESSAGE].decode("utf-8", "replace").strip()
        return VendorError(message=_fallback(status) if not text or text.startswith("<") else text)
    if isinstance(told, list) and told:
        told = told[0]
    inner = told.get("error", told) if isinstance(told, Mapping) else told
    if isinstance(inner, str) and inner:
        return VendorError(message=inner[:_MAX_MESSAGE])
    if not isinstance(inner, Mapping):
        return VendorError(message=_fallback(status))
    message = _text(inner.get("message")) or _text(inner.get("detail")) or _text(inner.get("msg"))
    own_form = inner is not told and isinstance(inner.get("message"), str) and body.lstrip()[:1] == b"{"
    return VendorError(
        message=(message or _fallback(status))[:_MAX_MESSAGE],
        type=_text(inner.get("type")) or _text(inner.get("status")),
        param=_text(inner.get("param")) or None,
        code=_text(inner.get("code")) or None,
        own_form=own_form,
    )


def pass_error(status: int, body: bytes) -> bytes:
    """A vendor's refusal as callers of this dialect read it: untouched where it has the form, else rewritten."""
    told = read_error(status, body)
    if told.own_form:
        return body
    kind = told.type or ("invalid_request_error" if status < _SERVER else "server_error")
    return msgspec.json.encode(
        {"error": {"message": told.message, "type": kind, "param": told.param, "code": told.code}}
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value)
    return msgspec.json.encode(value).decode()


def _fallback(status: int) -> str:
    return f"The provider answered with status {status}." if status else "The provider reported an error."
