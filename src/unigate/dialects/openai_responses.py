"""OpenAI's responses: `POST /v1/responses`, and what the vendor keeps of them.

Bytes pass from caller to provider and back; this module says what of them we read and makes the few changes that the
design names. A response has the vendor's id, by which the caller comes back to it.
https://platform.openai.com/docs/api-reference/responses
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, GatewayError, UpstreamRefused
from unigate.dialects import json_edit, json_read, openai_references
from unigate.dialects.openai_answer import DEFAULT_TIER, put_cost
from unigate.dialects.openai_chat import input_bound
from unigate.dialects.openai_errors import VendorError, error_object, pass_error, read_error, write_error
from unigate.dialects.openai_responses_tasks import (
    SIGNS,
    continue_task,
    draft,
    events,
    missing,
    own_id,
    write_accepted,
    write_notice,
    write_task,
    write_tasks,
)
from unigate.dialects.openai_responses_usage import input_tokens, item_tokens, read_usage, speaks
from unigate.dialects.openai_responses_watch import Watch, retryable
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.reference import Reference
from unigate.spec.task import Draft, Submission
from unigate.spec.usage import MAX_COUNT, Usage

__all__ = [
    "OPERATIONS",
    "SIGNS",
    "Edits",
    "Seen",
    "VendorError",
    "Watch",
    "add_cost",
    "check_get",
    "continue_task",
    "edit",
    "estimate",
    "events",
    "go_on_from",
    "input_bound",
    "missing",
    "own_id",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "read_task",
    "write_accepted",
    "write_error",
    "write_notice",
    "write_stream_error",
    "write_task",
    "write_tasks",
]


def _bound(name: str, method: str, behind: str = "", *, task_use: str = "") -> Operation:
    return Operation(
        name=f"openai.responses.{name}",
        method=method,
        path="/v1/responses/{id}" + behind,
        dialect="openai_responses",
        family="responses",
        use="bound",
        free=True,
        upstream_path="/responses/{id}" + behind,
        binds="response",
        task_use=task_use,
    )


OPERATIONS = (
    Operation(
        name="openai.responses",
        method="POST",
        path="/v1/responses",
        dialect="openai_responses",
        family="responses",
        body="json",
        upstream_path="/responses",
        binds="response",
    ),
    Operation(
        name="openai.responses.background",
        method="POST",
        path="/v1/responses",
        dialect="openai_responses",
        family="responses",
        use="task",
        body="json",
        binds="response",
        within="openai.responses",
    ),
    _bound("get", "GET", task_use="task_get"),
    _bound("delete", "DELETE"),
    _bound("cancel", "POST", "/cancel", task_use="task_cancel"),
    _bound("input_items", "GET", "/input_items"),
)
#: The vendor refuses a smaller `max_output_tokens`.
LEAST_OUTPUT = 16

_ERRORS = range(400, 600)
_BAD_GATEWAY = 502
_NAMES = (
    "model",
    "stream",
    "max_output_tokens",
    "usage",
    "service_tier",
    "store",
    "previous_response_id",
    "background",
    "conversation",
    "tools",
    "prompt",
)
#: The same names wherever they stand: a body where each stands at most once has none twice.
_READ = re.compile(b'"(?:%b)"' % "|".join(_NAMES).encode())
#: Tools that the caller runs; what the vendor's own bring in is not in the body.
_OWN_TOOLS = frozenset({"function", "custom"})
#: Tools that the vendor runs in a container.
_IN_CONTAINERS = frozenset({"code_interpreter", "shell"})
#: Input that is named and not carried: addresses that hold no data, ids of files and items, documents of unknown size.
_OPEN = re.compile(
    rb'"(?:image|file)_url"\s*:\s*"(?!data:)|"file_id"\s*:\s*"|"file_data"\s*:\s*"|"type"\s*:\s*"item_reference"'
)

_ESCAPED = re.compile(rb"\\(?:u00([2-7][0-9a-fA-F])|.)", re.DOTALL)


class _UsageOptions(msgspec.Struct, gc=False):
    include: bool | None = None


class _Tool(msgspec.Struct, gc=False):
    type: str = ""


class _Call(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = None
    max_output_tokens: int | None = None
    usage: _UsageOptions | None = None
    service_tier: str | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    background: bool | None = None
    conversation: object = None
    tools: list[_Tool] | None = None
    prompt: object = None


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"")


class _Input(msgspec.Struct, gc=False):
    input: list[_Item] | str | None = None


_call = msgspec.json.Decoder(_Call)
_input = msgspec.json.Decoder(_Input)


@dataclass(slots=True, kw_only=True)
class Edits:
    """What is to be changed in a caller's body before it goes to a provider; `ask_usage` and `limit_field` change nothing."""

    model: str | None = None
    ask_usage: bool = False
    #: Lower the limit of output tokens to this.
    output_limit: int | None = None
    limit_field: str = ""
    #: Top-level members to leave out.
    drop: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """What an answer says of itself."""

    usage: Usage | None
    #: Nothing was answered and no output reported: such an answer is free.
    empty: bool
    #: By which the vendor keeps it; "" where it does not.
    id: str = ""
    #: Counted from the answer's texts, only where usage was not reported.
    output_tokens: int = 0
    audio_tokens: int = 0
    service_tier: str = DEFAULT_TIER


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    call = json_read.decode(body, _call)
    named = _READ.findall(body)
    if len(set(named)) != len(named) or b"\\u00" in body:
        json_read.refuse_twice(body, _NAMES)
    if not call.model:
        raise BadRequest("You must provide a model parameter.", param="model")
    if call.background:
        _check_background(call)
    facts = Facts(
        model=call.model, stream=call.stream is True, least_output=LEAST_OUTPUT, stored=call.store is not False
    )
    if call.max_output_tokens is not None:
        if call.max_output_tokens < 0:
            raise BadRequest("Invalid 'max_output_tokens': expected a value of at least 0.", param="max_output_tokens")
        facts.output_limit = min(MAX_COUNT, call.max_output_tokens)
    if call.usage is not None:
        facts.include_cost = call.usage.include is True
    if call.service_tier is not None and call.service_tier not in ("auto", "default"):
        facts.conditions["service_tier"] = call.service_tier
    facts.background = call.background is True
    facts.previous = call.previous_response_id or ""
    hosted = any(tool.type not in _OWN_TOOLS for tool in call.tools or ())
    facts.containers = hosted and any(tool.type in _IN_CONTAINERS for tool in call.tools or ())
    if hosted or b"_id" in body or b"\\u00" in body:
        facts.references = openai_references.find(body)
    if call.conversation is not None:
        facts.references += (_conversation(call.conversation),)
    if not facts.previous and call.conversation is None and (b'"id"' in body or b"\\u00" in body):
        _refuse_items_by_reference(body)
    facts.open_input = bool(
        facts.previous or hosted or facts.references or call.prompt is not None or _names_input(body)
    )
    return facts


