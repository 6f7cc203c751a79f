"""Responses: `POST /v1/responses`, and what is done with stored ones."""

from unigate.reference import openai_responses_items, shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import (
    ANYTHING,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    only,
    record,
    ref,
    text,
    whole,
)

_REASONING = maybe(
    record(
        {
            "effort": shared.EFFORT,
            "summary": maybe(text("Whether to tell what the thinking was about.", of=("auto", "concise", "detailed"))),
        },
        "For models that think first.",
    )
)
_TEXT = record(
    {
        "format": either(
            record({"type": text(of=("text", "json_object"))}, needs=("type",)),
            record(
                {
                    "type": only("json_schema"),
                    "name": text("Letters, digits, `_` and `-`.", least=1, most=64),
                    "schema": mapping(ANYTHING, "The JSON Schema."),
                    "strict": maybe(flag("Follow the schema exactly.")),
                },
                needs=("type", "name", "schema"),
            ),
            about="The form of the text.",
        ),
        "verbosity": shared.VERBOSITY,
    },
    "The text of the answer.",
)
_REQUEST = record(
    {
        "model": shared.MODEL,
        "input": either(text(), many(ref("ResponseInputItem"), least=1), about="Text of the user's, or items."),
        "instructions": maybe(text("What the model is to heed; not carried on by `previous_response_id`.")),
        "previous_response_id": maybe(
            text("A stored response of yours to go on from. The call goes to the account that has it.", least=1)
        ),
        "store": maybe(flag("Whether the response is kept and can be asked for; true unless told.")),
        "stream": shared.STREAM,
        "stream_options": maybe(record({"include_obfuscation": flag("Pad events.")}, "Only with `stream`.")),
        "max_output_tokens": maybe(whole("Most tokens of the answer, thinking included.", low=16)),
        "max_tool_calls": maybe(whole("Most calls of the vendor's own tools.", low=1)),
        "reasoning": _REASONING,
        "text": _TEXT,
        "tools": many(ref("ResponseTool"), "What the model may call."),
        "tool_choice": ref("ResponseToolChoice"),
        "parallel_tool_calls": maybe(flag("Whether several tools may be called at once.")),
        "include": maybe(many(text(least=1), "What else to tell, such as `reasoning.encrypted_content`.")),
        "truncation": maybe(text("What to do with input that is too long.", of=("auto", "disabled"))),
        "temperature": shared.TEMPERATURE,
        "top_p": shared.TOP_P,
        "top_logprobs": maybe(whole("Likelihoods to tell at each place.", low=0, high=20)),
        "metadata": shared.METADATA,
        "service_tier": shared.TIER,
        "user": shared.USER,
        "safety_identifier": text("A name of yours for the end user, by which the provider tells abuse."),
        "prompt_cache_key": text("Groups calls whose prompts begin alike."),
        "background": maybe(flag("Not served: `true` is refused.")),
        "conversation": maybe(
            either(
                text(),
                mapping(ANYTHING),
                about="A conversation of yours in which the response goes on, by its id or as an object that has it.",
            )
        ),
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "input"),
)
_USAGE = record(
    {
        "input_tokens": shared.TOKENS,
        "output_tokens": shared.TOKENS,
        "total_tokens": shared.TOKENS,
        "input_tokens_details": maybe(mapping(ANYTHING, "Of the input's tokens: `cached_tokens`, ...")),
        "output_tokens_details": maybe(mapping(ANYTHING, "Of the output's tokens: `reasoning_tokens`.")),
        "cost": shared.COST,
    },
    "What the call consumed.",
    needs=("input_tokens", "output_tokens", "total_tokens"),
)
_RESPONSE = record(
    {
        "id": text("By which it is asked for, if it is stored."),
        "object": only("response"),
        "created_at": number("Seconds since 1970."),
        "status": text(of=("completed", "failed", "in_progress", "cancelled", "queued", "incomplete")),
        "model": text("The model that answered."),
        "output": many(ref("ResponseOutputItem")),
        "error": maybe(record({"code": text(), "message": text()}, "Why it failed.")),
        "incomplete_details": maybe(record({"reason": text()}, "Why it is not complete.")),
        "instructions": maybe(either(text(), many(ANYTHING))),
        "previous_response_id": maybe(text()),
        "usage": maybe(ref("ResponseUsage")),
        "store": maybe(flag()),
        "metadata": maybe(mapping(text())),
    },
    "A response.",
    needs=("id", "object", "status", "output"),
)
_EVENT = record(
    {
        "type": text("The event's name.", least=1),
        "sequence_number": whole("Counts the events.", low=0),
        "response": ref("Response"),
        "item": ref("ResponseOutputItem"),
        "delta": text("What is new, in events `....delta`."),
    },
    "One event: with `response` when it begins or ends, `item` for each item, `delta` for what is new.",
    needs=("type",),
)
_STREAM = """\
Events `event: NAME` with `data: {"type": NAME, ...}`: `response.created`, `response.in_progress`, for each item
`response.output_item.added`, what is new (`response.output_text.delta`, `response.function_call_arguments.delta`, ...) and
`response.output_item.done`; in the end `response.completed`, `response.incomplete` or `response.failed` with the whole
response and its usage. A stream that breaks ends with `event: error`."""
_ITEMS = record(
    {
        "object": only("list"),
        "data": many(ref("ResponseOutputItem")),
        "first_id": maybe(text()),
        "last_id": maybe(text()),
        "has_more": flag("Whether there are more after `last_id`."),
    },
    needs=("object", "data", "has_more"),
)
_SHOWN = {
    "id": "resp_68a1",
    "object": "response",
    "created_at": 1767225600,
    "status": "completed",
    "model": "gpt-4o-mini-2024-07-18",
    "output": [
        {
            "id": "msg_68a2",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Bonjour !", "annotations": []}],
        }
    ],
    "error": None,
    "incomplete_details": None,
    "previous_response_id": None,
    "usage": {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15},
}
_ID = {"id": text("The id of a stored response of yours.", least=1)}
_STORED = (Example(title="A stored response", path={"id": "resp_68a1"}),)
_OURS = "Only whoever made it finds it; it goes to the account that has it."
_EXAMPLES = (
    Example(title="A question", body={"model": "gpt-4o-mini", "input": "Say hello in French."}),
    Example(
        title="Streamed, not stored",
        body={"model": "gpt-4o-mini", "input": "Say hello in French.", "stream": True, "store": False},
    ),
    Example(
        title="With a function",
        body={
            "model": "gpt-4o-mini",
            "instructions": "Answer shortly.",
            "input": [{"role": "user", "content": "What is the weather in Paris?"}],
            "tools": [
                {
                    "type": "function",
                    "name": "get_weather",
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
                }
            ],
        },
    ),
)
PAGE = Page(
    title="Responses",
    about="Answers that may be kept: a conversation goes on from a stored response.",
    entries=(
        Entry(
            operation="openai.responses",
            title="Make a response",
            about="An answer to text or items, with tools, functions and thinking.",
            request=ref("ResponseRequest"),
            answer=ref("Response"),
            event=ref("ResponseEvent"),
            stream=_STREAM,
            shown=_SHOWN,
            examples=_EXAMPLES,
        ),
        Entry(
            operation="openai.responses.get",
            title="Get a stored response",
            about=_OURS,
            answer=ref("Response"),
            shown=_SHOWN,
            places=_ID,
            examples=_STORED,
        ),
        Entry(
            operation="openai.responses.delete",
            title="Delete a stored response",
            about=_OURS,
            answer=ref("ResponseDeleted"),
            shown={"id": "resp_68a1", "object": "response", "deleted": True},
            places=_ID,
            examples=_STORED,
        ),
        Entry(
            operation="openai.responses.input_items",
            title="List the input of a stored response",
            about=_OURS,
            answer=ref("ResponseItems"),
            shown={
                "object": "list",
                "data": [{"id": "msg_68a0", "type": "message", "role": "user", "status": "completed"}],
                "first_id": "msg_68a0",
                "last_id": "msg_68a0",
                "has_more": False,
            },
            places=_ID,
            query={
                "limit": whole("How many to give.", low=1, high=100),
                "order": text("By time.", of=("asc", "desc")),
                "after": text("Go on after this item."),
            },
            examples=_STORED,
        ),
        Entry(
            operation="openai.responses.cancel",
            title="Cancel a response",
            about=f"{_OURS} Only one that runs in the background can be cancelled; others are refused with 400.",
            answer=ref("Response"),
            shown={**_SHOWN, "status": "cancelled"},
            places=_ID,
            examples=_STORED,
        ),
    ),
    schemas={
        "ResponseRequest": _REQUEST,
        "Response": _RESPONSE,
        "ResponseUsage": _USAGE,
        "ResponseEvent": _EVENT,
        "ResponseItems": _ITEMS,
        "ResponseDeleted": record({"id": text(), "object": text(), "deleted": flag()}, needs=("id", "deleted")),
        **openai_responses_items.SCHEMAS,
    },
)
