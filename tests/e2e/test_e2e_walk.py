"""The walk over all operations: none is open that does not say so, whoever asks with which key, and wherever they put it."""

from collections.abc import Iterator

import httpx
import pytest

from support.calls import (
    ENTRIES,
    ROWS,
    TASK_CHANNELS,
    TASK_PRICES,
    address,
    answers,
    broke,
    call,
    code_of,
    lost,
    owned,
    place,
)
from support.stage import MAIN, Stage, set_stage
from support.world import Process
from unigate.http.presented import HEADERS, QUERIES
from unigate.spec.operation import Operation

USERS = """
users:
  - {name: alice, credit: 100}
  - {name: olga, role: operator, credit: 100}
  - {name: owen, role: owner, credit: 100}
  - {name: poor, credit: 0}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: both, user: alice, secret: sk-both-0123456789, scopes: [relay, platform, manage]}
  - {name: user-manages, user: alice, secret: sk-user-manages-0123456789, scopes: [manage]}
  - {name: operator, user: olga, secret: sk-operator-0123456789, scopes: [relay, platform]}
  - {name: operator-manages, user: olga, secret: sk-operator-manages-0123456789, scopes: [manage]}
  - {name: owner, user: owen, secret: sk-owner-0123456789, scopes: [relay, platform]}
  - {name: owner-manages, user: owen, secret: sk-owner-manages-0123456789, scopes: [manage]}
  - {name: expired, user: alice, secret: sk-expired-0123456789, scopes: [relay, platform], expires: 2020-01-01}
  - {name: disabled, user: alice, secret: sk-disabled-0123456789, scopes: [relay, platform], enabled: false}
  - {name: elsewhere, user: alice, secret: sk-elsewhere-0123456789, scopes: [relay, platform], addresses: ["203.0.113.0/24"]}
  - {name: poor, user: poor, secret: sk-poor-0123456789, scopes: [relay, platform]}
settings: {tasks: {poll_scale: 0.05}}
"""
#: Key -> status and code of whatever it asks for.
REFUSED = {
    "-": (401, "invalid_api_key"),
    "sk-nobody": (401, "invalid_api_key"),
    "sk-disabled-0123456789": (401, "invalid_api_key"),
    "sk-user-manages-0123456789": (403, "insufficient_permissions"),
    "sk-operator-manages-0123456789": (403, "insufficient_permissions"),
    "sk-owner-manages-0123456789": (403, "insufficient_permissions"),
    "sk-elsewhere-0123456789": (403, "address_not_allowed"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")
#: Those that are open to everybody have a test of their own.
OPEN = [row for row in ROWS.values() if row.scope is None]
#: A path of which any first segment is served stands for its row as the plain one does, and so does one with a slash at its
#: end: those are called with the examples of the reference.
CASES = [
    (row, path)
    for row in ROWS.values()
    if row not in OPEN
    for path in (row.path, *row.aliases)
    if not path.startswith("/{") and not (path.endswith("/") and path.rstrip("/") in (row.path, *row.aliases))
]
PLACES = [*CASES, *((row, row.path) for row in OPEN)]
walk = pytest.mark.parametrize(("row", "path"), CASES, ids=[f"{row.method} {path}" for row, path in CASES])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process, quick_vendors: Process) -> Iterator[Stage]:
    """A gateway with all models of the sandbox, and users and keys of every kind."""
    text = (MAIN + TASK_CHANNELS + USERS + TASK_PRICES).replace("QUICK", quick_vendors.url)
    built = set_stage(tmp_path_factory.mktemp("walk"), vendors, text)
    yield built
    built.stop()


def free_of_charge(stage: Stage, row: Operation) -> int:
    """The status for whoever has no money and nothing of their own: that key is known, and no vendor has work with it."""
    if owned(row):
        return lost(row)
    if row.free or row.use in {"passed", "realtime"}:  # a plain request never comes to the money of a session
        return answers(row)
    if row.use == "task":
        return broke(row)
    # Of an answer that passes as it comes the cost is not known yet; none of those is free. What has the price 0 is served.
    return 402 if row.answer == "bytes" or costs(stage, row) else 200


_COSTS: dict[str, bool] = {}


def costs(stage: Stage, row: Operation) -> bool:
    """Whether its example costs something, which is found out once."""
    if row.name not in _COSTS:
        _COSTS[row.name] = float(call(stage, row).headers["x-unigate-cost"]) > 0
    return _COSTS[row.name]


@walk
def test_each_operation_needs_a_key_with_its_scope(stage: Stage, row: Operation, path: str) -> None:
    assert row.scope == ("platform" if row.use == "passed" and row.dialect.startswith("openai_") else "relay")
    there = place(stage, row, path)
    for key, (status, code) in REFUSED.items():
        reply = call(stage, row, key=key, at=there)
        assert (reply.status_code, code_of(reply)) == (status, code), (key, reply.text)
        assert reply.headers["x-request-id"].startswith("req_")
        assert "x-unigate-cost" not in reply.headers
    for key in (stage.key, "sk-both-0123456789"):
        assert call(stage, row, path=path, key=key).status_code == answers(row), key


@walk
def test_roles_change_nothing_of_it(stage: Stage, row: Operation, path: str) -> None:
    """A key of an operator or an owner calls as anybody's does, and finds nothing that is somebody else's."""
    for key in ("sk-operator-0123456789", "sk-owner-0123456789"):
        reply = call(stage, row, path=path, key=key)
        assert reply.status_code == (lost(row) if owned(row) else answers(row)), (key, reply.text)


@walk
def test_expired_keys_and_empty_wallets(stage: Stage, row: Operation, path: str) -> None:
    there = place(stage, row, path)
    poor = call(stage, row, key="sk-poor-0123456789", at=there)
    assert poor.status_code == free_of_charge(stage, row), poor.text
    expired = call(stage, row, key="sk-expired-0123456789", at=there)
    assert expired.status_code == (answers(row) if row.answers_expired else 401)


def test_what_is_open_to_everybody_tells_nothing(stage: Stage) -> None:
    assert {row.use for row in OPEN} == {"task_callback", "replicate_stream"}
    for row in OPEN:
        for key in ("-", "sk-nobody", stage.key):
            reply = call(stage, row, key=key)
            assert (reply.status_code, code_of(reply)) == (404, "not_found")


#: Of what vendors keep there are many rows, which differ in nothing that matters here: one for each kind of them.
ONE_OF_EACH = [row for row in dict(CASES) if row.use != "passed" or row.name.endswith(".create")]


@pytest.mark.parametrize("row", ONE_OF_EACH, ids=lambda row: row.name)
def test_keys_are_found_wherever_clients_put_them(stage: Stage, row: Operation) -> None:
    key, known = "sk-poor-0123456789", free_of_charge(stage, row)
    shown = [(name.decode(), key) for name in HEADERS]
    shown += [("authorization", f"{scheme}{key}") for scheme in ("", "Key ", "Token ", "bearer ")]
    there = place(stage, row)  # nobody of these changes anything of it
    for name, value in shown:
        assert call(stage, row, key="-", headers={name: value}, at=there).status_code == known, (name, value)
        assert call(stage, row, key="-", headers={name: value + "x"}, at=there).status_code == 401, (name, value)
    if row.body == "none":
        query = dict(ENTRIES[row.name].examples[0].query)
        for name in QUERIES:
            url, _ = there
            good = httpx.request(row.method, url, params={**query, name: key}, timeout=30)
            assert good.status_code == known, name
            assert httpx.request(row.method, url, params={**query, name: "sk-nobody"}, timeout=30).status_code == 401


def test_no_two_operations_share_a_place() -> None:
    places = [(row.method, path) for row, path in PLACES]
    assert len(places) == len(set(places))


@walk
def test_other_methods_are_refused(stage: Stage, row: Operation, path: str) -> None:
    served = {each.method for each, place in PLACES if place == path}
    url = address(stage, row, path)
    for method in sorted({*METHODS} - served):
        reply = httpx.request(method, url, headers={"authorization": f"Bearer {stage.key}"})
        assert reply.status_code == 405, (method, path, reply.text)
        assert code_of(reply) == "method_not_allowed"
        assert set(reply.headers["allow"].split(", ")) == served


#: Its example is served by tasks, as its model is known to be.
MADE_BY_TASKS = "openai.images.generations"


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.use == "relay"], ids=lambda row: row.name)
def test_a_header_that_only_tasks_heed_is_named(stage: Stage, row: Operation) -> None:
    reply = call(stage, row, headers={"idempotency-key": "once"})
    assert reply.status_code == 200
    assert reply.headers.get("x-unigate-ignored") == (None if row.name == MADE_BY_TASKS else "idempotency-key")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_in_the_table_is_not_there(stage: Stage, method: str) -> None:
    for path in ("/v1", "/v1/nothing", "/v1/chat/completions/more", "/v2/models", "/V1/models"):
        for head in ({}, {"authorization": f"Bearer {stage.key}"}):
            reply = httpx.request(method, stage.url + path, headers=head)
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "unknown_url"), path


def test_all_methods_are_walked() -> None:
    assert {row.method for row in ROWS.values()} <= {*METHODS}
