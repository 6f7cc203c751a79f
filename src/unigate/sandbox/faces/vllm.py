"""vLLM: asks for no key, keeps quiet about its cache, and names its errors as the language it is written in does.

Transcripts stream in chunks as chats do. https://docs.vllm.ai/en/latest/serving/openai_compatible_server
"""

from collections.abc import Iterator

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_transcriptions, rerank, transcripts
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_embeddings import embeddings
from unigate.sandbox.forms.openai_vendor import Words, anyone, counts, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.media.listen import Heard
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Route

_MODELS = Models(
    (
        Model(name="meta-llama/Llama-3.1-8B-Instruct", owner="vllm", sees=False),
        Model(name="Qwen/Qwen3-8B", owner="vllm", reasoning=True, sees=False),
        Model(name="openai/whisper-large-v3", kind="hearing", owner="vllm", sees=False, hears=True),
        Model(name="BAAI/bge-reranker-v2-m3", kind="rank", owner="vllm", sees=False),
        Model(
            name="BAAI/bge-m3", kind="vectors", owner="vllm", dimensions=1024, shortens=True, context=8192, sees=False
        ),
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


def _ranked(found: rerank.Found) -> Object:
    return {
        "id": "rerank-" + seeds.hexadecimal(seeds.dice(found.model, found.tokens), 32),
        "model": found.model,
        "usage": {"prompt_tokens": found.tokens, "total_tokens": found.tokens},
        "results": rerank.results(
            found, document=lambda found, place: {"text": found.text(place), "multi_modal": None}
        ),
    }


_RERANK = rerank.rerank(rerank.Manner(models=_MODELS, no_model=_MANNER.no_model, write=_ranked, shows=True))


def _heard_events(model: Model, heard: Heard, _usage: Object) -> Iterator[Event]:
    """Chunks, without usage unless it is asked for in words of its own."""
    base = {"id": "trsc-" + seeds.hexadecimal(seeds.dice(heard.text, "heard"), 32), "object": "transcription.chunk"}
    for event in transcripts.events(heard, {}, sure=False, names=None):
        if isinstance(event.data, dict) and "delta" in event.data:
            delta = {"delta": {"content": event.data["delta"]}, "finish_reason": None}
            yield Event({**base, "model": model.name, "choices": [delta]}, tokens=1)
    stop = {"delta": {"content": ""}, "finish_reason": "stop", "stop_reason": None}
    yield Event({**base, "model": model.name, "choices": [stop]}, "finish")
    yield Event("[DONE]", "end")


_HEARING = openai_transcriptions.Hearing(
    formats=lambda _name: ("json", "text", "verbose_json"),
    usage=lambda _model, heard, _prompt: transcripts.duration(heard),
    streams=lambda _name: True,
    events=_heard_events,
)

FACE = openai_face(
    "vllm",
    "vLLM",
    "/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    credential=anyone,
    more=(
        *(Route("POST", path, _RERANK) for path in ("/rerank", "/v1/rerank", "/v2/rerank")),
        Route("POST", "/v1/embeddings", embeddings(_MANNER)),
        Route("POST", "/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER, _HEARING)),
        Route("POST", "/v1/audio/translations", openai_transcriptions.translations(_MANNER, _HEARING)),
    ),
)
