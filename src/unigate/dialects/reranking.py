"""Reranking as such, whoever speaks: what is asked for, and the order that was found. No form of a vendor's stands here.

Callers' forms are read into Asked and written from Ranking; vendors' forms the other way round. So a form and a vendor
never need to know each other. Members that nobody here knows travel.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, Unsupported
from unigate.dialects import json_read, openai_body
from unigate.dialects.openai_answer import DEFAULT_TIER
from unigate.spec.facts import Facts
from unigate.spec.usage import MAX_COUNT, Usage

#: A document is a text, or an object with one (`text`, or what `rank_fields` names), or with a picture (`image`).
Document = str | dict[str, Any]
#: Documents of one search, and tokens of a document (with its query) that count as one: Cohere's way of counting.
SEARCH_DOCUMENTS = 100
DOCUMENT_TOKENS = 500
#: About how many bytes of text are a token, where nobody tells.
BYTES_PER_TOKEN = 4

#: Members that are read by name; everything else travels.
_NAMED = frozenset({"model", "query", "documents", "top_n", "top_k", "return_documents", "rank_fields", "usage"})
_READ = re.compile(rb'"(?:model|query|documents|top_n|top_k|return_documents|rank_fields|usage|include)"')
_PICTURE = "image"
_PICTURES = ("data:image/", "http://", "https://")


class _Body(msgspec.Struct, gc=False):
    model: str = ""
    query: str | dict[str, Any] | None = None
    documents: list[Document] | None = None
    top_n: int | None = None
    top_k: int | None = None
    return_documents: bool | None = None
    rank_fields: list[str] | None = None
    usage: openai_body.UsageOptions | None = None


_body = msgspec.json.Decoder(_Body)
_object = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query, the documents that are to be put in order by it, and how many of them are wanted."""

    model: str
    query: str | Mapping[str, Any]
    documents: Sequence[Document]
    #: None: all of them.
    top: int | None = None
    #: None: as the form has it where nothing is said.
    shows: bool | None = None
    #: The members of a document that is an object by which it is ranked; ("text",) where none are named.
    fields: tuple[str, ...] = ("text",)
    #: The caller asked by Voyage's name of the number, so it reads Voyage's form of the answer.
    by_top_k: bool = False
    #: The caller asked for `usage.cost`.
    include_cost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document by its place in the request, and how well it answers the query."""

    index: int
    score: float
    #: What else the vendor said of it.
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What a vendor answered: the best first."""

    hits: Sequence[Hit]
    #: The vendor's own, "" where it named none.
    id: str = ""
    model: str = ""
    #: What it says it will bill, None where it doesn't.
    tokens: int | None = None
    searches: int | None = None
    #: What it remarks, such as `warnings`.
    notes: Mapping[str, Any] = field(default_factory=dict)
    #: What else it said at the top.
    more: Mapping[str, Any] = field(default_factory=dict)


def read(body: bytes, most: int) -> Asked:
    """What a caller's body asks for, of at most so many documents; InvalidJson, BadRequest (with `param`)."""
    told = json_read.decode(body, _body)
    if not told.model:
        raise openai_body.no_model()
    if not told.query:
        raise BadRequest("Missing required parameter: 'query'.", param="query")
    if told.documents is None:
        raise BadRequest("Missing required parameter: 'documents'.", param="documents")
    if not told.documents:
        raise BadRequest("Invalid 'documents': expected at least one document.", param="documents")
    if len(told.documents) > most:
        raise BadRequest(f"Invalid 'documents': expected at most {most} documents.", param="documents")
    for name, count in (("top_n", told.top_n), ("top_k", told.top_k)):
        if count is not None and count < 1:
            raise BadRequest(f"Invalid '{name}': expected a value of at least 1.", param=name)
    fields = tuple(told.rank_fields or ("text",))
    for place, document in enumerate(told.documents):
        if not isinstance(document, str) and not any(document.get(name) is not None for name in (*fields, _PICTURE)):
            raise BadRequest(
                f"Invalid 'documents[{place}]': expected a text, or an object with {' or '.join((*fields, _PICTURE))}.",
                param=f"documents[{place}]",
            )
    by_top_k = b'"top_k"' in body and told.top_n is None and "top_k" in _object.decode(body)
    return Asked(
        model=told.model,
        query=told.query,
        documents=told.documents,
        top=told.top_n if told.top_n is not None else told.top_k,
        shows=told.return_documents,
        fields=fields,
        by_top_k=by_top_k,
        include_cost=told.usage is not None and told.usage.include is True,
    )


def others(body: bytes) -> dict[str, Any]:
    """The members of a body that are not read by name and say something."""
    return {name: value for name, value in _object.decode(body).items() if name not in _NAMED and value is not None}


def text_of(document: Document | Mapping[str, Any], fields: Sequence[str] = ("text",)) -> str:
    """A document or query as a text; Unsupported where it is a picture.

    Of an object with several fields each stands on a line, after its name.
    """
    if isinstance(document, str):
        return document
    found = [(name, document[name]) for name in fields if document.get(name) is not None]
    if not found:
        raise Unsupported("No provider of this model takes pictures for reranking.", param="documents")
    if len(found) == 1:
        return _plain(found[0][1])
    return "\n".join(f"{name}: {_plain(value)}" for name, value in found)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def is_picture(one: Document | Mapping[str, Any]) -> bool:
    """Whether a document or query is certainly a picture; a text that is an address may be a text."""
    if isinstance(one, str):
        return one.startswith(_PICTURES[0])
    return one.get(_PICTURE) is not None


