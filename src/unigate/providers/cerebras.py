"""Cerebras. https://inference-docs.cerebras.ai/resources/openai: penalties are refused; errors have no `error` around."""

from unigate.dialects.vendor_fields import fields
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="cerebras",
    title="Cerebras",
    base_url="https://api.cerebras.ai/v1",
    speaks=("openai_chat", "openai_completions"),
    adjust_request=fields(drop=("frequency_penalty", "presence_penalty")),
)
