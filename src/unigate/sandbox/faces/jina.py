"""Jina AI: reranking that shows documents unless told not to, embeddings of texts and pictures, one or many vectors each.

https://api.jina.ai/redoc: what is wrong with a body is a 422 with a `detail`.
"""

from dataclasses import replace
from typing import Any

from unigate.sandbox.brain import tokens
from unigate.sandbox.forms import checks, openai_request, rerank, vectors
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route

_RANK = Model(name="", kind="rank", owner="jina", sees=False)
_VECTORS = Model(name="", kind="vectors", owner="jina", shortens=True, context=8192, sees=False)
_MODELS = Models(
    (
        replace(_RANK, name="jina-reranker-v2-base-multilingual"),
        replace(_RANK, name="jina-reranker-v3"),
        replace(_RANK, name="jina-reranker-m0", sees=True),
        replace(_VECTORS, name="jina-embeddings-v3", dimensions=1024),
        replace(_VECTORS, name="jina-embeddings-v4", dimensions=2048, sees=True),
        replace(_VECTORS, name="jina-clip-v2", dimensions=1024, sees=True),
    )
)
_WORDS = {
    400: Words(400, "", None, "The request is not valid."),
    401: Words(401, "", None, "Unauthorized"),
    402: Words(402, "", None, "Account balance not enough to run this query, please recharge."),
    403: Words(403, "", None, "The API key is invalid or has been blocked."),
    429: Words(429, "", None, "Rate limit exceeded: 500 requests per minute.", "1"),
    503: Words(503, "", None, "The model is overloaded."),
}
_KINDS = ("float", "base64", "binary", "ubinary")
_TASKS = (
    "retrieval.query",
    "retrieval.passage",
    "text-matching",
    "classification",
    "separation",
    "code.query",
    "code.passage",
)
_MOST = 2048
_VECTORS_EACH = 128


def _write(error: VendorError) -> Object:
    if error.status != 422:
        return {"detail": error.message}
    wrong = {"field": error.param, "message": error.message, "type": error.code or "value_error"}
    return {"detail": error.message, "errors": [wrong]}


def _no_model(name: str) -> VendorError:
    return VendorError(422, f"Model {name} not found", param="model")


def _ranked(found: rerank.Found) -> Object:
    return {
        "model": found.model,
        "object": "list",
        "usage": {"total_tokens": found.tokens, "prompt_tokens": found.tokens},
        "results": rerank.results(found, document=rerank.as_object),
    }


async def _embed(call: Call) -> Answer:
    """Answer with a vector, or with many, for each input."""
    try:
        return _embedded(call, openai_request.decode(call.body))
    except VendorError as error:
        raise VendorError(422, error.message, param=error.param, code=error.code) from None


def _embedded(call: Call, body: Object) -> Answer:
    model = vectors.named(_MODELS, body, "vectors", _no_model)
    kind = _kind(body)
    if body.get("task") is not None:
        checks.one_of(body["task"], "task", _TASKS)
    inputs = _inputs(body.get("input"), model)
    size = vectors.size(body, "dimensions", model)
    many = checks.flag(body, "return_multivector") is True
    read, seen = 0, 0
    for text in inputs:
        counted = vectors.counted(text)
        if counted > model.context and not body.get("truncate"):
            raise checks.refuse(f"Input text exceeds maximum length of {model.context} tokens", "input")
        seen, read = (seen + counted, read) if text.startswith("data:image/") else (seen, read + counted)
    rows: list[Object] = []
    for place, text in enumerate([] if "empty" in call.fault else inputs):
        row: Object = {"object": "multivector" if many else "embedding", "index": place}
        if many:
            row["embeddings"] = [
                _shown(vectors.made(piece, model, _VECTORS_EACH), kind) for piece in tokens.pieces(text)
            ]
        else:
            row["embedding"] = _shown(vectors.made(text, model, size), kind)
        rows.append(row)
    call.world.accounts.charge(call.credential, read + seen)
    usage = {"total_tokens": read + seen, "prompt_tokens": read + seen, **({"image_tokens": seen} if seen else {})}
    return Whole(
        payload={"model": model.name, "object": "list", "usage": usage, "data": rows},
        usage={"input": read + seen},
        model=model.name,
    )


def _kind(body: Object) -> str:
    given = checks.given(body, "embedding_type", "float")
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    return checks.one_of(given, "embedding_type", _KINDS)


def _inputs(given: Any, model: Model) -> list[str]:
    if given is None:
        raise checks.missing("input")
    rows = [given] if isinstance(given, str | dict) else checks.listed(given, "input", "strings", least=1, most=_MOST)
    return [_input(row, model, f"input[{place}]") for place, row in enumerate(rows)]


def _input(row: Any, model: Model, param: str) -> str:
    if isinstance(row, dict) and isinstance(row.get("image"), str):
        if not model.sees:
            raise checks.refuse(f"Model {model.name} does not support images", param)
        picture: str = row["image"]
        return picture if picture.startswith(("data:", "http")) else f"data:image/png;base64,{picture}"
    text = row.get("text") if isinstance(row, dict) else row
    if not isinstance(text, str) or not text:
        raise checks.wrong_type(param, "a text", text)
    return text


def _shown(vector: list[float], kind: str) -> object:
    return vectors.packed(vector) if kind == "base64" else vectors.shown(vector, kind)


_RERANK = rerank.Manner(
    models=_MODELS, no_model=_no_model, write=_ranked, status=422, most=_MOST, shows=True, objects=True, pictures=True
)

FACE = vectors.vectors_face(
    "jina",
    "Jina AI",
    "/v1",
    (Route("POST", "/v1/rerank", rerank.rerank(_RERANK)), Route("POST", "/v1/embeddings", _embed)),
    words=_WORDS,
    write=_write,
)
