"""SiliconFlow: usage in every event of a stream, errors of code, message and data, a bare text for wrong keys.

Pictures are asked for by names of its own. https://docs.siliconflow.com/en/api-reference
"""

import re
from collections.abc import Iterator, Sequence

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_speech, openai_transcriptions, rerank, vendor_images
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_embeddings import embeddings
from unigate.sandbox.forms.openai_vendor import Words, counts, openai_face
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Route

_SPEAKER = "FunAudioLLM/CosyVoice2-0.5B"
_MODELS = Models(
    (
        Model(name="deepseek-ai/DeepSeek-V3.2", owner="", output=163_840, sees=False),
        Model(name="Qwen/Qwen3-8B", owner="", output=32_768, sees=False),
        Model(name="deepseek-ai/DeepSeek-R1", owner="", output=32_768, reasoning=True, sees=False),
        Model(name="Kwai-Kolors/Kolors", kind="images", owner="", sees=False),
        Model(name="Qwen/Qwen-Image", kind="images", owner="", sees=False),
        Model(name=_SPEAKER, kind="speech", owner="", sees=False),
        Model(name="FunAudioLLM/SenseVoiceSmall", kind="hearing", owner="", sees=False, hears=True),
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


#: Transcripts are a text and nothing else.
_HEARING = openai_transcriptions.Hearing(
    formats=lambda _name: ("json",), usage=lambda *_: None, streams=lambda _name: False
)
_SPEECH = openai_speech.Speech(
    voices=tuple(f"{_SPEAKER}:{name}" for name in ("alex", "anna", "bella", "benjamin", "charles", "claire")),
    formats=("mp3", "opus", "wav", "pcm"),
    events=False,
)


def _painted(body: Object) -> vendor_images.Wanted:
    size = checks.given(body, "image_size", "1024x1024")
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size) if isinstance(size, str) else None
    if found is None:
        raise checks.refuse("The parameter is invalid. Please check again.", "image_size")
    size = vendor_images.sides(int(found[1]), int(found[2]))
    return vendor_images.Wanted(size=size, number=checks.integer(body, "batch_size", 1, 4) or 1, format="png")


def _pictures(model: str, made: Sequence[Object]) -> Object:
    seed = seeds.dice(model, len(made)).randrange(10**9)
    return {"images": list(made), "timings": {"inference": 0.5 * len(made)}, "seed": seed}


_PAINTING = vendor_images.Painting(
    known=frozenset(
        {
            "model",
            "prompt",
            "negative_prompt",
            "image_size",
            "batch_size",
            "seed",
            "num_inference_steps",
            "guidance_scale",
            "cfg",
            "image",
            "image2",
            "image3",
        }
    ),
    read=_painted,
    write=_pictures,
)
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
        Route("POST", "/v1/images/generations", vendor_images.generations(_MANNER, _PAINTING)),
        Route("POST", "/v1/audio/speech", openai_speech.speech(_MANNER, _SPEECH)),
        Route("POST", "/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER, _HEARING)),
    ),
)
