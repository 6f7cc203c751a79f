"""Streams from end to end: callers who leave, callers who are slow, a gateway that is told to stop, money that runs out."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from support.stage import Caller, Stage, body, mark, resident, set_stage, workers_of
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

USERS = """
prices:
  - {model: "*", input: 0.15, output: 0.60}
  - {model: dear, input: 1, output: 1000}
settings: {hold: {output_tokens: 200}}
users:
  - {name: alice, credit: 100}
  - {name: bob, credit: 100}
  - {name: brief, credit: 1}
  - {name: tight, credit: "0.15"}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: brief, user: brief, secret: sk-brief-0123456789}
  - {name: window, user: alice, secret: sk-window-0123456789, budget: {day: 1}}
  - {name: tight, user: tight, secret: sk-tight-0123456789}
"""
CHANNELS = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: {gpt-4o-mini: gpt-4o-mini, sandbox-x: sandbox-x, dear: sandbox-dear}
"""


def stream(prompt: str, **more: object) -> dict[str, object]:
    """The body of a stream."""
    return body(prompt, stream=True, **more)


@pytest.fixture(scope="module", params=["sqlite", "postgresql, two workers"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendors: Process
) -> Iterator[Stage]:
    """A gateway on each database."""
    on_sqlite = request.param == "sqlite"
    database = "sqlite:///unigate.db" if on_sqlite else request.getfixturevalue("module_postgres_url")
    home = tmp_path_factory.mktemp("streams")
    built = set_stage(home, vendors, CHANNELS + USERS, database=database, workers=1 if on_sqlite else 2)
    yield built
    built.stop()


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """One worker on SQLite."""
    built = set_stage(tmp_path_factory.mktemp("lone"), vendors, CHANNELS + USERS)
    yield built
    built.stop()


def ended(stage: Stage, word: str, how: str) -> dict[str, Any]:
    """The sandbox's entry of a call, once it ended like this."""
    wait_until(lambda: [e["end"] for e in stage.received(word)] == [how], seconds=5, what=f"{how} upstream")
    return stage.received(word)[0]


def spent_since(stage: Stage, since: int) -> int:
    """Nano-USD used since then, all records moved: they are moved in order, so a good call's row is the last."""
    cost = stage.row(stage.post(body("and then")).headers["x-request-id"])["cost"]
    return stage.charged(since) - int(cost)


def test_a_caller_who_leaves_in_the_middle_pays_for_what_went_out(stage: Stage) -> None:
    key, word = "sk-bob-0123456789", mark()
    before = stage.settled(key)
    with Caller(stage, stream(f"{word} [[pace:40]] [[tokens:4000]]"), key=key) as caller:
        caller.until(b'"content"', 20)
        wait_until(lambda: stage.usage(key)["cache_used"] > 0, what="money in use while the stream runs")
    sent = ended(stage, word, "caller_left")["sent_tokens"]
    row = stage.row(caller.call_id)
    assert (row["ended"], row["status"], bool(row["estimated"])) == ("caller_left", 200, True)
    assert 15 <= row["units"]["output"] <= sent + 5, (row["units"], sent)
    assert row["cost"] > 0
    after = stage.settled(key)
    assert round((after["used"] - before["used"]) * 10**9) == row["cost"]
    stage.sound()


@pytest.mark.parametrize("waits", ["[[fault:slow-first-byte:30]]", "[[pace:0.02]]"], ids=["head", "content"])
def test_a_caller_who_leaves_before_the_first_content_pays_nothing(lone: Stage, waits: str) -> None:
    word = mark()
    since, rows = now_ms(), lone.rows()
    with Caller(lone, stream(f"{word} {waits}")):
        wait_until(lambda: lone.received(word), what="the call upstream")
        wait_until(lambda: lone.received(word)[0]["status"] or "slow" in waits, what="the stream upstream")
    ended(lone, word, "caller_left")
    assert spent_since(lone, since) == 0
    (row,) = [row for row_id, row in lone.rows().items() if row_id not in rows and row["ended"] == "caller_left"]
    assert row["cost"] == 0 and [attempt[3] for attempt in row["attempts"]] == ["caller_left"]
    lone.sound()


def test_a_caller_who_leaves_a_plain_call_pays_nothing(lone: Stage) -> None:
    word = mark()
    since = now_ms()
    with Caller(lone, body(f"{word} [[fault:slow-first-byte:30]]")):
        wait_until(lambda: lone.received(word), what="the call upstream")
    ended(lone, word, "caller_left")
    assert spent_since(lone, since) == 0


def test_a_slow_reader_gets_everything_and_fills_no_memory(lone: Stage) -> None:
    word, (worker,) = mark(), workers_of(lone)
    sent = stream(f"{word} [[pace:0]] [[tokens:16384]]", model="sandbox-x", n=6, stream_options={"include_usage": True})
    with Caller(lone, sent, receive_buffer=65536) as caller:
        caller.until(b'"content"')
        before = resident(worker)
        seen = [-1, 0]

        def stands_still() -> bool:
            seen.append(lone.received(word)[0]["events"])
            return len(set(seen[-20:])) == 1

        wait_until(stands_still, seconds=40, what="a full pipe")
        assert lone.received(word)[0]["end"] == "open", "nobody could take it all"
        assert resident(worker) - before < 12 * 2**20
        caller.rest()
    events = list(caller.events())
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    texts = [c for chunk in chunks for c in chunk["choices"] if c["delta"].get("content")]
    assert len(texts) == 6 * 16384 == chunks[-1]["usage"]["completion_tokens"]
    assert lone.row(caller.call_id)["units"]["output"] == 6 * 16384


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_ends_well_while_the_gateway_stops(tmp_path: Path, vendors: Process, workers: int) -> None:
    stage = set_stage(tmp_path, vendors, CHANNELS + USERS, workers=workers)
    host, port = stage.url.removeprefix("http://").split(":")
    try:
        with Caller(stage, stream("[[pace:20]] [[tokens:60]]")) as caller:
            caller.until(b'"content"', 3)
            stage.process.popen.send_signal(signal.SIGTERM)

            def refused() -> bool:
                with socket.socket() as sock:
                    return sock.connect_ex((host, int(port))) != 0

            wait_until(refused, what="new connections refused")
            assert not any(event == "[DONE]" for event in caller.events())
            caller.rest()
        assert list(caller.events())[-1] == "[DONE]"
        assert stage.process.popen.wait(30) == 0
    finally:
        stage.stop()
    assert stage.row(caller.call_id)["ended"] == "completed"
    assert stage.manage("ledger", "check")["open_holds"] == 0
    stage.sound()


def test_a_balance_that_runs_out_ends_the_stream(stage: Stage) -> None:
    """The key's 1 USD pays 1,000 tokens of 1,000 USD a million; it is held for in steps of 200."""
    sdk = openai.OpenAI(base_url=stage.base, api_key="sk-brief-0123456789", max_retries=0, timeout=60)
    balances: list[float] = []
    asked: ChatCompletionMessageParam = {"role": "user", "content": "[[pace:400]] [[tokens:4000]]"}
    words = 0

    def read_all() -> None:
        nonlocal words
        for chunk in sdk.chat.completions.create(model="dear", stream=True, messages=[asked]):
            words += bool(chunk.choices and chunk.choices[0].delta.content)
            if words % 100 == 0:
                balances.append(stage.usage("sk-brief-0123456789")["balance"])

    with pytest.raises(openai.APIError) as caught:
        read_all()
    assert caught.value.code == "insufficient_quota", caught.value
    assert 500 <= words <= 1000, words
    data = stage.settled("sk-brief-0123456789")
    assert min([*balances, data["balance"]]) >= 0
    assert data["used"] + data["balance"] == 1
    assert data["used"] > 0.5
    (row,) = [row for row in stage.rows().values() if row["model"] == "dear"]
    assert row["ended"] == "out_of_funds"
    stage.sound()


def test_a_day_budget_that_runs_out_ends_the_stream(lone: Stage) -> None:
    with Caller(lone, stream("[[pace:0]] [[tokens:4000]]", model="dear"), key="sk-window-0123456789") as caller:
        caller.rest()
    error = json.loads(list(caller.events())[-1])["error"]
    assert error["code"] == error["type"] == "insufficient_quota"
    assert lone.row(caller.call_id)["ended"] == "out_of_funds"
    data = lone.usage("sk-window-0123456789", "unit=usd&type=token")
    assert data["balance"] >= 0 and data["used"] <= 1
    lone.settled()
    lone.sound()


def test_what_is_left_limits_a_stream_from_the_start(lone: Stage) -> None:
    """0.15 USD pays less than the 200 tokens that would be held: the provider is told where to stop."""
    key = "sk-tight-0123456789"
    with Caller(lone, stream("[[pace:0]] [[tokens:4000]]", model="dear"), key=key) as caller:
        caller.rest()
    limit = int(caller.header("x-unigate-limited").removeprefix("output_tokens="))
    assert 100 < limit < 150
    events = list(caller.events())
    assert events[-1] == "[DONE]"
    assert json.loads(events[-2])["choices"][0]["finish_reason"] == "length"
    row = lone.row(caller.call_id)
    assert row["ended"] == "completed" and row["units"]["output"] == limit
    assert lone.settled(key)["balance"] >= 0


def test_usage_is_asked_of_the_provider_and_hidden(lone: Stage) -> None:
    word = mark()
    reply = lone.post(stream(word))
    assert '"usage":{' not in reply.text
    assert lone.received(word)[0]["body"]["stream_options"] == {"include_usage": True}
    assert lone.row(reply.headers["x-request-id"])["estimated"] == 0


def test_a_stream_is_not_held_up(lone: Stage) -> None:
    """Each event comes while the next is not yet written upstream."""
    word = mark()
    with Caller(lone, stream(f"{word} [[pace:2]] [[tokens:4]]")) as caller:
        caller.until(b'"content"', 1)
        assert lone.received(word)[0]["end"] == "open"
        caller.rest()
    assert list(caller.events())[-1] == "[DONE]"
    assert httpx.get(lone.url + "/healthz").status_code == 200
