"""OpenAI's chat completions: `POST /v1/chat/completions`.

Bytes pass from caller to provider and back; this module says what of them we read and makes the few changes that the
design names. It checks only what it reads, so that a parameter that a vendor adds tomorrow passes today.
https://platform.openai.com/docs/api-reference/chat
"""

import re
from dataclasses import dataclass

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, UpstreamRefused
from unigate.dialects import estimate as _estimate
from unigate.dialects import json_edit, json_read
from unigate.dialects.openai_errors import (
    VendorError,
    pass_error,
    read_error,
    write_error,
    write_stream_error,
)
from unigate.dialects.openai_usage import Counts, from_counts, read_usage
from unigate.dialects.openai_watch import DEFAULT_TIER, Watch
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import MAX_COUNT, Usage

__all__ = [
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "Watch",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
    "write_stream_error",
]

OPERATIONS = (
    Operation(
        name="openai.chat",
        method="POST",
        path="/v1/chat/completions",
        dialect="openai_chat",
        family="chat",
        body="json",
        upstream_path="/chat/completions",
    ),
)
#: The vendor's own bound for `n`; the hold is multiplied by it.
MAX_CHOICES = 128
#: Most input tokens that one picture inside a body counts with the vendors known, at any size.
IMAGE_TOKENS = 10_000

#: As a number: looking for one byte is quicker than for a text of one.
_BACKSLASH = ord("\\")
_ERRORS = range(400, 600)
_BAD_GATEWAY = 502
_NAMES = (
    "model",
    "stream",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "usage",
    "service_tier",
)
#: All names that `read` looks at, wherever they stand: a body where each stands at most once has none twice.
_READ = re.compile(
    rb'"(?:m(?:odel|ax_(?:completion_)?tokens)|n|s(?:tream(?:_options)?|ervice_tier)|u(?:sage|rl)'
    rb'|i(?:nclude(?:_usage)?|mage_url)|(?:video|document)_url|audio(?:_url)?|file(?:_url|_id|_data))"'
)
#: Those among them that may stand before input which is named and not carried.
_MARKS = frozenset(
    b'"%s"' % name
    for name in (
        b"url",
        b"image_url",
        b"video_url",
        b"document_url",
        b"audio_url",
        b"file_url",
        b"file_id",
        b"file_data",
        b"audio",
    )
)
#: Input that is named and not carried: addresses that hold no data, ids of files and sounds, documents of unknown size.
_OPEN = re.compile(
    rb'"(?:\w*_)?url"\s*:\s*"(?!data:)|"file_id"\s*:\s*"|"file_data"\s*:\s*"|"audio"\s*:\s*\{[^{}]*"id"\s*:'
)
_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*("[^"\\]*")')
_USAGE = re.compile(rb'"usage"[ \t\r\n]*:[ \t\r\n]*\{(?=[ \t\r\n]*")')
_PICTURE = re.compile(rb'"data:image/[^"]*"')
_ESCAPED = re.compile(rb"\\(?:u00([2-7][0-9a-fA-F])|(.))", re.DOTALL)


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _UsageOptions(msgspec.Struct, gc=False):
    include: bool | None = None


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: _StreamOptions | None = None
    usage: _UsageOptions | None = None
    service_tier: str | None = None


class _Answer(msgspec.Struct, gc=False):
    choices: msgspec.Raw = msgspec.Raw(b"")
    usage: Counts | None = None
    error: object = None
    service_tier: str | None = None


_call = msgspec.json.Decoder(_Call)
_answer = msgspec.json.Decoder(_Answer)


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


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    named = _READ.findall(body)
    escaped = _BACKSLASH in body and b"\\u00" in body  # a key may be written with escapes
    if escaped or len(set(named)) != len(named):
        json_read.refuse_twice(body, _NAMES)
        json_read.refuse_twice(body, ("include_usage",), ("stream_options",))
        json_read.refuse_twice(body, ("include",), ("usage",))
    if not call.model:
        raise BadRequest("You must provide a model parameter.", param="model")
    choices = call.n
    if choices is None:
        choices = 1
    elif not 1 <= choices <= MAX_CHOICES:
        raise BadRequest(f"Invalid 'n': expected a value from 1 to {MAX_CHOICES}.", param="n")
    facts = Facts(model=call.model, stream=call.stream is True, count=choices)
    if call.max_completion_tokens is not None or call.max_tokens is not None:
        facts.output_limit = _output_limit(call)
    if call.stream_options is not None:
        facts.usage_in_stream = call.stream_options.include_usage is True
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    tier = call.service_tier
    if tier is not None and tier not in ("auto", "default"):
        facts.conditions["service_tier"] = tier
    if escaped or not _MARKS.isdisjoint(named):
        facts.open_input = _OPEN.search(_unescaped(body)) is not None
    return facts


