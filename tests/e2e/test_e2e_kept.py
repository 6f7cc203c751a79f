"""Prompts and answers are kept where a key or a channel says so, and nowhere else."""

import json
from collections.abc import Iterator

import httpx
import pytest

from support.waiting import wait_until
from support.world import World, build_world

CHANNEL = (
    "  - {name: remembering, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-2, models: [gpt-4.1], "
    "options: {keep_days: 3}}"
)


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = build_world(tmp_path_factory.mktemp("kept"), "sqlite:///unigate.db", more=CHANNEL, own_prices=False)
    world.cli(
        "user", "create", "boss", "--role", "owner", "--email", "boss@example.com", "--password", "correct horse 9"
    )
    world.cli("user", "create", "carol", "--email", "carol@example.com", "--password", "correct horse 9")
    world.cli("user", "topup", "carol", "10")
    yield world
    world.process.stop()
    world.sandbox.stop()


def sign_in(world: World, email: str) -> dict[str, str]:
    made = httpx.post(world.url + "/api/sessions", json={"email": email, "password": "correct horse 9"})
    assert made.status_code == 201, made.text
    return {"authorization": f"Bearer {made.json()['token']}"}


def kept(world: World, email: str, id: str) -> httpx.Response:
    return httpx.get(f"{world.url}/api/requests/{id}/kept", headers=sign_in(world, email))


@pytest.fixture(scope="module")
def key(keeping: World) -> str:
    """A key of carol's whose calls are kept."""
    made = keeping.cli("key", "create", "open book", "--user", "carol", "--keep-days", "30")
    assert made["keep_days"] == 30
    return str(made["secret"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_call_is_kept_as_it_came_and_went(keeping: World, key: str, stream: bool) -> None:
    body = json.dumps({"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": "Hé"}]})
    reply = keeping.post(body.encode(), key)
    assert reply.status_code == 200 and reply.headers["x-unigate-kept"] == "30"
    id = reply.headers["x-request-id"]
    wait_until(lambda: kept(keeping, "carol@example.com", id).status_code == 200, seconds=20)
    found = kept(keeping, "carol@example.com", id).json()
    assert found["request"] == body and found["cut"] is False
    if stream:
        assert found["answer"].startswith("data: {") and found["answer"].endswith("data: [DONE]\n\n")
    else:
        assert found["answer"] == reply.text
    assert kept(keeping, "boss@example.com", id).status_code == 200


def test_others_do_not_see_it(keeping: World, key: str) -> None:
    keeping.cli("user", "create", "dave", "--email", "dave@example.com", "--password", "correct horse 9")
    reply = keeping.post(
        json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]}).encode(), key
    )
    id = reply.headers["x-request-id"]
    wait_until(lambda: kept(keeping, "carol@example.com", id).status_code == 200, seconds=20)
    assert kept(keeping, "dave@example.com", id).status_code == 404


def test_nothing_is_kept_of_other_calls(keeping: World) -> None:
    reply = keeping.chat("not to be kept")
    assert "x-unigate-kept" not in reply.headers
    marked = keeping.post({"model": "gpt-4.1", "messages": [{"role": "user", "content": "by its channel"}]})
    assert marked.headers["x-unigate-kept"] == "3"
    id = marked.headers["x-request-id"]
    wait_until(lambda: kept(keeping, "boss@example.com", id).status_code == 200, seconds=20)
    assert kept(keeping, "boss@example.com", reply.headers["x-request-id"]).status_code == 404
    for file in keeping.data.rglob("*"):
        assert not file.is_file() or b"not to be kept" not in file.read_bytes(), file
