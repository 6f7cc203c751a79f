"""Schemas that several pages of OpenAI's dialects share."""

from collections.abc import Mapping

from unigate.reference.schema import (
    ANYTHING,
    Schema,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    record,
    ref,
    text,
    whole,
)

MODEL = text("Name of the model, as `GET /v1/models` lists it.", least=1)
SEED = maybe(whole("Asks for the same answer to the same call, as far as the provider can."))
USER = text("A name of yours for the end user, passed on.")
TEMPERATURE = maybe(number("How much chance there is in the choice of words.", low=0, high=2))
TOP_P = maybe(number("Only the likeliest words whose probabilities add up to this are chosen from.", low=0, high=1))
STOP = maybe(either(text(), many(text(), least=1, most=4), about="Texts at which the answer ends; they are left out."))
STREAM = maybe(flag("Send the answer in pieces as it is made (`text/event-stream`)."))
STREAM_OPTIONS = maybe(
    record(
        {
            "include_usage": maybe(flag("Send a last event whose `usage` counts the whole call.")),
            "include_obfuscation": maybe(flag("Let the provider pad events so that their sizes tell nothing.")),
        },
        "Only with `stream`.",
    )
)
PENALTY = maybe(number("Makes what was said before less likely (or more, below 0).", low=-2, high=2))
LOGIT_BIAS = maybe(mapping(number(low=-100, high=100), "Token id -> how much likelier it becomes."))
METADATA = maybe(mapping(text(most=512), "Up to 16 notes of yours, kept with what is stored.", most=16))
TIER = maybe(text("Which tier of the provider's serves the call; prices may depend on it.", least=1))
EFFORT = maybe(text("How much a reasoning model thinks: from `none` or `minimal` to `xhigh`, by model.", least=1))
VERBOSITY = maybe(text("How long the answer is to be.", of=("low", "medium", "high")))
INCLUDE_COST = maybe(
    record(
        {"include": maybe(flag("Put what the call cost into the answer's `usage.cost`."))},
        "The gateway's own, not passed on.",
    )
)
COST = number("What the call was charged, in US dollars; only when asked for.", low=0)
TOKENS: Schema = whole(low=0)

SCHEMAS: Mapping[str, Schema] = {
    "Usage": record(
        {
            "prompt_tokens": TOKENS,
            "completion_tokens": TOKENS,
            "total_tokens": TOKENS,
            "prompt_tokens_details": maybe(
                mapping(ANYTHING, "Of the prompt's tokens: `cached_tokens`, `cache_write_tokens`, `audio_tokens`.")
            ),
            "completion_tokens_details": maybe(
                mapping(ANYTHING, "Of the answer's tokens: `reasoning_tokens`, `audio_tokens` and predicted ones.")
            ),
            "cost": COST,
        },
        "What the call consumed.",
        needs=("prompt_tokens", "total_tokens"),
    ),
}
_AGAIN = {name: text("The error's message once more.") for name in ("message", "detail")}
#: Errors where clients of several vendors call; page's `error` and `refusal`.
WIDE_ERRORS: Mapping[str, Schema] = {
    "WideError": record(
        {"error": ref("ErrorObject"), **_AGAIN},
        "An error in OpenAI's form, with its message where Cohere's, Jina's and Voyage's clients look for it.",
        needs=("error", "message", "detail"),
    ),
    "WideRefusal": record(
        {"error": mapping(ANYTHING, "As the provider told: `message`, `type`, `param`, `code`."), **_AGAIN},
        "A refusal of the provider's, passed on: the caller's own mistake, in the provider's words.",
        needs=("error", "message", "detail"),
    ),
}
#: Errors in Cohere's form.
COHERE_ERRORS: Mapping[str, Schema] = {
    "CohereError": record(
        {"id": text("The id of the call."), "message": text("What went wrong."), "code": text("A word for it.")},
        "An error in Cohere's form.",
        needs=("message",),
    )
}
