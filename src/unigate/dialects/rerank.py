"""Reranking in the form that Jina, Cohere v1, SiliconFlow and Voyage share: `POST /v1/rerank`.

An answer is Jina's, with Cohere's `id` and `meta` beside it, so that clients of both read it; who asks by Voyage's
`top_k` gets Voyage's `data` too. Documents are shown unless `return_documents` is false (Voyage's callers: only where it
is true), and always from the request. Every provider has it in a form of its own.

https://jina.ai/reranker and https://docs.cohere.com/v1/reference/rerank
"""

from typing import Any

import msgspec

from unigate.dialects.openai_answer import add_cost, loosely
from unigate.dialects.openai_body import Edits, edit
from unigate.dialects.reranking import (
    Asked,
    Document,
    Ranking,
    Seen,
    about_tokens,
    estimate,
    facts,
    input_bound,
    searches,
    see,
    text_of,
    wanted,
)
from unigate.dialects.wide_errors import VendorError, pass_error, read_error, write_error
from unigate.spec.facts import Facts
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider

__all__ = [
    "MOST_DOCUMENTS",
    "NAME",
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_answer",
    "write_error",
]

NAME = "rerank"
OPERATIONS = (
    Operation(
        name=NAME,
        method="POST",
        path="/v1/rerank",
        aliases=("/rerank",),
        dialect="rerank",
        family="rerank",
        body="json",
        upstream_path="/rerank",
    ),
)
#: As many as the vendor that takes most.
MOST_DOCUMENTS = 2048


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    return facts(body, MOST_DOCUMENTS)


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (what other dialects need of it)
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    told = loosely(body, "results")
    meta = told.get("meta")
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    return see(told, tokens=told.get("usage"), searches=billed)


def write_answer(asked: Asked, ranking: Ranking, id: str) -> bytes:
    """The answer to a call, whose id stands for the vendor's where that named none. BadAnswer where it doesn't fit.

    `estimated` stands beside what the vendor did not tell.
    """
    hits = wanted(ranking.hits, asked)
    shows = not asked.by_top_k if asked.shows is None else asked.shows
    rows = [{"index": hit.index, "relevance_score": hit.score, **hit.more} for hit in hits]
    if shows:
        for row in rows:
            row["document"] = _shown(asked.documents[row["index"]])
    tokens = about_tokens(asked) if ranking.tokens is None else ranking.tokens
    usage: dict[str, Any] = {"total_tokens": tokens, "prompt_tokens": tokens}
    if ranking.tokens is None:
        usage["estimated"] = True
    billed: dict[str, Any] = {"search_units": searches(asked) if ranking.searches is None else ranking.searches}
    if ranking.searches is None:
        billed["estimated"] = True
    told = {
        "id": ranking.id or id,
        "model": ranking.model or asked.model,
        "object": "list",
        "usage": usage,
        "results": rows,
        "meta": {"api_version": {"version": "1"}, "billed_units": billed, **ranking.notes},
        **ranking.more,
    }
    if asked.by_top_k:
        told["data"] = [{**row, "document": text_of(asked.documents[row["index"]])} if shows else row for row in rows]
    return msgspec.json.encode(told)


def _shown(document: Document) -> Document:
    return {"text": document} if isinstance(document, str) else document
