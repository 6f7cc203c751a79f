"""What responses cost, what is held for them, and what is known of them after everything that can break."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from support.stage import Caller, Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

CONFIG = """
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-upstream-main
    models: {gpt-4o-mini: gpt-4o-mini, o3-mini: o3-mini, dear: sandbox-dear, twice: gpt-4o-mini}
  - name: broken
    provider: openai
    base_url: SANDBOX/fault/error-event:2/openai/v1
    credentials: sk-upstream-broken
    models: {twice: gpt-4o-mini}
    priority: 5
prices:
  - {model: gpt-4o-mini, input: 0.15, cached_input: 0.075, output: 0.60}
  - {model: o3-mini, input: 1.10, output: 4.40, reasoning: 2.20}
  - {model: twice, input: 0.15, output: 0.60}
  - {model: dear, input: 1, output: 1000}
settings: {hold: {output_tokens: 200}}
users:
  - {name: alice, credit: 100}
  - {name: tight, credit: "0.15"}
  - {name: bare, credit: "0.01"}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: tight, user: tight, secret: sk-tight-0123456789}
  - {name: bare, user: bare, secret: sk-bare-0123456789}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """One worker on SQLite."""
    built = set_stage(tmp_path_factory.mktemp("money"), vendors, CONFIG)
    yield built
    built.stop()


def ask(stage: Stage, prompt: str, key: str | None = None, **more: Any) -> httpx.Response:
    """A plain call."""
    head = {"authorization": f"Bearer {key or stage.key}"}
    body = {"model": "gpt-4o-mini", "input": prompt, **more}
    return httpx.post(stage.base + "/responses", headers=head, json=body, timeout=60)


def stream(stage: Stage, prompt: str, key: str | None = None, **more: object) -> Caller:
    """A streamed call."""
    body = {"model": "gpt-4o-mini", "input": prompt, "stream": True, **more}
    return Caller(stage, body, key=key, path="/v1/responses")


def events(caller: Caller) -> list[dict[str, Any]]:
    """All events that the caller saw in full."""
    return [json.loads(data) for data in caller.events()]


def status(stage: Stage, id: str) -> int:
    """What asking after a response gives."""
    return httpx.get(f"{stage.base}/responses/{id}", headers={"authorization": f"Bearer {stage.key}"}).status_code


def last(stage: Stage) -> str:
    """The id of the call that was made last."""
    return max(stage.rows().values(), key=lambda row: (row["at"], row["id"]))["id"]  # type: ignore[no-any-return]


def moved(stage: Stage) -> int:
    """Nano-USD used, up to a call that this makes: records are moved in order, so that its row is the last."""
    stage.row(ask(stage, "And then?").headers["x-request-id"])
    return round(float(stage.settled()["used"]) * 10**9)


