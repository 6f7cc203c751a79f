"""Completions, the form before chat: `POST /v1/completions`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, either, flag, many, mapping, maybe, only, record, ref, text, whole

_PROMPT = maybe(
    either(
        text(),
        many(text(), least=1),
        many(whole(low=0), least=1),
        many(many(whole(low=0), least=1), least=1),
        about="One text, several, or the same as token ids. Each gets its own answers.",
    )
)
_CHOICE = record(
    {
        "index": whole("Counts through the prompts, then through the answers to each.", low=0),
        "text": text("What was written; with `echo` after the prompt."),
        "finish_reason": maybe(text("Why it ends: `stop`, `length`, `content_filter`; null in the pieces before.")),
        "logprobs": maybe(
            mapping(ANYTHING, "`tokens`, `token_logprobs`, `top_logprobs`, `text_offset`, each by token.")
        ),
    },
    needs=("index", "text"),
)
_REQUEST = record(
    {
        "model": shared.MODEL,
        "prompt": _PROMPT,
        "suffix": maybe(text("What follows the text that is to be written between, with models that can.")),
        "max_tokens": maybe(whole("Most tokens of each answer; 16 unless told.", low=0)),
        "n": maybe(whole("How many answers to give to each prompt.", low=1, high=128)),
        "best_of": maybe(
            whole("Make this many and give the `n` best; all are charged. Not with `stream`.", low=0, high=20)
        ),
        "echo": maybe(flag("Repeat the prompt before the answer.")),
        "logprobs": maybe(whole("Tell how likely each token was, and this many others at its place.", low=0, high=5)),
        "stream": shared.STREAM,
        "stream_options": shared.STREAM_OPTIONS,
        "temperature": shared.TEMPERATURE,
        "top_p": shared.TOP_P,
        "stop": shared.STOP,
        "seed": shared.SEED,
        "frequency_penalty": shared.PENALTY,
        "presence_penalty": shared.PENALTY,
        "logit_bias": shared.LOGIT_BIAS,
        "user": shared.USER,
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "prompt"),
)
_ANSWER = record(
    {
        "id": text(),
        "object": only("text_completion"),
        "created": whole("Seconds since 1970."),
        "model": text("The model that answered."),
        "choices": many(ref("CompletionChoice"), "Empty in the event of a stream that carries the usage."),
        "usage": maybe(ref("Usage")),
        "system_fingerprint": maybe(text("Changes when the provider's configuration does.")),
    },
    "An answer, or a piece of one in a stream.",
    needs=("choices",),
)
_STREAM = """\
Events `data: {...}`, each a `Completion` whose choices hold what is new; `data: [DONE]` ends the answer. With
`stream_options.include_usage` the last one has no choices and counts the call. A stream that breaks ends with
`data: {"error": {...}}` and without `[DONE]`."""

PAGE = Page(
    title="Completions",
    about="Text that goes on where a prompt ends: the form before chat.",
    entries=(
        Entry(
            operation="openai.completions",
            title="Complete a text",
            about="Continues each prompt. New programs use chat.",
            request=ref("CompletionRequest"),
            answer=ref("Completion"),
            event=either(ref("Completion"), ref("Error")),
            stream=_STREAM,
            ends="[DONE]",
            examples=(
                Example(
                    title="A sentence to end",
                    body={
                        "model": "gpt-3.5-turbo-instruct",
                        "prompt": "The best thing about Lyon is",
                        "max_tokens": 20,
                    },
                ),
                Example(
                    title="Streamed, with usage",
                    body={
                        "model": "gpt-3.5-turbo-instruct",
                        "prompt": "Once upon a time",
                        "max_tokens": 20,
                        "stream": True,
                        "stream_options": {"include_usage": True},
                    },
                ),
                Example(
                    title="Two prompts, with echo and likelihoods",
                    body={
                        "model": "gpt-3.5-turbo-instruct",
                        "prompt": ["One and one is", "Two and two is"],
                        "max_tokens": 5,
                        "echo": True,
                        "logprobs": 2,
                    },
                ),
                Example(
                    title="The best of three, between two texts",
                    body={
                        "model": "gpt-3.5-turbo-instruct",
                        "prompt": "def double(x):",
                        "suffix": "return y",
                        "max_tokens": 16,
                        "best_of": 3,
                    },
                ),
            ),
            shown={
                "id": "cmpl-7b1d4e",
                "object": "text_completion",
                "created": 1767225600,
                "model": "gpt-3.5-turbo-instruct",
                "choices": [{"index": 0, "text": " its kitchens.", "logprobs": None, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
            },
        ),
    ),
    schemas={
        "CompletionRequest": _REQUEST,
        "Completion": _ANSWER,
        "CompletionChoice": _CHOICE,
        **shared.SCHEMAS,
    },
)