def edit(body: bytes, facts: Facts, edits: Edits) -> bytes:
    """The body as the provider gets it: every byte that no edit names is the caller's; `body` itself without edits.

    `usage`, by which a caller asked us for the cost, is ours and goes no further.
    """
    drop = (*edits.drop, "usage") if facts.include_cost else edits.drop
    model = edits.model if edits.model != facts.model else None
    ask = edits.ask_usage and facts.stream and not facts.usage_in_stream
    limit = edits.output_limit
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
    return _edit_slowly(body, edits.limit_field, drop, model=model, ask=ask, limit=limit)


def read_answer(body: bytes, provider: Provider) -> Seen:
    """What a whole answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    if provider.adjust_usage is None:
        try:
            answer = _answer.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _read_answer_loosely(body, provider)
        if answer.usage is not None and answer.error is None:
            usage = from_counts(answer.usage)
            if usage is not None and answer.usage.completion_tokens:
                return Seen(usage, False, 0, 0, answer.service_tier or DEFAULT_TIER)
    return _read_answer_loosely(body, provider)


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:
    """The answer with `usage.cost` (decimal USD); `usage` fills in a usage object where the provider gave none."""
    text = cost.encode()
    if body.count(b'"usage"') == 1 and b'"cost"' not in body:
        quick = _USAGE.search(body)
        if quick is not None and _has_usage(body):
            return body[: quick.end()] + b'"cost":' + text + b"," + body[quick.end() :]
    found = json_edit.find(body, "usage")
    if found is not None and body[found.start : found.start + 1] == b"{":
        return json_edit.edited(body, {"cost": text}, start=found.start)
    counts = b""
    if usage is not None:
        into, out = usage.input_tokens, usage.output_tokens
        counts = b'"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,' % (into, out, into + out)
    return json_edit.edited(body, {"usage": b"{" + counts + b'"cost":' + text + b"}"})


def estimate(body: bytes, seen: Seen | Watch) -> Usage:
    """Usage counted from the request's body and from what was seen of the answer, marked as estimated."""
    return _estimate.usage(body, seen.output_tokens, seen.audio_tokens)


def input_bound(body: bytes, facts: Facts) -> int:  # noqa: ARG001  (what other dialects need of it)
    """The most input tokens that a body can count: a token has at least one byte, a picture at most IMAGE_TOKENS.

    Where `facts.open_input` the model's input limit holds instead.
    """
    bound = len(body)
    if b'"data:image/' in body:
        for picture in _PICTURE.finditer(body):
            bound += IMAGE_TOKENS - (picture.end() - picture.start())
    return bound


def _has_usage(body: bytes) -> bool:
    """Whether `usage` stands at the top, where it belongs."""
    try:
        return _answer.decode(body).usage is not None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _output_limit(call: _Call) -> int:
    """The larger of both fields, since a provider may read either."""
    older, newer = call.max_tokens or 0, call.max_completion_tokens or 0
    if older < 0 or newer < 0:
        name = "max_tokens" if older < 0 else "max_completion_tokens"
        raise BadRequest(f"Invalid '{name}': expected a value of at least 0.", param=name)
    most = max(newer, older)
    return min(MAX_COUNT, most)


def _unescaped(body: bytes) -> bytes:
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
    body: bytes, field: str, names: tuple[str, ...], *, model: str | None, ask: bool, limit: int | None
) -> bytes:
    values: dict[str, bytes] = {}
    changes: list[json_edit.Change] = []
    there = {member.key: member for member in json_edit.members(body)}
    if model is not None:
        values["model"] = msgspec.json.encode(model)
    if limit is not None:
        values.update(_lowered(body, there, limit, field))
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


def _lowered(body: bytes, there: dict[str, json_edit.Member], limit: int, field: str) -> dict[str, bytes]:
    """The fields of the caller's that are above the limit, else the field that is to be added."""
    lowered: dict[str, bytes] = {}
    named = False
    for name in ("max_completion_tokens", "max_tokens"):
        member = there.get(name)
        told = msgspec.json.decode(body[member.start : member.end]) if member else None
        if told is None:
            continue
        named = True
        if told > limit:
            lowered[name] = b"%d" % limit
    return lowered if named else {field: b"%d" % limit}


def _read_answer_loosely(body: bytes, provider: Provider) -> Seen:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = json_read.loose(body)
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is not a JSON object")
    choices = told.get("choices")
    if not isinstance(choices, list):
        error = told.get("error")
        if error:
            code = error.get("code") if isinstance(error, dict) else None
            raise UpstreamRefused(code if type(code) is int and code in _ERRORS else _BAD_GATEWAY, body)
        raise BadAnswer(detail="the answer has no choices")
    usage = read_usage(told.get("usage"), provider)
    messages = [choice.get("message") or choice.get("delta") for choice in choices if isinstance(choice, dict)]
    spoke = any(_estimate.speaks(message) for message in messages)
    tier = told.get("service_tier")
    seen = Seen(usage, not spoke and not (usage and usage.output_tokens))
    if tier and isinstance(tier, str):
        seen.service_tier = tier
    if usage is None:
        for message in messages:
            seen.output_tokens += _estimate.value_tokens(message)
            seen.audio_tokens += _estimate.audio_tokens(message)
    return seen
