"""Cohere: reranking and embeddings.

https://docs.cohere.com/reference/rerank and https://docs.cohere.com/reference/embed

A wrong key may be a 498. Paths have their version in them, so the base URL has none.
"""

from unigate.dialects import cohere_rerank, embeddings_to_cohere
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

_LENGTH = "max_tokens_per_doc"
#: Cohere's name for how a caller left, and for a wrong key.
_LEFT, _WRONG_KEY = 499, 498

PROVIDER = Provider(
    name="cohere",
    title="Cohere",
    base_url="https://api.cohere.com",
    speaks=("cohere_rerank", "cohere_embed"),
    translations={
        "openai.embeddings": embeddings_to_cohere.TRANSLATION,
        **translations(
            Reranker(
                takes={
                    _LENGTH: _LENGTH,
                    "max_doc_length": _LENGTH,
                    "priority": "priority",
                    "relevant_spans": "relevant_spans",
                },
                shows=False,
            ),
            own=cohere_rerank.NAME,
        ),
    },
    paths={"rerank": "/v2/rerank", "openai.embeddings": "/v2/embed"},
    adjust_error=meanings(Meaning(status=_WRONG_KEY, means=401), Meaning(status=_LEFT, means=504)),
    models_path="",
)
