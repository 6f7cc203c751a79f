"""Embeddings asked for in OpenAI's form (with Jina's and Voyage's extras) of a vendor that has Cohere's. Pure.

Texts and pictures are carried over, and every kind of vector; lists of tokens can't be.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.base.errors import BadRequest, Unsupported
from unigate.dialects.cohere_embed import MOST_INPUTS, known_answer
from unigate.dialects.reranking import count
from unigate.spec.provider import Options, Translation

#: What an embedding is for, as others say it.
_PURPOSES: Mapping[object, str] = {
    "query": "search_query",
    "document": "search_document",
    "retrieval.query": "search_query",
    "retrieval.passage": "search_document",
    "classification": "classification",
    "separation": "clustering",
    "clustering": "clustering",
}
_USUAL_PURPOSE = "search_document"
_OWN_PURPOSES = frozenset({"search_query", "search_document", "classification", "clustering", "image"})
_KINDS = frozenset({"float", "int8", "uint8", "binary", "ubinary"})
#: Members that go over under one name or the other.
_MOVED: Mapping[str, str] = {
    "dimensions": "output_dimension",
    "output_dimension": "output_dimension",
    "max_tokens": "max_tokens",
    "priority": "priority",
}
_READ = frozenset(
    {"model", "input", "task", "input_type", "output_dtype", "embedding_type", "encoding_format", "usage"}
)
_CUTS = ("truncation", "truncate")
_object = msgspec.json.Decoder(dict[str, Any])


def _request(body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    told = _object.decode(body)
    kind = _kind(told)
    made: dict[str, Any] = {
        "model": told["model"],
        **_inputs(told.get("input")),
        "input_type": _purpose(told),
        "embedding_types": [kind],
    }
    ignored = []
    for name, value in told.items():
        if value is None or name in _READ:
            continue
        if name in _MOVED:
            made[_MOVED[name]] = value
        elif name in _CUTS:
            made["truncate"] = value if isinstance(value, str) else "END" if value else "NONE"
        else:
            ignored.append(name)
    return msgspec.json.encode(made), tuple(sorted(ignored))


def _purpose(told: Mapping[str, Any]) -> str:
    for name in ("input_type", "task"):
        given = told.get(name)
        if isinstance(given, str):
            return given if given in _OWN_PURPOSES else _PURPOSES.get(given, _USUAL_PURPOSE)
    return _USUAL_PURPOSE


def _kind(told: Mapping[str, Any]) -> str:
    """The kind of vector; base64 is made of floats by the dialect itself."""
    given = told.get("output_dtype") or told.get("embedding_type") or "float"
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if given == "base64":
        return "float"
    if given not in _KINDS:
        raise Unsupported("Only one kind of vector can be asked for with this model.", param="embedding_type")
    return str(given)


def _inputs(given: object) -> dict[str, Any]:
    rows = [given] if isinstance(given, str | dict) else given
    if not isinstance(rows, list) or not rows:
        raise BadRequest("Invalid 'input': expected a text, or a list of texts.", param="input")
    if len(rows) > MOST_INPUTS:
        raise Unsupported(f"This model takes at most {MOST_INPUTS} inputs in one call.", param="input")
    if any(isinstance(row, int | list) for row in rows):
        raise Unsupported("This model takes texts, not lists of tokens.", param="input")
    if all(isinstance(row, str) for row in rows):
        return {"texts": rows}
    return {"inputs": [{"content": [_part(row)]} for row in rows]}


def _part(row: object) -> dict[str, Any]:
    if isinstance(row, dict) and isinstance(row.get("image"), str):
        return {"type": "image_url", "image_url": {"url": row["image"]}}
    text = row.get("text") if isinstance(row, dict) else row
    if not isinstance(text, str):
        raise BadRequest("Invalid 'input': expected texts, or objects with text or image.", param="input")
    return {"type": "text", "text": text}


def _answer(body: bytes, asked: bytes, _id: str) -> bytes:
    vectors, meta = known_answer(body)
    rows = next(iter(vectors.values()), [])
    made: dict[str, Any] = {
        "object": "list",
        "data": [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)],
        "model": _object.decode(asked)["model"],
    }
    billed = meta.get("billed_units")
    if isinstance(billed, dict):
        texts, pictures = count(billed.get("input_tokens")), count(billed.get("image_tokens")) or 0
        if texts is not None:
            total = texts + pictures
            made["usage"] = {"prompt_tokens": total, "total_tokens": total}
            if pictures:
                made["usage"]["image_tokens"] = pictures
    return msgspec.json.encode(made)


TRANSLATION = Translation(request=_request, answer=_answer)
