"""What the parts of OpenAI's platform have in common whose things providers keep: vector stores, conversations, containers, ...

https://platform.openai.com/docs/api-reference. Their bodies and answers pass as they are, but for the names of files and
models that stand where the row of an operation says (`Operation.files`, `shows_files`, `models`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, NotFound
from unigate.dialects import json_places, json_read
from unigate.spec.operation import Operation
from unigate.spec.provider import Headers

#: Headers of callers that choose a version of what they call; they go on to the provider.
VERSIONS = (b"openai-beta", b"aoai-evals")
_OBJECT: "msgspec.json.Decoder[dict[str, Any]]" = msgspec.json.Decoder(dict[str, Any])
_NAME = 100
#: Kind -> how the vendor says that there is no such thing, the parameter that it names, and its code.
_MISSING: Mapping[str, tuple[str, str | None, str | None]] = {
    "vector_store": ("No vector store found with id '{}'.", "vector_store_id", None),
    "conversation": ("Conversation with id '{}' not found.", None, None),
    "container": ("Container with id '{}' not found.", None, None),
    "eval": ("Eval with id '{}' not found.", "eval_id", None),
    "fine_tuning_job": ("Could not find fine tune: {}", "fine_tune_id", "fine_tune_not_found"),
}
_ACCOUNT = ("organization_id", "data.*.organization_id")
#: Kind -> headers that the vendor's own clients send with calls about it.
_SENT: Mapping[str, Headers] = {"vector_store": ((b"openai-beta", b"assistants=v2"),)}
#: Operation -> places whose value may be one of these only: others reach what every user of the account has.
_OWN_ONLY: Mapping[str, Mapping[str, frozenset[str]]] = {
    "openai.evals.create": {"data_source_config.type": frozenset({"custom"})},
    "openai.evals.runs.create": {
        "data_source.source.type": frozenset({"file_content", "file_id"}),
        "data_source.sampling_params.tools.*.type": frozenset({"custom", "function", "web_search"}),
    },
}


def row(family: str, kind: str, name: str, call: str, **more: Any) -> Operation:
    """An operation of a family, about things of a kind; `call`: method and path, such as `GET /vector_stores/{id}`.

    Whatever reads or deletes is free.
    """
    method, _, path = call.partition(" ")
    return Operation(
        name=f"openai.{family}.{name}",
        method=method,
        path=f"/v1{path}",
        upstream_path=path,
        dialect=f"openai_{family}",
        family=family,
        use="passed",
        scope="platform",
        binds=kind,
        **{"free": method != "POST", **more},
    )


def missing(kind: str, id: str) -> NotFound:
    """The error for a thing that is not there, or is another user's."""
    words, param, code = _MISSING[kind]
    return NotFound(words.format(id[:_NAME]), param=param, code=code)


def headers(kind: str, given: Headers) -> Headers:
    """What goes to the provider beside the usual headers, for a call with these headers."""
    chosen = {name: value for name, value in given if name in VERSIONS}
    return tuple({**dict(_SENT.get(kind, ())), **chosen}.items())


def read_body(body: bytes, operation: Operation) -> dict[str, Any]:
    """The body of a call, an empty one as an empty object. InvalidJson; BadRequest for what reaches things of other users."""
    if not body:
        return {}
    asked = json_read.decode(body, _OBJECT)
    json_read.refuse_twice(body, {place.partition(".")[0] for place in (*operation.files, *operation.models)})
    for place, allowed in _OWN_ONLY.get(operation.name, {}).items():
        for param, value in json_places.texts(asked, (place,)):
            if value not in allowed:
                raise BadRequest(f"'{value[:_NAME]}' is not offered here: it may read what others made.", param=param)
    if operation.binds == "conversation":
        items = asked.get("items")
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict) and _refers(item):
                raise BadRequest("Items are not taken by reference here: send the item.", param=f"items.{number}")
    return asked


def _refers(item: Mapping[str, object]) -> bool:
    """Whether an item stands for one that the provider keeps; `type` may be left out there."""
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "content" not in item)


def read_answer(body: bytes) -> dict[str, Any]:
    """An answer; BadAnswer where it is no object."""
    try:
        return _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the provider's answer is no JSON object") from None


def without_account(body: bytes) -> bytes:
    """An answer that does not tell whose account the things lie at."""
    if b'"organization_id"' not in body:
        return body
    return msgspec.json.encode(json_places.replaced(read_answer(body), _ACCOUNT, lambda _: ""))


def read_made(body: bytes) -> str:
    """The id of what was made; BadAnswer where the answer names none."""
    id = read_answer(body).get("id")
    if not isinstance(id, str) or not id:
        raise BadAnswer(detail="the provider's answer has no id")
    return id
