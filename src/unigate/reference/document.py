"""The OpenAPI 3.1 document of everything that is served, made from the table that serves it.

https://spec.openapis.org/oas/v3.1.1.html
"""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import unigate
from unigate.reference import errors, headers, system
from unigate.reference.merge import add
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import Schema, either, only, record, ref, text
from unigate.spec.operation import Operation, State

_JSON = "application/json"
_EVENTS = "text/event-stream"
_PLACE = re.compile(r"\{(\w+)(:path)?\}")
_ABOUT = """\
One address and one key in front of every AI vendor.

Give the key as `Authorization: Bearer KEY`, or where your vendor's SDK puts it. Every reply has `x-request-id`. Errors are
never charged, and have the form that the SDK of the endpoint reads. Fields that are not named here travel to the
provider untouched. What is called with another method gets 405, what nothing is at 404, and what is no proper HTTP 400,
408, 417, 431, 501 or 505, each with an error of the same form.
"""
#: How people show who they are; keys with the scope `manage` may do so too.
_SIGNED_IN = {
    "session": {"type": "http", "scheme": "bearer", "description": "The token of a session: `POST /api/sessions`."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "unigate_session",
        "description": "The same as a cookie, for the gateway's own pages: what changes something needs their `Origin`.",
    },
}


@cache
def pages() -> Mapping[str, Page]:
    """All pages by the name of their dialect."""
    package = importlib.import_module("unigate.reference")
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        page = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), "PAGE", None)
        if page is not None:
            found[info.name] = page
    return found


