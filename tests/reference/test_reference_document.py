"""The document that is made of the table: complete, and true about states, errors and headers."""

import inspect
import re
import subprocess
import sys
from typing import Any

import fastapi
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.contract import Contract
from unigate.base import errors as base_errors
from unigate.dialects import operations
from unigate.http import cors
from unigate.http.presented import HEADERS, QUERIES
from unigate.reference import errors, headers
from unigate.reference.document import build, pages
from unigate.reference.page import Entry
from unigate.spec.operation import Operation

ROWS = [row for row in operations() if not row.within]
PLACES: dict[str, Any] = {"key_headers": [name.decode() for name in HEADERS], "key_queries": QUERIES}
DOCUMENT = build(ROWS, {}, **PLACES)
CONTRACT = Contract(DOCUMENT)
NAMES = {row.name for row in ROWS}
#: A few of them, where all would only take longer.
SOME = [row for row in ROWS if row.family in {"chat", "models", "billing", "responses", "luma"}]
ENTRIES = [entry for page in pages().values() for entry in page.entries]
SERVED = [entry for entry in ENTRIES if entry.operation in NAMES]


def of(row: Operation) -> dict[str, Any]:
    return CONTRACT.operation(row.method, re.sub(r":path\}", "}", row.path))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_operation_is_described(row: Operation) -> None:
    told = of(row)
    assert told["operationId"] == row.name
    assert told["summary"] and told["description"]
    assert ("requestBody" in told) == (
        row.body in {"json", "form"}
        or row.name in {"openai.realtime.calls", "replicate.files.create", "luma_relay.tasks"}
    )
    assert bool(told["security"]) == (row.scope is not None)
    assert ("402" in told["responses"]) == (not row.free)
    assert ("free" in told["description"].lower()) == row.free
    for path in row.aliases:
        assert path.rstrip("/") in DOCUMENT["paths"], path


def test_each_operation_has_one_entry() -> None:
    told = [entry.operation for entry in ENTRIES]
    assert sorted(told) == sorted(set(told))
    assert set(told) >= NAMES


def test_names_of_operations_and_schemas_are_unique() -> None:
    ids = [row["operationId"] for item in DOCUMENT["paths"].values() for row in item.values()]
    assert len(ids) == len(set(ids))
    names = [name for page in pages().values() for name in page.schemas]
    shared = {name for name in names if names.count(name) > 1}
    for name in shared:
        assert len({id(page.schemas[name]) for page in pages().values() if name in page.schemas}) == 1, name


def test_every_schema_is_used() -> None:
    used = set(re.findall(r"'#/components/schemas/(\w+)'", repr(DOCUMENT)))
    assert used == set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.operation)
def test_examples_keep_to_their_schemas(entry: Entry) -> None:
    whole = {name: schema for page in pages().values() for name, schema in page.schemas.items()}
    contract = Contract({"components": {"schemas": {**whole, **errors.SCHEMAS}}})
    assert entry.examples
    for example in entry.examples:
        if entry.request is not None:
            assert contract.faults(entry.request, example.body) == [], example.title
        else:
            assert example.body is None
        assert set(example.query) <= set(entry.query)
        assert set(example.path) <= set(entry.places)
    if entry.answer is not None:
        assert contract.faults(entry.answer, entry.shown) == []
    else:
        assert entry.event is not None or entry.status in (101, 204, 302)


def test_schemas_refuse_what_cannot_be() -> None:
    chat = {"$ref": "#/components/schemas/ChatRequest"}
    good = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert CONTRACT.faults(chat, {**good, "a_field_of_tomorrow": 1}) == []
    for bad in ({}, {**good, "n": 0}, {**good, "messages": []}, {**good, "messages": [{"role": "user"}]}):
        assert CONTRACT.faults(chat, bad), bad


def test_states() -> None:
    off = build(SOME, {"openai.chat": "off", "models": "off"}, **PLACES)
    assert "/v1/chat/completions" not in off["paths"]
    assert "/v1/models" not in off["paths"] and "/v1/models/{model}" not in off["paths"]
    assert "ChatRequest" not in off["components"]["schemas"]
    marked = build(SOME, {"billing": "deprecated"}, **PLACES)
    assert marked["paths"]["/v1/billing/usage"]["get"]["deprecated"] is True
    assert "deprecated" not in marked["paths"]["/v1/models"]["get"]
    for document in (off, marked):
        assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_an_operation_without_a_page_or_an_entry_is_refused() -> None:
    row = ROWS[0]
    for strange in ({"dialect": "nobodys"}, {"name": "nobodys"}):
        fields = {name: getattr(row, name) for name in row.__slots__} | strange
        with pytest.raises(LookupError):
            build([Operation(**fields)], {})


def test_all_places_of_keys_are_told() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"].values()
    assert sum(scheme["type"] == "http" for scheme in schemes) == 1
    told = {(scheme["in"], scheme["name"]) for scheme in schemes if scheme["type"] == "apiKey"}
    assert told == {("header", name.decode()) for name in HEADERS} | {("query", name) for name in QUERIES}
    assert {tuple(each) for each in of(next(row for row in ROWS if row.scope))["security"]} == {
        (name,) for name in DOCUMENT["components"]["securitySchemes"]
    }


def test_all_headers_that_scripts_may_read_are_told() -> None:
    assert {name.decode() for name in cors.EXPOSED} <= set(headers.HEADERS)


def test_all_codes_are_told() -> None:
    """Those of the tree of errors that a call can meet; what only the wire refuses stands in the introduction."""
    tree = inspect.getdoc(base_errors) or ""
    told = re.findall(r"^\s*[+-] \w+ +(\d{3}) +((?:[a-z_]+(?:, )?)+)", tree, re.MULTILINE)
    assert len(told) > 15
    of_wire = {405, 409, 410, 417, 499, 501, 505}
    for status, codes in told:
        if int(status) not in of_wire:
            for code in codes.strip().split(", "):
                assert code in errors.CODES[int(status)], (status, code)


def test_another_document_is_merged() -> None:
    app = fastapi.FastAPI(openapi_url=None)

    @app.get("/api/things", tags=["Things"])
    def things(limit: int = 50) -> dict[str, int]:
        return {"limit": limit}

    other = app.openapi()
    other["components"]["schemas"]["Error"] = {"type": "string"}
    other["components"]["schemas"]["Holder"] = {"$ref": "#/components/schemas/Error"}
    other["security"] = [{"session": []}]
    whole = build(SOME, {}, **PLACES, management=other)
    assert [error.message for error in OpenAPIV31SpecValidator(whole).iter_errors()] == []
    told = whole["paths"]["/api/things"]["get"]
    assert told["security"] == [{"session": []}]
    assert all("x-request-id" in response["headers"] for response in told["responses"].values())
    used = {
        name for item in whole["paths"].values() for row in item.values() for each in row["security"] for name in each
    }
    assert used <= set(whole["components"]["securitySchemes"])
    assert whole["components"]["schemas"]["Holder"] == {"$ref": "#/components/schemas/ApiError"}
    assert whole["components"]["schemas"]["ApiError"] == {"type": "string"}
    assert whole["components"]["schemas"]["Error"] == errors.SCHEMAS["Error"]
    assert whole["paths"]["/v1/models"] == DOCUMENT["paths"]["/v1/models"]


def test_a_worker_does_not_carry_it_before_it_is_asked_for() -> None:
    program = (
        "import sys, unigate.server; print([name for name in sys.modules if name.startswith('unigate.reference')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
