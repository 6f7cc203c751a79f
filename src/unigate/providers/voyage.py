"""Voyage AI: embeddings and reranking.

https://docs.voyageai.com/reference/embeddings-api and https://docs.voyageai.com/reference/reranker-api

It refuses members that it does not know. Vectors are numbers unless base64 is asked for.
"""

from collections.abc import Mapping

from unigate.dialects import json_edit
from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_fields import fields
from unigate.spec.provider import Options, Provider

_SIZE = "output_dimension"
_KINDS = frozenset({"int8", "uint8", "binary", "ubinary"})
_PURPOSES: Mapping[object, str] = {"search_query": "query", "search_document": "document"}
_renamed = fields(rename={"dimensions": _SIZE}, drop=("user",))


def _adjusted(body: bytes, options: Options) -> tuple[bytes, tuple[str, ...]]:
    """`"encoding_format": "float"` is what goes without saying, and refused."""
    body, ignored = _renamed(body, options)
    if b'"encoding_format"' in body:
        found = json_edit.find(body, "encoding_format")
        if found is not None and body[found.start : found.end] == b'"float"':
            body = json_edit.edited(body, {}, ("encoding_format",))
    return body, ignored


PROVIDER = Provider(
    name="voyage",
    title="Voyage AI",
    base_url="https://api.voyageai.com/v1",
    speaks=("openai_embeddings",),
    translations={
        **embeds(
            Embedder(
                purpose="input_type",
                purposes=_PURPOSES,
                kind="output_dtype",
                kinds=_KINDS,
                cuts="truncation",
                size=_SIZE,
            )
        ),
        **translations(Reranker(takes={"truncation": "truncation"}, top="top_k", shows=False, strict=True)),
    },
    paths={**PATHS, "cohere.rerank": "/rerank"},
    adjust_request=_adjusted,
    models_path="",
)
