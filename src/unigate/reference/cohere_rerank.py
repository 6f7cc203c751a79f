"""Reranking in Cohere's own form: `POST /v2/rerank`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, many, mapping, maybe, number, record, ref, text, whole

_REQUEST = record(
    {
        "model": shared.MODEL,
        "query": text("What is looked for.", least=1),
        "documents": many(text(), "What is put in order.", least=1, most=1000),
        "top_n": maybe(whole("How many of the best are answered; all where nothing is said.", low=1)),
        "max_tokens_per_doc": maybe(whole("Longer documents are cut; 4096 with Cohere's models.", low=1)),
        "priority": maybe(whole("Lower is earlier, at Cohere.", low=0)),
    },
    needs=("model", "query", "documents"),
)
_ANSWER = record(
    {
        "id": text(),
        "results": many(
            record(
                {
                    "index": whole("The document's place in the request.", low=0),
                    "relevance_score": number("How well it answers the query."),
                },
                needs=("index", "relevance_score"),
            ),
            "The best first.",
        ),
        "meta": mapping(
            ANYTHING, "`api_version`, `billed_units` (`search_units`), `tokens` where the provider told them."
        ),
    },
    needs=("results",),
)
PAGE = Page(
    title="Reranking in Cohere's form",
    about="As `POST /v1/rerank`, as Cohere's SDK asks for it, by any vendor's model.",
    entries=(
        Entry(
            operation="cohere.rerank",
            title="Rerank documents",
            about="Charged by search or by input token, as the model is priced.",
            request=ref("CohereRerankRequest"),
            answer=ref("CohereRerankAnswer"),
            examples=(
                Example(
                    title="The best",
                    body={
                        "model": "rerank-v3.5",
                        "query": "capital of the United States",
                        "documents": ["Carson City", "Washington, D.C."],
                        "top_n": 1,
                    },
                ),
            ),
            shown={
                "id": "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
                "results": [{"index": 1, "relevance_score": 0.999071}],
                "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
            },
        ),
    ),
    schemas={"CohereRerankRequest": _REQUEST, "CohereRerankAnswer": _ANSWER, **shared.COHERE_ERRORS},
    error="CohereError",
    refusal="CohereError",
)
