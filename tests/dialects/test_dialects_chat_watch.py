"""Watching a stream: nothing is delayed, nothing is changed without need, the end is held back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.dialects import openai_chat as chat
from unigate.dialects import sse
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

PLAIN = Provider(name="plain", title="Plain", base_url=None, speaks=("openai_chat",))
FACTS = chat.read(b'{"model":"m","stream":true}')
DONE = b"data: [DONE]\n\n"


def event(**members: Any) -> bytes:
    return b"data: " + json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def delta(finish: str | None = None, /, **members: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": members, "finish_reason": finish}])


def watching(*, show: bool = False, cost: str | None = None) -> chat.Watch:
    return chat.Watch(FACTS, PLAIN, show_usage=show, cost=(lambda _: cost) if cost else None)


@pytest.mark.parametrize(
    "members",
    [
        {"content": "a"},
        {"content": " "},
        {"content": [{"type": "text", "text": "a"}]},
        {"content": 5.5, "refusal": "no"},
        {"refusal": "no"},
        {"reasoning": "hm"},
        {"reasoning_content": "hm"},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "AA=="}]},
        {"thinking": "hm"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": ""}}]},
        {"tool_calls": ["odd"]},
        {"function_call": {"name": "f"}},
        {"audio": {"id": "a", "transcript": "x"}},
        {"audio": {"data": "AAAA"}},
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
    ],
)
def test_what_is_content(members: dict[str, Any]) -> None:
    watch = watching()
    assert watch.feed(delta(role="assistant", content="", refusal=None)) == delta(
        role="assistant", content="", refusal=None
    )
    assert (watch.content, watch.empty) == (False, True)
    watch.feed(delta(**members))
    assert (watch.content, watch.empty) == (True, False)
    assert watch.output_tokens + watch.audio_tokens >= 1


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"role": "assistant"},
        {"content": None},
        {"content": "", "tool_calls": None, "reasoning": None, "reasoning_details": []},
        {"tool_calls": []},
        {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "", "arguments": ""}}]},
        {"audio": {"id": "audio_1", "expires_at": 1}},
        {"reasoning_details": [{"type": "reasoning.text", "text": "", "signature": "", "index": 0}]},
    ],
)
def test_what_is_none(members: dict[str, Any]) -> None:
    watch = watching()
    watch.feed(delta(**members))
    assert not watch.content
    assert watch.output_tokens == 0 or "audio" in members


def test_an_event_without_choices_is_no_content() -> None:
    watch = watching()
    for odd in (event(choices=[]), event(object="x"), b"data: 5\n\n", b"data: null\n\n", b"data:\n\n", b": ping\n\n"):
        assert watch.feed(odd) == odd
    assert not watch.content
    assert watch.error is None


def test_complete_events_are_never_held_back() -> None:
    watch = watching(show=True)
    one, two = delta(content="one"), delta(content="two")
    assert watch.feed(one + two[:9]) == one
    assert watch.feed(two[9:20]) == b""
    assert watch.feed(two[20:] + one) == two + one


def test_several_events_without_change_are_the_same_object() -> None:
    watch = watching()
    piece = delta(content="one") + b": note\n\n" + delta(content="two")
    assert watch.feed(piece) is piece
    crlf = delta(content="three").replace(b"\n", b"\r\n")
    assert watch.feed(crlf) is crlf


def test_nothing_follows_the_end() -> None:
    watch = watching()
    assert watch.feed(delta(content="x") + DONE + delta(content="late")) == delta(content="x")
    assert watch.done
    assert watch.ending == DONE
    assert watch.feed(delta(content="later")) == b""
    assert watch.finish() == b""
    assert watch.ending == DONE


def test_the_usage_event_waits_with_the_end() -> None:
    usage = event(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2})
    watch = watching(show=True)
    assert watch.feed(delta(content="x") + usage) == delta(content="x")
    assert watch.usage == Usage({"input": 1, "output": 2})
    assert watch.feed(b": note\n\n") == b""
    assert watch.feed(DONE) == b""
    assert watch.ending == usage + b": note\n\n" + DONE


def test_an_end_that_was_none_is_released_in_order() -> None:
    usage = event(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 0})
    watch = watching(show=True)
    assert watch.feed(usage) == b""
    assert watch.feed(delta(content="x")) == usage + delta(content="x")
    assert watch.ending == b""


def test_the_last_usage_counts_and_a_bad_one_does_not() -> None:
    watch = watching()
    for told in (
        {"prompt_tokens": 1, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 5},
        {"prompt_tokens": -1},
    ):
        watch.feed(event(choices=[{"delta": {"content": "x"}}], usage=told))
    assert watch.usage == Usage({"input": 1, "output": 5})


def test_usage_beside_something_else_leaves_the_rest() -> None:
    watch = watching()
    passed = watch.feed(event(id="x", choices=[], usage={"prompt_tokens": 1, "completion_tokens": 2}, citations=["a"]))
    assert passed == event(id="x", choices=[], citations=["a"])


def test_the_vendors_own_cost_is_replaced() -> None:
    watch = watching(cost="0.25")
    watch.feed(event(choices=[], usage={"prompt_tokens": 1, "cost": 9.5, "completion_tokens": 2}))
    assert watch.ending == event(choices=[], usage={"prompt_tokens": 1, "cost": 0.25, "completion_tokens": 2})


def test_a_null_usage_below_is_not_ours() -> None:
    watch = watching()
    inner = event(choices=[{"index": 0, "delta": {"content": "x"}, "usage": None}])
    assert watch.feed(inner) is inner
    both = event(choices=[{"index": 0, "delta": {"content": '"usage":null'}, "usage": None}], usage=None)
    assert watch.feed(both) == event(choices=[{"index": 0, "delta": {"content": '"usage":null'}, "usage": None}])
    escaped = b'data: {"choices":[],"us\\u0061ge":null}\n\n'
    assert watch.feed(escaped) == b'data: {"choices":[]}\n\n'
    spaced = b'data: {"usage": null, "choices": []}\n\n'
    assert watch.feed(spaced) == b'data: {"choices": []}\n\n'


def test_nothing_passes_after_an_error() -> None:
    watch = watching()
    bad = event(error={"message": "broke"})
    assert watch.feed(delta(content="x") + bad + delta(content="y") + DONE) == delta(content="x")
    assert watch.error == bad[6:-2]
    assert not watch.done
    assert watch.feed(delta(content="z")) == b""
    assert watch.ending == b""


@pytest.mark.parametrize("value", [None, "", {}])
def test_an_empty_error_is_none(value: Any) -> None:
    watch = watching()
    piece = event(choices=[{"delta": {"content": "x"}}], error=value)
    assert watch.feed(piece) is piece
    assert watch.error is None


@pytest.mark.parametrize(
    "bad", [b"data: {oops}\n\n", b"data: <html>\n\n", b'data: {"a":\n\n', b"data: " + b"[" * 9000 + b"\n\n"]
)
def test_what_cannot_be_read_is_an_error_without_words(bad: bytes) -> None:
    watch = watching()
    assert watch.feed(delta(content="x") + bad) == delta(content="x")
    assert watch.error == b""


def test_an_event_beyond_all_bounds_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = chat.Watch(FACTS, PLAIN, show_usage=False)
    small = sse.Splitter(limit=1000)
    monkeypatch.setattr(watch, "_splitter", small)
    assert watch.feed(b"data: {" + b"x" * 500) == b""
    assert watch.error is None
    assert watch.feed(b"x" * 600) == b""
    assert watch.error == b""


def test_invalid_utf8_passes_untouched() -> None:
    watch = watching()
    odd = b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n'
    assert watch.feed(odd) is odd
    assert watch.content


def test_an_estimate_counts_what_went_out() -> None:
    words = ["The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "near", "the", "river", "bank"]
    watch = watching()
    for word in words:
        watch.feed(delta(content=" " + word))
    usage = chat.estimate(b'{"model":"m","messages":[{"role":"user","content":"Tell me"}]}', watch)
    assert usage.estimated
    assert usage.units["output"] == len(words)
    assert 5 <= usage.units["input"] <= 15


PIECES = st.lists(
    st.sampled_from(
        [
            delta(role="assistant", content=""),
            delta(content="Olá, 世界"),
            event(choices=[{"index": 0, "delta": {"content": "x"}}], usage=None),
            event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 2}),
            b": note\r\n\r\n",
            b"data: {}\r\r",
            delta("stop"),
        ]
    ),
    max_size=9,
)


@given(PIECES, st.booleans(), st.booleans(), st.integers(1, 50))
def test_every_cut_gives_the_same(events: list[bytes], show: bool, cost: bool, size: int) -> None:
    text = b"".join(events) + DONE
    results = []
    for step in (len(text), size):
        watch = watching(show=show, cost="0.5" if cost else None)
        out = b"".join(watch.feed(text[at : at + step]) for at in range(0, len(text), step)) + watch.finish()
        results.append((out, watch.ending, watch.usage, watch.content, watch.output_tokens, watch.done))
    assert results[0] == results[1]
    if show and not cost:
        assert results[0][0] + results[0][1] == text
    if not show and not cost:
        assert b"usage" not in results[0][0] + results[0][1]


@given(st.binary(max_size=200), st.integers(1, 40))
def test_any_bytes_are_survived(raw: bytes, size: int) -> None:
    watch = watching()
    for at in range(0, len(raw), size):
        watch.feed(raw[at : at + size])
    watch.finish()
    assert isinstance(watch.ending, bytes)


def test_the_tier_is_what_the_provider_confirms() -> None:
    watch = chat.Watch(chat.read(b'{"model":"m","stream":true,"service_tier":"flex"}'), PLAIN, show_usage=False)
    watch.feed(delta(content="x"))
    assert watch.service_tier == "default"
    watch = watching()
    watch.feed(event(choices=[{"delta": {"content": "x"}}], service_tier="priority"))
    assert watch.service_tier == "priority"
    watch.feed(event(choices=[], service_tier="flex", usage={"prompt_tokens": 1, "completion_tokens": 1}))
    assert watch.service_tier == "flex"
