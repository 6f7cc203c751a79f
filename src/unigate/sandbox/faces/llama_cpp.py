"""llama.cpp's server: one model under any name, its own times beside usage, which ends each stream.

https://github.com/ggml-org/llama.cpp/tree/master/tools/server
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, anyone, detailed, openai_face, usage_last
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call

_ONLY = "gemma-3-4b-it-q4_0.gguf"
_MODELS = Models((Model(name=_ONLY, owner="llamacpp", sees=False),), others=((r".+", _ONLY),))
_WORDS = {
    401: Words(401, "authentication_error", None, "Invalid API Key"),
    500: Words(500, "server_error", None, "Compute error."),
    503: Words(503, "unavailable_error", None, "Loading model"),
}


def _check(body: Object) -> None:
    body.pop("max_completion_tokens", None)


def _timings(outcome: Outcome) -> Object:
    given = outcome.size.total - outcome.cached
    return {"timings": {"cache_n": outcome.cached, "prompt_n": given, "predicted_n": outcome.output}}


def _write(error: VendorError) -> Object:
    return {"error": {"code": error.status, "message": error.message, "type": error.kind}}


async def _models(_call: Call) -> Answer:
    """List the one model, in the form of Ollama and in OpenAI's."""
    row = {"id": _ONLY, "object": "model", "created": 1_770_000_000, "owned_by": "llamacpp"}
    return Whole(payload={"models": [{"name": _ONLY, "model": _ONLY}], "object": "list", "data": [row]})


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    identity=lambda dice: "chatcmpl-" + seeds.letters(dice, 32),
    fingerprint=lambda _dice: "b6497-cd08fc3e",
    usage=detailed,
    whole=lambda answer, outcome: {**answer, **_timings(outcome)},
    events=usage_last(detailed, _timings),
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(16, 1),
)

FACE = openai_face(
    "llama_cpp", "llama.cpp", "/v1", _MANNER, words=_WORDS, write=_write, credential=anyone, models=_models
)
