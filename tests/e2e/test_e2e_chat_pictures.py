"""Pictures by chat: as the model sends them, counted, and as links where the model sends the pictures themselves."""

import base64
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from openai import BadRequestError, OpenAI

from support.image_stage import opened, picture
from support.replicate import FAST, fetched
from support.stage import Stage, body, mark, set_stage
from support.world import Process
from unigate.base.clock import now_ms

pytestmark = pytest.mark.endpoint("O13")
CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: [gpt-4-all, gpt-4o-image, gpt-image-1, dall-e-*, sandbox-*]
  - {name: near, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate,
     models: {dall-e-2: black-forest-labs/flux-schnell}}
  - {name: router, provider: openrouter, base_url: SANDBOX/openrouter/api/v1, credentials: sk-or,
     models: [google/gemini-2.5-flash-image]}
  - {name: spare, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate, models: ["black-forest-labs/*"]}
prices:
  - {model: google/gemini-2.5-flash-image, input: 0.3, output: 2.5, per_image: 0.039}
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


def test_a_vendor_that_wants_to_be_asked_for_pictures_is(stage: Stage) -> None:
    word = mark()
    reply = ask(stage, "google/gemini-2.5-flash-image", word)
    message = reply.json()["choices"][0]["message"]
    assert opened(httpx.get(message["images"][0]["image_url"]["url"]).content).size == (512, 512)
    (sent,) = stage.received(word)
    assert sent["body"]["modalities"] == ["image", "text"]
    row, told = stage.row(reply.headers["x-request-id"]), reply.json()["usage"]
    assert "cost" not in told
    assert row["cost"] == 39_000_000 + told["prompt_tokens"] * 300 + told["completion_tokens"] * 2_500


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
    began = now_ms()
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
    assert stage.charged(began) == 0


def test_a_stream_that_breaks_before_its_picture_is_free(stage: Stage) -> None:
    reply = ask(stage, "sandbox-image-chat", "a fox [[fault:cut-after:3]]", stream=True)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["ended"], row["cost"]) == ("upstream_broken", 0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_pictures_chats(client: OpenAI, stage: Stage, stream: bool) -> None:
    word = mark()
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": word}]
    reply = stage.post(
        {
            "model": "gpt-image-1",
            "messages": messages,
            "quality": "low",
            "aspect_ratio": "16:9",
            "stream": stream,
            "stream_options": {"include_usage": True} if stream else None,
        }
    )
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-ignored"] == "messages"
    (sent,) = stage.received(word)
    assert sent["body"] == {"model": "gpt-image-1", "prompt": word, "quality": "low", "size": "1536x1024"}
    if stream:
        text, told = said(reply), events(reply)[-1]["usage"]
        assert reply.text.rstrip().endswith("[DONE]")
    else:
        choice = reply.json()["choices"][0]
        text, told = choice["message"]["content"], reply.json()["usage"]
        assert choice["finish_reason"] == "stop"
    (url,) = _MARKDOWN.findall(text)
    assert url.startswith(f"{stage.url}/files/")
    assert opened(httpx.get(url).content).size == (1536, 1024)
    row = stage.row(reply.headers["x-request-id"])
    assert row["operation"] == "openai.images.generations"
    assert row["cost"] == told["prompt_tokens"] * 5_000 + 400 * 40_000
    assert told["completion_tokens"] == 400


def test_a_chat_goes_on_from_its_own_picture(stage: Stage) -> None:
    first = ask(stage, "gpt-image-1", "a red fox", quality="low").json()["choices"][0]["message"]
    word = mark()
    messages = [
        {"role": "user", "content": "a red fox"},
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": f"{word} make it blue"},
    ]
    reply = stage.post({"model": "gpt-image-1", "messages": messages, "quality": "low"})
    assert reply.status_code == 200, reply.text
    (sent,) = stage.received(word)
    assert sent["path"].endswith("/images/edits")
    assert str(sent["body"]["images"][0]["image_url"]).startswith("data:image/png;base64,")
    row = stage.row(reply.headers["x-request-id"])
    assert (row["operation"], row["units"]["image_input"]) == ("openai.images.edits", 194)


def test_a_picture_that_is_sent_along_is_worked_on(stage: Stage) -> None:
    given = "data:image/png;base64," + base64.b64encode(picture((64, 64))).decode()
    content = [{"type": "text", "text": "make it night"}, {"type": "image_url", "image_url": {"url": given}}]
    reply = stage.post({"model": "gpt-image-1", "messages": [{"role": "user", "content": content}], "quality": "low"})
    assert reply.status_code == 200, reply.text
    assert stage.row(reply.headers["x-request-id"])["units"]["image_input"] == 194


def test_a_model_whose_pictures_are_addresses_or_made_by_tasks_chats(stage: Stage) -> None:
    reply = ask(stage, "dall-e-3")
    (url,) = _MARKDOWN.findall(reply.json()["choices"][0]["message"]["content"])
    assert url.startswith(f"{stage.url}/files/") and opened(httpx.get(url).content).size == (1024, 1024)
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.04")
    reply = httpx.post(
        f"{stage.base}/chat/completions",
        json=body("a fox", model="black-forest-labs/flux-schnell", **FAST),
        headers={"authorization": f"Bearer {stage.key}"},
        timeout=60,
    )
    assert reply.status_code == 200, reply.text
    (url,) = _MARKDOWN.findall(reply.json()["choices"][0]["message"]["content"])
    assert opened(fetched(url)).format == "WEBP"
    assert Decimal(reply.headers["x-unigate-cost"]) == Decimal("0.003")


def test_a_model_that_tasks_make_rather_than_who_answers_at_once_chats(stage: Stage) -> None:
    word = mark()
    reply = ask(stage, "dall-e-2", word)
    assert reply.status_code == 200, reply.text
    (url,) = _MARKDOWN.findall(reply.json()["choices"][0]["message"]["content"])
    assert opened(fetched(url)).format == "WEBP"
    (sent,) = stage.received(word)
    assert "/replicate/" in sent["path"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_model_of_pictures_refuses_in_a_chat_costs_nothing(stage: Stage, stream: bool) -> None:
    began = now_ms()
    reply = ask(stage, "gpt-image-1", "a massacre with blood", stream=stream)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "content_policy_violation")
    reply = ask(stage, "gpt-image-1", " ", stream=stream)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages")
    assert stage.charged(began) == 0


def test_money_for_one_picture_does_not_begin_two(stage: Stage) -> None:
    word = mark()
    reply = stage.post(body(word, model="sandbox-image-chat", n=2), key="sk-short-0123456789")
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")
    assert stage.received(word) == []
