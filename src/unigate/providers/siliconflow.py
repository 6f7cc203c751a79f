"""SiliconFlow. https://docs.siliconflow.com/en/api-reference: usage in every event of a stream, the last one counts.

Errors are `code`, `message` and `data` without an `error` around, or a bare text. The limit of output leaves out thoughts.
Pictures have names of their own (https://docs.siliconflow.cn/cn/api-reference/images/images-generations), and addresses that end
within an hour.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.picture_vendors import Painter, pictures
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.dialects.vendor_fields import OLDER_LIMIT, cached_in, fields, without_stream
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="siliconflow",
    title="SiliconFlow",
    base_url="https://api.siliconflow.cn/v1",
    also_at=("https://api.siliconflow.com/v1",),
    speaks=("openai_chat", "openai_completions", "openai_embeddings", "openai_speech", "openai_transcriptions"),
    adjust_form=without_stream(""),
    translations={
        **embeds(Embedder()),
        **translations(
            Reranker(takes={name: name for name in ("max_chunks_per_doc", "overlap_tokens", "instruction")})
        ),
        **pictures(Painter(rename={"size": "image_size", "n": "batch_size"}, pictures="images")),
    },
    paths={**PATHS, "cohere.rerank": "/rerank"},
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
    adjust_usage=cached_in("prompt_cache_hit_tokens"),
)
