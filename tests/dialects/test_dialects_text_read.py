"""What is read of completions, embeddings and moderations, and what is refused before a provider sees it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import BadAnswer, BadRequest, InvalidJson, UpstreamRefused
from unigate.dialects import dialect, streams
from unigate.dialects import openai_completions as completions
from unigate.dialects import openai_embeddings as embeddings
from unigate.dialects import openai_moderations as moderations
from unigate.dialects.estimate import prompt_tokens
from unigate.dialects.openai_body import IMAGE_TOKENS
from unigate.spec.provider import Provider
from unigate.spec.usage import Usage

PLAIN = Provider(name="plain", title="Plain", base_url=None, speaks=())
NAMES = ("openai_completions", "openai_embeddings", "openai_moderations")


def body(**members: Any) -> bytes:
    return json.dumps({"model": "m", **members}).encode()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "error", "param"),
    [
        (b"", InvalidJson, None),
        (b"[]", InvalidJson, None),
        (b'{"model":5}', BadRequest, "model"),
        (b'{"model":""}', BadRequest, "model"),
        (b'{"model":"a","model":"b"}', InvalidJson, "model"),
        (b'{"model":"a","mod\\u0065l":"b"}', InvalidJson, "model"),
        (b'{"model":"m","usage":{"include":true,"include":false}}', InvalidJson, "usage.include"),
        (b'{"model":"m","usage":7}', BadRequest, "usage"),
        (b'{"model":"m","input":"\xff"}', InvalidJson, None),
        (b'{"model":"m","prompt":' + b"[" * 200 + b"]" * 200 + b"}", InvalidJson, None),
    ],
)
def test_broken_bodies(name: str, text: bytes, error: type[BadRequest], param: str | None) -> None:
    with pytest.raises(error) as caught:
        dialect(name).read(text)
    assert caught.value.param == param
    assert json.loads(dialect(name).write_error(caught.value, "req_1"))["error"]["message"]


@pytest.mark.parametrize("name", ["openai_completions", "openai_embeddings"])
def test_a_model_must_be_named(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        dialect(name).read(b'{"input":"x"}')
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": "2"}, "n"),
        ({"best_of": 21}, "best_of"),
        ({"best_of": -1}, "best_of"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"echo": "yes"}, "echo"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
    ],
)
def test_what_completions_refuse(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        completions.read(body(**members))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        (None, 1),
        ("text", 1),
        ([], 1),
        ([""], 1),
        (["a", "b, [c]", '"d"'], 3),
        ([1, 2, 3], 1),
        ([[1, 2], [3]], 2),
        ([[1]], 1),
    ],
)
def test_answers_are_counted_over_prompts_and_candidates(prompt: Any, prompts: int) -> None:
    assert completions.read(body(prompt=prompt)).count == prompts
    assert completions.read(body(prompt=prompt, n=3)).count == 3 * prompts
    assert completions.read(body(prompt=prompt, n=2, best_of=5)).count == 5 * prompts
    assert completions.read(body(prompt=prompt, best_of=0)).count == prompts
    assert completions.read(body(prompt=prompt, n=3)).inputs == prompts
    assert embeddings.read(body(input=prompt)).inputs == prompts
    spaced = json.dumps({"model": "m", "prompt": prompt}, indent=2).encode()
    assert completions.read(spaced).count == prompts


def test_an_echo_is_known_in_advance() -> None:
    assert completions.read(body(prompt="one two three")).echo == 0
    assert completions.read(body(prompt="one two three", echo=True, n=2)).echo == 6
    assert completions.read(body(prompt=[[1, 2], [3]], echo=True)).echo == 3
    assert completions.read(body(echo=True)).echo == 0


@pytest.mark.parametrize(
    ("members", "limit", "sent"),
    [
        ({"max_tokens": 100}, 40, 40),
        ({"max_tokens": 30}, 40, 30),
        ({"max_tokens": None}, 4, 4),
        ({}, 4, 4),
        ({}, 4000, 16),
    ],
)
def test_a_limit_is_lowered_and_never_raised(members: dict[str, Any], limit: int, sent: int) -> None:
    given_body = body(prompt="x", **members)
    edits = completions.Edits(output_limit=limit, limit_field="max_completion_tokens")
    sent_body = json.loads(completions.edit(given_body, completions.read(given_body), edits))
    assert sent_body == {"model": "m", "prompt": "x", "max_tokens": sent}
    assert edits.limit_field == "max_completion_tokens", "what was handed over stays as it was"


@pytest.mark.parametrize("spoken", [embeddings, moderations])
def test_what_has_no_output_has_no_limit_of_it(spoken: Any) -> None:
    given_body = body(input="x")
    facts = spoken.read(given_body)
    assert (facts.output_limit, facts.count, facts.stream) == (0, 1, False)
    assert spoken.edit(given_body, facts, spoken.Edits(output_limit=1, ask_usage=True)) is given_body


def test_only_dialects_with_streams_have_a_watch() -> None:
    assert [streams(dialect(name)) for name in NAMES] == [True, False, False]


@pytest.mark.parametrize(
    ("given_input", "open_input"),
    [
        ("https://example.com", False),
        (["https://example.com", "{"], False),
        ([{"text": "https://example.com"}], False),
        ([{"image": "https://example.com/a.png"}], True),
        (["a", {"image": "http://example.com/a.png"}], True),
        ([{"image": "data:image/png;base64,AAAA"}], False),
        (['"image": "https://example.com"'], False),
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], True),
    ],
)
def test_input_that_is_named_and_not_carried(given_input: Any, open_input: bool) -> None:
    assert embeddings.read(body(input=given_input)).open_input is open_input


def test_an_address_can_not_be_hidden_by_escapes() -> None:
    for text in (
        b'{"model":"m","input":[{"im\\u0061ge":"\\u0068ttps://x"}]}',
        b'{"model":"m","input":[{"a":"http:\\/\\/x"}]}',
    ):
        assert embeddings.read(text).open_input


def test_a_list_beyond_all_measure_is_not_taken_apart() -> None:
    assert embeddings.read(body(input=[""] * 100_000)).inputs == 100_000
    assert embeddings.read(body(input=[1] * 100_000)).inputs == 1


@pytest.mark.parametrize("spoken", [embeddings, moderations])
def test_a_picture_in_the_body_counts_what_pictures_count(spoken: Any) -> None:
    large = body(input=[{"image": "data:image/png;base64," + "A" * 1_000_000}])
    assert spoken.input_bound(large, spoken.read(large)) < IMAGE_TOKENS + 200


@given(st.lists(st.lists(st.integers(0, 200_000), max_size=30), max_size=5))
def test_tokens_as_prompts_count_one_each_and_never_more_than_the_bound(prompts: list[list[int]]) -> None:
    total = sum(len(prompt) for prompt in prompts)
    assert prompt_tokens(prompts) == total
    text = body(prompt=prompts, input=prompts)
    assert completions.input_bound(text, completions.read(text)) >= total
    assert embeddings.input_bound(text, embeddings.read(text)) >= total


@pytest.mark.parametrize(("name", "member"), [*zip(NAMES, ("choices", "data", "results"), strict=True)])
def test_answers_that_are_none(name: str, member: str) -> None:
    spoken = dialect(name)
    for text in (b"", b"[]", b"<html>", b'data: {"data":[]}\n\n', b"{}", b"null", json.dumps({member: {}}).encode()):
        with pytest.raises(BadAnswer):
            spoken.read_answer(text, PLAIN)
    for code, status in ((429, 429), ("odd", 502), (None, 502), (200, 502)):
        with pytest.raises(UpstreamRefused) as caught:
            spoken.read_answer(json.dumps({"error": {"message": "no", "code": code}}).encode(), PLAIN)
        assert caught.value.upstream_status == status


def test_usage_of_an_embedding_that_a_vendor_words_otherwise() -> None:
    worded = Provider(
        name="w", title="W", base_url=None, speaks=(), adjust_usage=lambda told: {"total_tokens": told["tokens"]}
    )
    answer = b'{"data":[{"embedding":[1]}],"usage":{"tokens":7}}'
    assert embeddings.read_answer(answer, worded).usage == Usage({"input": 7})
    assert embeddings.read_answer(answer, PLAIN).usage is None
    odd = b'{"data":[{"embedding":[NaN]}],"usage":{"total_tokens":7}}'
    assert embeddings.read_answer(odd, PLAIN).usage == Usage({"input": 7})


@given(st.text(max_size=200))
def test_estimates_of_any_text(text: str) -> None:
    try:
        sent = json.dumps({"model": "m", "prompt": text, "input": text, "echo": True}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    seen = completions.Seen(None, False, output_tokens=0)
    for usage in (completions.estimate(sent, seen), embeddings.estimate(sent, embeddings.Seen(None, False))):
        assert usage.estimated
        assert 0 <= usage.units["input"] <= len(sent)
    assert moderations.estimate(sent, moderations.Seen(None, False)) == Usage({"call": 1})
