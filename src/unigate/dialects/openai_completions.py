"""OpenAI's completions, the older form that continues a text: `POST /v1/completions`.

Prompts are texts or lists of tokens, one or many; each gets `n` answers of `best_of` candidates, which all are paid. Bytes
pass as in `openai_chat`. https://platform.openai.com/docs/api-reference/completions
"""

import re
from dataclasses import replace

import msgspec

from unigate.base.errors import BadRequest
from unigate.dialects import estimate as _estimate
from unigate.dialects import json_read, openai_body
from unigate.dialects.openai_answer import Seen, add_cost, loosely
from unigate.dialects.openai_body import Edits, input_bound
from unigate.dialects.openai_errors import (
    VendorError,
    pass_error,
    read_error,
    write_error,
    write_stream_error,
)
from unigate.dialects.openai_usage import read_usage
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
        name="openai.completions",
        method="POST",
        path="/v1/completions",
        dialect="openai_completions",
        family="completions",
        body="json",
        upstream_path="/completions",
    ),
)
#: The vendor's own bound for `best_of`.
MAX_CANDIDATES = 20
#: What the vendor takes where a call names no `max_tokens`: lowering a limit must never raise it above this. Servers that
#: take another are why the hold does not count on it.
DEFAULT_LIMIT = 16

_LIMIT = "max_tokens"
_NAMES = ("model", "prompt", "stream", "n", "best_of", "echo", _LIMIT, "stream_options", "usage")
_READ = re.compile(
    rb'"(?:model|prompt|n|best_of|echo|max_tokens|stream(?:_options)?|usage|include(?:_usage)?)"',
)


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    prompt: msgspec.Raw = msgspec.Raw(b"null")
    stream: bool | None = None
    n: int | None = None
    best_of: int | None = None
    echo: bool | None = None
    max_tokens: int | None = None
    stream_options: openai_body.StreamOptions | None = None
    usage: openai_body.UsageOptions | None = None


class _Text(msgspec.Struct, gc=False):
    prompt: object = None
    suffix: object = None


_call = msgspec.json.Decoder(_Call)
_text = msgspec.json.Decoder(_Text)


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    openai_body.named(body, _READ, _NAMES)
    if not call.model:
        raise openai_body.no_model()
    answers = openai_body.choices(call.n)
    if call.best_of is not None:
        if not 0 <= call.best_of <= MAX_CANDIDATES:
            raise BadRequest(f"Invalid 'best_of': expected a value from 0 to {MAX_CANDIDATES}.", param="best_of")
        answers = max(answers, call.best_of)
    prompts = openai_body.inputs(call.prompt)
    facts = Facts(
        model=call.model,
        stream=call.stream is True,
        count=answers * prompts,
        inputs=prompts,
        output_limit=openai_body.output_limit(_LIMIT, call.max_tokens),
    )
    if call.stream_options is not None:
        facts.usage_in_stream = call.stream_options.include_usage is True
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    if call.echo is True:
        facts.echo = _estimate.prompt_tokens(msgspec.json.decode(call.prompt)) * openai_body.choices(call.n)
    return facts


def edit(body: bytes, facts: Facts, edits: Edits) -> bytes:
    """The body as the provider gets it: see `openai_body.edit`."""
    limit = edits.output_limit
    if limit is not None and facts.output_limit is None:
        limit = min(limit, DEFAULT_LIMIT)
    return openai_body.edit(body, facts, replace(edits, output_limit=limit, limit_field=_LIMIT), (_LIMIT,))


def read_answer(body: bytes, provider: Provider) -> Seen:
    """What a whole answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    told = loosely(body, "choices")
    usage = read_usage(told.get("usage"), provider)
    texts = [choice.get("text") for choice in told["choices"] if isinstance(choice, dict)]
    seen = Seen(usage, not any(texts) and not (usage and usage.output_tokens))
    if usage is None:
        seen.output_tokens = _estimate.value_tokens(texts)
    return seen


def estimate(body: bytes, seen: Seen | Watch) -> Usage:
    """Usage counted from the request's body and from what was seen of the answer, marked as estimated."""
    text = _text.decode(body)
    output = seen.output_tokens
    if isinstance(seen, Seen):
        output -= read(body).echo
    tokens = _estimate.prompt_tokens(text.prompt) + _estimate.prompt_tokens(text.suffix)
    return Usage({"input": tokens, "output": max(output, 0)}, estimated=True)