def build(
    operations: Iterable[Operation],
    states: Mapping[str, State],
    *,
    key_headers: Sequence[str] = (),
    key_queries: Sequence[str] = (),
    management: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The document. `states` are the operator's, by operation or family: what is `off` is not in it.

    `key_headers` and `key_queries` are further places of a key; `management` is the document of `/api`. LookupError
    for an operation that no page describes.
    """
    keys = _keys(key_headers, key_queries)
    document = _frame(keys)
    tags: list[str] = []
    for operation in operations:
        state = states.get(operation.name) or states.get(operation.family) or "live"
        if state == "off" or operation.within:
            continue
        page = pages()[operation.dialect]
        entry = next((each for each in page.entries if each.operation == operation.name), None)
        if entry is None:
            raise LookupError(f"the reference does not describe {operation.name}")
        if page.title not in tags:
            tags.append(page.title)
            document["tags"].append({"name": page.title, "description": page.about})
            document["components"]["schemas"].update(page.schemas)
        security: list[dict[str, list[str]]] = [{name: []} for name in keys] if operation.scope is not None else []
        for at, path in enumerate(_paths(operation)):
            described = _described(operation, entry, page, path, state)
            described["operationId"] = operation.name if not at else f"{operation.name}.{at}"
            document["paths"].setdefault(_PLACE.sub(r"{\1}", path), {})[operation.method.lower()] = {
                **described,
                "security": security,
            }
    if management is not None:
        document["components"]["securitySchemes"].update(_SIGNED_IN)
        add(document, management, headers={"x-request-id": headers.REQUEST_ID})
    return document


def _frame(keys: Mapping[str, object]) -> dict[str, Any]:
    return {
        "openapi": "3.1.1",
        "info": {"title": "unigate", "version": unigate.__version__, "description": _ABOUT},
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [system.TAG],
        "paths": {path: dict(item) for path, item in system.PATHS.items()},
        "components": {
            "schemas": dict(errors.SCHEMAS),
            "headers": dict(headers.components()),
            "securitySchemes": dict(keys),
        },
    }


def _keys(key_headers: Sequence[str], key_queries: Sequence[str]) -> dict[str, object]:
    about = "The same key, where the SDKs of other vendors put it."
    found: dict[str, object] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key of the gateway (`sk-...`)."}
    }
    places: tuple[tuple[Literal["header", "query"], Sequence[str]], ...] = (
        ("header", key_headers),
        ("query", key_queries),
    )
    for place, names in places:
        for name in names:
            found[f"{place}-{name}"] = {"type": "apiKey", "in": place, "name": name, "description": about}
    return found


def _paths(operation: Operation) -> list[str]:
    """Path and aliases; those that differ by a slash at their end are told in words."""
    places = (operation.path, *operation.aliases)
    return [path for path in places if path.rstrip("/") not in places or not path.endswith("/")]


def _described(operation: Operation, entry: Entry, page: Page, path: str, state: State) -> dict[str, Any]:
    notes = [entry.about]
    if operation.free:
        notes.append("Free: it works at a balance of zero and counts against rate limits only.")
    if operation.answers_expired:
        notes.append("Also answers a key that has expired or used up its budget.")
    if f"{path}/" in operation.aliases:
        notes.append("A slash at the end changes nothing.")
    told: dict[str, Any] = {
        "tags": [page.title],
        "summary": entry.title,
        "description": "\n\n".join(notes),
        "parameters": list(_parameters(operation, entry, path)),
        "responses": {str(entry.status): _answer(operation, entry), **_errors(operation, entry, page)},
    }
    if entry.request is not None:
        told["requestBody"] = {"required": True, "content": {entry.request_type: _media(entry.request, entry.examples)}}
    if state == "deprecated":
        told["deprecated"] = True
    return told


def _parameters(operation: Operation, entry: Entry, path: str) -> Iterable[Mapping[str, object]]:
    for place in _PLACE.finditer(path):
        yield _parameter("path", place[1], entry.places.get(place[1], text()), entry.examples)
    for name, schema in entry.query.items():
        yield _parameter("query", name, schema, entry.examples)
    for name, schema in entry.headers.items():
        yield {"name": name, "in": "header", "schema": schema}
    if operation.use == "relay":
        yield headers.INCLUDE
    elif operation.use == "task":
        yield headers.IDEMPOTENCY


def _parameter(place: str, name: str, schema: Schema, examples: Sequence[Example]) -> dict[str, object]:
    inner = {word: value for word, value in schema.items() if word != "description"}
    told: dict[str, object] = {"name": name, "in": place, "required": place == "path", "schema": inner}
    if "description" in schema:
        told["description"] = schema["description"]
    for example in examples:
        given = example.path if place == "path" else example.query
        if name in given:
            told["example"] = given[name]
            break
    return told


def _answer(operation: Operation, entry: Entry) -> dict[str, object]:
    content: dict[str, object] = {}
    if entry.answer is not None:
        content[entry.answer_type] = {"schema": entry.answer, **({"example": entry.shown} if entry.shown else {})}
    content |= {kind: {"schema": schema} for kind, schema in entry.also.items()}
    if entry.event is not None:
        content[_EVENTS] = {"schema": _event(entry)}
    told: dict[str, object] = {"description": "The answer.", "headers": headers.of_answer(operation)}
    return {**told, "content": content} if content else told


def _event(entry: Entry) -> Schema:
    """One event: 3.1 has no word for a stream of them, and programs that check streams take the schema for each."""
    data: Schema = {"type": "string", "contentMediaType": _JSON, "contentSchema": entry.event}
    if entry.event_text:
        data = entry.event or {}
    if entry.ends:
        data = either(data, only(entry.ends))
    return record({"event": text("Its name."), "data": data}, entry.stream, needs=("data",))


def _media(schema: Schema, examples: Sequence[Example]) -> dict[str, object]:
    bodies = {f"example-{at}": {"summary": one.title, "value": one.body} for at, one in enumerate(examples, 1)}
    return {"schema": schema, "examples": bodies} if bodies else {"schema": schema}


def _errors(operation: Operation, entry: Entry, page: Page) -> dict[str, object]:
    found: dict[str, object] = {}
    provider = errors.asks_provider(operation)
    for status in sorted({*errors.statuses(operation), *entry.fails}):
        codes = errors.CODES[status]
        form = ref(page.error)
        if provider and status in errors.MAY_PASS:
            form = {"anyOf": [form, ref(page.refusal)]} if page.refusal != page.error else form
        about = "\n".join(f"* `{code}`: {when}" for code, when in codes.items())
        if status in entry.fails_as:
            when, other = entry.fails_as[status]
            form, about = {"anyOf": [form, other]}, f"{about}\n* {when}"
        found[str(status)] = _error(about, form, status, page.error_type)
    if provider:
        found["4XX"] = _error("The provider refused the call as it was made.", ref(page.refusal), 400, page.error_type)
    return found


def _error(about: str, form: Schema, status: int, kind: str) -> dict[str, object]:
    return {"description": about, "headers": headers.of_error(status), "content": {kind: {"schema": form}}}
