"""Errors as callers of Luma's official API and of the relays' form read them.

Official: `{"detail": <text>}`, with the gateway's own stable `code` beside it. Relays: what all of them have in common
(`relay_tasks`), and `detail` too, since clients of both worlds call it.
Sources: the vendor's OpenAPI document (github.com/tryAGI/Luma), the web client chatgpt-web-midjourney-proxy (`src/api/luma.ts`).
"""

from collections.abc import Mapping

import msgspec

from unigate.base.errors import BadRequest, GatewayError, NoFunds, NotFound, UpstreamRefused
from unigate.dialects import relay_tasks

_encode = msgspec.json.encode
_LONGEST = 2000
_SERVER = 500
NO_KEY = "Not authenticated"
NO_CREDITS = "Insufficient credits"


def not_found() -> GatewayError:
    """What the official API says of a generation that is not there, or is another user's."""
    return NotFound("Generation not found")


def official_status(error: GatewayError) -> int:
    """The HTTP status of an error in the official form, whose 404 says that a generation is not there: never that of a model."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status
    return BadRequest.status if error.code == "model_not_found" else error.status


def write_official(error: GatewayError, request_id: str) -> bytes:
    """An error in the official form."""
    return _encode({"detail": _text(error, request_id), "code": error.code})


def write_relay(error: GatewayError, request_id: str) -> bytes:
    """An error in the relays' form."""
    return _with_detail(relay_tasks.write_error(error, request_id))


def pass_relay(status: int, body: bytes) -> bytes:
    """A vendor's refusal in the relays' form, in the vendor's words."""
    return _with_detail(relay_tasks.pass_error(status, body))


def _with_detail(body: bytes) -> bytes:
    """An error of the relays' with its words where callers of the official form look for them."""
    told = msgspec.json.decode(body, type=dict[str, object])
    return _encode({**told, "detail": told["message"]})


def pass_official(status: int, body: bytes) -> bytes:
    """A vendor's refusal in the official form; what it says in `detail`, a text or a list of faults, stays."""
    told = _decoded(body)
    detail = told.get("detail") if isinstance(told, Mapping) else None
    return _encode({"detail": detail if detail and isinstance(detail, str | list) else words(status, body)})


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


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
