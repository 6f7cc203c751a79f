"""Watching a stream of responses: nothing is delayed or changed without need, the end is held back, in whichever cuts."""

import json
from dataclasses import replace
from typing import Any

import pytest
from responses_cases import FACTS, LAST, MESSAGE, OPENING, PLAIN, SAID, UNITS, USAGE, WHOLE, event, response, watching

from support.cuts import cuts
from unigate.base.errors import TookTooLong
from unigate.dialects import openai_responses as responses


def fed(pieces: list[bytes], watch: responses.Watch) -> bytes:
    """What the caller gets before the end."""
    return b"".join([*map(watch.feed, pieces), watch.finish()])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_whole_stream_passes_in_whatever_pieces(line_end: bytes) -> None:
    whole, last = WHOLE.replace(b"\n", line_end), LAST.replace(b"\n", line_end)
    for pieces in cuts(whole):
        watch = watching()
        out = fed(pieces, watch)
        assert out + watch.ending == whole
        assert watch.ending == last
        assert (watch.done, watch.finished, watch.content, watch.empty, watch.error) == (True, True, True, False, None)
        assert watch.usage is not None and watch.usage.units == UNITS
        assert (watch.id, watch.service_tier, watch.sequence) == ("resp_1", "default", 9)


def test_events_pass_at_once_as_the_same_bytes() -> None:
    watch = watching()
    for one in (*OPENING, *SAID, b": comment\n\n"):
        assert watch.feed(one) is one
    both = SAID[0] + SAID[1]
    assert watch.feed(both) is both
    assert watch.feed(SAID[0] + SAID[1][:9]) == SAID[0]
    assert watch.feed(SAID[1][9:]) == SAID[1]


def test_nothing_of_the_opening_is_content() -> None:
    watch = watching()
    for one in (
        *OPENING,
        event("response.queued", response=response()),
        event("response.reasoning_summary_part.added"),
    ):
        watch.feed(one)
        assert not watch.content and watch.empty
    watch.feed(event("response.output_text.delta", delta=""))
    assert not watch.content
    assert watch.output_tokens == 0


@pytest.mark.parametrize(
    "one",
    [
        event("response.output_text.delta", delta=" "),
        event("response.refusal.delta", delta="no"),
        event("response.reasoning_text.delta", delta="hm"),
        event("response.reasoning_summary_text.delta", delta="hm"),
        event("response.function_call_arguments.delta", delta="{"),
        event("response.custom_tool_call_input.delta", delta="x"),
        event("response.audio.delta", delta="AAAA"),
        event("response.output_item.done", item={"type": "reasoning", "summary": []}),
        event("response.web_search_call.searching", item_id="ws_1"),
        event("response.image_generation_call.partial_image", partial_image_b64="AA"),
        event("response.some_new_thing", item_id="x"),
        b'data: {"type":"response.output_text.delta","delta":"x"}\n\n',
        b'event: response.output_text.delta\ndata: {"delta":"x"}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",\ndata: "delta":"x"}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x","logprobs":[NaN]}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"\\ud800"}\n\n',
        event("response.output_text.delta", delta={"odd": 1}),
        event("response.output_text.delta", delta="x", item="odd"),
    ],
)
def test_what_is_content(one: bytes) -> None:
    watch = watching()
    assert watch.feed(one) == one
    assert watch.content and not watch.empty and watch.error is None


def test_what_is_counted_for_an_estimate() -> None:
    watch = watching()
    watch.feed(event("response.output_item.added", item={"type": "function_call", "name": "get_weather"}))
    watch.feed(event("response.function_call_arguments.delta", delta='{"city":"Paris"}'))
    counted = watch.output_tokens
    assert 8 <= counted <= 20
    watch.feed(b"".join(SAID))
    assert counted + 2 <= watch.output_tokens <= counted + 5
    usage = responses.estimate(b'{"model":"m","input":"a b c","stream":true}', watch)
    assert usage.estimated and usage.units["output"] == watch.output_tokens and 3 <= usage.units["input"] <= 15
    sound = watching()
    sound.feed(event("response.audio.delta", delta="A" * 6400))
    assert responses.estimate(b"{}", sound).units["audio_output"] == 2


def test_the_cost_stands_in_the_last_event_only() -> None:
    for pieces in cuts(WHOLE):
        watch = watching("0.0123")
        assert fed(pieces, watch) == b"".join((*OPENING, *SAID))
        told = json.loads(watch.ending.partition(b"data: ")[2])
        assert told["response"]["usage"] == {"cost": 0.0123, **USAGE}
        assert watch.ending.replace(b'"cost":0.0123,', b"") == LAST


