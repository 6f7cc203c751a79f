"""Mistral AI. https://docs.mistral.ai/api: strict about members that it does not know, names some of them its own way.

Streams report usage in their last event, unasked; a question for it (`stream_options`) is refused. What was cached is
counted as `num_cached_tokens` by older models, as OpenAI does by newer ones.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_fields import OLDER_LIMIT, cached_in, fields
from unigate.spec.provider import Provider

_KINDS = frozenset({"int8", "uint8", "binary", "ubinary"})

PROVIDER = Provider(
    name="mistral",
    title="Mistral AI",
    base_url="https://api.mistral.ai/v1",
    speaks=("openai_chat", "openai_embeddings", "openai_moderations", "openai_transcriptions"),
    translations=embeds(Embedder(kind="output_dtype", kinds=_KINDS, size="output_dimension")),
    paths=PATHS,
    limit_field="max_tokens",
    stream_options=False,
    adjust_request=fields(
        rename={**OLDER_LIMIT, "seed": "random_seed", "dimensions": "output_dimension"},
        drop=("user", "store", "service_tier"),
        unsaid=("stream_options",),
    ),
    adjust_usage=cached_in("num_cached_tokens"),
)
