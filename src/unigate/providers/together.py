"""Together AI.

https://docs.together.ai/reference/chat-completions-1 and https://docs.together.ai/docs/error-codes

A prompt that is too long for the model gets a 403, which is the caller's own mistake. The list of models is a bare list.
Pictures are asked for by width and height (https://docs.together.ai/reference/post-images-generations).
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.picture_vendors import Painter, pictures
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_errors import Meaning, meanings
from unigate.dialects.vendor_fields import OLDER_LIMIT, cached_in, fields, without_stream
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="together",
    title="Together AI",
    base_url="https://api.together.xyz/v1",
    speaks=(
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_speech",
        "openai_transcriptions",
        "openai_translations",
    ),
    adjust_form=without_stream(""),
    translations={
        **embeds(Embedder()),
        **translations(Reranker()),
        **pictures(Painter(sides=("width", "height"), inline="base64", takes=frozenset({"output_format"}))),
    },
    paths={**PATHS, "cohere.rerank": "/rerank"},
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
    adjust_usage=cached_in("cached_tokens"),
    adjust_error=meanings(
        *(Meaning(status=403, means=400, says=words) for words in ("max_new_tokens", "max_tokens", "context length"))
    ),
)
