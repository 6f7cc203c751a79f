"""Streams of pictures: what is shown before it is done, what is paid, also where a stream breaks or its caller leaves."""

import base64
from collections.abc import Iterator
from decimal import Decimal

import pytest
from openai import APIError, OpenAI

from support.image_stage import CONFIG, opened, picture, post
from support.stage import Caller, Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

pytestmark = pytest.mark.endpoint("O7", "O8")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to OpenAI."""
    built = set_stage(tmp_path_factory.mktemp("streams"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def found(stage: Stage, call_id: str) -> tuple[dict[str, int], int]:
    row = stage.row(call_id)
    return row["units"], row["cost"]


@pytest.mark.parametrize("partials", [0, 3])
def test_a_generation_is_shown_as_it_comes_about(client: OpenAI, stage: Stage, partials: int) -> None:
    with client.images.with_streaming_response.generate(
        model="gpt-image-1",
        prompt="a fox",
        quality="low",
        stream=True,
        partial_images=partials,
        output_format="webp",
    ) as raw:
        call_id = raw.headers["x-request-id"]
        events = list(raw.parse())
    assert [one.type for one in events] == ["image_generation.partial_image"] * partials + [
        "image_generation.completed"
    ]
    pictures = [opened(base64.b64decode(one.b64_json)) for one in events]
    assert {(one.format, one.size) for one in pictures} == {("WEBP", (1024, 1024))}
    assert len({one.tobytes() for one in pictures}) == partials + 1
    last = events[-1]
    assert last.type == "image_generation.completed"
    assert last.usage.output_tokens == 272 + 100 * partials
    units, cost = found(stage, call_id)
    text = last.usage.input_tokens
    assert units == {"images": 1, "input": text, "image_output": 272 + 100 * partials}
    assert cost == text * 5_000 + (272 + 100 * partials) * 40_000


def test_an_edit_is_shown_as_it_comes_about(client: OpenAI, stage: Stage) -> None:
    events = list(
        client.images.edit(
            model="gpt-image-1", image=picture((64, 64)), prompt="a fox", quality="low", stream=True, partial_images=1
        )
    )
    assert [one.type for one in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert opened(base64.b64decode(events[-1].b64_json)).size == (1024, 1024)


def test_several_pictures_in_one_stream_are_counted_together(stage: Stage) -> None:
    sent = {"model": "gpt-image-1", "prompt": "a fox", "quality": "low", "stream": True, "n": 2}
    reply = post(stage, "/images/generations", json=sent)
    assert reply.text.count("event: image_generation.completed") == 2
    units, _ = found(stage, reply.headers["x-request-id"])
    assert (units["images"], units["image_output"]) == (2, 544)


def test_a_stream_that_breaks_is_paid_as_far_as_it_came(client: OpenAI, stage: Stage) -> None:
    with client.images.with_streaming_response.generate(
        model="gpt-image-1",
        prompt="a fox [[fault:cut-after:2]]",
        quality="low",
        stream=True,
        partial_images=3,
    ) as raw:
        call_id = raw.headers["x-request-id"]
        seen: list[str] = []
        with pytest.raises(APIError):
            seen.extend(event.type for event in raw.parse())
    row = stage.row(call_id)
    assert seen and set(seen) == {"image_generation.partial_image"}
    assert row["ended"] == "upstream_broken" and row["estimated"]
    assert row["units"]["image_output"] == 100 * len(seen)
    assert "images" not in row["units"]


def test_a_caller_who_leaves_pays_for_what_went_out(stage: Stage) -> None:
    sent = {
        "model": "gpt-image-1",
        "prompt": f"{mark()} [[fault:hang-after:1]]",
        "quality": "low",
        "stream": True,
        "partial_images": 2,
    }
    with Caller(stage, sent, path="/v1/images/generations") as caller:
        caller.until(b"partial_image_index")
        call_id = caller.call_id
    wait_until(lambda: stage.row(call_id)["ended"] == "caller_left", what="the call has ended", seconds=30)
    assert stage.row(call_id)["units"]["image_output"] == 100


def test_a_refusal_and_an_error_before_the_first_picture_cost_nothing(stage: Stage) -> None:
    began = now_ms()
    sent = {"model": "gpt-image-1", "quality": "low", "stream": True}
    reply = post(stage, "/images/generations", json={**sent, "prompt": "a massacre with blood"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "moderation_blocked")
    reply = post(stage, "/images/generations", json={**sent, "prompt": "a [[fault:error-event:0]]"})
    assert reply.status_code >= 500, reply.text
    files = {"image": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "image/png")}
    data = {"model": "gpt-image-1", "prompt": "a fox", "stream": "true"}
    assert post(stage, "/images/edits", data=data, files=files).status_code == 400
    assert stage.charged(began) == 0


def test_the_cost_can_be_had_in_the_last_event(stage: Stage) -> None:
    sent = {"model": "gpt-image-1", "prompt": "a fox", "quality": "low", "stream": True, "usage": {"include": True}}
    reply = post(stage, "/images/generations", json=sent)
    told = Decimal(reply.text.partition('"cost":')[2].partition(",")[0])
    assert int(told * 10**9) == stage.row(reply.headers["x-request-id"])["cost"]
