"""Voyage AI: lists are called `data`, members that it does not know are refused, errors are a `detail`.

https://docs.voyageai.com/reference/reranker-api
"""

from dataclasses import replace

from unigate.sandbox.forms import checks, openai_request, rerank, vectors
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route

_RANK = Model(name="", kind="rank", owner="voyage", sees=False)
_VECTORS = Model(name="", kind="vectors", owner="voyage", dimensions=1024, shortens=True, context=32_000, sees=False)
_MODELS = Models(
    (
        replace(_RANK, name="rerank-2.5"),
        replace(_RANK, name="rerank-2.5-lite"),
        replace(_VECTORS, name="voyage-3.5"),
        replace(_VECTORS, name="voyage-3.5-lite"),
        replace(_VECTORS, name="voyage-3-large"),
    )
)
_WORDS = {
    400: Words(400, "", None, "The request body is not valid."),
    401: Words(401, "", None, "Provided API key is invalid."),
    402: Words(402, "", None, "Please add a payment method in your dashboard."),
    403: Words(403, "", None, "Forbidden"),
    429: Words(429, "", None, "Rate limit exceeded. Please reduce your request rate.", "1"),
    503: Words(503, "", None, "The server is overloaded."),
}
_SIZES = (256, 512, 1024, 2048)
_MOST = 1000
_EMBED = frozenset(
    {"input", "model", "input_type", "truncation", "output_dimension", "output_dtype", "encoding_format"}
)
_UNKNOWN = "Argument '{}' is not supported by our API"


def _write(error: VendorError) -> Object:
    return {"detail": error.message}


def _no_model(name: str) -> VendorError:
    return VendorError(400, f"Model {name} is not supported.")


def _ranked(found: rerank.Found) -> Object:
    return {
        "object": "list",
        "data": rerank.results(found, document=rerank.Found.text),
        "model": found.model,
        "usage": {"total_tokens": found.tokens},
    }


async def _embed(call: Call) -> Answer:
    """Answer with a vector for each text."""
    body = openai_request.decode(call.body)
    for name in body:
        if name not in _EMBED:
            raise VendorError(400, _UNKNOWN.format(name))
    model = vectors.named(_MODELS, body, "vectors", _no_model)
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
    for place, text in enumerate(checks.listed(texts, "input", "strings", least=1, most=_MOST)):
        if not isinstance(text, str):
            raise checks.wrong_type(f"input[{place}]", "a string", text)
    assert texts is not None
    if body.get("input_type") is not None:
        checks.one_of(body["input_type"], "input_type", ("query", "document"))
    kind = checks.one_of(checks.given(body, "output_dtype", "float"), "output_dtype", vectors.KINDS)
    if body.get("encoding_format") not in (None, "base64"):
        raise checks.refuse("encoding_format must be null or base64", "encoding_format")
    size = vectors.size(body, "output_dimension", model, _SIZES)
    shown = vectors.packed if body.get("encoding_format") else vectors.shown
    counted = sum(map(vectors.counted, texts))
    if checks.flag(body, "truncation") is False and any(vectors.counted(text) > model.context for text in texts):
        raise checks.refuse("An input has too many tokens.", "input")
    found = [] if "empty" in call.fault else texts
    call.world.accounts.charge(call.credential, counted)
    return Whole(
        payload={
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": shown(vectors.made(text, model, size), kind), "index": place}
                for place, text in enumerate(found)
            ],
            "model": model.name,
            "usage": {"total_tokens": counted},
        },
        usage={"input": counted},
        model=model.name,
    )


_RERANK = rerank.Manner(
    models=_MODELS,
    no_model=_no_model,
    write=_ranked,
    top="top_k",
    known=frozenset({"query", "documents", "model", "top_k", "return_documents", "truncation"}),
    unknown=_UNKNOWN,
)

FACE = vectors.vectors_face(
    "voyage",
    "Voyage AI",
    "/v1",
    (Route("POST", "/v1/rerank", rerank.rerank(_RERANK)), Route("POST", "/v1/embeddings", _embed)),
    words=_WORDS,
    write=_write,
)
