"""Embeddings by a provider that knows of numbers only: callers get the form that they asked for."""

import json
from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

from support.answers import answering
from support.stage import KEY, Stage, set_stage
from support.world import Process

#: Numbers that 32 bits hold whole.
SHORT = [1.0, 2.0, -0.5]
LONG = [at / 64 for at in range(-16_384, 16_384)]
USERS = """
prices: [{model: "*", input: 0.15}]
users: [{name: alice, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


def numbers(body: bytes) -> bytes:
    """What a vendor answers that gives numbers whatever it is asked for; a long vector for each "long"."""
    vectors = [LONG if text == "long" else SHORT for text in json.loads(body)["input"]]
    data = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return json.dumps({"object": "list", "data": data, "model": "numbers", "usage": usage}).encode()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before that vendor."""
    with answering(numbers) as url:
        channel = (
            f"channels: [{{name: numbers, provider: openai_compatible, base_url: '{url}', credentials: sk-1, "
            "models: [numbers]}]\n"
        )
        built = set_stage(tmp_path_factory.mktemp("embeddings"), vendors, channel + USERS)
        yield built
        built.sound()
        assert built.stop() == 0


def embed(stage: Stage, *texts: str, **more: object) -> httpx.Response:
    sent = {"model": "numbers", "input": list(texts), **more}
    return httpx.post(
        f"{stage.url}/v1/embeddings", json=sent, headers={"authorization": f"Bearer {KEY}"}, timeout=30
    ).raise_for_status()


def test_who_asks_for_base64_gets_base64(stage: Stage) -> None:
    reply = embed(stage, "short", "short", encoding_format="base64", usage={"include": True})
    told = reply.json()
    assert [item["embedding"] for item in told["data"]] == ["AACAPwAAAEAAAAC/"] * 2
    assert told["usage"] == {"prompt_tokens": 4, "total_tokens": 4, "cost": 0.0000006}
    assert reply.headers["x-unigate-cost"] == "0.0000006"


@pytest.mark.parametrize("more", [{}, {"encoding_format": "float"}])
def test_numbers_asked_for_stay_numbers(stage: Stage, more: dict[str, object]) -> None:
    assert embed(stage, "short", **more).json()["data"][0]["embedding"] == SHORT


def test_the_official_sdk_decodes_long_vectors_that_it_asked_for_in_base64(stage: Stage) -> None:
    with OpenAI(base_url=f"{stage.url}/v1", api_key=KEY) as client:
        found = client.embeddings.create(model="numbers", input=["long", "short"])
    assert [item.embedding for item in found.data] == [LONG, SHORT]
