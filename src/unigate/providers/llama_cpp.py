"""llama.cpp's server. https://github.com/ggml-org/llama.cpp/tree/master/tools/server: one model, whatever name is asked for.

Streams report usage beside the server's own times; older versions always, newer ones where it is asked for.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.vendor_fields import OLDER_LIMIT, fields
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="llama_cpp",
    title="llama.cpp",
    base_url="http://127.0.0.1:8080/v1",
    speaks=("openai_chat", "openai_completions", "openai_embeddings"),
    translations=embeds(Embedder()),
    paths=PATHS,
    limit_field="max_tokens",
    adjust_request=fields(rename=OLDER_LIMIT),
)
