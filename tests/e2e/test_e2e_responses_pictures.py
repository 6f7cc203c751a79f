"""Pictures that responses draw by their tool: as the vendor gives them, counted by size and quality, in every way."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI

from support.image_stage import opened
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

pytestmark = pytest.mark.endpoint("O13")
CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: {artist: gpt-4o-mini, painter: gpt-4o-mini, writer: gpt-4o-mini}
prices:
  - {model: artist, input: 1, output: 2, per_image: 0.04}
  - {model: artist, when: {quality: low}, per_image: 0.01, input: 1, output: 2}
  - {model: artist, when: {quality: low, size: 1536x1024}, per_image: 0.015, input: 1, output: 2}
  - {model: painter, per_image: 0.04}
  - {model: writer, input: 1, output: 2}
users:
  - {name: alice, credit: 100}
  - {name: short, credit: 0.02}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: short, user: short, secret: sk-short-0123456789}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before a model that draws, and charges for it."""
    built = set_stage(tmp_path_factory.mktemp("responses"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def tool(**more: Any) -> Any:
    return [{"type": "image_generation", **more}]


def tokens(usage: Any) -> int:
    """What the tokens cost, in nano-USD."""
    return int(usage.input_tokens * 1_000 + usage.output_tokens * 2_000)


@pytest.mark.parametrize(
    ("given", "size", "charged"),
    [
        ({}, (1024, 1024), 40_000_000),
        ({"quality": "low"}, (1024, 1024), 10_000_000),
        ({"quality": "low", "size": "1536x1024", "output_format": "webp"}, (1536, 1024), 15_000_000),
    ],
)
def test_a_picture_is_charged_by_what_the_answer_tells_of_it(
    client: OpenAI, stage: Stage, given: dict[str, str], size: tuple[int, int], charged: int
) -> None:
    raw = client.responses.with_raw_response.create(model="artist", input="Draw a fox.", tools=tool(**given))
    told = raw.parse()
    (item,) = [one for one in told.output if one.type == "image_generation_call"]
    image = opened(base64.b64decode(item.result or "", validate=True))
    assert (image.size, image.format) == (size, given.get("output_format", "png").upper())
    row = stage.row(raw.headers["x-request-id"])
    assert row["units"]["images"] == 1
    assert row["cost"] == charged + tokens(told.usage)


def test_in_streams_too(client: OpenAI, stage: Stage) -> None:
    with client.responses.with_streaming_response.create(
        model="artist", input="Draw a fox.", tools=tool(quality="low", partial_images=2), stream=True
    ) as raw:
        call_id = raw.headers["x-request-id"]
        events = list(raw.parse())
    early = [one for one in events if one.type == "response.image_generation_call.partial_image"]
    assert len(early) == 2 and opened(base64.b64decode(early[0].partial_image_b64)).size == (1024, 1024)
    done = events[-1]
    assert done.type == "response.completed"
    row = stage.row(call_id)
    assert row["units"]["images"] == 1
    assert row["cost"] == 10_000_000 + tokens(done.response.usage)


def test_in_the_background_too(client: OpenAI, stage: Stage) -> None:
    raw = client.responses.with_raw_response.create(
        model="artist", input="Draw a fox.", tools=tool(quality="low"), background=True, max_output_tokens=100
    )
    id = raw.parse().id
    wait_until(lambda: client.responses.retrieve(id).status == "completed", seconds=60)
    done = client.responses.retrieve(id)
    assert [one.type for one in done.output if one.type == "image_generation_call"]
    row = stage.row(raw.headers["x-request-id"])
    assert row["units"]["images"] == 1
    assert row["cost"] == 10_000_000 + tokens(done.usage)


def test_what_is_not_drawn_or_has_no_price_is_not_charged(client: OpenAI, stage: Stage) -> None:
    for model, more in (
        ("artist", {}),
        ("artist", {"tools": tool(), "tool_choice": "none"}),
        ("writer", {"tools": tool()}),
    ):
        raw = client.responses.with_raw_response.create(model=model, input="Say hello.", **more)
        row = stage.row(raw.headers["x-request-id"])
        assert "images" not in row["units"]
        assert row["cost"] == tokens(raw.parse().usage)


@pytest.mark.parametrize("background", [False, True])
def test_money_for_no_picture_does_not_begin_one(stage: Stage, *, background: bool) -> None:
    word, began = mark(), now_ms()
    sent = {"model": "painter", "input": word, "tools": tool(), "background": background}
    head = {"authorization": "Bearer sk-short-0123456789"}
    reply = httpx.post(f"{stage.base}/responses", json=sent, headers=head, timeout=60)
    assert reply.status_code == 402, reply.text
    assert stage.received(word) == [] and stage.charged(began) == 0
