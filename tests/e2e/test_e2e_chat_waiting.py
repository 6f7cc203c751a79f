"""Streamed chats with models that make pictures, and take their time: kept alive, then answered, refused or given up."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import APIError, OpenAI

import support.awake_gateway
from support.image_stage import opened
from support.replicate import FAST, fetched
from support.stage import Caller, Stage, body, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

pytestmark = pytest.mark.endpoint("O13")
CONFIG = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: [gpt-image-1]}
  - {name: spare, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate, models: "*"}
users: [{name: alice, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""
SLOW = "[[fault:slow-first-byte:1.5]]"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway that says every 0.3 seconds that it is there."""
    home = tmp_path_factory.mktemp("waiting")
    built = set_stage(home, vendors, CONFIG, program=Path(support.awake_gateway.__file__))
    yield built
    built.settled()
    built.sound()
    assert built.stop() == 0


def said(stage: Stage, prompt: str, **more: object) -> httpx.Response:
    sent = body(prompt, **{"model": "gpt-image-1", "quality": "low", "stream": True, **more})
    head = {"authorization": f"Bearer {stage.key}"}
    return httpx.post(f"{stage.base}/chat/completions", json=sent, headers=head, timeout=60)


def events(reply: httpx.Response) -> list[dict[str, object]]:
    return [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]


def test_comments_come_while_pictures_are_made(stage: Stage) -> None:
    reply = said(stage, f"a fox {SLOW}", stream_options={"include_usage": True})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream")
    assert reply.text.startswith(": keep-alive\n\n") and reply.text.count(": keep-alive") >= 2
    assert reply.text.rstrip().endswith("[DONE]")
    (url,) = [line.partition("(")[2].partition(")")[0] for line in reply.text.splitlines() if "![image]" in line]
    assert opened(httpx.get(url).content).size == (1024, 1024)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["operation"], row["units"]["image_output"]) == ("openai.images.generations", 272)


def test_the_sdk_does_not_see_them(stage: Stage) -> None:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model="black-forest-labs/flux-schnell",
                messages=[{"role": "user", "content": "a fox [[pace:2]]"}],
                stream=True,
                extra_body=FAST,
            )
        )
    text = "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert opened(fetched(text.partition("(")[2].partition(")")[0])).format == "WEBP"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_what_is_refused_late_is_told_in_words_and_costs_nothing(stage: Stage) -> None:
    began = now_ms()
    reply = said(stage, f"a massacre with blood {SLOW}")
    assert reply.status_code == 200 and ": keep-alive" in reply.text
    first, last = events(reply)
    assert "safety system" in str(first) and last["choices"][0]["finish_reason"] == "content_filter"  # type: ignore[index]
    assert stage.charged(began) == 0


def test_what_fails_late_is_an_error_of_the_stream(stage: Stage) -> None:
    began = now_ms()
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client, pytest.raises(APIError) as raised:
        list(
            client.chat.completions.create(
                model="gpt-image-1",
                messages=[{"role": "user", "content": f"a fox {SLOW}"}],
                stream=True,
                extra_body={"size": "10x10"},
            )
        )
    assert "10x10" in str(raised.value)
    assert stage.charged(began) == 0


def test_a_caller_who_leaves_meanwhile_stops_it(stage: Stage) -> None:
    word = mark()
    sent = body(f"{word} [[fault:hang]]", model="gpt-image-1", quality="low", stream=True)
    with Caller(stage, sent) as caller:
        caller.until(b": keep-alive")
        call_id = caller.call_id
    wait_until(lambda: stage.row(call_id)["ended"] == "caller_left", what="the call has ended", seconds=30)
    assert stage.row(call_id)["cost"] == 0
