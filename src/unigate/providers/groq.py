"""Groq. https://console.groq.com/docs/openai: streams report usage under `x_groq` in their last event."""

from unigate.dialects.vendor_fields import without_stream
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="groq",
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    speaks=("openai_chat", "openai_responses", "openai_speech", "openai_transcriptions", "openai_translations"),
    adjust_form=without_stream(""),
    usage_path=("x_groq", "usage"),
)
