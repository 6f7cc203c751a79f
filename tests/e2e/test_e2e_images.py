"""Pictures by a provider that answers at once: made, opened, measured and paid for as they were delivered."""

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openai import APIStatusError, OpenAI

from support.image_stage import CONFIG, cost, opened, post
from support.stage import Stage, mark, set_stage
from support.world import Process
from unigate.base.clock import now_ms

pytestmark = pytest.mark.endpoint("O8")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to OpenAI."""
    built = set_stage(tmp_path_factory.mktemp("images"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def make(stage: Stage, **sent: object) -> httpx.Response:
    return post(stage, "/images/generations", key=str(sent.pop("key", "")), json={"prompt": "a fox", **sent})


@pytest.mark.parametrize(("form", "size"), [("png", "1024x1024"), ("jpeg", "1536x1024"), ("webp", "1024x1536")])
def test_gpt_images_by_the_sdk_are_of_the_size_and_format_asked_for(client: OpenAI, form: Any, size: Any) -> None:
    word = mark()
    raw = client.images.with_raw_response.generate(
        model="gpt-image-1", prompt=word, n=2, size=size, quality="low", output_format=form
    )
    told = raw.parse()
    assert told.data is not None and told.usage is not None
    found = [opened(base64.b64decode(one.b64_json or "", validate=True)) for one in told.data]
    width, height = (int(side) for side in size.split("x"))
    assert [(one.format, one.size) for one in found] == [(form.upper(), (width, height))] * 2
    assert found[0].tobytes() != found[1].tobytes()
    assert (told.size, told.quality, told.output_format) == (size, "low", form)
    each = {"1024x1024": 272, "1536x1024": 400, "1024x1536": 408}[size]
    assert told.usage.output_tokens == 2 * each
    charged = told.usage.input_tokens * Decimal("0.000005") + 2 * each * Decimal("0.00004")
    assert Decimal(raw.headers["x-unigate-cost"]) == charged


def test_what_is_held_is_paid_by_the_usage_that_the_vendor_tells(stage: Stage) -> None:
    reply = make(stage, model="gpt-image-1", prompt="a fox", quality="high", background="transparent")
    assert reply.status_code == 200, reply.text
    told = reply.json()
    row = stage.row(reply.headers["x-request-id"])
    text = told["usage"]["input_tokens"]
    assert row["units"] == {"images": 1, "input": text, "image_output": 4160}
    assert row["cost"] == text * 5_000 + 4160 * 40_000
    image = opened(base64.b64decode(told["data"][0]["b64_json"]))
    assert image.mode == "RGBA"
    alpha = image.getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((512, 512))) == (0, 255)


@pytest.mark.parametrize(
    ("sent", "charged"),
    [
        ({"model": "dall-e-2", "size": "256x256", "n": 3}, "0.048"),
        ({"model": "dall-e-2", "size": "512x512", "n": 2}, "0.036"),
        ({"model": "dall-e-2"}, "0.02"),
        ({"model": "dall-e-3"}, "0.04"),
        ({"model": "dall-e-3", "size": "1792x1024"}, "0.08"),
        ({"model": "dall-e-3", "quality": "hd"}, "0.08"),
        ({"model": "dall-e-3", "quality": "hd", "size": "1024x1792"}, "0.12"),
    ],
)
def test_other_pictures_cost_by_size_quality_and_number(stage: Stage, sent: dict[str, object], charged: str) -> None:
    reply = make(stage, **sent)
    assert reply.status_code == 200, reply.text
    assert cost(reply) == Decimal(charged)
    pictures = [opened(httpx.get(one["url"]).content) for one in reply.json()["data"]]
    size = str(sent.get("size", "1024x1024"))
    assert {f"{one.width}x{one.height}" for one in pictures} == {size}
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"images": sent.get("n", 1)} and not row["estimated"]


def test_base64_of_a_model_that_answers_with_addresses(stage: Stage) -> None:
    reply = make(stage, model="dall-e-3", response_format="b64_json")
    one = reply.json()["data"][0]
    assert opened(base64.b64decode(one["b64_json"])).size == (1024, 1024)
    assert one["revised_prompt"]


def test_quality_of_jpeg_counts(stage: Stage) -> None:
    sizes = {}
    for compression in (10, 90):
        reply = make(stage, model="gpt-image-1", quality="low", output_format="jpeg", output_compression=compression)
        sizes[compression] = len(base64.b64decode(reply.json()["data"][0]["b64_json"]))
    assert sizes[10] < sizes[90] / 2


def test_fields_that_the_vendor_refuses_are_left_out_and_the_picture_is_a_link(stage: Stage) -> None:
    word = mark()
    reply = make(stage, model="gpt-image-1", prompt=word, quality="low", response_format="url", style="vivid")
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-ignored"] == "response_format, style"
    (sent,) = stage.received(word)
    assert set(sent["body"]) == {"model", "prompt", "quality"}
    one = reply.json()["data"][0]
    assert set(one) == {"url"} and one["url"].startswith(f"{stage.url}/files/")
    fetched = httpx.get(one["url"])
    assert fetched.headers["content-type"] == "image/png"
    assert opened(fetched.content).size == (1024, 1024)
    assert httpx.get(one["url"].replace("sig=", "sig=x")).status_code == 403
    assert reply.json()["usage"]["output_tokens"] == 272


def test_base64_asked_of_a_gpt_model_is_what_it_sends_anyway(stage: Stage) -> None:
    reply = make(stage, model="gpt-image-1", quality="low", response_format="b64_json")
    assert reply.headers["x-unigate-ignored"] == "response_format"
    assert set(reply.json()["data"][0]) == {"b64_json"}


def test_a_call_without_a_model_means_the_one_that_knows_its_fields(stage: Stage) -> None:
    for sent, model in (
        ({"size": "256x256"}, "dall-e-2"),
        ({"quality": "low"}, "gpt-image-1"),
        ({"size": "auto", "output_format": "jpeg"}, "gpt-image-1"),
    ):
        word = mark()
        reply = make(stage, prompt=word, **sent)
        assert reply.status_code == 200, reply.text
        assert stage.row(reply.headers["x-request-id"])["model"] == model
        assert stage.received(word)[0]["body"]["model"] == model


@pytest.mark.parametrize(
    ("sent", "param", "code"),
    [
        ({"model": "dall-e-3", "n": 2}, "n", "invalid_value"),
        ({"model": "gpt-image-1", "n": 11}, "n", "invalid_value"),
        ({"model": "gpt-image-1", "n": "two"}, "n", None),
        ({"model": "gpt-image-1", "size": "333x333"}, "size", "invalid_value"),
        ({"model": "dall-e-2", "background": "opaque"}, "background", "unknown_parameter"),
        ({"model": "gpt-image-1", "prompt": ""}, "prompt", "missing_required_parameter"),
        ({"model": "dall-e-2", "prompt": "x" * 1001}, "prompt", "string_above_max_length"),
        ({"model": "gpt-image-1", "output_format": "jpeg", "background": "transparent"}, "background", "invalid_value"),
        ({"model": "gpt-image-1", "prompt": "a massacre with blood"}, None, "moderation_blocked"),
        ({"model": "dall-e-3", "prompt": "a massacre with blood"}, None, "content_policy_violation"),
        ({"model": "dall-e-3", "response_format": "png"}, "response_format", "invalid_value"),
    ],
)
def test_mistakes_are_told_in_the_vendors_words_and_cost_nothing(
    stage: Stage, sent: dict[str, object], param: str | None, code: str | None
) -> None:
    began = now_ms()
    reply = make(stage, **sent)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["param"] == param and (code is None or error["code"] == code), error
    assert reply.headers["x-request-id"]
    assert stage.charged(began) == 0


def test_a_model_that_nobody_serves_is_not_found(client: OpenAI) -> None:
    with pytest.raises(APIStatusError) as raised:
        client.images.generate(model="gpt-4o-mini", prompt="a fox")
    assert (raised.value.status_code, raised.value.param) == (400, "model")


def test_faults_and_empty_answers_cost_nothing(stage: Stage) -> None:
    began = now_ms()
    assert make(stage, model="dall-e-2", prompt="a fox [[fault:500]]").status_code >= 500
    reply = make(stage, model="dall-e-2", prompt="a fox [[fault:empty]]")
    assert reply.status_code == 200 and reply.json()["data"] == []
    assert cost(reply) == 0 and stage.charged(began) == 0


def test_money_for_one_does_not_begin_three(stage: Stage) -> None:
    word = mark()
    reply = make(
        stage, key="sk-short-0123456789", model="gpt-image-1", prompt=word, n=3, quality="medium", size="1024x1024"
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")
    assert stage.received(word) == []
    reply = make(stage, key="sk-short-0123456789", model="gpt-image-1", prompt="a", quality="medium", size="1024x1024")
    assert reply.status_code == 200, reply.text


def test_the_cost_can_be_had_in_the_answer(stage: Stage) -> None:
    reply = make(stage, model="gpt-image-1", quality="low", usage={"include": True})
    assert Decimal(str(reply.json()["usage"]["cost"])) == cost(reply)
