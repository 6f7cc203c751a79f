"""DeepSeek: no version in the base URL, `max_tokens` is the limit's only name, cache hits have a field of their own.

https://api-docs.deepseek.com/api/create-chat-completion. Text completions are below `/beta`.
"""

from unigate.dialects.vendor_fields import OLDER_LIMIT, cached_in, fields
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="deepseek",
    title="DeepSeek",
    base_url="https://api.deepseek.com",
    speaks=("openai_chat", "openai_completions", "openai_responses"),
    paths={"openai.completions": "/beta/completions"},
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
    adjust_usage=cached_in("prompt_cache_hit_tokens"),
)
