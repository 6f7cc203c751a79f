"""The walk over all operations: none is open that does not say so, and each answers in its dialect's form."""

from itertools import product

import httpx
import pytest

from support.world import World
from unigate.dialects import operations
from unigate.spec.operation import Operation

BODIES = {
    "openai.chat": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]},
    "openai.completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"},
    "openai.embeddings": {"model": "text-embedding-3-small", "input": "hi"},
    "openai.moderations": {"input": "hi"},
    "openai.responses": {"model": "gpt-4o-mini", "input": "hi"},
}
#: Paid operations whose usual price is 0: an empty wallet does not stand in their way.
GRATIS = {"openai.moderations"}
ROWS = [(row, path) for row in operations() for path in (row.path, *row.aliases)]


def call(world: World, row: Operation, path: str, key: str | None) -> httpx.Response:
    """One call of an operation, with a body where it takes one, about a response of the world's key where it is about one."""
    url = world.url + path.replace("{model:path}", "gpt-4o-mini")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if row.binds and row.use == "bound":
        made = httpx.post(
            world.base + "/responses",
            headers={"authorization": f"Bearer {world.key}"},
            json={"model": "gpt-4o-mini", "input": "hi"},
            timeout=30,
        )
        url = url.replace("{id}", made.json()["id"])
    return httpx.request(row.method, url, headers=headers, json=BODIES.get(row.name), timeout=30)


def answers(row: Operation) -> int:
    """The status of such a call that is in order; a response that has ended can't be cancelled."""
    return 400 if row.name == "openai.responses.cancel" else 200


@pytest.mark.parametrize(("row", "path"), ROWS, ids=[f"{row.method} {path}" for row, path in ROWS])
def test_each_operation_needs_a_key_with_its_scope(world: World, row: Operation, path: str) -> None:
    assert row.scope == "relay", "an operation that is open to everybody would need a test of its own"
    for key, status, code in (
        (None, 401, "invalid_api_key"),
        ("sk-nobody", 401, "invalid_api_key"),
        ("sk-disabled-0123456789", 401, "invalid_api_key"),
        ("sk-scopeless-0123456789", 403, "insufficient_permissions"),
    ):
        reply = call(world, row, path, key)
        assert (reply.status_code, reply.json()["error"]["code"]) == (status, code), (key, reply.text)
        assert reply.headers["x-request-id"].startswith("req_")
    assert call(world, row, path, world.key).status_code == answers(row)


@pytest.mark.parametrize(("row", "path"), ROWS, ids=[f"{row.method} {path}" for row, path in ROWS])
def test_expired_keys_and_empty_wallets(world: World, row: Operation, path: str) -> None:
    expired = call(world, row, path, "sk-expired-0123456789")
    assert expired.status_code == (200 if row.answers_expired else 401)
    poor = call(world, row, path, "sk-poor-0123456789")
    works = row.free or row.name in GRATIS
    assert poor.status_code == (404 if row.use == "bound" else 200 if works else 402)


def test_no_two_operations_share_a_place() -> None:
    places = [(row.method, path) for row, path in ROWS]
    assert len(places) == len(set(places))


def test_other_methods_are_refused(world: World) -> None:
    places = {(row.method, path) for row, path in ROWS}
    for (row, path), method in product(ROWS, ("GET", "POST", "PUT", "PATCH", "DELETE")):
        if (method, path) in places:
            continue
        url = world.url + path.replace("{model:path}", "gpt-4o-mini")
        reply = httpx.request(method, url, headers={"authorization": f"Bearer {world.key}"})
        assert reply.status_code == 405, (method, path, reply.text)
        assert row.method in reply.headers["allow"]


def test_a_header_that_only_tasks_heed_is_named(world: World) -> None:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    reply = world.post(body, **{"idempotency-key": "once"})
    assert reply.status_code == 200
    assert reply.headers["x-unigate-ignored"] == "idempotency-key"
