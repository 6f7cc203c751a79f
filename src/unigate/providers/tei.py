"""Text Embeddings Inference: a server of one's own for embeddings and reranking.

https://huggingface.github.io/text-embeddings-inference: it serves one model, whatever a call names, and tells no usage.
All documents are answered; texts that are too long are refused unless they are to be cut.
"""

from typing import Any

from unigate.base.errors import BadAnswer
from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.reranking import Ranking, ranking
from unigate.spec.provider import Provider


def _write(body: dict[str, Any]) -> object:
    made = {name: value for name, value in body.items() if name not in ("model", "documents")}
    return {"truncate": True, **made, "texts": body["documents"]}


def _read(told: Any) -> Ranking:
    if not isinstance(told, list):
        raise BadAnswer(detail="the answer is no list")
    return Ranking(hits=ranking(told, "score"))


PROVIDER = Provider(
    name="tei",
    title="Text Embeddings Inference",
    base_url="http://127.0.0.1:8080",
    speaks=("openai_embeddings",),
    translations={
        **embeds(Embedder()),
        **translations(
            Reranker(
                takes={"truncation": "truncate", "raw_scores": "raw_scores"},
                top="",
                shows=False,
                write=_write,
                read=_read,
            )
        ),
    },
    paths={"cohere.rerank": "/rerank", **dict.fromkeys(("openai.embeddings", *PATHS), "/v1/embeddings")},
    models_path="",
)
