"""Xinference: one's own server whose reranker shows documents as bare texts and counts below `meta`.

https://inference.readthedocs.io
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import rerank, vectors
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_embeddings import embeddings
from unigate.sandbox.forms.openai_vendor import Words, anyone
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.face import Route

_MODELS = Models(
    (
        Model(name="bge-reranker-v2-m3", kind="rank", owner="xinference", sees=False),
        Model(name="bge-reranker-large", kind="rank", owner="xinference", sees=False),
        Model(name="bge-m3", kind="vectors", owner="xinference", dimensions=1024, context=8192, sees=False),
    )
)
_WORDS = {
    400: Words(400, "", None, "[address=127.0.0.1:9997] invalid request"),
    401: Words(401, "", None, "Not authenticated"),
    429: Words(429, "", None, "Rate limit reached for the model."),
    500: Words(500, "", None, "Internal server error"),
}


def _write(error: VendorError) -> Object:
    return {"detail": error.message}


def _no_model(name: str) -> VendorError:
    return VendorError(400, f"Model not found in the model list, uid: {name}")


def _ranked(found: rerank.Found) -> Object:
    counted = {"input_tokens": found.tokens, "output_tokens": found.tokens}
    return {
        "id": seeds.uuid(seeds.dice(found.model, found.tokens)),
        "results": rerank.results(found, document=rerank.Found.text),
        "meta": {"api_version": None, "billed_units": None, "tokens": counted, "warnings": None},
    }


FACE = vectors.vectors_face(
    "xinference",
    "Xinference",
    "/v1",
    (
        Route(
            "POST",
            "/v1/rerank",
            rerank.rerank(rerank.Manner(models=_MODELS, no_model=_no_model, write=_ranked, shows=False)),
        ),
        Route("POST", "/v1/embeddings", embeddings(Manner(models=_MODELS, no_model=_no_model))),
    ),
    words=_WORDS,
    write=_write,
    credential=anyone,
    usage_keys=frozenset({"usage", "meta"}),
)
