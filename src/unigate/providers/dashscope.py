"""Alibaba Cloud Model Studio (DashScope, Qwen) in its compatible mode.

https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope and .../error-code: an account in
arrears gets a 400 or the status of a rate limit; `insufficient_quota` is a limit of tokens per minute and no lack of money.
"""

from collections.abc import Mapping
from typing import Any

from unigate.base.errors import BadAnswer
from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations, usual
from unigate.dialects.reranking import Ranking
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Provider

#: Beside the compatible mode, where the base URL ends.
_RERANK = "/../../api/v1/services/rerank/text-rerank/text-rerank"
_ARREARS = frozenset({"Arrearage", "PrepaidBillOverdue", "PostpaidBillOverdue"})
_TOO_FAST = frozenset({"insufficient_quota"})


def _cache_written(usage: Mapping[str, object]) -> Mapping[str, object]:
    """What an explicit cache took up is counted under the name that Anthropic gave it."""
    details = usage.get("prompt_tokens_details")
    if not isinstance(details, Mapping) or not details.get("cache_creation_input_tokens"):
        return usage
    written = details["cache_creation_input_tokens"]
    return {**usage, "prompt_tokens_details": {**details, "cache_write_tokens": written}}


def _write(body: dict[str, Any]) -> object:
    """Reranking has the vendor's own form, in which everything but the inputs is a parameter."""
    inputs = {name: body.pop(name) for name in ("query", "documents")}
    return {"model": body.pop("model"), "input": inputs, "parameters": body}


def _read(told: Any) -> Ranking:
    if not isinstance(told, dict) or not isinstance(told.get("output"), dict):
        raise BadAnswer(detail="the answer has no output")
    return usual({**told["output"], "usage": told.get("usage"), "id": told.get("request_id")})


PROVIDER = Provider(
    name="dashscope",
    title="Alibaba Cloud Model Studio",
    base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
    also_at=(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
    ),
    speaks=("openai_chat", "openai_completions", "openai_embeddings"),
    translations={
        **embeds(Embedder()),
        **translations(Reranker(takes={"instruction": "instruct"}, write=_write, read=_read)),
    },
    paths={**PATHS, **dict.fromkeys(("rerank", "cohere.rerank"), _RERANK)},
    limit_field="max_tokens",
    adjust_usage=_cache_written,
    adjust_error=meanings(
        Meaning(status=400, means=402, codes=_ARREARS),
        Meaning(status=429, means=402, codes=_ARREARS),
        Meaning(status=429, means=429, codes=_TOO_FAST, message="The rate limit of the provider was reached."),
    ),
)
