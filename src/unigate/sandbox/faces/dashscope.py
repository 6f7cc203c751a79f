"""Alibaba Cloud Model Studio (DashScope): explicit caches, arrears as a 400, a limit of tokens that looks like no money.

https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_errors, rerank
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_embeddings import embeddings
from unigate.sandbox.forms.openai_vendor import Words, detailed, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Object, VendorError, encode
from unigate.sandbox.serving.face import Route

_MODELS = Models(
    (
        Model(name="qwen-max", owner="system", sees=False),
        Model(name="qwen-plus", owner="system", sees=False, context=1_000_000, output=32_768),
        Model(name="qwen-flash", owner="system", sees=False, context=1_000_000, output=32_768),
        Model(name="qwen3-max", owner="system", sees=False, context=262_144, output=65_536),
        Model(name="qwq-plus", owner="system", sees=False, reasoning=True),
        Model(name="gte-rerank-v2", kind="rank", owner="system", sees=False),
        Model(name="qwen3-rerank", kind="rank", owner="system", sees=False),
        Model(
            name="text-embedding-v4",
            kind="vectors",
            owner="system",
            dimensions=1024,
            shortens=True,
            context=8192,
            sees=False,
        ),
    )
)
_TOO_FAST = "You exceeded your current quota, please check your plan and billing details."
_BROKE = "Access denied, please make sure your account is in good standing."
_WORDS = {
    401: Words(401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided. "),
    402: Words(400, "Arrearage", "Arrearage", _BROKE),
    403: Words(403, "AccessDenied.Unpurchased", "AccessDenied.Unpurchased", "Access to model denied."),
    429: Words(429, "insufficient_quota", "insufficient_quota", _TOO_FAST),
    500: Words(
        500, "internal_server_error", "internal_error", "An internal error has occurred, please try again later"
    ),
}


def _usage(outcome: Outcome) -> Object:
    """Usage; a call that marks what to cache is told how much of it was written."""
    usage = detailed(outcome)
    if b'"cache_control"' in encode(outcome.asked.body.get("messages")):
        written = outcome.size.text - outcome.cached
        usage["prompt_tokens_details"] |= {"cache_creation_input_tokens": written, "cache_type": "ephemeral"}
    return usage


def _write(error: VendorError) -> Object:
    return {**openai_errors.body(error), "request_id": "sandbox", "id": "chatcmpl-sandbox"}


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda name: VendorError(
        404, f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found"
    ),
    usage=_usage,
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(256, 64),
)


def _flat(body: Object) -> Object:
    """A call in the vendor's own form with all members at its top."""
    told = {name: checks.mapping(checks.given(body, name, {}), name) for name in ("input", "parameters")}
    return {"model": body.get("model"), **told["input"], **told["parameters"]}


def _ranked(found: rerank.Found) -> Object:
    return {
        "request_id": seeds.uuid(seeds.dice(found.model, found.tokens)),
        "output": {"results": rerank.results(found, document=rerank.as_object)},
        "usage": {"total_tokens": found.tokens},
    }


_RERANK = rerank.Manner(models=_MODELS, no_model=_MANNER.no_model, write=_ranked, most=500, flat=_flat)

FACE = openai_face(
    "dashscope",
    "Alibaba Cloud Model Studio",
    "/compatible-mode/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    more=(
        Route("POST", "/api/v1/services/rerank/text-rerank/text-rerank", rerank.rerank(_RERANK)),
        Route("POST", "/compatible-mode/v1/embeddings", embeddings(_MANNER)),
    ),
)
