"""Jina AI: embeddings of texts and pictures, and reranking.

https://jina.ai/embeddings and https://jina.ai/reranker

The form of a vector is called `embedding_type`. Money and keys have the statuses that they have elsewhere.
"""

from collections.abc import Mapping

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_fields import fields
from unigate.spec.provider import Provider

_LENGTH = "max_doc_length"

_KINDS = frozenset({"binary", "ubinary"})
_TASKS: Mapping[object, str] = {
    "search_query": "retrieval.query",
    "search_document": "retrieval.passage",
    "classification": "classification",
    "clustering": "separation",
}

PROVIDER = Provider(
    name="jina",
    title="Jina AI",
    base_url="https://api.jina.ai/v1",
    speaks=("openai_embeddings",),
    translations={
        **embeds(
            Embedder(
                purpose="task", purposes=_TASKS, kind="embedding_type", kinds=_KINDS, pictures=True, cuts="truncate"
            )
        ),
        **translations(
            Reranker(
                takes={
                    _LENGTH: _LENGTH,
                    "max_tokens_per_doc": _LENGTH,
                    "truncation": "truncation",
                    "return_embeddings": "return_embeddings",
                },
                pictures=True,
            )
        ),
    },
    paths={**PATHS, "cohere.rerank": "/rerank"},
    adjust_request=fields(rename={"encoding_format": "embedding_type"}),
    models_path="",
)
