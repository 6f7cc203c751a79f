"""`/openapi.json` of a running gateway: who gets it, that its examples work, and that replies keep to it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.calls import ENTRIES, ROWS, TASK_CHANNELS, TASK_PRICES, answers, call, template
from support.contract import Contract, events
from support.stage import MAIN, Stage, set_stage
from support.world import Process
from unigate.reference.page import Example
from unigate.spec.operation import Operation

#: What fails on purpose has a channel of its own, since channels that fail are parked.
USERS = """
  - {name: faulty, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-faulty, models: "*", groups: [faulty]}
groups: [{name: faulty}]
users:
  - {name: fred, group: faulty, credit: 100}
  - {name: alice, credit: 100}
  - {name: olga, role: operator, credit: 100}
  - {name: poor, credit: 0}
keys:
  - {name: faulty, user: fred, secret: sk-faulty-0123456789, scopes: [relay, platform]}
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: ops, user: olga, secret: sk-ops-0123456789}
  - {name: slow, user: alice, secret: sk-slow-0123456789, scopes: [relay, platform], limits: {rpm: 1, tpm: 1000000}}
  - {name: narrow, user: alice, secret: sk-narrow-0123456789, scopes: [relay, platform], models: [none-such]}
  - {name: scopeless, user: alice, secret: sk-scopeless-0123456789, scopes: [manage]}
  - {name: poor, user: poor, secret: sk-poor-0123456789, scopes: [relay, platform]}
"""
TASKS = "settings: {tasks: {poll_scale: 0.05}}\n"
CASES = [
    pytest.param(row, example, id=f"{row.name} {example.title}")
    for row in ROWS.values()
    for example in ENTRIES[row.name].examples
]
#: Dialects whose bodies name no model by `model`, or refuse in a way of their own, have tests of their own for bad calls;
#: so has what providers keep.
OWN = (
    "luma",
    "luma_relay",
    "midjourney",
    "openai_batches",
    "openai_realtime",
    "openai_uploads",
    "replicate",
    "suno",
    "suno_goamz",
    "suno_v1",
    "udio",
)
PRICED = [row for row in ROWS.values() if row.body == "json" and row.dialect not in OWN and row.use != "passed"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process, quick_vendors: Process) -> Iterator[Stage]:
    """A gateway with all models of the sandbox, at the prices that ship with it."""
    text = (MAIN + TASK_CHANNELS + USERS + TASK_PRICES + TASKS).replace("QUICK", quick_vendors.url)
    built = set_stage(tmp_path_factory.mktemp("reference"), vendors, text)
    yield built
    built.stop()


@pytest.fixture(scope="module")
def contract(stage: Stage) -> Contract:
    """The document that it serves."""
    return Contract(httpx.get(f"{stage.url}/openapi.json").json())


def test_the_document_is_open_and_valid(stage: Stage) -> None:
    reply = httpx.get(f"{stage.url}/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    document = reply.json()
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    served = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert {(row.method, template(row)) for row in ROWS.values()} <= served


def test_it_is_sent_once_to_whoever_keeps_it(stage: Stage) -> None:
    url = f"{stage.url}/openapi.json"
    first = httpx.get(url)
    tag = first.headers["etag"]
    for named in (tag, f'"other", W/{tag}', "*"):
        again = httpx.get(url, headers={"if-none-match": named})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert httpx.get(url, headers={"if-none-match": '"other"'}).content == first.content
    head = httpx.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(first.content)


def test_other_methods_are_refused(stage: Stage) -> None:
    reply = httpx.post(f"{stage.url}/openapi.json", json={})
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET, HEAD"
    assert reply.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(("row", "example"), CASES)
def test_examples_work(stage: Stage, contract: Contract, row: Operation, example: Example) -> None:
    reply = call(stage, row, example=example)
    assert reply.status_code == answers(row), reply.text
    assert contract.breaches(row.method, template(row), reply) == []
    if example.body is not None and example.body.get("stream"):
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert len(events(reply.text)) > 2
    for path in row.aliases:
        assert call(stage, row, path=path, example=example).status_code == answers(row)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.scope], ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("key", "status"), [("sk-nobody", 401), ("sk-scopeless-0123456789", 403), ("sk-slow-0123456789", 429)]
)
def test_refusals_keep_to_it(stage: Stage, contract: Contract, row: Operation, key: str, status: int) -> None:
    if status == 429:
        call(stage, row, key=key)
    reply = call(stage, row, key=key)
    assert reply.status_code == status, reply.text
    assert contract.breaches(row.method, template(row), reply) == []


@pytest.mark.parametrize("row", PRICED, ids=lambda row: row.name)
def test_bad_calls_keep_to_it(stage: Stage, contract: Contract, row: Operation) -> None:
    good = dict(ENTRIES[row.name].examples[0].body or {})
    head = {"authorization": f"Bearer {stage.key}", "content-type": "application/json"}

    def post(content: bytes, **more: str) -> httpx.Response:
        return httpx.post(stage.url + row.path, content=content, headers={**head, **more}, timeout=30)

    def sent(**more: object) -> bytes:
        return json.dumps({**good, **more}).encode()

    replies = [
        (400, post(b"{")),
        (400, post(sent(model=7))),
        (403, post(sent(), authorization="Bearer sk-narrow-0123456789")),
        (403, post(sent(model="a-model-without-price"))),
        (413, post(b'{"x":"' + b"a" * (21 << 20) + b'"}')),
        (415, post(sent(), **{"content-type": "text/plain"})),
        (400, post(sent(input=7, prompt={}, messages="x", documents=7, texts=7))),
    ]
    for status, reply in replies:
        assert reply.status_code == status, reply.text
        assert contract.breaches(row.method, template(row), reply) == []


@pytest.mark.parametrize("fault", ["500", "429", "400", "422", "malformed-json"])
def test_faults_of_vendors_keep_to_it(stage: Stage, contract: Contract, fault: str) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"[[fault:{fault}]]"}]}
    head = {"authorization": "Bearer sk-faulty-0123456789"}
    reply = httpx.post(stage.url + "/v1/chat/completions", json=body, headers=head, timeout=60)
    assert reply.status_code >= 400, reply.text
    assert contract.breaches("POST", "/v1/chat/completions", reply) == []


def test_an_operators_key_is_told_the_channel(stage: Stage, contract: Contract) -> None:
    row = ROWS["openai.chat"]
    reply = call(stage, row, key="sk-ops-0123456789", headers={"x-unigate-include": "cost"})
    assert reply.headers["x-unigate-channel"] == "main"
    assert reply.json()["usage"]["cost"] > 0
    assert contract.breaches(row.method, row.path, reply) == []


def test_what_the_operator_switches_off_leaves_it(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> None:
    switched = "settings: {operations: {openai.models: deprecated, platform.usage: off}}\n"
    built = set_stage(tmp_path_factory.mktemp("switched"), vendors, MAIN + USERS + switched)
    try:
        first = httpx.get(f"{built.url}/openapi.json")
        paths: dict[str, Any] = first.json()["paths"]
        assert "/v1/billing/usage" not in paths
        assert paths["/v1/models"]["get"]["deprecated"] is True
        contract = Contract(first.json())
        reply = httpx.get(f"{built.url}/v1/models", headers={"authorization": f"Bearer {built.key}"})
        assert reply.headers["deprecation"] == "true"
        assert contract.breaches("GET", "/v1/models", reply) == []
    finally:
        built.stop()
