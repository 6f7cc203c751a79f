"""Embeddings in Cohere's own form: `POST /v2/embed`, and `/v1/embed` before it. Vectors pass as they came.

https://docs.cohere.com/reference/embed: one of `texts`, `images` (data URIs) and `inputs` (objects with `content`).
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import estimate as _estimate
from unigate.dialects import json_read, openai_body
from unigate.dialects.cohere_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_answer import Seen, add_cost, no_answer
from unigate.dialects.openai_body import Edits, edit, input_bound
from unigate.dialects.reranking import count
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = [
    "MOST_INPUTS",
    "NAME",
    "NAME_V1",
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
]

NAME, NAME_V1 = "cohere.embed", "cohere.embed_v1"
OPERATIONS = tuple(
    Operation(
        name=name,
        method="POST",
        path=path,
        dialect="cohere_embed",
        family="embeddings",
        body="json",
        upstream_path=path,
    )
    for name, path in ((NAME, "/v2/embed"), (NAME_V1, "/v1/embed"))
)
MOST_INPUTS = 96
_PLACES = ("texts", "images", "inputs")
_NAMES = ("model", *_PLACES, "usage")
_READ = re.compile(rb'"(?:model|texts|images|inputs|usage|include)"')
#: What the vendor says it bills -> the unit that it is here.
_BILLED: Mapping[str, str] = {"input_tokens": "input", "image_tokens": "image_input", "images": "images"}


class Body(msgspec.Struct, gc=False):
    """A call, as far as we read it."""

    model: str = ""
    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[dict[str, Any]] | None = None
    usage: openai_body.UsageOptions | None = None


class _Answer(msgspec.Struct, gc=False):
    embeddings: dict[str, list[msgspec.Raw] | None] | list[msgspec.Raw]
    meta: dict[str, Any] | None = None


_call = msgspec.json.Decoder(Body)
_answer = msgspec.json.Decoder(_Answer)


def read_body(body: bytes) -> Body:
    """A caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    if not call.model:
        raise openai_body.no_model()
    given = [(name, told) for name in _PLACES if (told := getattr(call, name)) is not None]
    if len(given) != 1:
        raise BadRequest("Exactly one of 'texts', 'images' and 'inputs' must be given.", param="texts")
    name, told = given[0]
    if not told:
        raise BadRequest(f"Invalid '{name}': expected at least one.", param=name)
    if len(told) > MOST_INPUTS:
        raise BadRequest(f"Invalid '{name}': expected at most {MOST_INPUTS}.", param=name)
    return call


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = read_body(body)
    openai_body.named(body, _READ, _NAMES)
    count_of = len(call.texts or call.images or call.inputs or ())
    facts = Facts(model=call.model, inputs=count_of, output_limit=0)
    facts.include_cost = call.usage is not None and call.usage.include is True
    facts.open_input = call.texts is None and b"http" in body
    if call.images or call.inputs:
        facts.units = {"images": len(call.images or ()) or openai_body.unescaped(body).count(b'"image_url"')}
    return facts


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (what other dialects need of it)
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    try:
        told = _answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_answer(json_read.loose(body), body, "embeddings") from None
    billed = (told.meta or {}).get("billed_units")
    found = told.embeddings
    empty = not (any(found.values()) if isinstance(found, dict) else found)
    if not isinstance(billed, dict):
        return Seen(None, empty)
    units = {unit: known for name, unit in _BILLED.items() if (known := count(billed.get(name))) is not None}
    return Seen(Usage({unit: n for unit, n in units.items() if n or unit == "input"}) if units else None, empty)


def estimate(body: bytes, seen: Seen) -> Usage:  # noqa: ARG001  (an answer of vectors says nothing of its input)
    """Usage counted from the request's body, marked as estimated."""
    call = _call.decode(body)
    pictures = len(call.images or ()) + openai_body.unescaped(body).count(b'"image_url"') // 2
    units = {"input": _estimate.prompt_tokens(call.texts or call.inputs or [])}
    if pictures:
        units["image_input"] = pictures * _estimate.PER_IMAGE
    return Usage(units, estimated=True)


def known_answer(body: bytes) -> tuple[dict[str, list[msgspec.Raw]], Mapping[str, Any]]:
    """The vectors of an answer by their kind, and its `meta`; BadAnswer where it is none."""
    try:
        told = _answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer has no embeddings") from None
    found = told.embeddings if isinstance(told.embeddings, dict) else {"float": told.embeddings}
    return {kind: rows for kind, rows in found.items() if rows}, told.meta or {}
