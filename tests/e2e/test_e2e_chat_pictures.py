"""Pictures by chat: as the model sends them, counted, and as links where the model sends the pictures themselves."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openai import BadRequestError, OpenAI

from e2e.image_stage import opened
from support.stage import Stage, body, mark, set_stage
from support.world import Process

pytestmark = pytest.mark.endpoint("O13")
CONFIG = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: "*"}
  - {name: spare, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate, models: "*"}
prices:
  - {model: gpt-4-all, per_image: 0.05}
  - {model: gpt-4o-image, input: 1, output: 2, per_image: 0.05}
  - {model: sandbox-image-chat, per_image: 0.03}
  - {model: sandbox-image-chat, when: {size: 1024x1024}, per_image: 0.06}
  - {model: sandbox-refuse, per_image: 0.03}
  - {model: sandbox-text, per_image: 0.03}
users:
  - {name: alice, credit: 100}
  - {name: short, credit: 0.04}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: short, user: short, secret: sk-short-0123456789}
"""
_MARKDOWN = re.compile(r"!\[image\]\((http[^)]+)\)")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway before models that chat in pictures."""
    built = set_stage(tmp_path_factory.mktemp("chat"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def ask(stage: Stage, model: str, prompt: str = "a fox", **more: object) -> httpx.Response:
    return stage.post(body(prompt, model=model, **more))


def events(reply: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]


def said(reply: httpx.Response) -> str:
    return "".join(one["choices"][0]["delta"].get("content") or "" for one in events(reply) if one["choices"])


def test_markdown_passes_as_it_came_and_its_picture_is_charged(client: OpenAI, stage: Stage) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-4-all", messages=[{"role": "user", "content": "a fox"}]
    )
    text = raw.parse().choices[0].message.content or ""
    (url,) = _MARKDOWN.findall(text)
    assert url.startswith(stage.sandbox.url) and text.startswith("Here it is.")
    assert opened(httpx.get(url).content).size == (512, 512)
    assert Decimal(raw.headers["x-unigate-cost"]) == Decimal("0.05")
    row = stage.row(raw.headers["x-request-id"])
    assert row["units"]["images"] == 1 and row["cost"] == 50_000_000


def test_markdown_in_a_stream_is_counted_across_its_pieces(stage: Stage) -> None:
    reply = ask(stage, "gpt-4-all", stream=True)
    assert len([one for one in events(reply) if one["choices"] and "http" in str(one)]) >= 1
    (url,) = _MARKDOWN.findall(said(reply))
    assert opened(httpx.get(url).content).format == "PNG"
    row = stage.row(reply.headers["x-request-id"])
    assert (row["units"]["images"], row["cost"]) == (1, 50_000_000)


def test_several_answers_are_several_pictures(stage: Stage) -> None:
    reply = ask(stage, "gpt-4-all", n=2)
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.10")


def test_tokens_are_charged_beside_pictures_where_they_have_a_price(stage: Stage) -> None:
    reply = ask(stage, "gpt-4o-image")
    told = reply.json()["usage"]
    tokens = told["prompt_tokens"] * 1_000 + told["completion_tokens"] * 2_000
    assert stage.row(reply.headers["x-request-id"])["cost"] == 50_000_000 + tokens


def test_pictures_that_an_answer_holds_become_links(stage: Stage) -> None:
    reply = ask(stage, "sandbox-image-chat", modalities=["text", "image"])
    assert reply.status_code == 200, reply.text
    assert "data:image" not in reply.text
    message = reply.json()["choices"][0]["message"]
    url = message["images"][0]["image_url"]["url"]
    assert url.startswith(f"{stage.url}/files/")
    assert message["content"] == f"A picture of a fox.\n\n![image]({url})"
    fetched = httpx.get(url)
    assert fetched.headers["content-type"] == "image/png"
    assert opened(fetched.content).size == (512, 512)
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.03")


def test_in_streams_too(stage: Stage) -> None:
    reply = ask(stage, "sandbox-image-chat", stream=True, stream_options={"include_usage": True})
    assert "data:image" not in reply.text
    with_pictures = [one for one in events(reply) if one["choices"] and one["choices"][0]["delta"].get("images")]
    (delta,) = (one["choices"][0]["delta"] for one in with_pictures)
    url = delta["images"][0]["image_url"]["url"]
    assert delta["content"] == f"![image]({url})\n"
    assert opened(httpx.get(url).content).size == (512, 512)
    order = [one["choices"][0]["finish_reason"] if one["choices"] else "usage" for one in events(reply)]
    assert order[-2:] == ["stop", "usage"] and reply.text.rstrip().endswith("[DONE]")
    row = stage.row(reply.headers["x-request-id"])
    assert (row["units"]["images"], row["cost"]) == (1, 30_000_000)


def test_size_decides_the_price(stage: Stage) -> None:
    reply = ask(stage, "sandbox-image-chat", size="1024x1024")
    url = reply.json()["choices"][0]["message"]["images"][0]["image_url"]["url"]
    assert opened(httpx.get(url).content).size == (1024, 1024)
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.06")


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_and_a_text_without_a_picture_cost_nothing(client: OpenAI, stage: Stage, stream: bool) -> None:
    used = stage.settled()["used"]
    with pytest.raises(BadRequestError) as raised:
        client.chat.completions.create(
            model="sandbox-refuse", messages=[{"role": "user", "content": "a fox"}], stream=stream
        )
    assert raised.value.code == "content_policy_violation"
    reply = ask(stage, "sandbox-text", stream=stream)
    assert reply.status_code == 200
    assert "images" not in stage.row(reply.headers["x-request-id"])["units"]
    reply = ask(stage, "sandbox-image-chat", "a [[fault:empty]] fox", stream=stream)
    assert stage.row(reply.headers["x-request-id"])["cost"] == 0
    assert stage.settled()["used"] == used


def test_a_stream_that_breaks_before_its_picture_is_free(stage: Stage) -> None:
    reply = ask(stage, "sandbox-image-chat", "a fox [[fault:cut-after:3]]", stream=True)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["ended"], row["cost"]) == ("upstream_broken", 0)


def test_money_for_one_picture_does_not_begin_two(stage: Stage) -> None:
    word = mark()
    reply = stage.post(body(word, model="sandbox-image-chat", n=2), key="sk-short-0123456789")
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")
    assert stage.received(word) == []
