"""Volcengine Ark (Doubao): models by name or endpoint, ids of figures, errors that name the account.

https://www.volcengine.com/docs/82379/1298454
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_errors
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="doubao-seed-1-6-250615", owner="", context=262_144, output=32_768, reasoning=True),
        Model(name="doubao-1-5-pro-32k-250115", owner="", context=131_072, output=16_384, sees=False),
        Model(name="doubao-1-5-lite-32k-250115", owner="", context=32_768, output=12_288, sees=False),
    ),
    others=((r"ep-[0-9a-z-]+", "doubao-1-5-pro-32k-250115"),),
)
_NOT_OPEN = "Your account 2100000000 has not activated the model. Please activate the model service in the Ark Console."
_WORDS = {
    401: Words(
        401, "Unauthorized", "AuthenticationError", "The API key or AK/SK in the request is missing or invalid."
    ),
    402: Words(
        403, "Forbidden", "AccountOverdueError", "The request failed because your account has an overdue balance."
    ),
    403: Words(403, "Forbidden", "AccessDenied", "You do not have access to the requested resource."),
    404: Words(404, "NotFound", "ModelNotOpen", _NOT_OPEN),
    429: Words(429, "TooManyRequests", "RateLimitExceeded.EndpointRPMExceeded", "The RPM limit was exceeded.", "1"),
    500: Words(500, "InternalServerError", "InternalServiceError", "The service encountered an unexpected error."),
}


def _usage(outcome: Outcome) -> Object:
    usage = detailed(outcome)
    usage["completion_tokens_details"] = {"reasoning_tokens": outcome.summed("reasoning_tokens")}
    return usage


def _write(error: VendorError) -> Object:
    return {"error": {**openai_errors.fields(error), "param": error.param or ""}}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(
        404,
        f"The model or endpoint {name} does not exist or you do not have access to it.",
        kind="NotFound",
        code="InvalidEndpointOrModel.NotFound",
    ),
    identity=lambda dice: "02177" + seeds.hexadecimal(dice, 48),
    usage=_usage,
    whole=lambda answer, _outcome: {**answer, "service_tier": "default"},
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(256, 64),
)

FACE = openai_face("volcengine", "Volcengine Ark", "/api/v3", _MANNER, words=_WORDS, write=_write)
