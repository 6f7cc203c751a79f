"""Chat completions: `POST /v1/chat/completions`."""

from unigate.reference import openai_chat_messages, shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import (
    ANYTHING,
    either,
    flag,
    many,
    mapping,
    maybe,
    only,
    record,
    ref,
    text,
    whole,
)

_FORMAT = either(
    record({"type": only("text")}, needs=("type",)),
    record({"type": only("json_object")}, "Any JSON object; say so in the prompt too.", needs=("type",)),
    record(
        {
            "type": only("json_schema"),
            "json_schema": record(
                {
                    "name": text("Letters, digits, `_` and `-`.", least=1, most=64),
                    "description": text("What it is for."),
                    "schema": mapping(ANYTHING, "The JSON Schema."),
                    "strict": maybe(flag("Follow the schema exactly.")),
                },
                needs=("name",),
            ),
        },
        "JSON that follows a schema.",
        needs=("type", "json_schema"),
    ),
    about="The form of the answer.",
)
_AUDIO = maybe(
    record(
        {
            "voice": either(text(), record({"id": text()}), about="Who speaks."),
            "format": text("Coding of the sound.", of=("wav", "aac", "mp3", "flac", "opus", "pcm16")),
        },
        "Wanted sound; needs `audio` in `modalities`.",
        needs=("voice", "format"),
    )
)
_SEARCH = record(
    {
        "search_context_size": maybe(text("How much of what is found is read.", of=("low", "medium", "high"))),
        "user_location": maybe(mapping(ANYTHING, "About where the asking person is.")),
    },
    "Lets a search model look at the web.",
)
_REQUEST = record(
    {
        "model": shared.MODEL,
        "messages": many(ref("ChatMessage"), "The conversation so far, oldest first.", least=1),
        "stream": shared.STREAM,
        "stream_options": shared.STREAM_OPTIONS,
        "n": maybe(whole("How many answers to give.", low=1, high=128)),
        "max_completion_tokens": maybe(whole("Most tokens of the answer, thinking included.", low=0)),
        "max_tokens": maybe(whole("The former name of `max_completion_tokens`.", low=0)),
        "temperature": shared.TEMPERATURE,
        "top_p": shared.TOP_P,
        "stop": shared.STOP,
        "seed": shared.SEED,
        "frequency_penalty": shared.PENALTY,
        "presence_penalty": shared.PENALTY,
        "logit_bias": shared.LOGIT_BIAS,
        "logprobs": maybe(flag("Tell how likely each token of the answer was.")),
        "top_logprobs": maybe(whole("And this many others at each place.", low=0, high=20)),
        "tools": many(ref("ChatTool"), "What the model may call.", least=1),
        "tool_choice": ref("ChatToolChoice"),
        "parallel_tool_calls": maybe(flag("Whether several tools may be called at once.")),
        "functions": many(
            record({"name": text(), "description": text(), "parameters": mapping(ANYTHING)}, needs=("name",)),
            "The former form of `tools`.",
            least=1,
            most=128,
        ),
        "function_call": either(
            text(of=("none", "auto")), record({"name": text()}, needs=("name",)), about="The former `tool_choice`."
        ),
        "response_format": _FORMAT,
        "reasoning_effort": shared.EFFORT,
        "verbosity": shared.VERBOSITY,
        "modalities": maybe(many(text(of=("text", "audio")), "What the answer is made of.", least=1)),
        "audio": _AUDIO,
        "prediction": maybe(
            record(
                {"type": only("content"), "content": either(text(), many(ref("ChatPart")))},
                "Most of the answer, known before: makes it quicker.",
                needs=("type", "content"),
            )
        ),
        "web_search_options": _SEARCH,
        "service_tier": shared.TIER,
        "store": maybe(flag("Whether the provider keeps the answer.")),
        "metadata": shared.METADATA,
        "user": shared.USER,
        "safety_identifier": text("A name of yours for the end user, by which the provider tells abuse."),
        "prompt_cache_key": text("Groups calls whose prompts begin alike."),
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "messages"),
)
_CHOICE = record(
    {
        "index": whole(low=0),
        "message": ref("ChatAnswer"),
        "finish_reason": maybe(text("Why it ends: `stop`, `length`, `tool_calls`, `content_filter`, ...")),
        "logprobs": maybe(mapping(ANYTHING, "Likelihoods of `content` and `refusal`, token by token.")),
    },
    needs=("index", "message"),
)
_COMPLETION = record(
    {
        "id": text(),
        "object": only("chat.completion"),
        "created": whole("Seconds since 1970."),
        "model": text("The model that answered."),
        "choices": many(_CHOICE),
        "usage": maybe(ref("Usage")),
        "service_tier": maybe(text("The tier that served the call.")),
        "system_fingerprint": maybe(text("Changes when the provider's configuration does.")),
    },
    "A whole answer.",
    needs=("choices",),
)
_CHUNK = record(
    {
        "id": text(),
        "object": text(),
        "created": whole(),
        "model": text(),
        "choices": many(
            record(
                {
                    "index": whole(low=0),
                    "delta": mapping(ANYTHING, "What is new: parts of `content`, `refusal`, `tool_calls`, `role`."),
                    "finish_reason": maybe(text()),
                },
                needs=("index",),
            ),
            "Empty in the event that carries the usage.",
        ),
        "usage": maybe(ref("Usage")),
    },
    "One piece of an answer.",
    needs=("choices",),
)
_STREAM = """\
Events `data: {...}`, each a `ChatChunk`; `data: [DONE]` ends the answer. With `stream_options.include_usage` the last
chunk has no choices and counts the call. A stream that breaks ends with `data: {"error": {...}}` and without `[DONE]`."""
_HELLO = [{"role": "user", "content": "Say hello in French."}]
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
    "required": ["city", "country"],
    "additionalProperties": False,
}

