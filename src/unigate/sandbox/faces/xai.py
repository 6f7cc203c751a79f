"""xAI (Grok): thoughts counted beside the completion, the price of each call in its usage, errors of code and text.

https://docs.x.ai/docs/api-reference
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, openai_face, usage_last
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="grok-4.3", owner="xai", context=1_000_000, output=30_000, reasoning=True),
        Model(name="grok-4.20-0309-reasoning", owner="xai", context=1_000_000, output=30_000, reasoning=True),
        Model(name="grok-4.20-0309-non-reasoning", owner="xai", context=1_000_000, output=30_000),
    )
)
_KEY = "Incorrect API key provided: sk***id. You can obtain an API key from https://console.x.ai."
_RULES = "Content violates usage guidelines. Team: sandbox-team, API key ID: sandbox-key, Failed check: SAFETY_CHECK"
_WORDS = {
    400: Words(400, "", "Client specified an invalid argument", "The request is not valid."),
    401: Words(400, "", "Client specified an invalid argument", _KEY),
    403: Words(403, "", "The caller does not have permission to execute the specified operation", _RULES),
    429: Words(429, "", "Some resource has been exhausted", "Too many requests for your team.", "1"),
    500: Words(500, "", "Internal error", "The service had an error."),
}
#: Ticks of 10^-10 USD that a token costs, in and out.
_TICKS = (2000, 10_000)


def _usage(outcome: Outcome) -> Object:
    thought = outcome.summed("reasoning_tokens")
    given, said = outcome.size.total, outcome.output - thought
    return {
        "prompt_tokens": given,
        "completion_tokens": said,
        "total_tokens": given + said + thought,
        "prompt_tokens_details": {
            "text_tokens": outcome.size.text,
            "audio_tokens": 0,
            "image_tokens": outcome.size.image,
            "cached_tokens": outcome.cached,
        },
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
        "num_sources_used": 0,
        "cost_in_usd_ticks": given * _TICKS[0] + (said + thought) * _TICKS[1],
    }


def _write(error: VendorError) -> Object:
    return {"code": error.code or "Client specified an invalid argument", "error": error.message}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(
        404, f"The model {name} does not exist or your team does not have access to it.", code="Not found"
    ),
    identity=seeds.uuid,
    usage=_usage,
    events=usage_last(_usage),
    thoughts=lambda _body: "reasoning_content",
    tiers=False,
    obfuscates=False,
    cache=(64, 64),
)

FACE = openai_face("xai", "xAI", "/v1", _MANNER, words=_WORDS, write=_write)
