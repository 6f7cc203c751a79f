"""Together AI: a bare list of models, cached tokens at the top of usage, a 403 for what is too long.

https://docs.together.ai/reference/chat-completions-1
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_errors, rerank
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face, usage_with_finish
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route

_MODELS = Models(
    (
        Model(name="meta-llama/Llama-3.3-70B-Instruct-Turbo", owner="Meta", context=131_072, sees=False),
        Model(name="openai/gpt-oss-120b", owner="OpenAI", reasoning=True, output=65_536, sees=False),
        Model(name="Qwen/Qwen3-235B-A22B-Instruct-2507-tput", owner="Qwen", context=262_144, sees=False),
        Model(name="Salesforce/Llama-Rank-V1", kind="rank", owner="Salesforce", sees=False),
    )
)
_LONG = "`inputs` tokens + `max_new_tokens` must be <= 131073. Given: 140000 `inputs` tokens and 100 `max_new_tokens`"
_WORDS = {
    401: Words(401, "invalid_request_error", "invalid_api_key", "Invalid API key provided."),
    402: Words(402, "credit_limit", None, "Credit limit exceeded, please add credits in your billing settings."),
    403: Words(403, "invalid_request_error", None, _LONG),
    429: Words(429, "model_rate_limit", None, "You have reached the rate limit of this model.", "1"),
    503: Words(503, "service_unavailable", "overloaded", "The server is overloaded or not ready yet."),
}


def _usage(outcome: Outcome) -> Object:
    return {**counts(outcome), **({"cached_tokens": outcome.cached} if outcome.cached else {})}


def _write(error: VendorError) -> Object:
    return {"id": "sandbox", **openai_errors.body(error)}


async def _models(_call: Call) -> Answer:
    """List the models, in a list without anything around it."""
    rows = [{"id": m.name, "object": "model", "type": "chat", "context_length": m.context} for m in _MODELS.listed()]
    return Whole(payload=rows)


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(
        404, f"Unable to access model {name}. Please visit the list of available models.", code="model_not_available"
    ),
    identity=lambda dice: "o" + seeds.letters(dice, 6) + "-" + seeds.hexadecimal(dice, 16),
    usage=_usage,
    events=usage_with_finish(_usage),
    whole=lambda answer, _outcome: {**answer, "prompt": []},
    thoughts=lambda _body: "reasoning",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 64),
)


def _ranked(found: rerank.Found) -> Object:
    counted = {"prompt_tokens": found.tokens, "completion_tokens": 0, "total_tokens": found.tokens}
    results = rerank.results(found, document=rerank.as_object)
    return {
        "object": "rerank",
        "id": seeds.hexadecimal(seeds.dice(found.model, found.tokens), 16),
        "model": found.model,
        "results": results,
        "usage": counted,
    }


_RERANK = rerank.Manner(models=_MODELS, no_model=_MANNER.no_model, write=_ranked, objects=True)

FACE = openai_face(
    "together",
    "Together AI",
    "/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    models=_models,
    more=(Route("POST", "/v1/rerank", rerank.rerank(_RERANK)),),
)
