"""Ollama: asks for no key, forgets members that it does not know, the newer name of the limit among them.

https://docs.ollama.com/api/openai-compatibility
"""

from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, anyone, counts, openai_face
from unigate.sandbox.serving.answer import Object, VendorError

_MODELS = Models(
    (
        Model(name="llama3.2", owner="library", sees=False),
        Model(name="qwen3:8b", owner="library", reasoning=True, sees=False),
        Model(name="gemma3:4b", owner="library"),
    )
)
_WORDS = {
    401: Words(401, "authentication_error", None, "unauthorized"),
    429: Words(429, "api_error", None, "too many concurrent requests"),
    500: Words(500, "api_error", None, "llama runner process no longer running"),
    503: Words(503, "api_error", None, "server busy, please try again. maximum pending requests exceeded"),
}


def _check(body: Object) -> None:
    for name in ("max_completion_tokens", "n", "user", "logit_bias", "service_tier", "store"):
        body.pop(name, None)


_MANNER = Manner(
    models=_MODELS,
    check=_check,
    no_model=lambda name: VendorError(404, f'model "{name}" not found, try pulling it first', kind="not_found_error"),
    identity=lambda dice: f"chatcmpl-{dice.randint(1, 999)}",
    fingerprint=lambda _dice: "fp_ollama",
    usage=counts,
    thoughts=lambda _body: "reasoning",
    refusals=False,
    tiers=False,
    obfuscates=False,
)

FACE = openai_face("ollama", "Ollama", "/v1", _MANNER, words=_WORDS, credential=anyone)
