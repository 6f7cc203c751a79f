"""Embeddings asked for in Cohere's form of vendors that have OpenAI's, with what each has beside it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, Unsupported
from unigate.dialects import cohere_embed, json_read
from unigate.dialects.openai_answer import no_answer
from unigate.dialects.openai_embeddings import in_base64
from unigate.dialects.reranking import count
from unigate.spec.provider import Options, Translation

#: Members that are read by name.
_READ = frozenset({"model", "texts", "images", "inputs", "input_type", "embedding_types", "output_dimension", "usage"})
_object = msgspec.json.Decoder(dict[str, Any])


class _Row(msgspec.Struct, gc=False):
    embedding: msgspec.Raw
    index: int = -1


class _Answer(msgspec.Struct, gc=False):
    data: list[_Row]
    id: str = ""
    usage: dict[str, Any] | None = None


_answers = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """What a vendor has beside OpenAI's form."""

    #: The member that says what an embedding is for, and its values by Cohere's names; "": there is none.
    purpose: str = ""
    purposes: Mapping[object, str] = field(default_factory=dict)
    #: The member that says the kind of vector, and the kinds beside floats.
    kind: str = ""
    kinds: frozenset[str] = frozenset()
    #: It takes objects with `image` among the inputs.
    pictures: bool = False
    #: The member that says how long a vector is.
    size: str = "dimensions"
    #: The member that says whether long inputs are cut.
    cuts: str = ""


#: Where vendors of OpenAI's form are asked.
PATHS: Mapping[str, str] = dict.fromkeys((cohere_embed.NAME, cohere_embed.NAME_V1), "/embeddings")


def translations(vendor: Embedder) -> Mapping[str, Translation]:
    """How a vendor is asked in both of Cohere's forms."""
    return {
        name: Translation(request=partial(_request, vendor), answer=partial(_answer, name))
        for name in (cohere_embed.NAME, cohere_embed.NAME_V1)
    }


def _request(vendor: Embedder, body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
    told = _object.decode(body)
    made: dict[str, Any] = {"model": told["model"], "input": _inputs(vendor, told)}
    ignored = []
    kind = _kind(told)
    if kind in vendor.kinds:
        made[vendor.kind] = kind
    elif kind not in ("float", "base64"):
        raise Unsupported(f"This model has no vectors of the kind '{kind}'.", param="embedding_types")
    if told.get("output_dimension") is not None:
        made[vendor.size] = told["output_dimension"]
    purpose = told.get("input_type")
    if purpose in vendor.purposes:
        made[vendor.purpose] = vendor.purposes[purpose]
    elif purpose is not None:
        ignored.append("input_type")
    for name, value in told.items():
        if name in _READ or value is None:
            continue
        if name == "truncate" and vendor.cuts:
            made[vendor.cuts] = value != "NONE"
        elif (name, value) != ("truncate", "END"):
            ignored.append(name)
    return msgspec.json.encode(made), tuple(sorted(ignored))


def _kind(told: Mapping[str, Any]) -> str:
    kinds = told.get("embedding_types") or ["float"]
    if not isinstance(kinds, list) or len(kinds) != 1 or not isinstance(kinds[0], str):
        raise Unsupported("Only one kind of vector can be asked for with this model.", param="embedding_types")
    return kinds[0]


def _inputs(vendor: Embedder, told: Mapping[str, Any]) -> list[object]:
    if told.get("texts"):
        return list(told["texts"])
    rows: list[object] = [{"image": picture} for picture in told.get("images") or ()]
    rows += [_content(one.get("content")) for one in told.get("inputs") or ()]
    if not vendor.pictures and any(isinstance(row, dict) for row in rows):
        raise Unsupported("This model takes texts, not pictures.", param="images")
    return rows


def _content(parts: object) -> object:
    """A text, or an object with a picture; Unsupported for several parts that make one vector."""
    part = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    if isinstance(part, dict):
        url = part.get("image_url")
        if isinstance(url, dict) and isinstance(url.get("url"), str):
            return {"image": url["url"]}
        if isinstance(part.get("text"), str):
            return part["text"]
    raise Unsupported("This model takes one text or one picture for each input.", param="inputs")


def _answer(name: str, body: bytes, asked: bytes, id: str) -> bytes:
    try:
        told = _answers.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise no_answer(json_read.loose(body), body, "data") from None
    call = _object.decode(asked)
    kind = _kind(call)
    rows = [row.embedding for row in sorted(told.data, key=lambda row: row.index)]
    if kind == "base64":
        rows = [_packed(row) for row in rows]
    usage = told.usage or {}
    tokens = count(usage.get("total_tokens", usage.get("prompt_tokens")))
    pictures = min(count(usage.get("image_tokens")) or 0, tokens or 0)
    meta: dict[str, Any] = {"api_version": {"version": "1" if name == cohere_embed.NAME_V1 else "2"}}
    if tokens is not None:
        meta["billed_units"] = {"input_tokens": tokens - pictures, **({"image_tokens": pictures} if pictures else {})}
    plain = name == cohere_embed.NAME_V1 and not call.get("embedding_types")
    return msgspec.json.encode(
        {
            "id": told.id or id,
            "embeddings": rows if plain else {kind: rows},
            "texts": call.get("texts") or [],
            "response_type": "embeddings_floats" if plain else "embeddings_by_type",
            "meta": meta,
        }
    )


def _packed(row: msgspec.Raw) -> msgspec.Raw:
    """A vector in base64; one that is already stays."""
    try:
        return row if bytes(memoryview(row)[:1]) == b'"' else msgspec.Raw(in_base64(bytes(row)))
    except (msgspec.DecodeError, OverflowError):
        raise BadAnswer(detail="a vector is no list of numbers") from None