@pytest.mark.parametrize(
    "usage", [None, {}, {"input_tokens": -1, "output_tokens": 2}, {"input_tokens": 1}, "odd", True]
)
def test_usage_that_is_none(usage: Any) -> None:
    watch = watching("1")
    last = event("response.completed", response=response("completed", output=[MESSAGE], usage=usage))
    assert watch.feed(last) == b""
    assert (watch.usage, watch.content, watch.ending) == (None, True, last)
    assert watch.output_tokens >= 2, "what was said is counted from the end where nothing came before it"


def test_an_incomplete_end() -> None:
    watch = watching()
    last = event("response.incomplete", response=response("incomplete", usage=USAGE, service_tier="flex"))
    assert fed([*OPENING, *SAID, last], watch) == b"".join((*OPENING, *SAID))
    assert (watch.ending, watch.done, watch.service_tier) == (last, True, "flex")


def test_an_empty_answer() -> None:
    watch = watching()
    none = {**USAGE, "output_tokens": 0, "output_tokens_details": None}
    watch.feed(OPENING[0] + event("response.completed", response=response("completed", usage=none)))
    assert watch.done and watch.empty


@pytest.mark.parametrize(
    ("code", "ours"), [("server_error", True), ("rate_limit_exceeded", True), (None, True), ("invalid_prompt", False)]
)
def test_a_failure_before_content_is_tried_elsewhere_where_it_is_the_vendors(code: str | None, ours: bool) -> None:
    error = {"code": code, "message": "x"} if code else None
    last = event("response.failed", response=response("failed", error=error))
    watch = watching()
    watch.feed(OPENING[0] + last)
    assert (watch.error is not None, watch.done) == (ours, not ours)
    if not ours:
        assert watch.ending == last and watch.empty
    late = watching()
    assert fed([*OPENING, *SAID, last], late) == b"".join((*OPENING, *SAID))
    assert (late.error, late.ending, late.done) == (None, last, True)


@pytest.mark.parametrize(
    "bad",
    [
        event("error", code="server_error", message="x", param=None, sequence_number=4),
        b'event: error\ndata: {"message":"x"}\n\n',
        b'data: {"error":{"message":"x"}}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.out\n\n',
        b"event: response.completed\ndata: {}\n\n",
    ],
)
def test_errors_end_it(bad: bytes) -> None:
    for pieces in cuts(OPENING[0] + bad + SAID[0]):
        watch = watching()
        assert fed(pieces, watch) == OPENING[0]
        assert watch.error is not None and not watch.done and watch.ending == b""


def test_nothing_follows_the_end() -> None:
    for pieces in cuts(WHOLE + b"data: [DONE]\n\n" + SAID[0]):
        watch = watching()
        assert fed(pieces, watch) + watch.ending == WHOLE
    watch = watching()
    assert watch.feed(b"data: [DONE]\n\n") == b"data: [DONE]\n\n"
    assert not watch.done, "only the vendor's last event ends a response"


def test_a_last_event_without_its_blank_line() -> None:
    watch = watching()
    assert fed([WHOLE[:-2]], watch) == b"".join((*OPENING, *SAID))
    assert watch.done and watch.ending == LAST


def test_what_is_not_kept_has_no_id() -> None:
    watch = watching()
    watch.feed(OPENING[0])
    assert watch.id == "resp_1"
    watch.feed(event("response.completed", response=response("completed", store=False)))
    assert watch.id == ""


def test_an_error_of_ours_has_the_next_number() -> None:
    watch = watching()
    watch.feed(b"".join((*OPENING, *SAID)))
    written = responses.write_stream_error(TookTooLong(), "req_1", watch)
    name, _, data = written.partition(b"\n")
    told = json.loads(data.removeprefix(b"data: "))
    assert name == b"event: error" and written.endswith(b"\n\n")
    assert (told["type"], told["code"], told["sequence_number"]) == ("error", "upstream_timeout", 8)
    assert "req_1" in told["message"]


def test_a_watcher_knows_nothing_at_first() -> None:
    watch = responses.Watch(FACTS, PLAIN, show_usage=True)
    assert (watch.content, watch.done, watch.error, watch.usage, watch.ending, watch.id) == (
        *(False, False, None, None),
        b"",
        "",
    )


@pytest.mark.parametrize("cost", [None, "0.5"])
def test_what_the_operator_pays_goes_to_no_caller(cost: str | None) -> None:
    provider = replace(PLAIN, private_usage=frozenset({"cost", "cost_details"}))
    told = {**USAGE, "cost": 0.125, "cost_details": {"upstream": 0.1}}
    last = event("response.completed", response=response("completed", output=[MESSAGE], usage=told), sequence_number=8)
    for pieces in cuts(b"".join((*OPENING, *SAID, last))):
        watch = responses.Watch(FACTS, provider, show_usage=False, cost=(lambda _: cost) if cost else None)
        fed(pieces, watch)
        shown = json.loads(watch.ending.split(b"data: ")[1])["response"]["usage"]
        assert shown == ({**USAGE, "cost": 0.5} if cost else USAGE)
        assert watch.usage is not None and watch.usage.units == UNITS
