"""Together AI: a bare list of models, cached tokens at the top of usage, a 403 for what is too long, pictures by width and height.

https://docs.together.ai/reference/chat-completions-1 and .../post-images-generations
"""

from collections.abc import Sequence

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_errors, openai_speech, openai_transcriptions, rerank, vendor_images
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
        Model(name="black-forest-labs/FLUX.1-schnell", kind="images", owner="Black Forest Labs", sees=False),
        Model(name="canopylabs/orpheus-3b-0.1-ft", kind="speech", owner="Canopy Labs", sees=False),
        Model(name="openai/whisper-large-v3", kind="hearing", owner="OpenAI", sees=False, hears=True),
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


#: Transcripts tell no usage, and come whole.
_HEARING = openai_transcriptions.Hearing(
    formats=lambda _name: ("json", "verbose_json"), usage=lambda *_: None, streams=lambda _name: False
)
_SPEECH = openai_speech.Speech(
    voices=("tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"), usual_format="wav", events=False
)


def _painted(body: Object) -> vendor_images.Wanted:
    form = checks.one_of(checks.given(body, "response_format", "url"), "response_format", ("base64", "url"))
    kind = checks.one_of(checks.given(body, "output_format", "jpeg"), "output_format", ("jpeg", "png"))
    return vendor_images.Wanted(
        size=vendor_images.sides(checks.given(body, "width", 1024), checks.given(body, "height", 1024)),
        number=checks.integer(body, "n", 1, 4) or 1,
        format="png" if kind == "png" else "jpg",
        inline=form == "base64",
    )


def _pictures(model: str, made: Sequence[Object]) -> Object:
    data = [{"index": place, **one, "type": None} for place, one in enumerate(made)]
    return {"id": seeds.hexadecimal(seeds.dice(model, len(made)), 16), "model": model, "object": "list", "data": data}


_PAINTING = vendor_images.Painting(
    known=frozenset(
        {
            "model",
            "prompt",
            "n",
            "width",
            "height",
            "steps",
            "seed",
            "response_format",
            "output_format",
            "image_url",
            "negative_prompt",
            "guidance_scale",
            "image_loras",
            "reference_images",
            "disable_safety_checker",
        }
    ),
    read=_painted,
    write=_pictures,
)
_RERANK = rerank.Manner(models=_MODELS, no_model=_MANNER.no_model, write=_ranked, objects=True)

FACE = openai_face(
    "together",
    "Together AI",
    "/v1",
    _MANNER,
    words=_WORDS,
    write=_write,
    models=_models,
    more=(
        Route("POST", "/v1/rerank", rerank.rerank(_RERANK)),
        Route("POST", "/v1/images/generations", vendor_images.generations(_MANNER, _PAINTING)),
        Route("POST", "/v1/audio/speech", openai_speech.speech(_MANNER, _SPEECH)),
        Route("POST", "/v1/audio/transcriptions", openai_transcriptions.transcriptions(_MANNER, _HEARING)),
        Route("POST", "/v1/audio/translations", openai_transcriptions.translations(_MANNER, _HEARING)),
    ),
)
