"""Cohere: reranking that is billed by searches, embeddings of several kinds at once, errors that are a message.

https://docs.cohere.com/reference/rerank
"""

from dataclasses import replace

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import rerank, vectors
from unigate.sandbox.forms.cohere_embed import embed
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.face import Route

_RANK = Model(name="", kind="rank", owner="cohere", sees=False)
_VECTORS = Model(name="", kind="vectors", owner="cohere", dimensions=1024, context=512, sees=False)
_MODELS = Models(
    (
        *(
            replace(_RANK, name=name)
            for name in (
                "rerank-v3.5",
                "rerank-v4.0-pro",
                "rerank-v4.0-fast",
                "rerank-english-v3.0",
                "rerank-multilingual-v3.0",
            )
        ),
        replace(_VECTORS, name="embed-v4.0", dimensions=1536, shortens=True, context=128_000, sees=True),
        replace(_VECTORS, name="embed-english-v3.0"),
        replace(_VECTORS, name="embed-multilingual-v3.0"),
    )
)
_WORDS = {
    400: Words(400, "", None, "invalid request: one of the parameters is not valid"),
    401: Words(401, "", None, "invalid api token"),
    402: Words(402, "", None, "Please add or update your payment method at https://dashboard.cohere.com/billing"),
    403: Words(403, "", None, "this api key is not allowed to do that"),
    429: Words(429, "", None, "You are using a Trial key, which is limited to 10 API calls / minute.", "6"),
    498: Words(498, "", None, "invalid token"),
    500: Words(500, "", None, "internal server error, this has been reported to our developers."),
    503: Words(503, "", None, "the service is overloaded, please try again later"),
}


def _write(error: VendorError) -> Object:
    return {"id": "00000000-0000-4000-8000-000000000000", "message": error.message}


def _no_model(name: str) -> VendorError:
    return VendorError(404, f"model '{name}' not found, make sure the correct model ID was used")


def _ranked(version: str, found: rerank.Found) -> Object:
    document = rerank.as_object if version == "1" else None
    return {
        "id": seeds.uuid(seeds.dice(found.model, found.tokens)),
        "results": rerank.results(found, document=document),
        "meta": {"api_version": {"version": version}, "billed_units": {"search_units": found.searches}},
    }


_SECOND = rerank.Manner(models=_MODELS, no_model=_no_model, write=lambda found: _ranked("2", found))
_FIRST = replace(_SECOND, objects=True, write=lambda found: _ranked("1", found))

FACE = vectors.vectors_face(
    "cohere",
    "Cohere",
    "",
    (
        Route("POST", "/v2/rerank", rerank.rerank(_SECOND)),
        Route("POST", "/v1/rerank", rerank.rerank(_FIRST)),
        Route("POST", "/v2/embed", embed(_MODELS, "2")),
        Route("POST", "/v1/embed", embed(_MODELS, "1")),
    ),
    words=_WORDS,
    write=_write,
    usage_keys=frozenset({"meta"}),
)
