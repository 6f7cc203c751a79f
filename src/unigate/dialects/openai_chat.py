"""OpenAI's chat completions: `POST /v1/chat/completions`.

Bytes pass from caller to provider and back; this module says what of them we read and makes the few changes that the
design names. It checks only what it reads, so that a parameter that a vendor adds tomorrow passes today.
https://platform.openai.com/docs/api-reference/chat
"""

import re

import msgspec

from unigate.dialects import estimate as _estimate
from unigate.dialects import json_read, openai_body, openai_references
from unigate.dialects.openai_answer import DEFAULT_TIER, Seen, add_cost, loosely
from unigate.dialects.openai_body import Edits, input_bound
from unigate.dialects.openai_errors import (
    VendorError,
    pass_error,
    read_error,
    write_error,
    write_stream_error,
)
from unigate.dialects.openai_usage import Counts, from_counts, read_usage
from unigate.dialects.openai_watch import Watch
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

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
#: Where a chat has limits of output.
_LIMITS = ("max_completion_tokens", "max_tokens")
_NAMES = ("model", "stream", "n", *_LIMITS, "stream_options", "usage", "service_tier")
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


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: openai_body.StreamOptions | None = None
    usage: openai_body.UsageOptions | None = None
    service_tier: str | None = None


class _Answer(msgspec.Struct, gc=False):
    choices: msgspec.Raw = msgspec.Raw(b"")
    usage: Counts | None = None
    error: object = None
    service_tier: str | None = None


_call = msgspec.json.Decoder(_Call)
_answer = msgspec.json.Decoder(_Answer)


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    named, escaped = openai_body.named(body, _READ, _NAMES)
    if not call.model:
        raise openai_body.no_model()
    facts = Facts(model=call.model, stream=call.stream is True, count=openai_body.choices(call.n))
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
        clear = openai_body.unescaped(body)
        facts.open_input = _OPEN.search(clear) is not None
        if b'"file_id"' in clear:
            facts.references = openai_references.find(clear)
    return facts


def edit(body: bytes, facts: Facts, edits: Edits) -> bytes:
    """The body as the provider gets it: see `openai_body.edit`."""
    return openai_body.edit(body, facts, edits, _LIMITS)


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


def estimate(body: bytes, seen: Seen | Watch) -> Usage:
    """Usage counted from the request's body and from what was seen of the answer, marked as estimated."""
    return _estimate.usage(body, seen.output_tokens, seen.audio_tokens)


def _output_limit(call: _Call) -> int:
    """The larger of both fields, since a provider may read either."""
    older = openai_body.output_limit("max_tokens", call.max_tokens) or 0
    return max(older, openai_body.output_limit("max_completion_tokens", call.max_completion_tokens) or 0)


def _read_answer_loosely(body: bytes, provider: Provider) -> Seen:
    told = loosely(body, "choices")
    usage = read_usage(told.get("usage"), provider)
    messages = [choice.get("message") or choice.get("delta") for choice in told["choices"] if isinstance(choice, dict)]
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
