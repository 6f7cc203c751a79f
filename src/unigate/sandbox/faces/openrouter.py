"""OpenRouter: comments while a call waits, the name of who serves it, the price that the account pays in each usage.

https://openrouter.ai/docs/api/reference/overview
"""

from collections.abc import Iterator

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError

_MODELS = Models(
    (
        Model(name="openai/gpt-4o-mini", owner="openai"),
        Model(name="anthropic/claude-sonnet-4.5", owner="anthropic", context=1_000_000, output=64_000),
        Model(name="google/gemini-2.5-flash", owner="google", context=1_048_576, output=65_535),
        Model(name="google/gemini-2.5-flash-image", owner="google", context=32_768, output=8192),
        Model(name="openai/gpt-oss-120b", owner="openai", output=65_536, reasoning=True, sees=False),
    )
)
_WORDS = {
    401: Words(401, "", None, "User not found."),
    402: Words(402, "", None, "This request requires more credits, or fewer max_tokens."),
    403: Words(403, "", None, "This model requires moderation, and your input was flagged."),
    429: Words(429, "", None, "Provider returned error"),
    502: Words(502, "", None, "Provider returned error"),
    503: Words(503, "", None, "No endpoints found that can handle the requested parameters."),
}


def _usage(outcome: Outcome) -> Object:
    """Usage with what the account was charged, and of what that is made."""
    into, out = outcome.size.total * 0.00000015, outcome.output * 0.0000006
    usage = detailed(outcome)
    usage["prompt_tokens_details"] |= {"cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0}
    parts = {"upstream_inference_prompt_cost": into, "upstream_inference_completions_cost": out}
    return {**usage, "cost": into + out, "is_byok": False, "cost_details": {"upstream_inference_cost": None, **parts}}


def _whole(answer: Object, _outcome: Outcome) -> Object:
    choices = [{**choice, "native_finish_reason": choice["finish_reason"]} for choice in answer["choices"]]
    return {**answer, "provider": "Sandbox", "choices": choices}


def _events(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
    """Comments first; usage, asked or not, in a last event that has the choice that ended once more."""
    for _ in range(2):
        yield Event(None, "opening", name="OPENROUTER PROCESSING")
    last: Object = {}
    for event in events:
        if event.part == "usage":
            continue
        if isinstance(event.data, dict):
            event.data.pop("usage", None)
            event.data["provider"] = "Sandbox"
            last = event.data
        elif event.part == "end":
            again = [{**choice, "delta": {"role": "assistant", "content": ""}} for choice in last["choices"]]
            yield Event({**last, "choices": again, "usage": _usage(outcome)}, "usage")
        yield event


def _write(error: VendorError) -> Object:
    """The error with its status as code, and whose account it is about."""
    more = {"metadata": {"provider_name": "Sandbox", "raw": error.message}} if error.status != 401 else {}
    return {"error": {"message": error.message, "code": error.status, **more}, "user_id": "user_sandbox"}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(400, f"{name} is not a valid model ID", kind=""),
    identity=lambda dice: f"gen-1770000000-{seeds.letters(dice, 20)}",
    usage=_usage,
    whole=_whole,
    events=_events,
    thoughts=lambda _body: "reasoning",
    tiers=False,
    obfuscates=False,
)

FACE = openai_face("openrouter", "OpenRouter", "/api/v1", _MANNER, words=_WORDS, write=_write)
