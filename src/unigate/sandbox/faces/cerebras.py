"""Cerebras: times beside usage, penalties refused, errors without an `error` around.

https://inference-docs.cerebras.ai/api-reference/chat-completions
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_errors
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face, usage_with_finish
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="gpt-oss-120b", owner="Cerebras", context=131_072, output=40_960, reasoning=True, sees=False),
        Model(name="zai-glm-4.7", owner="Cerebras", context=131_072, output=40_960, sees=False),
        Model(name="llama-3.3-70b", owner="Cerebras", context=131_072, output=40_960, sees=False),
    )
)
_WORDS = {
    401: Words(401, "invalid_request_error", "wrong_api_key", "Wrong API Key"),
    402: Words(402, "payment_required_error", "payment_required", "Payment is required to go on."),
    429: Words(429, "too_many_requests_error", "request_quota_exceeded", "Requests per minute limit exceeded", "1"),
    503: Words(503, "too_many_requests_error", "queue_exceeded", "We're experiencing high traffic right now!"),
}
#: The sandbox takes one millisecond for a token.
_SECOND = 1000


def _check(body: Object) -> None:
    for name in ("frequency_penalty", "presence_penalty", "logit_bias"):
        if body.get(name):
            raise VendorError(400, f"`{name}` is not supported", param=name, code="wrong_api_format")


def _times(outcome: Outcome) -> Object:
    given, made = outcome.size.total / _SECOND, outcome.output / _SECOND
    return {
        "time_info": {"queue_time": 0.001, "prompt_time": given, "completion_time": made, "total_time": given + made}
    }


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    no_model=lambda name: VendorError(
        404,
        f"Model {name} does not exist or you do not have access to it.",
        kind="not_found_error",
        code="model_not_found",
    ),
    identity=lambda dice: "chatcmpl-" + seeds.uuid(dice),
    usage=detailed,
    whole=lambda answer, outcome: {**answer, **_times(outcome)},
    events=usage_with_finish(detailed, _times),
    thoughts=lambda _body: "reasoning",
    refusals=False,
    tiers=False,
    obfuscates=False,
)

FACE = openai_face("cerebras", "Cerebras", "/v1", _MANNER, words=_WORDS, write=openai_errors.fields)
