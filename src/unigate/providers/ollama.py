"""Ollama. https://docs.ollama.com/api/openai-compatibility: a server of one's own; it ignores the key, and members it does not know.

So a limit under the newer name would be forgotten without a word.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_fields import OLDER_LIMIT, fields
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="ollama",
    title="Ollama",
    base_url="http://127.0.0.1:11434/v1",
    also_at=("https://ollama.com/v1",),
    speaks=("openai_chat", "openai_completions", "openai_embeddings", "openai_responses"),
    translations=embeds(Embedder()),
    paths=PATHS,
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
)
