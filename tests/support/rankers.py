"""Vendors that rerank and embed, as channels of a gateway before the sandbox; what their calls cost by hand."""

from dataclasses import dataclass

from support.stage import KEY


@dataclass(frozen=True, slots=True)
class Ranker:
    """A provider's face, a reranker there, and what is priced of its calls: `searches` or `input`."""

    path: str
    model: str
    unit: str = "input"
    #: It tells what it used.
    tells: bool = True


RANKERS = {
    "cohere": Ranker("cohere", "rerank-v3.5", "searches"),
    "dashscope": Ranker("dashscope/compatible-mode/v1", "gte-rerank-v2"),
    "jina": Ranker("jina/v1", "jina-reranker-v2-base-multilingual"),
    "openai_compatible": Ranker("vllm/v1", "BAAI/bge-reranker-v2-m3"),
    "siliconflow": Ranker("siliconflow/v1", "BAAI/bge-reranker-v2-m3"),
    "tei": Ranker("tei", "BAAI/bge-reranker-v2-m3", tells=False),
    "together": Ranker("together/v1", "Salesforce/Llama-Rank-V1"),
    "vllm": Ranker("vllm/v1", "BAAI/bge-reranker-v2-m3"),
    "voyage": Ranker("voyage/v1", "rerank-2.5"),
    "xinference": Ranker("xinference/v1", "bge-reranker-v2-m3"),
}
#: Embedders by provider: face, model, length of its vectors.
EMBEDDERS = {
    "cohere": ("cohere", "embed-v4.0", 1536),
    "jina": ("jina/v1", "jina-embeddings-v4", 2048),
    "voyage": ("voyage/v1", "voyage-3.5", 1024),
    "siliconflow": ("siliconflow/v1", "BAAI/bge-m3", 1024),
    "vllm": ("vllm/v1", "BAAI/bge-m3", 1024),
    "tei": ("tei", "BAAI/bge-m3", 1024),
    "xinference": ("xinference/v1", "bge-m3", 1024),
    "dashscope": ("dashscope/compatible-mode/v1", "text-embedding-v4", 1024),
}
#: Nano-USD of a search and of a token.
SEARCH, TOKEN = 2_000_000, 50
#: Key of a user whose calls all fail, so that nothing may ever be used.
QUIET = "sk-quiet-0123456789"


def configuration() -> str:
    """Channels `rank-PROVIDER` and `embed-PROVIDER`, and one each whose vendor always fails in some way."""
    rows = [
        f"  - {{name: rank-{name}, provider: {name}, base_url: SANDBOX/{one.path}, credentials: sk-upstream-{name}, "
        f"models: {{rank-{name}: '{one.model}', lost-{name}: no-such-model}}}}\n"
        for name, one in RANKERS.items()
    ]
    rows += [
        f"  - {{name: embed-{name}, provider: {name}, base_url: SANDBOX/{path}, credentials: sk-upstream-{name}, "
        f"models: {{embed-{name}: '{model}'}}}}\n"
        for name, (path, model, _) in EMBEDDERS.items()
    ]
    rows += [
        f"  - {{name: {kind}-{name}, provider: {name}, base_url: SANDBOX/fault/{fault}/{RANKERS[name].path}, "
        f"credentials: sk-1, models: {{{kind}-{name}: '{RANKERS[name].model}'}}}}\n"
        for kind, fault in (
            ("broke", "402"),
            ("slow", "429"),
            ("down", "500"),
            ("cut", "cut-after"),
            ("empty", "empty"),
        )
        for name in ("cohere", "jina", "voyage", "tei")
    ]
    rows += [
        f"  - {{name: either-{name}, provider: {name}, base_url: SANDBOX/{RANKERS[name].path}, credentials: sk-2, "
        f"priority: {priority}, models: {{either: '{model}'}}}}\n"
        for name, priority, model in (("voyage", 2, "rerank-2.5"), ("jina", 1, "jina-reranker-m0"))
    ]
    return (
        "channels:\n"
        + "".join(rows)
        + "prices:\n"
        + "".join(
            f"  - {{model: {kind}-{name}, {'per_thousand_searches: 2' if one.unit == 'searches' else 'input: 0.05'}}}\n"
            for name, one in RANKERS.items()
            for kind in ("rank", "lost", "broke", "slow", "down", "cut", "empty")
        )
        + "  - {model: either, input: 0.05}\n"
        + "".join(f"  - {{model: embed-{name}, input: 0.05}}\n" for name in EMBEDDERS)
        + f"""users: [{{name: alice, credit: 100}}, {{name: small, credit: "0.001"}}, {{name: quiet, credit: 5}}]
keys: [{{name: app, user: alice, secret: {KEY}}}, {{name: small, user: small, secret: sk-small-0123456789}},
  {{name: quiet, user: quiet, secret: {QUIET}}}]
"""
    )
