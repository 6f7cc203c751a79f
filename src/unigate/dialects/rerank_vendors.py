"""Vendors' ways of reranking, as data: each provider says what differs, and every caller's form follows from it.

It must not know any vendor: what stands here is what several have alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import msgspec

from unigate.base.errors import BadAnswer, Unsupported
from unigate.dialects import cohere_rerank, rerank
from unigate.dialects.openai_answer import no_answer
from unigate.dialects.reranking import Asked, Ranking, count, is_picture, others, ranking, read, text_of
from unigate.spec.provider import Options, Translation

#: Optional members of one vendor or the other. One that a vendor does not take is left out and named.
_OPTIONAL = frozenset(
    {
        "max_chunks_per_doc",
        "max_tokens_per_doc",
        "max_doc_length",
        "truncation",
        "return_embeddings",
        "overlap_tokens",
        "instruction",
        "raw_scores",
        "priority",
        "relevant_spans",
        "user",
    }
)
#: What goes without saying: left out without a word where a vendor does not take the member.
_USUAL: Mapping[str, object] = {"truncation": True, "return_embeddings": False, "raw_scores": False}
#: Members of answers that are read; others travel.
_READ = frozenset({"id", "request_id", "model", "object", "results", "data", "usage", "meta", "tokens", "created"})


class _Spoken(Protocol):
    """A form in which callers ask."""

    MOST_DOCUMENTS: int

    def write_answer(self, asked: Asked, ranking: Ranking, id: str) -> bytes: ...


def as_asked(body: dict[str, Any]) -> object:
    """A vendor's body that has `query` and `documents` at its top."""
    return body


def usual(told: Any) -> Ranking:
    """An answer of `results` or `data`, with its counts at one of the places that vendors have; a count of 0 is none."""
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is no object")
    usage, meta = _inner(told, "usage"), _inner(told, "meta")
    billed = _inner(meta, "billed_units")
    tokens = (
        usage.get("total_tokens"),
        usage.get("prompt_tokens"),
        *(_inner(place, "tokens").get("input_tokens") for place in (told, meta)),
        billed.get("input_tokens"),
    )
    known = [found for value in tokens if (found := count(value))]
    return Ranking(
        hits=ranking(told["results"] if "results" in told else told.get("data")),
        id=_text(told.get("id")),
        model=_text(told.get("model")),
        tokens=known[0] if known else None,
        searches=count(billed.get("search_units")) or None,
        notes={"warnings": meta["warnings"]} if meta.get("warnings") else {},
        more={name: value for name, value in told.items() if name not in _READ},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranker:
    """How a vendor is asked to rerank, and how it answers."""

    #: Optional members that it takes, by the names that callers have for them.
    takes: Mapping[str, str] = field(default_factory=dict)
    #: What it calls the number of documents that are wanted; "": it always answers with all.
    top: str = "top_n"
    #: It shows documents unless it is told not to: ours are made of the request.
    shows: bool = True
    #: Documents and queries may be objects with `text` or `image`; else they are texts.
    pictures: bool = False
    #: It refuses members that it does not know.
    strict: bool = False
    #: From the members that all vendors have to the vendor's body.
    write: Callable[[dict[str, Any]], object] = as_asked
    #: From its decoded answer; BadAnswer.
    read: Callable[[Any], Ranking] = usual


def translations(vendor: Reranker, *, own: str = "") -> Mapping[str, Translation]:
    """How a vendor is asked in each caller's form; `own`: the operation whose form it speaks itself."""
    return {
        spoken.NAME: Translation(
            request=partial(_request, vendor, spoken.MOST_DOCUMENTS), answer=partial(_answer, vendor, spoken)
        )
        for spoken in (rerank, cohere_rerank)
        if own != spoken.NAME
    }


def _request(vendor: Reranker, most: int, body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    asked = read(body, most)
    made: dict[str, Any] = {"model": asked.model, **_inputs(vendor, asked)}
    if asked.top is not None and vendor.top:
        made[vendor.top] = min(asked.top, len(asked.documents))
    if vendor.shows:
        made["return_documents"] = False
    ignored = []
    for name, value in others(body).items():
        if name in vendor.takes:
            made.setdefault(vendor.takes[name], value)
        elif name not in _OPTIONAL and not vendor.strict:
            made[name] = value
        elif value != _USUAL.get(name):
            ignored.append(name)
    return msgspec.json.encode(vendor.write(made)), tuple(sorted(ignored))


def _inputs(vendor: Reranker, asked: Asked) -> dict[str, Any]:
    if vendor.pictures:
        return {"query": asked.query, "documents": asked.documents}
    if any(is_picture(one) for one in (asked.query, *asked.documents)):
        raise Unsupported("No provider of this model takes pictures for reranking.", param="documents")
    documents = [text_of(document, asked.fields) for document in asked.documents]
    return {"query": text_of(asked.query), "documents": documents}


def _answer(vendor: Reranker, spoken: _Spoken, body: bytes, asked: bytes, id: str) -> bytes:
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is no JSON") from None
    if isinstance(told, dict) and told.get("error"):
        raise no_answer(told, body, "results")
    return spoken.write_answer(read(asked, spoken.MOST_DOCUMENTS), vendor.read(told), id)


def _inner(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
