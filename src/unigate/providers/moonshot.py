"""Moonshot AI (Kimi).

https://platform.moonshot.ai/docs/api/chat. Usage of a stream stands in its last choice; what was cached is counted at the top of usage too. An account without money
gets the status of a rate limit.
"""

from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.dialects.vendor_fields import cached_in
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="moonshot",
    title="Moonshot AI",
    base_url="https://api.moonshot.ai/v1",
    also_at=("https://api.moonshot.cn/v1",),
    speaks=("openai_chat",),
    adjust_usage=cached_in("cached_tokens"),
    adjust_error=meanings(Meaning(status=429, means=402, codes={"exceeded_current_quota_error"})),
    usage_path=("choices", 0, "usage"),
)
