"""Whole answers in OpenAI's form: what its dialects read of them alike, and the cost that is written into them.

An answer passes as it came. It must not know what the choices of one dialect hold.
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, UpstreamRefused
from unigate.dialects import json_edit, json_read
from unigate.spec.usage import Usage

#: What a call without a special tier counts as.
DEFAULT_TIER = "default"

_ERRORS = range(400, 600)
_BAD_GATEWAY = 502
_USAGE = re.compile(rb'"usage"[ \t\r\n]*:[ \t\r\n]*\{(?=[ \t\r\n]*")')


@dataclass(slots=True)
class Seen:
    """What an answer says of itself."""

    usage: Usage | None
    #: Nothing was answered and no output reported: such an answer is free.
    empty: bool
    #: Counted from the answer's texts, only where usage was not reported.
    output_tokens: int = 0
    audio_tokens: int = 0
    #: The tier that served the call: a tier that was asked for and not confirmed is not taken for granted.
    service_tier: str = DEFAULT_TIER


class _Usage(msgspec.Struct, gc=False):
    usage: dict[str, Any] | None = None


_usage = msgspec.json.Decoder(_Usage)


def loosely(body: bytes, member: str) -> dict[str, Any]:
    """An answer as an object whose `member` is a list, however odd the rest.

    BadAnswer where it is none, UpstreamRefused where a 200 holds an error object.
    """
    told: object
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = json_read.loose(body)
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is not a JSON object")
    if not isinstance(told.get(member), list):
        raise no_answer(told, body, member)
    return told


def no_answer(told: object, body: bytes, member: str) -> BadAnswer | UpstreamRefused:
    """What an answer of 200 amounts to that lacks what it should have: a refusal where it says so."""
    error = told.get("error") if isinstance(told, dict) else None
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        return UpstreamRefused(code if type(code) is int and code in _ERRORS else _BAD_GATEWAY, body)
    return BadAnswer(detail=f"the answer has no {member}")


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:
    """The answer with `usage.cost` (decimal USD); `usage` fills in a usage object where the provider gave none."""
    text = cost.encode()
    if body.count(b'"usage"') == 1 and b'"cost"' not in body:
        quick = _USAGE.search(body)
        if quick is not None and _has_usage(body):
            return body[: quick.end()] + b'"cost":' + text + b"," + body[quick.end() :]
    return put_cost(body, text, usage, b'"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,')


def put_cost(body: bytes, cost: bytes, usage: Usage | None, counts: bytes) -> bytes:
    """As `add_cost`; `counts` are the counts of a usage object that is to be made: of input, output, and both."""
    found = json_edit.find(body, "usage")
    if found is not None and body[found.start : found.start + 1] == b"{":
        return json_edit.edited(body, {"cost": cost}, start=found.start)
    told = b""
    if usage is not None:
        into, out = usage.input_tokens, usage.output_tokens
        told = counts % (into, out, into + out)
    return json_edit.edited(body, {"usage": b"{" + told + b'"cost":' + cost + b"}"})


def _has_usage(body: bytes) -> bool:
    """Whether `usage` stands at the top, where it belongs."""
    try:
        return _usage.decode(body).usage is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
