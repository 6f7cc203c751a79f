"""Strict reading of JSON bodies that callers send.

A provider and the price must see the same request, so that what is ambiguous is refused: invalid UTF-8, lone surrogates,
NaN, the same key twice where we read it, nesting beyond any use. It must not judge what we don't read.
"""

import json
import re
from collections.abc import Iterable
from itertools import accumulate
from typing import TypeVar

import msgspec

from unigate.base.errors import BadRequest, InvalidJson
from unigate.dialects import json_edit

#: Objects and arrays inside each other; vendors refuse far less.
MAX_DEPTH = 128

T = TypeVar("T")
_AT = re.compile(r"^Expected `(.+?)`(?: .+?)?, got `(.+?)` - at `\$\.?(.*)`$")
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "bool": "a boolean",
    "float": "a number",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
_STEP = [0] * 256
_STEP[ord("{")] = _STEP[ord("[")] = 1
_STEP[ord("}")] = _STEP[ord("]")] = -1
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Decode `body` strictly; InvalidJson, or BadRequest with `param` where a value is of the wrong type.

    Duplicate keys are not looked for: see `refuse_twice`.
    """
    try:
        value = decoder.decode(body)
        if not body.isascii():
            str(body, "utf-8")  # msgspec does not look into strings that it skips
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidJson(f"The request body is not valid JSON: {_plain(str(error))}.") from None
    except UnicodeDecodeError:
        raise InvalidJson("The request body is not valid UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    # A level takes at least two bytes as an array and five as an object: most bodies can't nest too deep.
    arrays = body.count(b"[")
    if 3 * arrays + len(body) > 5 * MAX_DEPTH and arrays + body.count(b"{") > MAX_DEPTH and depth(body) > MAX_DEPTH:
        raise _too_deep()
    return value


def depth(body: bytes) -> int:
    """How deep objects and arrays nest in a valid JSON text."""
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(bare.split(b'"')[::2])
    return max(accumulate(map(_STEP.__getitem__, outside.translate(None, _NO_BRACKETS))), default=0)


def refuse_twice(body: bytes, names: Iterable[str], path: tuple[str, ...] = ()) -> None:
    """Refuse a valid JSON object that has one of `names` more than once, at the top or in the object at `path`.

    An empty body has no names, where a dialect takes it for an object.
    """
    wanted = frozenset(names)
    members = json_edit.members(body or b"{}")
    for name in path:
        inner = next((m for m in members if m.key == name), None)
        if inner is None or body[inner.start : inner.start + 1] != b"{":
            return
        members = json_edit.members(body, inner.start)
    seen: set[str] = set()
    for member in members:
        if member.key in seen and member.key in wanted:
            param = ".".join((*path, member.key))
            raise InvalidJson(f"The key '{param}' stands more than once in the request body.", param=param)
        seen.add(member.key)


def _wrong_type(message: str) -> BadRequest | InvalidJson:
    found = _AT.match(message)
    if found is None:
        return InvalidJson("The request body must be a JSON object.")
    expected, got, param = found.groups()
    wanted = " or ".join(_WORDS.get(part, part) for part in expected.split(" | ") if part != "null")
    return BadRequest(f"Invalid type for '{param}': expected {wanted}, got {_WORDS.get(got, got)}.", param=param)


def _plain(message: str) -> str:
    return message.removeprefix("JSON is malformed: ").lower().rstrip(".")


def _too_deep() -> InvalidJson:
    return InvalidJson(f"The request body nests deeper than {MAX_DEPTH} levels.")


def loose(text: bytes) -> object:
    """Decode what a vendor sent although strict reading refuses it (NaN, half a surrogate pair); None where it is no JSON.

    For looking only: the bytes themselves pass as they came.
    """
    try:
        return json.loads(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