def read_task(asked: Submission) -> Draft:
    """A response that is made in the background; its units are the relay's to find."""
    facts = read(asked.body)
    return draft("openai.responses", facts, asked)


def check_get(asked: Submission) -> None:
    """BadRequest where a response of ours is asked for as a stream."""
    if parse_qs(asked.query).get("stream", [""])[-1] == "true":
        raise BadRequest("Responses in the background are not streamed here: ask for them again.", param="stream")


def go_on_from(body: bytes, previous: str) -> bytes:
    """The body with another id of the response that it goes on from."""
    return json_edit.edited(body, {"previous_response_id": msgspec.json.encode(previous)})


def edit(body: bytes, facts: Facts, edits: Edits) -> bytes:
    """The body as the provider gets it: every byte that no edit names is the caller's; `body` itself without edits.

    `usage`, by which a caller asked us for the cost, is ours and goes no further.
    """
    values: dict[str, bytes] = {}
    if edits.model is not None and edits.model != facts.model:
        values["model"] = msgspec.json.encode(edits.model)
    limit = edits.output_limit
    if limit is not None and (facts.output_limit is None or limit < facts.output_limit):
        values["max_output_tokens"] = b"%d" % limit
    drop = (*edits.drop, "usage") if facts.include_cost else edits.drop
    return json_edit.edited(body, values, drop) if values or drop else body


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (what other dialects need of it)
    """What a whole answer says; BadAnswer where it is none, or failed by the vendor's fault; UpstreamRefused for an error."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = json_read.loose(body)
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is not a JSON object")
    output, error = told.get("output"), told.get("error")
    if not isinstance(output, list):
        if error:
            code = error.get("code") if isinstance(error, dict) else None
            raise UpstreamRefused(code if type(code) is int and code in _ERRORS else _BAD_GATEWAY, body)
        raise BadAnswer(detail="the answer has no output")
    usage = read_usage(told.get("usage"))
    spoke = speaks(output)
    if not spoke and retryable(told.get("status"), error):
        raise BadAnswer(detail="the response failed by the provider's fault")
    seen = Seen(usage, not spoke and not (usage and usage.output_tokens))
    id, tier = told.get("id"), told.get("service_tier")
    if isinstance(id, str) and told.get("store") is not False:
        seen.id = id
    if tier and isinstance(tier, str) and tier != "auto":
        seen.service_tier = tier
    if usage is None:
        seen.output_tokens = sum(map(item_tokens, output))
    return seen


def add_cost(body: bytes, cost: str, usage: Usage | None = None) -> bytes:
    """The answer with `usage.cost` (decimal USD); `usage` fills in a usage object where the provider gave none."""
    return put_cost(body, cost.encode(), usage, b'"input_tokens":%d,"output_tokens":%d,"total_tokens":%d,')


def estimate(body: bytes, seen: Seen | Watch) -> Usage:
    """Usage counted from the request's body and from what was seen of the answer, marked as estimated."""
    units = {"input": input_tokens(body), "output": seen.output_tokens}
    if seen.audio_tokens:
        units["audio_output"] = seen.audio_tokens
    return Usage(units, estimated=True)


