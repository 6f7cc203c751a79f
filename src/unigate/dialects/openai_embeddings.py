"""OpenAI's embeddings: `POST /v1/embeddings`. Vectors pass as they came; what is paid is the input.

One thing is changed: vectors that were asked for in base64, as the official SDKs do by themselves, are given so where a
provider knows of numbers only.

Inputs are texts or lists of tokens, one or many; some vendors of the same form take objects with a text or a picture.
https://platform.openai.com/docs/api-reference/embeddings
"""

import re
import sys
from array import array
from binascii import b2a_base64

import msgspec

from unigate.dialects import estimate as _estimate
from unigate.dialects import json_edit, json_read, openai_body
from unigate.dialects.openai_answer import Seen, add_cost, loosely
from unigate.dialects.openai_body import Edits, edit, input_bound
from unigate.dialects.openai_usage import read_input_usage
from unigate.dialects.wide_errors import VendorError, pass_error, read_error, write_error
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

__all__ = [
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "add_cost",
    "edit",
    "estimate",
    "finish_answer",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
]

OPERATIONS = (
    Operation(
        name="openai.embeddings",
        method="POST",
        path="/v1/embeddings",
        dialect="openai_embeddings",
        family="embeddings",
        body="json",
        upstream_path="/embeddings",
    ),
)
_NAMES = ("model", "input", "usage", "encoding_format")
_READ = re.compile(rb'"(?:model|input|usage|include|encoding_format)"')
#: Members by which vendors are asked for vectors of another kind than 32-bit floats.
_KINDS = (b'"output_dtype"', b'"embedding_type"')
#: Input that is named and not carried: the address of a picture. A text may be an address.
_OPEN = re.compile(rb'"(?!(?:text|input)")\w+"\s*:\s*"https?:')


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    input: msgspec.Raw = msgspec.Raw(b"null")
    usage: openai_body.UsageOptions | None = None
    encoding_format: object = None


class _Answer(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw(b"")
    usage: dict[str, object] | None = None


class _Input(msgspec.Struct, gc=False):
    input: object = None


_call = msgspec.json.Decoder(_Call)
_answer = msgspec.json.Decoder(_Answer)
_input = msgspec.json.Decoder(_Input)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_vector = msgspec.json.Decoder(list[float])


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    openai_body.named(body, _READ, _NAMES)
    if not call.model:
        raise openai_body.no_model()
    facts = Facts(model=call.model, inputs=openai_body.inputs(call.input), output_limit=0)
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    facts.finish = call.encoding_format == "base64" and not any(kind in body for kind in _KINDS)
    if b"http" in body or b"\\u00" in body:
        facts.open_input = _OPEN.search(openai_body.unescaped(body)) is not None
    return facts


def read_answer(body: bytes, provider: Provider) -> Seen:
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    try:
        answer = _answer.decode(body)
        usage = read_input_usage(answer.usage, provider)
        if usage is not None and bytes(memoryview(answer.data)[:20]).lstrip(b"[ \t\r\n")[:1] == b"{":
            return Seen(usage, False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    told = loosely(body, "data")
    return Seen(read_input_usage(told.get("usage"), provider), not told["data"])


def finish_answer(body: bytes) -> bytes:
    """The answer with its vectors in base64 (32-bit floats, little-endian) where they are lists of numbers.

    Nothing else is changed. An answer that can't be taken apart stays as it is: callers' SDKs take numbers too.
    """
    try:
        data = json_edit.find(body, "data")
        if data is None:
            return body
        items = [bytes(item) for item in _items.decode(body[data.start : data.end])]
        packed = [_packed(item) for item in items]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return body
    if packed == items:
        return body
    return body[: data.start] + b"[" + b",".join(packed) + b"]" + body[data.end :]


def _packed(item: bytes) -> bytes:
    found = json_edit.find(item, "embedding")
    if found is None or item[found.start : found.start + 1] != b"[":
        return item
    return item[: found.start] + in_base64(item[found.start : found.end]) + item[found.end :]


def in_base64(vector: bytes) -> bytes:
    """The JSON text of a list of numbers as that of a text: 32-bit floats, little-endian, in base64."""
    numbers = array("f", _vector.decode(vector))
    if sys.byteorder == "big":
        numbers.byteswap()
    return b'"' + b2a_base64(numbers, newline=False) + b'"'


def estimate(body: bytes, seen: Seen) -> Usage:  # noqa: ARG001  (an answer of vectors says nothing of its input)
    """Usage counted from the request's body, marked as estimated."""
    return Usage({"input": _estimate.prompt_tokens(_input.decode(body).input)}, estimated=True)
