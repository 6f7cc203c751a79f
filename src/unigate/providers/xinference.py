"""Xinference: a server of one's own for models of many kinds, in OpenAI's form.

https://inference.readthedocs.io: its reranker answers as Cohere's does, but shows a document as a bare text and counts
tokens below `meta`. Output is limited by the older name.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_fields import OLDER_LIMIT, fields
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="xinference",
    title="Xinference",
    base_url="http://127.0.0.1:9997/v1",
    speaks=("openai_embeddings",),
    translations={**embeds(Embedder()), **translations(Reranker(takes={"max_chunks_per_doc": "max_chunks_per_doc"}))},
    paths={**PATHS, "cohere.rerank": "/rerank"},
    adjust_request=fields(rename=OLDER_LIMIT),
)
