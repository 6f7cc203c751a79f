"""Text Embeddings Inference: one model, no key, `texts` in place of documents, a bare list as the answer.

https://huggingface.github.io/text-embeddings-inference
"""

from unigate.sandbox.forms import checks, openai_request, rerank, vectors
from unigate.sandbox.forms.models import Model, Models
from unigate.sandbox.forms.openai_vendor import Words, anyone
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Route

_MODEL = Model(name="BAAI/bge-m3", kind="vectors", owner="tei", dimensions=1024, context=8192, sees=False)
_RANKER = "BAAI/bge-reranker-v2-m3"
_WORDS = {
    400: Words(400, "Validation", None, "Input validation error"),
    401: Words(401, "Unauthorized", None, "Unauthorized"),
    413: Words(413, "Validation", None, "batch size is larger than the maximum"),
    422: Words(422, "Tokenizer", None, "Tokenization error"),
    424: Words(424, "Backend", None, "Inference failed"),
    429: Words(429, "Overloaded", None, "Model is overloaded"),
}
_MOST = 1000


def _write(error: VendorError) -> Object:
    return {"error": error.message, "error_type": error.kind if error.kind in _KINDS else "Validation"}


_KINDS = frozenset({"Validation", "Unauthorized", "Tokenizer", "Backend", "Overloaded"})


def _ranked(found: rerank.Found) -> object:
    shown = found.body.get("return_text") is True
    return [
        {"index": place, "score": score, **({"text": found.text(place)} if shown else {})}
        for place, score in found.rows
    ]


def _texts(body: Object, name: str) -> list[str]:
    given = body.get(name)
    texts = checks.listed([given] if isinstance(given, str) else given, name, "strings", least=1, most=_MOST)
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise checks.wrong_type(f"{name}[{place}]", "a string", text)
    return texts


async def _embed(call: Call) -> Answer:
    """Answer with bare vectors."""
    texts = _texts(openai_request.decode(call.body), "inputs")
    rows = [vectors.shown(vectors.made(text, _MODEL, None), "float") for text in texts]
    return Whole(payload=rows, usage={"input": sum(map(vectors.counted, texts))}, model=_MODEL.name)


async def _openai(call: Call) -> Answer:
    """The same in OpenAI's form."""
    texts = _texts(openai_request.decode(call.body), "input")
    counted = sum(map(vectors.counted, texts))
    rows = [
        {"object": "embedding", "index": place, "embedding": vectors.shown(vectors.made(text, _MODEL, None), "float")}
        for place, text in enumerate([] if "empty" in call.fault else texts)
    ]
    usage = {"prompt_tokens": counted, "total_tokens": counted}
    return Whole(
        payload={"object": "list", "data": rows, "model": _MODEL.name, "usage": usage},
        usage={"input": counted},
        model=_MODEL.name,
    )


_RERANK = rerank.Manner(
    models=Models(()),
    no_model=lambda name: VendorError(404, name),
    write=_ranked,
    status=422,
    top="",
    texts="texts",
    known=frozenset({"query", "texts", "raw_scores", "return_text", "truncate", "truncation_direction"}),
    unknown="unknown field `{}`",
    one_model=_RANKER,
)

FACE = vectors.vectors_face(
    "tei",
    "Text Embeddings Inference",
    "",
    (
        Route("POST", "/rerank", rerank.rerank(_RERANK)),
        Route("POST", "/embed", _embed),
        Route("POST", "/v1/embeddings", _openai),
    ),
    words=_WORDS,
    write=_write,
    credential=anyone,
)
