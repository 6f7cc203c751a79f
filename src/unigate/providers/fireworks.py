"""Fireworks AI. https://docs.fireworks.ai/guides/inference-error-codes: a suspended account gets a 412.

Models are called `accounts/fireworks/models/NAME`.
"""

from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="fireworks",
    title="Fireworks AI",
    base_url="https://api.fireworks.ai/inference/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings"),
    adjust_error=meanings(Meaning(status=412, means=402)),
)
