"""Vendors' ways of making pictures of words, as data: each provider says what differs from OpenAI's form.

It must not know any vendor: what stands here is what several have alike. Whole answers only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, Unsupported
from unigate.base.id_times import made_at
from unigate.dialects import json_read
from unigate.dialects.openai_answer import no_answer
from unigate.spec.provider import Options, Translation

NAME = "openai.images.generations"
#: Members of OpenAI's own: one that a vendor does not take is left out and named.
_OWN = frozenset(
    {
        "background",
        "input_fidelity",
        "moderation",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "style",
        "user",
    }
)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_INLINE = "b64_json"
_body = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """How a vendor is asked for pictures, and how it answers."""

    #: Its names of members that go by another one in OpenAI's form.
    rename: Mapping[str, str] = field(default_factory=dict)
    #: The members in which it takes width and height; None: it takes them as OpenAI does.
    sides: tuple[str, str] | None = None
    #: What it calls pictures themselves, as a `response_format`; "": it answers with addresses only.
    inline: str = ""
    #: Members of OpenAI's own that it takes.
    takes: frozenset[str] = frozenset()
    #: The member of its answers in which the pictures stand.
    pictures: str = "data"


def pictures(vendor: Painter) -> Mapping[str, Translation]:
    """How a vendor is asked for pictures in OpenAI's form."""
    return {NAME: Translation(request=partial(_request, vendor), answer=partial(_answer, vendor))}


def _request(vendor: Painter, body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    asked = json_read.decode(body, _body)
    if asked.get("stream") is True:
        raise Unsupported("This model's pictures cannot be streamed.", param="stream")
    ignored = tuple(sorted(name for name in asked if name in _OWN and name not in vendor.takes))
    made: dict[str, Any] = {}
    for name, value in asked.items():
        if name == "size":
            made |= _sized(vendor, value)
        elif name == "response_format":
            made |= _form(vendor, value)
        elif name != "stream" and name not in ignored:
            made[vendor.rename.get(name, name)] = value
    return msgspec.json.encode(made), ignored


def _sized(vendor: Painter, size: object) -> dict[str, Any]:
    if size in (None, "auto"):
        return {}
    if vendor.sides is None:
        return {vendor.rename.get("size", "size"): size}
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found is None:
        raise Unsupported("A size is a width and a height, such as '1024x1024'.", param="size")
    return {vendor.sides[0]: int(found[1]), vendor.sides[1]: int(found[2])}


def _form(vendor: Painter, form: object) -> dict[str, Any]:
    if form == _INLINE and not vendor.inline:
        raise Unsupported("This model's pictures are answered as addresses ('url') only.", param="response_format")
    if not vendor.inline or form is None:
        return {}
    return {"response_format": vendor.inline if form == _INLINE else form}


def _answer(vendor: Painter, body: bytes, _asked: bytes, id: str) -> bytes:
    try:
        told = _body.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is no object") from None
    made = told.pop(vendor.pictures, None)
    if not isinstance(made, list):
        raise no_answer(told, body, vendor.pictures)
    made_ms = made_at(id) or now_ms()  # the ids of batches' lines do not tell
    return msgspec.json.encode({"created": made_ms // 1000, **told, "data": made})
