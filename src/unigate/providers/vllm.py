"""vLLM. https://docs.vllm.ai/en/latest/serving/openai_compatible_server: a server of one's own, in OpenAI's form.

It tells what it read from its cache where it was started with `--enable-prompt-tokens-details`.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="vllm",
    title="vLLM",
    base_url="http://127.0.0.1:8000/v1",
    speaks=(
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_responses",
        "openai_transcriptions",
        "openai_translations",
    ),
    # Documents are shown whether or not they are asked for.
    translations={**embeds(Embedder()), **translations(Reranker(takes={"priority": "priority"}, shows=False))},
    paths={**PATHS, "cohere.rerank": "/rerank"},
)
