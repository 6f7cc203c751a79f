"""xAI (Grok).

https://docs.x.ai/docs/api-reference and https://docs.x.ai/developers/cost-tracking

Thoughts are counted beside the completion, not in it. Usage tells what the account was charged. A wrong key gets a 400,
and a caller's text that is against the rules a 403 that names team and key.
"""

from collections.abc import Mapping

from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider


def _with_thoughts(usage: Mapping[str, object]) -> Mapping[str, object]:
    """The completion with its thoughts in it, where the vendor's own sum says that they are not."""
    details = usage.get("completion_tokens_details")
    thoughts = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    prompt, said, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if not (type(prompt) is type(said) is type(total) is type(thoughts) is int):
        return usage
    if prompt + said + thoughts != total:
        return usage
    return {**usage, "completion_tokens": said + thoughts}


PROVIDER = Provider(
    name="xai",
    title="xAI",
    base_url="https://api.x.ai/v1",
    speaks=("openai_chat", "openai_files", "openai_images", "openai_responses"),
    adjust_usage=_with_thoughts,
    adjust_error=meanings(
        Meaning(status=400, means=401, says="incorrect api key"),
        Meaning(
            status=403,
            means=400,
            says="violates usage guidelines",
            message="The provider refused the content: it violates its usage guidelines.",
        ),
    ),
    private_usage=frozenset({"cost_in_usd_ticks"}),
)
