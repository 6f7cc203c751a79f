"""vLLM: asks for no key, keeps quiet about its cache, and names its errors as the language it is written in does.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, anyone, counts, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="meta-llama/Llama-3.1-8B-Instruct", owner="vllm", sees=False),
        Model(name="Qwen/Qwen3-8B", owner="vllm", reasoning=True, sees=False),
    )
)
_WORDS = {
    400: Words(400, "BadRequestError", None, "The request is not valid."),
    401: Words(401, "Unauthorized", None, "Unauthorized"),
    500: Words(500, "InternalServerError", None, "The engine has died."),
    503: Words(503, "ServiceUnavailable", None, "The server is overloaded."),
}


def _usage(outcome: Outcome) -> Object:
    return {**counts(outcome), "prompt_tokens_details": None}


def _write(error: VendorError) -> Object:
    return {"error": {"message": error.message, "type": error.kind, "param": error.param, "code": error.status}}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(404, f"The model `{name}` does not exist.", kind="NotFoundError"),
    identity=lambda dice: "chatcmpl-" + seeds.hexadecimal(dice, 32),
    usage=_usage,
    whole=lambda answer, _outcome: {**answer, "prompt_logprobs": None, "kv_transfer_params": None},
    thoughts=lambda _body: "reasoning_content",
    tiers=False,
    obfuscates=False,
)

FACE = openai_face("vllm", "vLLM", "/v1", _MANNER, words=_WORDS, write=_write, credential=anyone)
