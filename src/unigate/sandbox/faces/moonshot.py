"""Moonshot AI (Kimi): usage in the last choice of each stream, cached tokens at its top, errors of message and type.

https://platform.moonshot.ai/docs/api/chat
"""

from collections.abc import Iterator

from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError

_MODELS = Models(
    (
        Model(name="kimi-k2.5", owner="moonshot", context=262_144, output=262_144),
        Model(name="kimi-k2.6", owner="moonshot", context=262_144, output=262_144),
        Model(name="kimi-k2-0905-preview", owner="moonshot", context=262_144, output=262_144, sees=False),
        Model(name="kimi-k2-thinking", owner="moonshot", context=262_144, output=262_144, reasoning=True, sees=False),
    )
)
_BROKE = (
    "Your account org-sandbox <ak-sandbox> is suspended due to insufficient balance, please recharge your account or "
    "check your plan and billing details"
)
_WORDS = {
    401: Words(401, "invalid_authentication_error", None, "Invalid Authentication"),
    402: Words(429, "exceeded_current_quota_error", None, _BROKE),
    429: Words(429, "rate_limit_reached_error", None, "Your account reached its max RPM, please try again later", "1"),
    503: Words(429, "engine_overloaded_error", None, "The engine is currently overloaded, please try again later"),
}


def _usage(outcome: Outcome) -> Object:
    return {**counts(outcome), **({"cached_tokens": outcome.cached} if outcome.cached else {})}


def _events(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
    """Usage in the choice that ends the answer, whatever was asked."""
    for event in events:
        if event.part == "finish" and isinstance(event.data, dict):
            event.data["choices"][0]["usage"] = _usage(outcome)
        yield event


def _write(error: VendorError) -> Object:
    return {"error": {"message": error.message, "type": error.kind}}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(
        404, f"Not found the model {name} or Permission denied", kind="resource_not_found_error"
    ),
    usage=_usage,
    events=_events,
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 64),
)

FACE = openai_face("moonshot", "Moonshot AI", "/v1", _MANNER, words=_WORDS, write=_write)
