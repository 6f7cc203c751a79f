"""Errors as callers of Luma's official API and of the relays' form read them.

Official: `{"detail": <text>}`, with the gateway's own stable `code` beside it. Relays: an envelope with `code` and `message`
that also holds `detail` and an `error` object, since clients of both worlds call it.
Sources: the vendor's OpenAPI document (github.com/tryAGI/Luma), the web client chatgpt-web-midjourney-proxy (`src/api/luma.ts`).
"""

from collections.abc import Mapping

import msgspec

from unigate.base.errors import BadRequest, GatewayError, NoFunds, NotFound, UpstreamRefused

_encode = msgspec.json.encode
_LONGEST = 2000
_SERVER = 500
NO_KEY = "Not authenticated"
NO_CREDITS = "Insufficient credits"


class NoTask(BadRequest):
    """The task does not exist."""

    default_code = "task_not_exist"


class Unfinished(BadRequest):
    """The task has not finished yet."""

    default_code = "task_not_finished"


def not_found() -> GatewayError:
    """What the official API says of a generation that is not there, or is another user's."""
    return NotFound("Generation not found")


def write_official(error: GatewayError, request_id: str) -> bytes:
    """An error in the official form."""
    return _encode({"detail": _text(error, request_id), "code": error.code})


def write_relay(error: GatewayError, request_id: str) -> bytes:
    """An error in the relays' form."""
    code = "quota_not_enough" if isinstance(error, NoFunds) else error.code
    return _encode(_envelope(code, _text(error, request_id), error.kind))


def relay_status(error: GatewayError) -> int:
    """Relays say 403 where there is no money; a vendor's refusal keeps its status."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status
    return 403 if isinstance(error, NoFunds) else error.status


def pass_official(status: int, body: bytes) -> bytes:
    """A vendor's refusal in the official form; what it says in `detail`, a text or a list of faults, stays."""
    told = _decoded(body)
    detail = told.get("detail") if isinstance(told, Mapping) else None
    return _encode({"detail": detail if detail and isinstance(detail, str | list) else words(status, body)})


def pass_relay(status: int, body: bytes) -> bytes:
    """A vendor's refusal in the relays' form, under the vendor's own code where it has one."""
    told = _decoded(body)
    code = told.get("code") if isinstance(told, Mapping) else None
    usual = "invalid_request" if status < _SERVER else "do_request_failed"
    named = code if isinstance(code, str) and code else usual
    return _encode(_envelope(named, words(status, body), "upstream_error"))


def words(status: int, body: bytes) -> str:
    """What a vendor's refusal says, whichever of the two forms it has."""
    told = _decoded(body)
    if isinstance(told, Mapping):
        inner = told.get("error")
        places = (
            told.get("detail"),
            inner.get("message") if isinstance(inner, Mapping) else inner,
            told.get("message"),
        )
        for found in places:
            if isinstance(found, str) and found:
                return found[:_LONGEST]
            if isinstance(found, list) and (texts := [one["msg"] for one in found if _is_fault(one)]):
                return "; ".join(texts)[:_LONGEST]
    return f"The provider answered with status {status}."


def _is_fault(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("msg"), str)


def _text(error: GatewayError, request_id: str) -> str:
    if error.code == "invalid_api_key":
        return NO_KEY
    if isinstance(error, NoFunds):
        return NO_CREDITS
    return f"{error.message} (request id: {request_id})" if error.status >= _SERVER and request_id else error.message


def _envelope(code: str, message: str, kind: str) -> Mapping[str, object]:
    about = {"message": message, "type": kind, "code": code}
    return {"code": code, "message": message, "data": None, "detail": message, "error": about}


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
