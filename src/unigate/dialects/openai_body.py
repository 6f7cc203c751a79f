"""Bodies of calls in OpenAI's form: what its dialects read of them, and change in them, alike.

Bytes pass from caller to provider; only what the design names is changed. It must not judge what it does not read.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from unigate.base.errors import BadRequest
from unigate.dialects import json_edit, json_read
from unigate.spec.facts import Facts
from unigate.spec.usage import MAX_COUNT

#: The vendor's own bound for `n`; the hold is multiplied by it.
MAX_CHOICES = 128
#: Most input tokens that one picture inside a body counts with the vendors known, at any size.
IMAGE_TOKENS = 10_000

#: As a number: looking for one byte is quicker than for a text of one.
_BACKSLASH = ord("\\")
_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("[^"\\]*")')
_PICTURE = re.compile(rb'"data:image/[^"]*"')
_ESCAPED = re.compile(rb"\\(?:u00([2-7][0-9a-fA-F])|(.))", re.DOTALL)

#: A list that begins with a text, a list or an object.
_MANY = re.compile(rb'\[[ \t\r\n]*["\[{]')
#: Lists with more commas are not taken apart.
_COUNTED = 65_536
_items = msgspec.json.Decoder(list[msgspec.Raw])


class StreamOptions(msgspec.Struct, gc=False):
    """`stream_options`, as far as we read it."""

    include_usage: bool | None = None


class UsageOptions(msgspec.Struct, gc=False):
    """`usage` of a request: by it a caller asks us for the cost."""

    include: bool | None = None


@dataclass(slots=True, kw_only=True)
class Edits:
    """What is to be changed in a caller's body before it goes to a provider."""

    model: str | None = None
    #: Ask the provider for usage in the stream.
    ask_usage: bool = False
    #: Lower the limit of output tokens to this, in the fields that the caller used, else in `limit_field`.
    output_limit: int | None = None
    limit_field: str = "max_completion_tokens"
    #: Top-level members to leave out.
    drop: tuple[str, ...] = ()


def named(body: bytes, read: re.Pattern[bytes], names: Iterable[str]) -> tuple[list[bytes], bool]:
    """What `read` finds in a body, and whether a key may be written with escapes.

    `read` finds the quoted names of all members that are read, wherever they stand: a body where each stands at most
    once has none twice. InvalidJson where one of `names` does.
    """
    found = read.findall(body)
    escaped = _BACKSLASH in body and b"\\u00" in body
    if escaped or len(set(found)) != len(found):
        json_read.refuse_twice(body, names)
        json_read.refuse_twice(body, ("include_usage",), ("stream_options",))
        json_read.refuse_twice(body, ("include",), ("usage",))
    return found, escaped


def no_model() -> BadRequest:
    """What is said to a call that names no model."""
    return BadRequest("You must provide a model parameter.", param="model")


def choices(count: int | None) -> int:
    """How many answers `n` asks for; BadRequest where it is out of range."""
    if count is None:
        return 1
    if not 1 <= count <= MAX_CHOICES:
        raise BadRequest(f"Invalid 'n': expected a value from 1 to {MAX_CHOICES}.", param="n")
    return count


def output_limit(name: str, value: int | None) -> int | None:
    """A limit of output tokens; BadRequest where it is below 0."""
    if value is None:
        return None
    if value < 0:
        raise BadRequest(f"Invalid '{name}': expected a value of at least 0.", param=name)
    return min(MAX_COUNT, value)


