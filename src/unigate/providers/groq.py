"""Groq. https://console.groq.com/docs/openai: streams report usage under `x_groq` in their last event."""

from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="groq",
    title="Groq",
    base_url="https://api.groq.com/openai/v1",
    speaks=("openai_chat", "openai_responses"),
    usage_path=("x_groq", "usage"),
)