def write_stream_error(error: GatewayError, request_id: str, watch: Watch) -> bytes:
    """The event that ends a stream which broke: `ResponseErrorEvent` of the vendor's description."""
    told = error_object(error, request_id)
    event = {
        "type": "error",
        "code": told["code"],
        "message": told["message"],
        "param": told["param"],
        "sequence_number": watch.sequence,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _check_background(call: _Call) -> None:
    if call.stream:
        raise BadRequest("Responses in the background are not streamed here: leave 'stream' out.", param="stream")
    if call.store is False:
        raise BadRequest("A response in the background must be stored: leave 'store' out.", param="store")


def _refuse_items_by_reference(body: bytes) -> None:
    """BadRequest for items that the vendor keeps: nobody can say whose they are, as all users share its account.

    `type` may be left out there: an item that has no content either is one.
    """
    try:
        items = _input.decode(body).input
    except msgspec.ValidationError:
        return  # the vendor's to refuse
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if item.type == "item_reference" or (item.type is None and not item.content):
            raise BadRequest(
                "Items are taken by reference only together with 'previous_response_id' or 'conversation': send the item.",
                param=f"input.{number}",
            )


def _conversation(told: object) -> Reference:
    """The conversation that a response goes on in, named by its id or as an object that has it; BadRequest."""
    id = told.get("id") if isinstance(told, dict) else told
    if not isinstance(id, str) or not id:
        raise BadRequest(
            "Invalid 'conversation': expected an id, or an object with one.", param="conversation", code="invalid_type"
        )
    return Reference("conversation", id, "conversation")


def _names_input(body: bytes) -> bool:
    """Whether the input names something that it does not carry, in whichever way its letters are written."""
    if b"\\u00" in body:
        body = _ESCAPED.sub(_plain, body)
    return _OPEN.search(body) is not None


def _plain(found: re.Match[bytes]) -> bytes:
    letter = b"" if found[1] is None else bytes([int(found[1], 16)])
    return found[0] if letter in (b"", b'"', b"\\") else letter