def edit(body: bytes, facts: Facts, edits: Edits, limits: tuple[str, ...] = ()) -> bytes:
    """The body as the provider gets it: every byte that no edit names is the caller's; `body` itself without edits.

    `usage`, by which a caller asked us for the cost, is ours and goes no further. `limits` are the members in which the
    dialect has limits of output; without any, none is set.
    """
    drop = (*edits.drop, "usage") if facts.include_cost else edits.drop
    model = edits.model if edits.model != facts.model else None
    ask = edits.ask_usage and facts.stream and not facts.usage_in_stream
    limit = edits.output_limit if limits else None
    if facts.output_limit is not None and limit is not None and limit >= facts.output_limit:
        limit = None
    if limit is None and not drop and not (_BACKSLASH in body and b"\\u00" in body):
        if not ask:
            if model is None:
                return body
            if (quick := _with_model(body, model)) is not None:
                return quick
        elif b'"stream_options"' not in body:
            start = body.index(b"{") + 1
            asked = body[:start] + b'"stream_options":{"include_usage":true},' + body[start:]
            if model is None:
                return asked
            if (quick := _with_model(asked, model)) is not None:
                return quick
    there = {member.key: member for member in json_edit.members(body)}
    lowered = {} if limit is None else _lowered(body, there, limit, limits, edits.limit_field)
    return _edit_slowly(body, there, lowered, drop, model=model, ask=ask)


def inputs(given: msgspec.Raw) -> int:
    """How many inputs a prompt has: a list of texts, lists or objects has as many, a text or a list of tokens is one.

    Of more than any vendor takes, the most that they can be.
    """
    text = bytes(given)
    if _MANY.match(text) is None:
        return 1
    most = text.count(b",") + 1
    return most if most > _COUNTED else len(_items.decode(text))


def input_bound(body: bytes, facts: Facts) -> int:  # noqa: ARG001  (what other dialects need of it)
    """The most input tokens that a body can count: a token has at least one byte, a picture at most IMAGE_TOKENS.

    Where `facts.open_input` the model's input limit holds instead.
    """
    bound = len(body)
    if b'"data:image/' in body:
        for picture in _PICTURE.finditer(body):
            bound += IMAGE_TOKENS - (picture.end() - picture.start())
    return bound


def unescaped(body: bytes) -> bytes:
    """The body with escaped ASCII letters in the clear (quotes and backslashes stay), for searching only."""
    if b"\\u00" not in body:
        return body
    return _ESCAPED.sub(_plain, body)


def _plain(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return found[0]
    letter = bytes([int(found[1], 16)])
    return found[0] if letter in (b'"', b"\\") else letter


def _with_model(body: bytes, model: str) -> bytes | None:
    """The quick way for the usual body: its only `"model"` is the member; None where this can't be told."""
    found = _MODEL.search(body)
    if found is None or body.count(b'"model"') != 1:
        return None
    return body[: found.start(1)] + msgspec.json.encode(model) + body[found.end(1) :]


def _edit_slowly(
    body: bytes,
    there: dict[str, json_edit.Member],
    lowered: dict[str, bytes],
    names: tuple[str, ...],
    *,
    model: str | None,
    ask: bool,
) -> bytes:
    values = lowered
    changes: list[json_edit.Change] = []
    if model is not None:
        values["model"] = msgspec.json.encode(model)
    if ask:
        options = there.get("stream_options")
        if options is not None and body[options.start : options.start + 1] == b"{":
            changes = json_edit.change(body, {"include_usage": b"true"}, start=options.start)
        else:
            values["stream_options"] = b'{"include_usage":true}'
    drop = [name for name in names if name in there]
    if not values and not changes and not drop:
        return body
    return json_edit.apply(body, [*changes, *json_edit.change(body, values, drop)])


def _lowered(
    body: bytes, there: dict[str, json_edit.Member], limit: int, limits: tuple[str, ...], field: str
) -> dict[str, bytes]:
    """The fields of the caller's that are above the limit, else the field that is to be added."""
    lowered: dict[str, bytes] = {}
    given = False
    for name in limits:
        member = there.get(name)
        told = msgspec.json.decode(body[member.start : member.end]) if member else None
        if told is None:
            continue
        given = True
        if told > limit:
            lowered[name] = b"%d" % limit
    return lowered if given else {field: b"%d" % limit}
