"""Mistral AI: refuses members that it does not know, tells usage with the end of each stream, has errors of its own.

https://docs.mistral.ai/api
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face, usage_with_finish
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    Model(name=name, owner="mistralai", output=32_768, sees=False)
    for name in ("mistral-large-latest", "mistral-medium-latest", "mistral-small-latest", "codestral-latest")
)
_STRANGE = (
    "max_completion_tokens",
    "stream_options",
    "seed",
    "user",
    "store",
    "service_tier",
    "logit_bias",
    "logprobs",
)
_WORDS = {
    400: Words(400, "invalid_request_invalid_args", "3051", "Invalid arguments in the request."),
    401: Words(401, "", None, "Unauthorized"),
    402: Words(402, "payment_required", "1400", "The account has no means of payment."),
    429: Words(429, "rate_limited", "1300", "Rate limit exceeded"),
    500: Words(500, "internal_server_error", "1000", "Service unavailable."),
    503: Words(503, "service_unavailable", "1000", "Service unavailable."),
}


def _check(body: Object) -> None:
    for name in _STRANGE:
        if name in body:
            raise VendorError(422, "Extra inputs are not permitted", param=name, code="extra_forbidden")
    if "random_seed" in body:
        body["seed"] = body.pop("random_seed")


def _usage(outcome: Outcome) -> Object:
    return {**counts(outcome), "num_cached_tokens": outcome.cached}


def _write(error: VendorError) -> Object:
    """A form for keys, one for members that are not known, one for the rest; none has an `error` around it."""
    if not error.kind:
        return {"detail": error.message}
    if error.code == "extra_forbidden":
        found = {"type": error.code, "loc": ["body", error.param], "msg": error.message, "input": None}
        return {"object": "error", "message": {"detail": [found]}, "type": error.kind, "param": None, "code": None}
    return {"object": "error", "message": error.message, "type": error.kind, "param": None, "code": error.code}


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    no_model=lambda name: VendorError(400, f"Invalid model: {name}", kind="invalid_model", code="1500"),
    identity=lambda dice: seeds.hexadecimal(dice, 32),
    usage=_usage,
    events=usage_with_finish(_usage),
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 16),
)

FACE = openai_face("mistral", "Mistral AI", "/v1", _MANNER, words=_WORDS, write=_write)
