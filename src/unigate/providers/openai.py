"""OpenAI itself.

https://platform.openai.com/docs/api-reference
"""

from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="openai",
    title="OpenAI",
    base_url="https://api.openai.com/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings", "openai_moderations", "openai_responses"),
)
