"""OpenRouter.

https://openrouter.ai/docs/api/reference/overview and .../errors-and-debugging

Usage tells what the account was charged, and whose key paid; errors name the account's user. Input that a moderation
flagged gets a 403, which is the caller's own mistake. Models that draw do so where `modalities` asks for it
(https://openrouter.ai/docs/features/multimodal/image-generation), which callers who ask such a model mean.
"""

from unigate.dialects import json_edit
from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.spec.provider import Options, Provider

#: What stands in the names of models that draw.
_DRAWS = b"-image"


def _with_pictures(body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    """A chat with a model that draws asks for pictures, where it says nothing of what it wants."""
    if _DRAWS not in body or b'"modalities"' in body:
        return body, ()
    model = json_edit.find(body, "model")
    if model is None or _DRAWS not in body[model.start : model.end] or json_edit.find(body, "messages") is None:
        return body, ()
    return json_edit.edited(body, {"modalities": b'["image","text"]'}), ()


PROVIDER = Provider(
    name="openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings", "openai_responses"),
    translations=embeds(Embedder()),
    paths=PATHS,
    adjust_request=_with_pictures,
    adjust_error=meanings(
        Meaning(status=403, means=400, says="flagged"),
        Meaning(status=403, means=400, says="moderation"),
        private=("user_id",),
    ),
    private_usage=frozenset({"cost", "cost_details", "is_byok"}),
    carries_files=frozenset({"openai.chat"}),
)