PAGE = Page(
    title="Chat",
    about="Conversations with a model, whole or streamed.",
    entries=(
        Entry(
            operation="openai.chat",
            title="Chat",
            about="The model's next message in a conversation: text, sound, refusal or calls of tools.",
            request=ref("ChatRequest"),
            answer=ref("ChatCompletion"),
            event=either(ref("ChatChunk"), ref("Error")),
            stream=_STREAM,
            ends="[DONE]",
            examples=(
                Example(title="A question", body={"model": "gpt-4o-mini", "messages": _HELLO}),
                Example(
                    title="Streamed, with usage",
                    body={
                        "model": "gpt-4o-mini",
                        "messages": _HELLO,
                        "stream": True,
                        "stream_options": {"include_usage": True},
                    },
                ),
                Example(
                    title="With a tool",
                    body={
                        "model": "gpt-4o-mini",
                        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                        "tools": [_WEATHER],
                    },
                ),
                Example(
                    title="JSON by a schema",
                    body={
                        "model": "gpt-4o-mini",
                        "messages": [{"role": "user", "content": "Where is the Louvre?"}],
                        "response_format": {
                            "type": "json_schema",
                            "json_schema": {"name": "place", "strict": True, "schema": _CITY},
                        },
                    },
                ),
                Example(
                    title="A picture in the question",
                    body={
                        "model": "gpt-4o-mini",
                        "messages": [
                            {
                                "role": "user",
                                "content": [
                                    {"type": "text", "text": "What is this?"},
                                    {"type": "image_url", "image_url": {"url": openai_chat_messages.DOT}},
                                ],
                            }
                        ],
                    },
                ),
            ),
            shown={
                "id": "chatcmpl-9f0b2c",
                "object": "chat.completion",
                "created": 1767225600,
                "model": "gpt-4o-mini-2024-07-18",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Bonjour !", "refusal": None},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
            },
        ),
    ),
    schemas={
        "ChatRequest": _REQUEST,
        "ChatCompletion": _COMPLETION,
        "ChatChunk": _CHUNK,
        **openai_chat_messages.SCHEMAS,
        **shared.SCHEMAS,
    },
)
