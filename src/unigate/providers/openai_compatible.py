"""Any server that speaks OpenAI's form at an address of the operator's: other gateways, servers without a file here.

The older name of the output limit is the one that all of them know.
"""

from unigate.dialects.cohere_to_embeddings import PATHS, Embedder
from unigate.dialects.cohere_to_embeddings import translations as embeds
from unigate.dialects.rerank_vendors import Reranker, translations
from unigate.spec.provider import Provider

PROVIDER = Provider(
    name="openai_compatible",
    title="OpenAI-compatible server",
    base_url=None,
    speaks=(
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_files",
        "openai_image_edits",
        "openai_image_variations",
        "openai_images",
        "openai_moderations",
        "openai_realtime",
        "openai_responses",
        "openai_speech",
        "openai_transcriptions",
        "openai_translations",
    ),
    translations={**embeds(Embedder()), **translations(Reranker())},
    paths={**PATHS, "cohere.rerank": "/rerank"},
    limit_field="max_tokens",
    carries_files=frozenset({"openai.chat", "openai.responses"}),
)
