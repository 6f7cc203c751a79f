"""What a whole answer says, hostile figures included, and the cost that is put into it."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import BadAnswer, UpstreamRefused
from unigate.dialects import openai_chat as chat
from unigate.dialects.openai_usage import read_usage
from unigate.spec.provider import Provider
from unigate.spec.usage import FALLBACK, MAX_COUNT, Usage

PLAIN = Provider(name="plain", title="Plain", base_url=None, speaks=("openai_chat",))
SLOW = Provider(name="slow", title="Slow", base_url=None, speaks=("openai_chat",), adjust_usage=lambda told: told)
TEXT = [{"index": 0, "message": {"role": "assistant", "content": "Some words."}, "finish_reason": "stop"}]


def answer(usage: Any, choices: Any = TEXT) -> bytes:
    return json.dumps({"id": "c", "choices": choices, "usage": usage}).encode()


def units(usage: Any) -> dict[str, int] | None:
    """Units of a usage object, the same by the quick way, by the slow way and in a stream."""
    ways = [chat.read_answer(answer(usage), provider).usage for provider in (PLAIN, SLOW)]
    watch = chat.Watch(chat.read(b'{"model":"m","stream":true}'), PLAIN, show_usage=True)
    watch.feed(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    ways.append(watch.usage)
    for one, other in itertools.pairwise(ways):
        assert one == other
    return ways[0].units if ways[0] else None


HOSTILE: list[Any] = [-1, 1.0, 1e3, "7", True, None, MAX_COUNT + 1, 10**30, [], {}, "NaN"]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_total_that_cannot_be_counted_is_not_reported(name: str, bad: Any) -> None:
    assert units({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7} | {name: bad}) is None


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize(
    ("side", "name"),
    [
        ("prompt_tokens_details", "cached_tokens"),
        ("prompt_tokens_details", "audio_tokens"),
        ("prompt_tokens_details", "cache_write_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
        ("completion_tokens_details", "audio_tokens"),
    ],
)
def test_a_part_that_cannot_be_counted_is_no_part(side: str, name: str, bad: Any) -> None:
    told = {"prompt_tokens": 30, "completion_tokens": 40, side: {name: bad}}
    assert units(told) == {"input": 30, "output": 40}


@pytest.mark.parametrize("usage", [None, 5, "x", [], {}, {"prompt_tokens": 3}, {"completion_tokens": 3}])
def test_without_totals_nothing_is_reported(usage: Any) -> None:
    assert units(usage) is None


@pytest.mark.parametrize("details", [5, "x", [], [1], {"cached_tokens": {"x": 1}}])
def test_details_of_a_wrong_form_are_none(details: Any) -> None:
    assert units({"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": details}) == {
        "input": 3,
        "output": 4,
    }


@pytest.mark.parametrize(
    ("prompt", "completion", "wanted"),
    [
        ({"cached_tokens": 500}, {}, {"input": 0, "cached_input": 100, "output": 50}),
        ({}, {"reasoning_tokens": 500}, {"input": 100, "output": 0, "reasoning": 50}),
        (
            {"cached_tokens": 60, "audio_tokens": 80},
            {},
            {"input": 0, "cached_input": 20, "audio_input": 40, "cached_audio_input": 40, "output": 50},
        ),
        (
            {"cached_tokens": 60, "audio_tokens": 30},
            {},
            {"input": 10, "cached_input": 60, "audio_input": 30, "output": 50},
        ),
        (
            {"cached_tokens": 60, "cache_write_tokens": 60},
            {},
            {"input": 0, "cached_input": 60, "cache_write": 40, "output": 50},
        ),
        (
            {"image_tokens": 70, "cached_tokens": 10},
            {},
            {"input": 20, "cached_input": 10, "image_input": 70, "output": 50},
        ),
        (
            {},
            {"reasoning_tokens": 20, "audio_tokens": 20, "image_tokens": 20},
            {"input": 100, "output": 0, "reasoning": 20, "audio_output": 20, "image_output": 10},
        ),
    ],
)
def test_parts_never_exceed_their_total(
    prompt: dict[str, int], completion: dict[str, int], wanted: dict[str, int]
) -> None:
    told = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }
    assert units(told) == wanted


COUNT = st.integers(-5, 2000) | st.just(MAX_COUNT) | st.just(MAX_COUNT + 1)
PART = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens"], COUNT
    ),
)


@given(COUNT, COUNT, PART, PART)
def test_units_are_disjoint_and_add_up(prompt: int, completion: int, into: dict[str, int], out: dict[str, int]) -> None:
    told = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": into,
        "completion_tokens_details": out,
    }
    usage = read_usage(told, PLAIN)
    if not (0 <= prompt <= MAX_COUNT and 0 <= completion <= MAX_COUNT):
        assert usage is None
        return
    assert usage is not None
    assert usage.input_tokens == prompt
    assert usage.output_tokens == completion
    assert all(count >= 0 for count in usage.units.values())
    assert set(usage.units) <= set(FALLBACK)


def test_completion_may_be_told_by_the_total_only() -> None:
    assert units({"prompt_tokens": 3, "total_tokens": 10}) == {"input": 3, "output": 7}


MESSAGES: list[tuple[dict[str, Any], bool]] = [
    ({"content": ""}, True),
    ({"content": None}, True),
    ({"content": None, "refusal": None, "annotations": [], "tool_calls": []}, True),
    ({"content": "", "reasoning_content": "hm"}, False),
    (
        {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        False,
    ),
    ({"content": None, "function_call": {"name": "f", "arguments": "{}"}}, False),
    ({"content": None, "refusal": "No."}, False),
    ({"content": None, "audio": {"id": "a", "data": "AAAA", "transcript": ""}}, False),
    ({"content": [{"type": "text", "text": "parts"}]}, False),
    ({"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}, False),
]


@pytest.mark.parametrize(("message", "empty"), MESSAGES)
def test_empty_is_nothing_sent_and_nothing_reported(message: dict[str, Any], empty: bool) -> None:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]
    nothing = {"prompt_tokens": 5, "completion_tokens": 0}
    assert chat.read_answer(answer(nothing, choices), PLAIN).empty is empty
    assert chat.read_answer(answer(None, choices), PLAIN).empty is empty
    hidden = {"prompt_tokens": 5, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 9}}
    assert chat.read_answer(answer(hidden, choices), PLAIN).empty is False


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id":"x"}', b'{"choices":null}', b"\xff", b"[" * 5000])
def test_what_is_no_answer_is_told(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        chat.read_answer(body, PLAIN)


@pytest.mark.parametrize(("code", "status"), [(429, 429), ("rate", 502), (None, 502), (200, 502)])
def test_an_error_with_status_200_is_a_refusal(code: Any, status: int) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    with pytest.raises(UpstreamRefused) as raised:
        chat.read_answer(body, PLAIN)
    assert raised.value.upstream_status == status
    assert raised.value.body == body


def test_an_answer_that_strict_reading_refuses_is_read_still() -> None:
    body = b'{"choices":[{"message":{"content":"x"},"logprobs":{"a":-Infinity}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    seen = chat.read_answer(body, PLAIN)
    assert seen.usage == Usage({"input": 1, "output": 2})


def test_sound_is_estimated_from_its_length() -> None:
    choices = [{"message": {"content": None, "audio": {"data": "A" * 64_000, "transcript": "Good morning to you"}}}]
    seen = chat.read_answer(answer(None, choices), PLAIN)
    usage = chat.estimate(b'{"model":"m","messages":[]}', seen)
    assert usage.estimated
    assert usage.units["audio_output"] == 20
    assert 3 <= usage.units["output"] <= 6


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"usage":{"prompt_tokens":1}}', b'{"usage":{"cost":0.5,"prompt_tokens":1}}'),
        (b'{"usage" : { "prompt_tokens":1}}', b'{"usage" : {"cost":0.5, "prompt_tokens":1}}'),
        (b'{"usage":{}}', b'{"usage":{"cost":0.5}}'),
        (b'{"usage":{"cost":9e-7,"x":1}}', b'{"usage":{"cost":0.5,"x":1}}'),
        (b'{"c":[{"usage":{"a":1}}],"usage":{"b":1}}', b'{"c":[{"usage":{"a":1}}],"usage":{"cost":0.5,"b":1}}'),
        (b'{"c":"\\"usage\\":{","usage":{"b":1}}', b'{"c":"\\"usage\\":{","usage":{"cost":0.5,"b":1}}'),
        (
            b'{"c":[{"usage":{"a":1}}]}',
            b'{"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":0.5},"c":[{"usage":{"a":1}}]}',
        ),
        (
            b'{"a":1,"usage":null}',
            b'{"a":1,"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":0.5}}',
        ),
    ],
)
def test_the_cost_is_put_where_it_belongs(body: bytes, wanted: bytes) -> None:
    assert chat.add_cost(body, "0.5", Usage({"input": 1, "cached_input": 2, "output": 2})) == wanted
    json.loads(wanted)


def test_without_any_usage_the_cost_stands_alone() -> None:
    assert chat.add_cost(b'{"a":1}', "0.5") == b'{"usage":{"cost":0.5},"a":1}'