@contextmanager
def locked(stage: Stage) -> Iterator[None]:
    """Nobody can write to the database."""
    with closing(sqlite3.connect(stage.data / "unigate.db", isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def test_tokens_of_each_kind_are_charged_at_their_price(stage: Stage) -> None:
    since = now_ms()
    reply = ask(stage, "Think of Lyon", model="o3-mini", reasoning={"effort": "high"})
    usage = reply.json()["usage"]
    made, thought = usage["output_tokens"], usage["output_tokens_details"]["reasoning_tokens"]
    cost = usage["input_tokens"] * 1100 + (made - thought) * 4400 + thought * 2200
    assert thought == 256 and float(reply.headers["x-unigate-cost"]) * 10**9 == pytest.approx(cost)
    row = stage.row(reply.headers["x-request-id"])
    assert (row["cost"], row["operation"], row["ended"], row["estimated"]) == (cost, "openai.responses", "completed", 0)
    assert row["units"] == {"input": usage["input_tokens"], "output": made - thought, "reasoning": thought}
    assert stage.charged(since) == cost
    stage.sound()


def test_a_long_beginning_again_is_charged_as_cached(stage: Stage) -> None:
    text = f"{mark()} " + "word " * 1500
    replies = [ask(stage, text) for _ in range(2)]
    cached = replies[1].json()["usage"]["input_tokens_details"]["cached_tokens"]
    assert cached >= 1024
    units = stage.row(replies[1].headers["x-request-id"])["units"]
    assert units["cached_input"] == cached and units["input"] == replies[1].json()["usage"]["input_tokens"] - cached


def test_a_stream_holds_while_it_runs_and_pays_what_the_end_says(stage: Stage) -> None:
    stage.settled()
    with stream(stage, "[[pace:60]] [[tokens:60]]") as caller:
        caller.until(b"response.output_text.delta", 10)
        wait_until(lambda: stage.usage()["cache_used"] > 0, what="money in use while the stream runs")
        caller.rest()
    last = events(caller)[-1]["response"]
    row = stage.row(caller.call_id)
    assert row["units"]["output"] == last["usage"]["output_tokens"] == 60
    assert (row["ended"], row["estimated"], bool(row["stream"])) == ("completed", 0, True)
    assert status(stage, last["id"]) == 200
    stage.settled()


def test_what_came_before_is_held_at_the_models_input_limit(stage: Stage) -> None:
    made = ask(stage, "Hello").json()["id"]
    stage.settled()
    with stream(stage, "[[pace:40]] [[tokens:100]]", previous_response_id=made) as caller:
        caller.until(b"response.output_text.delta", 5)
        wait_until(lambda: stage.usage()["cache_used"] >= 128_000 * 0.15 / 10**6, what="the whole input held")
        caller.rest()
    assert stage.settled()["cache_used"] == 0
    assert stage.row(caller.call_id)["units"]["input"] < 200


def test_a_caller_who_leaves_pays_for_what_went_out_and_nothing_is_kept(stage: Stage) -> None:
    word = mark()
    with stream(stage, f"{word} [[pace:40]] [[tokens:4000]]") as caller:
        caller.until(b"response.output_text.delta", 20)
        id = events(caller)[0]["response"]["id"]
    wait_until(
        lambda: [e["end"] for e in stage.received(word)] == ["caller_left"], what="the caller's leaving upstream"
    )
    row = stage.row(caller.call_id)
    assert (row["ended"], bool(row["estimated"])) == ("caller_left", True)
    assert 5 <= row["units"]["output"] <= stage.received(word)[0]["sent_tokens"] + 5 and row["cost"] > 0
    assert status(stage, id) == 404
    stage.settled()
    stage.sound()


@pytest.mark.parametrize("fault", ["cut-after:12", "error-event:12", "malformed-chunk:12", "missing-end"])
def test_a_broken_stream_ends_with_the_vendors_error_event(stage: Stage, fault: str) -> None:
    with stream(stage, f"[[fault:{fault}]] [[tokens:30]]") as caller:
        caller.rest()
    seen = events(caller)
    assert seen[-1]["type"] == "error" and seen[-1]["code"] == "upstream_error"
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert not any(event["type"] == "response.completed" for event in seen)
    assert caller.seen.rstrip().endswith(b"}"), "no clean end"
    row = stage.row(caller.call_id)
    assert row["ended"] == "upstream_broken" and row["units"]["output"] > 0 and row["cost"] > 0
    assert status(stage, seen[0]["response"]["id"]) == 404
    stage.settled()


def test_the_sdk_raises_where_a_stream_breaks(stage: Stage) -> None:
    with openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=30) as sdk:
        made = sdk.responses.create(model="gpt-4o-mini", input="[[fault:cut-after:12]] [[tokens:30]]", stream=True)
        seen: list[Any] = []
        with pytest.raises((openai.APIError, httpx.RemoteProtocolError)):
            seen.extend(made)
        assert seen[-1].type == "error" and seen[-1].code == "upstream_error"
        assert "response.completed" not in {event.type for event in seen}


def test_before_content_the_next_channel_is_tried(stage: Stage) -> None:
    with stream(stage, "Hello", model="twice") as caller:
        caller.rest()
    seen = events(caller)
    assert seen[-1]["type"] == "response.completed"
    assert len({event["response"]["id"] for event in seen if "response" in event}) == 1, "of one answer only"
    row = stage.row(caller.call_id)
    assert [attempt[3] for attempt in row["attempts"]] == ["upstream_error", ""]
    assert status(stage, seen[-1]["response"]["id"]) == 200


def test_an_empty_answer_is_free(stage: Stage) -> None:
    for streamed in (False, True):
        reply = ask(stage, "[[fault:empty]]", stream=streamed)
        assert reply.status_code == 200
        row = stage.row(reply.headers["x-request-id"])
        assert (row["ended"], row["cost"]) == ("empty", 0)


def test_a_small_balance_lowers_the_limit(stage: Stage) -> None:
    key, word = "sk-tight-0123456789", mark()
    reply = ask(stage, f"{word} [[tokens:4000]]", key, model="dear")
    limit = int(reply.headers["x-unigate-limited"].removeprefix("output_tokens="))
    assert 100 < limit < 150
    assert stage.received(word)[0]["body"]["max_output_tokens"] == limit
    assert reply.json()["status"] == "incomplete" and reply.json()["usage"]["output_tokens"] == limit
    data = stage.settled(key)
    assert data["balance"] >= 0
    stage.sound()


def test_a_balance_below_the_vendors_least_limit_is_refused(stage: Stage) -> None:
    """0.01 USD pays 10 tokens, and no vendor takes a limit below 16."""
    word = mark()
    reply = ask(stage, word, "sk-bare-0123456789", model="dear")
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")
    assert stage.received(word) == []


def test_free_calls_cost_nothing_and_leave_no_row(stage: Stage) -> None:
    made, before, rows = ask(stage, "Hello").json()["id"], moved(stage), len(stage.rows())
    assert [status(stage, made) for _ in range(3)] == [200, 200, 200]
    after = moved(stage)
    assert len(stage.rows()) == rows + 1 and after - before == stage.row(last(stage))["cost"]


def test_a_store_that_is_away_makes_no_promise(stage: Stage) -> None:
    """Neither a reply nor the end of a stream comes before its id is bound."""
    before = moved(stage)
    with locked(stage):
        whole = ask(stage, "Hello")
        assert (whole.status_code, whole.json()["error"]["code"]) == (503, "store_unavailable")
        assert "x-unigate-cost" not in whole.headers
        with stream(stage, "Hello") as caller:
            caller.rest()
        unbound = ask(stage, "Hello", store=False)
        assert unbound.status_code == 200, "what is not kept needs no store"
    seen = events(caller)
    assert (seen[-1]["type"], seen[-1]["code"]) == ("error", "store_unavailable")
    assert not any(event["type"] == "response.completed" for event in seen)
    row = stage.row(caller.call_id)
    assert (row["ended"], row["error"]) == ("failed", "store_unavailable") and row["cost"] > 0
    refused = stage.row(whole.headers["x-request-id"])
    assert (refused["cost"], refused["status"], refused["ended"]) == (0, 503, "failed")
    paid = row["cost"] + stage.row(unbound.headers["x-request-id"])["cost"]
    after = moved(stage)
    assert after - before == paid + stage.row(last(stage))["cost"]
    stage.sound()


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_killed_right_after_a_reply_the_response_is_known(tmp_path: Path, vendors: Process, streamed: bool) -> None:
    first = set_stage(tmp_path, vendors, CONFIG)
    try:
        if streamed:
            with stream(first, "Hello") as caller:
                caller.until(b"event: response.completed")
                first.stop_hard()
                made = events(caller)[0]["response"]["id"]
        else:
            made = ask(first, "Hello").json()["id"]
    finally:
        first.stop_hard()
    again = set_stage(tmp_path, vendors, CONFIG)
    try:
        assert status(again, made) == 200
        assert ask(again, "And?", previous_response_id=made).status_code == 200
        again.settled()
        again.sound()
    finally:
        assert again.stop() == 0
