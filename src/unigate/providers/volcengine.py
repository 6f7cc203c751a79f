"""Volcengine Ark (Doubao; BytePlus ModelArk abroad).

https://www.volcengine.com/docs/82379/1298454 and .../1299023

A model goes by its name or by the id of an endpoint (`ep-...`). `max_tokens` limits what is said and leaves out thoughts,
`max_completion_tokens` limits both. A model that the account has not opened gets a 404 that names the account.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="volcengine",
    title="Volcengine Ark",
    base_url="https://ark.cn-beijing.volces.com/api/v3",
    also_at=("https://ark.ap-southeast.bytepluses.com/api/v3",),
    speaks=("openai_chat", "openai_embeddings", "openai_images", "openai_responses"),
    translations=embeds(Embedder()),
    paths=PATHS,
    adjust_error=meanings(Meaning(status=404, means=503, codes={"ModelNotOpen"})),
)
