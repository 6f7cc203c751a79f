"""DeepSeek: no version in the base URL, `max_tokens` is the limit's only name, cache hits have a field of their own.

https://api-docs.deepseek.com/api/create-chat-completion
"""

from collections.abc import Mapping

from unigate.dialects import json_edit
from unigate.spec.provider import Options, Provider


def _older_limit(body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    if b"max_completion_tokens" not in body and b"\\u00" not in body:
        return body, ()
    if json_edit.find(body, "max_tokens") is None:
        return json_edit.apply(body, json_edit.change(body, {}, names={"max_completion_tokens": "max_tokens"})), ()
    return json_edit.edited(body, {}, ("max_completion_tokens",)), ("max_completion_tokens",)


def _cache_hits(usage: Mapping[str, object]) -> Mapping[str, object]:
    hits = usage.get("prompt_cache_hit_tokens")
    return usage if hits is None else {**usage, "prompt_tokens_details": {"cached_tokens": hits}}


PROVIDER = Provider(
    name="deepseek",
    title="DeepSeek",
    base_url="https://api.deepseek.com",
    speaks=("openai_chat",),
    limit_field="max_tokens",
    adjust_request=_older_limit,
    adjust_usage=_cache_hits,
)
