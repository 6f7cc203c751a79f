"""Fireworks AI. https://docs.fireworks.ai/guides/inference-error-codes: a suspended account gets a 412.

Models are called `accounts/fireworks/models/NAME`.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="fireworks",
    title="Fireworks AI",
    base_url="https://api.fireworks.ai/inference/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings"),
    translations=embeds(Embedder()),
    paths=PATHS,
    adjust_error=meanings(Meaning(status=412, means=402)),
)
