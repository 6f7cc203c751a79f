"""SiliconFlow: usage in every event of a stream, errors of code, message and data, a bare text for wrong keys.

https://docs.siliconflow.com/en/api-reference
"""

from collections.abc import Iterator

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import rerank
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_embeddings import embeddings
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Route

_MODELS = Models(
    (
        Model(name="deepseek-ai/DeepSeek-V3.2", owner="", output=163_840, sees=False),
        Model(name="Qwen/Qwen3-8B", owner="", output=32_768, sees=False),
        Model(name="deepseek-ai/DeepSeek-R1", owner="", output=32_768, reasoning=True, sees=False),
        Model(name="BAAI/bge-reranker-v2-m3", kind="rank", owner="", sees=False),
        Model(name="netease-youdao/bce-reranker-base_v1", kind="rank", owner="", sees=False),
        Model(name="BAAI/bge-m3", kind="vectors", owner="", dimensions=1024, shortens=True, context=8192, sees=False),
    )
)
_WORDS = {
    400: Words(400, "", "20015", "The parameter is invalid. Please check again."),
    401: Words(401, "", None, "Invalid token"),
    402: Words(403, "", "30001", "Sorry, your account balance is insufficient"),
    403: Words(403, "", "30003", "Model disabled."),
    429: Words(429, "", "50501", "Request was rejected due to rate limiting. Details:TPM limit reached."),
    503: Words(503, "", "50505", "Model service overloaded. Please try again later."),
}


def _usage(outcome: Outcome) -> Object:
    usage = counts(outcome)
    if outcome.asked.model.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": outcome.summed("reasoning_tokens")}
    missed = outcome.size.total - outcome.cached
    return {**usage, "prompt_cache_hit_tokens": outcome.cached, "prompt_cache_miss_tokens": missed}


def _events(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
    """Usage so far in each event, all of it in the one that ends the answer."""
    given, said = outcome.size.total, 0
    for event in events:
        if event.part == "usage":
            continue
        if isinstance(event.data, dict):
            said += event.tokens
            so_far = {"prompt_tokens": given, "completion_tokens": said, "total_tokens": given + said}
            event.data["usage"] = _usage(outcome) if event.part == "finish" else so_far
        yield event


def _write(error: VendorError) -> object:
    if error.status == 401:
        return error.message
    return {
        "code": int(error.code or 20015) if (error.code or "0").isdigit() else 20015,
        "message": error.message,
        "data": None,
    }


_MANNER = Manner(
    models=_MODELS,
    no_model=lambda _name: VendorError(400, "Model does not exist. Please check it carefully.", code="20012"),
    identity=lambda dice: "019a" + seeds.hexadecimal(dice, 28),
    usage=_usage,
    events=_events,
    thoughts=lambda _body: "reasoning_content",
    refusals=False,
    tiers=False,
    obfuscates=False,
    cache=(64, 64),
)


def _ranked(found: rerank.Found) -> Object:
    counted = {"input_tokens": found.tokens, "output_tokens": 0}
    return {
        "id": seeds.uuid(seeds.dice(found.model, found.tokens)),
        "results": rerank.results(found, document=rerank.as_object),
        "meta": {"billed_units": {**counted, "search_units": 0, "classifications": 0}, "tokens": counted},
    }


FACE = openai_face(
    "siliconflow",
    "SiliconFlow",
    "/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    more=(
        Route(
            "POST",
            "/v1/rerank",
            rerank.rerank(rerank.Manner(models=_MODELS, no_model=_MANNER.no_model, write=_ranked, objects=True)),
        ),
        Route("POST", "/v1/embeddings", embeddings(_MANNER)),
    ),
)
