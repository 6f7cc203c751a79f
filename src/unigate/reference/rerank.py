"""Reranking: `POST /v1/rerank` and `/rerank`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import (
    ANYTHING,
    either,
    flag,
    many,
    mapping,
    maybe,
    number,
    only,
    record,
    ref,
    text,
    whole,
)

_TEXTS = ["eco kitchen tools", "natural cream with aloe", "bio detergent"]
_DOCUMENT = either(
    text(),
    mapping(ANYTHING, "`text`, or `image` (an address or base64) with models that see, or what `rank_fields` names."),
    about="A text, or an object with one.",
)
_TOP = maybe(whole("How many of the best are answered; all where nothing is said.", low=1))
_REQUEST = record(
    {
        "model": shared.MODEL,
        "query": either(text(least=1), mapping(ANYTHING, "`text` or `image`."), about="What is looked for."),
        "documents": many(_DOCUMENT, "What is put in order.", least=1, most=2048),
        "top_n": _TOP,
        "top_k": maybe(whole("Another name of `top_n`. The answer has `data` then, as Voyage's has.", low=1)),
        "return_documents": maybe(
            flag("Show each document in its result: `true` where nothing is said, `false` for calls with `top_k`.")
        ),
        "rank_fields": maybe(many(text(), "Members of documents that are objects by which they are ranked.")),
        "max_tokens_per_doc": maybe(whole("Longer documents are cut; `max_doc_length` means the same.", low=1)),
        "truncation": maybe(flag("Cut what is too long.")),
        "usage": shared.INCLUDE_COST,
    },
    "Fields of vendors that are not named here travel; what the provider does not take is named in `x-unigate-ignored`.",
    needs=("model", "query", "documents"),
)
_RESULT = record(
    {
        "index": whole("The document's place in the request.", low=0),
        "relevance_score": number("How well it answers the query, 1 at best with most models."),
        "document": mapping(ANYTHING, "The document as an object: `text`, or what was sent."),
    },
    needs=("index", "relevance_score"),
)
_USAGE = record(
    {
        "prompt_tokens": shared.TOKENS,
        "total_tokens": shared.TOKENS,
        "estimated": flag("The provider told none; they were counted here."),
        "cost": shared.COST,
    },
    "What the call consumed.",
    needs=("total_tokens",),
)
_META = record(
    {
        "api_version": mapping(ANYTHING, "`version`."),
        "billed_units": record(
            {
                "search_units": whole("A query with up to 100 documents, or parts of 500 tokens of long ones.", low=0),
                "estimated": flag("The provider told none; they were counted here."),
            },
        ),
    },
    "As Cohere's clients read it.",
)
_ANSWER = record(
    {
        "id": text(),
        "model": text("The model that answered."),
        "object": only("list"),
        "results": many(ref("RerankResult"), "The best first."),
        "data": many(ref("VoyageResult"), "The same for callers who sent `top_k`."),
        "usage": ref("RerankUsage"),
        "meta": _META,
    },
    needs=("id", "results", "usage", "meta"),
)
_VOYAGE = record(
    {
        "index": whole("The document's place in the request.", low=0),
        "relevance_score": number("How well it answers the query."),
        "document": text("The document as a text."),
    },
    needs=("index", "relevance_score"),
)
_BODY = {
    "model": "jina-reranker-v2-base-multilingual",
    "query": "Organic skincare products for sensitive skin",
    "documents": _TEXTS,
    "top_n": 2,
}
PAGE = Page(
    title="Reranking",
    about="Documents in the order in which they answer a query, by any vendor's model, in the form that Jina, Cohere "
    "and Voyage share. Errors have `message` and `detail` beside OpenAI's `error`.",
    entries=(
        Entry(
            operation="rerank",
            title="Rerank documents",
            about="Charged by search or by input token, as the model is priced. `POST /rerank` is the same.",
            request=ref("RerankRequest"),
            answer=ref("RerankAnswer"),
            examples=(
                Example(title="The best two", body=_BODY),
                Example(
                    title="Without the documents",
                    body={**_BODY, "return_documents": False},
                ),
            ),
            shown={
                "id": "req_01J9Z6V3Q9",
                "model": "jina-reranker-v2-base-multilingual",
                "object": "list",
                "usage": {"total_tokens": 41, "prompt_tokens": 41},
                "results": [
                    {"index": 1, "relevance_score": 0.8783, "document": {"text": "natural cream with aloe"}},
                    {"index": 2, "relevance_score": 0.1172, "document": {"text": "bio detergent"}},
                ],
                "meta": {"api_version": {"version": "1"}, "billed_units": {"search_units": 1, "estimated": True}},
            },
        ),
    ),
    schemas={
        "RerankRequest": _REQUEST,
        "RerankAnswer": _ANSWER,
        "RerankResult": _RESULT,
        "RerankUsage": _USAGE,
        "VoyageResult": _VOYAGE,
        **shared.WIDE_ERRORS,
    },
    error="WideError",
    refusal="WideRefusal",
)
