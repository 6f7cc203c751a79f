"""Reranking in Cohere's own form: `POST /v2/rerank`. Documents are texts, and do not stand in the answer.

https://docs.cohere.com/reference/rerank
"""

from typing import Any

import msgspec

from unigate.dialects.cohere_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_answer import add_cost, loosely
from unigate.dialects.openai_body import Edits, edit
from unigate.dialects.reranking import Asked, Ranking, Seen, estimate, facts, input_bound, searches, see, wanted
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

NAME = "cohere.rerank"
OPERATIONS = (
    Operation(
        name=NAME,
        method="POST",
        path="/v2/rerank",
        dialect="cohere_rerank",
        family="rerank",
        body="json",
        upstream_path="/v2/rerank",
    ),
)
MOST_DOCUMENTS = 1000


def read(body: bytes) -> Facts:
    """What we need to know of a caller's body; InvalidJson, BadRequest (with `param`)."""
    return facts(body, MOST_DOCUMENTS)


def read_answer(body: bytes, provider: Provider) -> Seen:  # noqa: ARG001  (what other dialects need of it)
    """What an answer says; BadAnswer where it is none, UpstreamRefused where a 200 holds an error object."""
    told = loosely(body, "results")
    meta = told.get("meta")
    known: dict[str, Any] = meta if isinstance(meta, dict) else {}
    return see(told, tokens=known.get("tokens"), searches=known.get("billed_units"))


def write_answer(asked: Asked, ranking: Ranking, id: str) -> bytes:
    """The answer to a call, whose id stands for the vendor's where that named none. BadAnswer where it doesn't fit.

    `estimated` stands beside what the vendor did not tell.
    """
    rows = [{"index": hit.index, "relevance_score": hit.score} for hit in wanted(ranking.hits, asked)]
    meta: dict[str, Any] = {"api_version": {"version": "2"}}
    if ranking.searches is None:
        meta["billed_units"] = {"search_units": searches(asked), "estimated": True}
    else:
        meta["billed_units"] = {"search_units": ranking.searches}
    if ranking.tokens is not None:
        meta["tokens"] = {"input_tokens": ranking.tokens}
    return msgspec.json.encode({"id": ranking.id or id, "results": rows, "meta": {**meta, **ranking.notes}})
