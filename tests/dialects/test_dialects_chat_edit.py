"""The few changes that are made to a caller's body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.dialects import openai_chat as chat


def edit(body: bytes, **edits: Any) -> bytes:
    return chat.edit(body, chat.read(body), chat.Edits(**edits))


def test_asking_us_for_the_cost_goes_no_further() -> None:
    assert edit(b'{"usage":{"include":true},"model":"m"}') == b'{"model":"m"}'
    assert edit(b'{"model":"m", "usage":{"include":false}}') == b'{"model":"m", "usage":{"include":false}}'


def test_without_changes_the_very_same_bytes_pass() -> None:
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":5}'
    assert edit(body) is body
    assert edit(body, model="m", ask_usage=True, output_limit=5, drop=("usage",)) is body
    assert edit(b'{"model":"m"}', ask_usage=True) == b'{"model":"m"}'


@pytest.mark.parametrize(
    ("body", "edits", "wanted"),
    [
        (b'{ "model" : "a" , "x":1.50 }', {"model": "b"}, b'{ "model" : "b" , "x":1.50 }'),
        (b'{"x":{"model":"a"},"model":"a"}', {"model": "b"}, b'{"x":{"model":"a"},"model":"b"}'),
        (b'{"x":"\\"model\\":\\"a\\"","model":"a"}', {"model": "b"}, b'{"x":"\\"model\\":\\"a\\"","model":"b"}'),
        (b'{"model":"a\\"b"}', {"model": 'c"d'}, b'{"model":"c\\"d"}'),
        (b'{"mod\\u0065l":"a"}', {"model": "b"}, b'{"mod\\u0065l":"b"}'),
        (
            b'{"model":"a","stream":true}',
            {"ask_usage": True},
            b'{"stream_options":{"include_usage":true},"model":"a","stream":true}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":null}',
            {"ask_usage": True},
            b'{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":{ }}',
            {"ask_usage": True},
            b'{"model":"a","stream":true,"stream_options":{"include_usage":true }}',
        ),
        (
            b'{"stream_options":{"x":1, "include_usage" : null},"model":"a","stream":true}',
            {"ask_usage": True, "model": "b"},
            b'{"stream_options":{"x":1, "include_usage" : true},"model":"b","stream":true}',
        ),
        (b'{"model":"a","max_tokens":50}', {"output_limit": 9}, b'{"model":"a","max_tokens":9}'),
        (b'{"model":"a","max_tokens":50}', {"output_limit": 60}, b'{"model":"a","max_tokens":50}'),
        (
            b'{"max_completion_tokens":70,"model":"a","max_tokens":5}',
            {"output_limit": 9},
            b'{"max_completion_tokens":9,"model":"a","max_tokens":5}',
        ),
        (b'{"model":"a"}', {"output_limit": 9}, b'{"max_completion_tokens":9,"model":"a"}'),
        (b'{"model":"a"}', {"output_limit": 9, "limit_field": "max_tokens"}, b'{"max_tokens":9,"model":"a"}'),
        (
            b'{"model":"a","max_tokens":null}',
            {"output_limit": 9},
            b'{"max_completion_tokens":9,"model":"a","max_tokens":null}',
        ),
        (b'{"usage":{"include":true},"model":"a"}', {"drop": ("usage",)}, b'{"model":"a"}'),
        (
            b'{"a":{"usage":1},"model":"a","usage":{"include":true}}',
            {"drop": ("usage",)},
            b'{"a":{"usage":1},"model":"a"}',
        ),
    ],
)
def test_only_what_is_named_changes(body: bytes, edits: dict[str, Any], wanted: bytes) -> None:
    assert edit(body, **edits) == wanted
    json.loads(wanted)


NAMES = st.sampled_from(["seed", "messages", "tools", "metadata", "usage2", "n", "temperature"])
ANY = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=8) | st.just('"model":"x"'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "usage", "k"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(NAMES, ANY, max_size=4),
    st.text(min_size=1, max_size=8),
    st.booleans(),
    st.none() | st.integers(0, 99),
    st.none() | st.integers(0, 99),
    st.booleans(),
)
def test_all_edits_together_mean_what_they_say(
    more: dict[str, Any],
    model: str,
    stream: bool,
    used: int | None,
    limit: int | None,
    spaced: bool,
) -> None:
    more.pop("n", None)
    call: dict[str, Any] = {**more, "model": model, "stream": stream}
    if used is not None:
        call["max_tokens"] = used
    body = json.dumps(call, indent=2 if spaced else None, ensure_ascii=spaced).encode()
    after = json.loads(edit(body, model="new", ask_usage=True, output_limit=limit))
    wanted = {**call, "model": "new"}
    if stream:
        wanted["stream_options"] = {"include_usage": True}
    if limit is not None:
        if used is None:
            wanted["max_completion_tokens"] = limit
        else:
            wanted["max_tokens"] = min(used, limit)
    assert after == wanted
