"""Fireworks AI: models below accounts, usage with the end of a stream, a 412 for an account that is suspended.

https://docs.fireworks.ai/api-reference/post-chatcompletions
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face, usage_with_finish
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="accounts/fireworks/models/llama-v3p3-70b-instruct", owner="fireworks", sees=False),
        Model(name="accounts/fireworks/models/deepseek-v3p1", owner="fireworks", context=163_840, sees=False),
        Model(name="accounts/fireworks/models/gpt-oss-120b", owner="fireworks", reasoning=True, sees=False),
    )
)
_WORDS = {
    401: Words(401, "", "UNAUTHORIZED", "The API key you provided is invalid."),
    402: Words(412, "", "PRECONDITION_FAILED", "Account sandbox is suspended, possibly due to its spending limit."),
    429: Words(429, "", "RATE_LIMIT_EXCEEDED", "Too many requests, please slow down."),
    503: Words(503, "", "SERVICE_OVERLOADED", "Service overloaded, please try again later."),
}


def _write(error: VendorError) -> Object:
    code = error.code or "INVALID_REQUEST"
    return {"error": {"object": "error", "type": error.kind or "error", "code": code, "message": error.message}}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(404, f"Model not found, inaccessible, or not deployed: {name}", code="NOT_FOUND"),
    identity=seeds.uuid,
    usage=detailed,
    events=usage_with_finish(detailed),
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 16),
)

FACE = openai_face("fireworks", "Fireworks AI", "/inference/v1", _MANNER, words=_WORDS, write=_write)