def is_open(asked: Asked) -> bool:
    """Whether something is named that the body doesn't carry: the address of a picture."""
    return any(_address(one) for one in (asked.query, *asked.documents))


def _address(one: Document | Mapping[str, Any]) -> bool:
    picture = one if isinstance(one, str) else one.get(_PICTURE)
    # A text that is an address may be a picture's: only the model knows.
    return isinstance(picture, str) and picture.startswith(_PICTURES[1:]) and " " not in picture


def size(one: Document | Mapping[str, Any]) -> int:
    """Bytes of the text in a document or query; of a picture the most that one counts, in such bytes."""
    if isinstance(one, str):
        if one.startswith(_PICTURES[0]):
            return openai_body.IMAGE_TOKENS
        return len(one) if one.isascii() else len(one.encode())
    return sum(size(value) for value in one.values() if isinstance(value, str))


def most_tokens(asked: Asked) -> int:
    """The most input tokens that a call can count: the query goes with each document, and a token has a byte at least."""
    return size(asked.query) * len(asked.documents) + sum(map(size, asked.documents))


def facts(body: bytes, most: int) -> Facts:
    """What the gateway needs to know of a caller's body; raises as `read` does."""
    asked = read(body, most)
    openai_body.named(body, _READ, _NAMED)
    return Facts(
        model=asked.model,
        output_limit=0,
        inputs=len(asked.documents),
        most_input=most_tokens(asked),
        open_input=is_open(asked),
        include_cost=asked.include_cost,
        units={"searches": searches(asked, 1)},
    )


def about_tokens(asked: Asked) -> int:
    """About how many they are."""
    return -(-most_tokens(asked) // BYTES_PER_TOKEN)


def searches(asked: Asked, bytes_per_token: int = BYTES_PER_TOKEN) -> int:
    """How many searches a call is, about; with one byte per token the most that it can be."""
    query = size(asked.query)
    room = DOCUMENT_TOKENS * bytes_per_token
    parts = sum(max(1, -(-(query + size(document)) // room)) for document in asked.documents)
    return -(-parts // SEARCH_DOCUMENTS)


def ranking(rows: object, score: str = "relevance_score") -> list[Hit]:
    """A vendor's list of objects as hits, the best first, equals by their place; BadAnswer where it is none."""
    if not isinstance(rows, list):
        raise BadAnswer(detail="the answer has no list of results")
    hits = []
    for row in rows:
        if not isinstance(row, dict):
            raise BadAnswer(detail="a result is no object")
        index, value = row.get("index"), row.get(score)
        if type(index) is not int or not isinstance(value, int | float):
            raise BadAnswer(detail="a result has no index or no score")
        more = {name: told for name, told in row.items() if name not in ("index", score, "document", "text")}
        hits.append(Hit(index=index, score=value, more=more))
    return sorted(hits, key=lambda hit: (-hit.score, hit.index))


def wanted(hits: Sequence[Hit], asked: Asked) -> Sequence[Hit]:
    """As many of the hits as were asked for; BadAnswer where one is of no document, or two of the same."""
    places = {hit.index for hit in hits}
    if len(places) != len(hits) or not all(0 <= place < len(asked.documents) for place in places):
        raise BadAnswer(detail="the results don't fit the documents")
    return hits if asked.top is None else hits[: asked.top]


def count(value: object) -> int | None:
    """A number of tokens or searches, also one written as 1.0; None where it is none that can be counted."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


@dataclass(slots=True)
class Seen:
    """What an answer says of itself, in a caller's form."""

    #: No document was put in order: such an answer is free.
    empty: bool
    tokens: int | None
    searches: int | None
    #: The vendor told at least one of both.
    told: bool
    #: Filled in by `estimate`, since what the vendor doesn't tell of both is counted from the request.
    usage: Usage | None = None
    service_tier: str = DEFAULT_TIER


def see(told: Mapping[str, Any], *, tokens: object, searches: object) -> Seen:
    """What was seen; `tokens` and `searches` are objects with the counts, `estimated` in them: counted by ourselves."""
    counted = [found for found in (tokens, searches) if isinstance(found, Mapping)]
    known = (
        count(tokens.get("total_tokens", tokens.get("input_tokens"))) or None if isinstance(tokens, Mapping) else None,
        count(searches.get("search_units")) or None if isinstance(searches, Mapping) else None,
    )
    is_told = any(number is not None for number in known) and not all("estimated" in found for found in counted)
    return Seen(not told["results"], *known, is_told)


def estimate(body: bytes, seen: Seen) -> Usage:
    """Tokens and searches: what the vendor told, and of the rest what follows from the request's body.

    Marked as estimated where the vendor told neither: it bills by one of them, and who reads the other knows that.
    """
    asked = read(body, MAX_COUNT)
    tokens = about_tokens(asked) if seen.tokens is None else seen.tokens
    units = {"input": tokens, "searches": searches(asked) if seen.searches is None else seen.searches}
    return Usage(units, estimated=not seen.told)


def input_bound(body: bytes, facts: Facts) -> int:  # noqa: ARG001  (what other dialects need of it)
    """The most input tokens that a body can count. Where `facts.open_input` the model's input limit holds instead."""
    return facts.most_input
