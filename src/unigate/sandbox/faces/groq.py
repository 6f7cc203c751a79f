"""Groq: times in usage, `x_groq` in answers and streams, thoughts in `reasoning` or in the text, errors without `param`.

https://console.groq.com/docs/api-reference and .../docs/errors
"""

from collections.abc import Iterator

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_chat, openai_errors, openai_speech, openai_transcriptions
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_errors import Said
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole
from unigate.sandbox.serving.face import Face, Route, bearer

_MODELS = Models(
    (
        Model(name="llama-3.3-70b-versatile", owner="Meta", output=32_768, sees=False),
        Model(name="llama-3.1-8b-instant", owner="Meta", output=131_072, sees=False),
        Model(name="meta-llama/llama-4-scout-17b-16e-instruct", owner="Meta", output=8192),
        Model(name="openai/gpt-oss-120b", owner="OpenAI", output=65_536, reasoning=True, sees=False),
        Model(name="openai/gpt-oss-20b", owner="OpenAI", output=65_536, reasoning=True, sees=False),
        Model(name="qwen/qwen3-32b", owner="Alibaba Cloud", output=40_960, reasoning=True, sees=False),
        Model(name="moonshotai/kimi-k2-instruct", owner="Moonshot AI", output=16_384, sees=False),
        Model(name="whisper-large-v3", kind="hearing", owner="OpenAI", sees=False, hears=True),
        Model(name="whisper-large-v3-turbo", kind="hearing", owner="OpenAI", sees=False, hears=True),
        Model(name="playai-tts", kind="speech", owner="PlayAI", sees=False),
        Model(name="canopylabs/orpheus-v1-english", kind="speech", owner="Canopy Labs", sees=False),
    )
)
#: Transcripts tell no usage, and never stream.
_HEARING = openai_transcriptions.Hearing(
    formats=lambda _name: ("json", "text", "verbose_json"), usage=lambda *_: None, streams=lambda _name: False
)
_SPEECH = openai_speech.Speech(
    voices=("Arista-PlayAI", "Fritz-PlayAI", "Celeste-PlayAI", "autumn", "diana", "hannah", "austin", "daniel", "troy"),
    formats=("flac", "mp3", "wav"),
    usual_format="wav",
    longest=10_000,
    events=False,
)
_FAILURES = {
    401: Said("invalid_request_error", "invalid_api_key", "Invalid API Key"),
    413: Said("invalid_request_error", "request_too_large", "Request Entity Too Large"),
    429: Said(
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for model on tokens per minute (TPM): Limit 6000, Used 5800, Requested 400. Please try again in 2s.",
        "2",
    ),
    498: Said("invalid_request_error", "capacity_exceeded", "Flex tier capacity exceeded."),
    500: Said("internal_server_error", None, "Internal Server Error"),
    503: Said("internal_server_error", "service_unavailable", "Service Unavailable"),
}
#: Times are told in seconds; the sandbox takes one millisecond for a token.
_SECOND = 1000


def _check(body: Object) -> None:
    """Refuse what this vendor does not take; its thinking models take what OpenAI's refuse."""
    for name in ("logprobs", "logit_bias", "top_logprobs"):
        if body.get(name):
            raise checks.refuse(f"property '{name}' is unsupported", name)
    if (body.get("n") or 1) != 1:
        raise checks.refuse("'n' : number must be at most 1", "n")
    model = _MODELS.find(str(body.get("model", "")))
    if model is not None and model.reasoning:
        checks.number(body, "temperature", 0, 2)
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"):
            body.pop(name, None)
        if body.get("max_tokens") is not None:
            body.setdefault("max_completion_tokens", body.pop("max_tokens"))
        if body.get("reasoning_effort") == "default":
            body["reasoning_effort"] = "medium"


def _thoughts(body: Object) -> str | None:
    """Beside the text, inside it (`raw`, the default of some models), or nowhere."""
    usual = "raw" if str(body.get("model")).startswith("qwen/") else "parsed"
    how = "hidden" if body.get("include_reasoning") is False else body.get("reasoning_format") or usual
    return {"raw": "content", "hidden": None}.get(str(how), "reasoning")


def _usage(outcome: Outcome) -> Object:
    """Usage with times."""
    given, made = outcome.size.total, outcome.output
    usage: Object = {
        "queue_time": 0.05,
        "prompt_tokens": given,
        "prompt_time": given / _SECOND,
        "completion_tokens": made,
        "completion_time": made / _SECOND,
        "total_tokens": given + made,
        "total_time": (given + made) / _SECOND,
    }
    if outcome.asked.model.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": outcome.summed("reasoning_tokens")}
    if outcome.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": outcome.cached}
    return usage


def _request(outcome: Outcome) -> str:
    return "req_01" + seeds.letters(seeds.dice(outcome.asked.prompt.seed, "groq"), 24).lower()


def _whole(answer: Object, outcome: Outcome) -> Object:
    """The answer with this vendor's own part; a message that calls tools has no content at all."""
    for choice in answer["choices"]:
        if choice["message"].get("tool_calls"):
            del choice["message"]["content"]
    own = {"id": _request(outcome), "seed": outcome.asked.prompt.seed % 2**31}
    return {**answer, "usage_breakdown": None, "x_groq": own}


def _events(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
    """`x_groq` in the first event, and with usage in the one that ends the answer."""
    first = True
    for event in events:
        if isinstance(event.data, dict):
            if first:
                event.data["x_groq"] = {"id": _request(outcome), "seed": outcome.asked.prompt.seed % 2**31}
            elif event.part == "finish":
                event.data["x_groq"] = {"id": _request(outcome), "usage": _usage(outcome)}
            first = False
        yield event


def _refuse_key(_credential: str | None) -> VendorError:
    return _failure(401, None)


def _failure(status: int, code: str | None) -> VendorError:
    said = _FAILURES.get(status)
    if said is None or code:
        return openai_errors.failure(status, code)
    headers = openai_errors.limits(status)
    return VendorError(
        status, said.message, kind=said.kind, code=said.code, retry_after=said.retry_after, headers=headers
    )


def _error(error: VendorError) -> Whole:
    """The error object, which tells only what there is."""
    told = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    return Whole(payload={"error": {name: value for name, value in told.items() if value}}, status=error.status)


def _no_route(method: str, path: str) -> VendorError:
    told = f"Unknown request URL: {method} {path}. Please check the URL for typos."
    return VendorError(404, told, code="unknown_url")


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    identity=lambda dice: "chatcmpl-" + seeds.uuid(dice),
    usage=_usage,
    whole=_whole,
    events=_events,
    thoughts=_thoughts,
    refusals=False,
    obfuscates=False,
)

FACE = Face(
    name="groq",
    title="Groq",
    base="/openai/v1",
    routes=(
        Route("POST", "/openai/v1/chat/completions", openai_chat.chat(_MANNER)),
        Route("POST", "/openai/v1/audio/speech", openai_speech.speech(_MANNER, _SPEECH)),
        Route("POST", "/openai/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER, _HEARING)),
        Route("POST", "/openai/v1/audio/translations", openai_transcriptions.translations(_MANNER, _HEARING)),
        Route("GET", "/openai/v1/models", openai_chat.list_models(_MANNER)),
        Route("GET", "/openai/v1/models/{model:path}", openai_chat.get_model(_MANNER)),
    ),
    credential=bearer,
    refuse_key=_refuse_key,
    failure=_failure,
    error=_error,
    stream_error=lambda error: Event(_error(error).payload, "end"),  # type: ignore[arg-type]
    no_route=_no_route,
    wrong_method=_no_route,
)
