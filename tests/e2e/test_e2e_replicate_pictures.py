"""Pictures in OpenAI's form by tasks: as many orders as it takes, what came is charged, as addresses and in base64."""

import base64
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from support.replicate import FAST, fetched, opened
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process, start
from unigate.base.clock import now_ms

PRO, SCHNELL = "black-forest-labs/flux-pro", "black-forest-labs/flux-schnell"
CONFIG = """
channels:
  - name: replicate
    provider: replicate
    base_url: SANDBOX/replicate/v1
    credentials: r8_unigate
    models: {"*": "*", pretty: black-forest-labs/flux-pro}
prices:
  - {model: pretty, per_image: 0.05}
users:
  - {name: alice, credit: 100}
  - {name: short, credit: 0.12}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: short, user: short, secret: sk-short-0123456789}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Replicate."""
    built = set_stage(tmp_path_factory.mktemp("pictures"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    built.stop()


def make(stage: Stage, *, key: str = "", headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    head = {"authorization": f"Bearer {key or stage.key}", **(headers or {})}
    sent = {"model": PRO, "prompt": "a fox", **FAST, **body}
    return httpx.post(f"{stage.url}/v1/images/generations", json=sent, headers=head, timeout=60)


def cost(reply: httpx.Response) -> Decimal:
    return Decimal(reply.headers["x-unigate-cost"])


def test_a_model_that_makes_one_makes_several_by_several_orders(stage: Stage) -> None:
    word = mark()
    reply = make(stage, prompt=word, n=3)
    assert reply.status_code == 200, reply.text
    assert cost(reply) == 3 * Decimal("0.055")
    assert "x-unigate-failed" not in reply.headers
    found = [opened(fetched(one["url"])) for one in reply.json()["data"]]
    assert len(found) == 3
    assert len(stage.received(word)) == 3
    id = reply.headers["x-request-id"]
    assert {stage.row(one)["cost"] for one in (id, f"{id}-2", f"{id}-3")} == {55_000_000}
    listed = httpx.get(f"{stage.url}/v1/tasks?limit=3", headers={"authorization": f"Bearer {stage.key}"}).json()
    assert [one["state"] for one in listed["data"]] == ["succeeded"] * 3


def test_a_model_that_makes_four_makes_six_by_two_orders(stage: Stage) -> None:
    word = mark()
    reply = make(stage, model=SCHNELL, prompt=word, n=6, size="1920x1080")
    assert len(reply.json()["data"]) == 6, reply.text
    assert cost(reply) == 6 * Decimal("0.003")
    inputs = [one["body"]["input"] for one in stage.received(word)]
    assert sorted(one["num_outputs"] for one in inputs) == [2, 4]


def test_another_name_for_such_a_model_is_no_other_model(stage: Stage) -> None:
    reply = make(stage, model="pretty", n=2, user="me")
    assert len(reply.json()["data"]) == 2, reply.text
    assert cost(reply) == Decimal("0.10")
    assert reply.headers["x-unigate-ignored"] == "user"


def test_what_fails_is_free_and_the_rest_is_there(stage: Stage) -> None:
    word = mark()
    reply = make(stage, prompt=f"a fox [[fault:fail-at:50,every:3,tag:{word}]]", n=3)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-failed"] == "1"
    assert [opened(fetched(one["url"])).format for one in reply.json()["data"]] == ["WEBP"] * 2
    assert cost(reply) == 2 * Decimal("0.055")


def test_where_all_fail_nothing_is_charged(stage: Stage) -> None:
    since = now_ms()
    reply = make(stage, prompt="a fox [[fault:fail-at:50]]", n=2)
    assert reply.status_code == 400 and reply.headers["x-should-retry"] == "false"
    assert reply.json()["error"]["type"] == "image_generation_user_error"
    assert cost(reply) == 0 and stage.charged(since) == 0


def test_a_refusal_of_the_first_order_is_that_of_the_call(stage: Stage) -> None:
    since, word = now_ms(), mark()
    reply = make(stage, prompt=word, n=3, guidance=99)
    assert reply.status_code == 422, reply.text
    assert "guidance" in reply.json()["error"]["message"]
    assert len(stage.received(word)) == 1
    assert stage.charged(since) == 0


def test_money_for_two_does_not_begin_three(stage: Stage) -> None:
    word = mark()
    reply = make(stage, key="sk-short-0123456789", prompt=word, n=3)
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")
    assert stage.received(word) == []
    reply = make(stage, key="sk-short-0123456789", prompt=word, n=2)
    assert len(reply.json()["data"]) == 2, reply.text


def test_base64_by_the_sdk(stage: Stage) -> None:
    with OpenAI(api_key=stage.key, base_url=f"{stage.url}/v1", max_retries=0) as client:
        shown = client.images.generate(
            model=SCHNELL, prompt="a fox", n=5, response_format="b64_json", output_format="png", extra_body=FAST
        )
        assert shown.data is not None
        found = [opened(base64.b64decode(one.b64_json or "", validate=True)) for one in shown.data]
        assert [(one.format, one.size) for one in found] == [("PNG", (512, 512))] * 5
        assert (shown.size, shown.output_format) == ("512x512", "png")
        assert all(one.url is None for one in shown.data)
        assert shown.created > 1_700_000_000
        with pytest.raises(APIStatusError) as raised:
            client.images.generate(model="cjwbw/rembg", prompt="a fox", response_format="b64_json")
        assert (raised.value.status_code, raised.value.param) == (400, "model")


def test_base64_of_pictures_that_we_have_kept(stage: Stage) -> None:
    head = {"idempotency-key": mark()}
    asked: dict[str, Any] = {"response_format": "b64_json", "n": 2, "size": "640x512"}
    first = make(stage, headers=head, **asked)
    assert first.json()["size"] == "640x512"
    wait_until(lambda: len(list(stage.data.glob("assets/**/*.webp"))) >= 2, seconds=30, what="copies")
    again = make(stage, headers=head, **asked)
    assert again.json() == first.json()
    assert [opened(base64.b64decode(one["b64_json"])).size for one in again.json()["data"]] == [(640, 512)] * 2


def test_pictures_that_are_not_to_be_had_any_more(tmp_path: Path) -> None:
    vendors = start(["sandbox", "--port", "0", "--json"], tmp_path / "sandbox.log")
    stage = set_stage(tmp_path, vendors, CONFIG + "storage: {keep: false}\n")
    try:
        head = {"idempotency-key": mark()}
        assert make(stage, headers=head, response_format="b64_json", n=2).status_code == 200
        httpx.delete(f"{vendors.url}/sandbox").raise_for_status()
        reply = make(stage, headers=head, response_format="b64_json", n=2)
        assert reply.status_code == 502, reply.text
        assert "/v1/tasks/task_" in reply.json()["error"]["message"]
        stage.sound()
    finally:
        stage.stop()
        vendors.stop()


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "2"}, None),
        ({"prompt": ""}, "prompt"),
        ({"model": ""}, "model"),
        ({"size": "large"}, "size"),
        ({"response_format": "png"}, "response_format"),
        ({"stream": True}, "stream"),
        ({"model": "minimax/video-01"}, "model"),
        ({"model": "sujaykhandekar/object-removal"}, "model"),
    ],
)
def test_bad_calls(stage: Stage, asked: dict[str, Any], param: str | None) -> None:
    word = mark()
    reply = make(stage, **{"prompt": word, **asked})
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert param is None or error["param"] == param
    assert reply.headers["x-request-id"].startswith("req_")
    assert stage.received(word) == []
