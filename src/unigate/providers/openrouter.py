"""OpenRouter.

https://openrouter.ai/docs/api/reference/overview and .../errors-and-debugging

Usage tells what the account was charged, and whose key paid; errors name the account's user. Input that a moderation
flagged gets a 403, which is the caller's own mistake.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings", "openai_responses"),
    translations=embeds(Embedder()),
    paths=PATHS,
    adjust_error=meanings(
        Meaning(status=403, means=400, says="flagged"),
        Meaning(status=403, means=400, says="moderation"),
        private=("user_id",),
    ),
    private_usage=frozenset({"cost", "cost_details", "is_byok"}),
    carries_files=frozenset({"openai.chat"}),
)
