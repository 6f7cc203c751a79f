"""What is read of a caller's chat body, and what is refused."""

import json
from typing import Any

import pytest

from unigate.base.errors import BadRequest, GatewayError, InvalidJson
from unigate.dialects import json_read
from unigate.dialects import openai_chat as chat
from unigate.dialects.openai_body import IMAGE_TOKENS
from unigate.spec.usage import MAX_COUNT


def body_of(**members: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [], **members}).encode()


def test_everything_that_is_read() -> None:
    facts = chat.read(
        body_of(
            stream=True,
            n=3,
            max_tokens=10,
            max_completion_tokens=20,
            stream_options={"include_usage": True, "other": 1},
            usage={"include": True},
            service_tier="flex",
        )
    )
    assert (facts.model, facts.stream, facts.count, facts.output_limit) == ("m", True, 3, 20)
    assert (facts.usage_in_stream, facts.include_cost, facts.open_input) == (True, True, False)
    assert facts.conditions == {"service_tier": "flex"}


def test_null_is_as_good_as_absent() -> None:
    names = ("stream", "n", "max_tokens", "max_completion_tokens", "stream_options", "usage", "service_tier")
    assert chat.read(body_of(**dict.fromkeys(names))) == chat.read(body_of())


@pytest.mark.parametrize("tier", ["auto", "default"])
def test_the_usual_tier_is_no_condition(tier: str) -> None:
    assert chat.read(body_of(service_tier=tier)).conditions == {}


def test_a_limit_beyond_all_counts_is_capped() -> None:
    assert chat.read(body_of(max_tokens=10**30)).output_limit == MAX_COUNT


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"n": "2"}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": 2.0}, "n"),
        ({"n": True}, "n"),
        ({"n": 0}, "n"),
        ({"n": -1}, "n"),
        ({"n": 129}, "n"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_completion_tokens": [1]}, "max_completion_tokens"),
        ({"max_completion_tokens": -7}, "max_completion_tokens"),
        ({"stream_options": "usage"}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"usage": True}, "usage"),
        ({"usage": {"include": 1}}, "usage.include"),
        ({"service_tier": 1}, "service_tier"),
    ],
)
def test_a_wrong_value_is_named(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        chat.read(body_of(**members))
    assert raised.value.param == param
    assert raised.value.code == "invalid_request"
    assert f"'{param}'" in raised.value.message or param == "model"


def test_a_missing_model_is_named() -> None:
    with pytest.raises(BadRequest) as raised:
        chat.read(b'{"messages":[]}')
    assert raised.value.param == "model"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"model"',
        b"{",
        b'{"model":"m"',
        b'{"model":"m"} {}',
        b'{"model":"m",}',
        b"{'model':'m'}",
        b'{"model":"m","x":NaN}',
        b'{"model":"m","x":-Infinity}',
        b'{"model":"m","x":01}',
        b'{"model":"m","x":"\n"}',
        b'{"model":"m","x":"\\q"}',
        b'\xef\xbb\xbf{"model":"m"}',
        b'{"model":"m","x":"\xff"}',
        b'{"model":"m","\xff":1}',
        b'{"model":"m","x":"\xed\xa0\x80"}',
        b'{"model":"\xed\xa0\x80"}',
        b'{"model":"m","x":"\\ud800"}',
        b'{"model":"m","x":"\\udc00\\ud800"}',
        b'{"model":"\\ud83d!"}',
        b'{"model":"m","x":"\xc0\xaf"}',
        '{"model":"m"}'.encode("utf-16"),
    ],
)
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson) as raised:
        chat.read(body)
    assert (raised.value.status, raised.value.code) == (400, "invalid_json")


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"cheap","model":"dear"}',
        b'{"model":"cheap","mod\\u0065l":"dear"}',
        b'{"model":"m","n":1,"x":[{"n":2}],"n":3}',
        b'{"stream":true,"model":"m","stream":null}',
        b'{"model":"m","max_tokens":1,"max_tokens":null}',
        b'{"model":"m","stream_options":{"include_usage":true},"stream_options":null}',
        b'{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}',
        b'{"model":"m","usage":{"include":true,"inc\\u006cude":false}}',
        b'{"model":"m","service_tier":"flex","service_tier":"priority"}',
    ],
)
def test_a_key_that_we_read_stands_once(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="more than once"):
        chat.read(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"model":"a","n":1},{"model":"b","n":2}],"stream":true}',
        b'{"model":"m","tools":[{"usage":1,"stream":2}],"metadata":{"usage":"x","include":1,"include_usage":2}}',
        b'{"model":"m","seed":1,"seed":2}',
        b'{"mod\\u0065l":"m","x":"\\"model\\":1"}',
        '{"model":"m","messages":[{"content":"\\ud83d\\ude00 é 漢"}]}'.encode(),
    ],
)
def test_what_is_below_or_not_read_is_not_ours_to_judge(body: bytes) -> None:
    assert chat.read(body).model == "m"


def test_nesting_has_an_end() -> None:
    def nested(levels: int) -> bytes:
        return b'{"model":"m","x":' + b"[" * (levels - 1) + b'"[{[{"' + b"]" * (levels - 1) + b"}"

    assert chat.read(nested(json_read.MAX_DEPTH)).model == "m"
    for levels in (json_read.MAX_DEPTH + 1, 900, 200_000):
        with pytest.raises(InvalidJson, match="deeper"):
            chat.read(nested(levels))
    mixed = b'{"model":"m","x":' + b'{"":[' * 64 + b"]}" * 64 + b"}"
    with pytest.raises(InvalidJson, match="deeper"):
        chat.read(mixed)
    bare = b"[" * json_read.MAX_DEPTH + b"]" * json_read.MAX_DEPTH
    with pytest.raises(InvalidJson, match="deeper"):
        chat.read(b'{"":' + bare + b"}")
    wide = body_of(messages=[{"content": [{"text": '\\"{['}]}] * 500)
    assert chat.read(wide).model == "m"
    assert json_read.depth(wide) == 5


@pytest.mark.parametrize(
    ("content", "open_input"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, True),
        ({"type": "image_url", "image_url": "https://example.com/a.png"}, True),
        ({"type": "image_url", "image_url": {"detail": "low", "url": "data:image/png;base64,AAAA"}}, False),
        ({"type": "file", "file": {"file_id": "file-1"}}, True),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}}, True),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, True),
        ({"type": "document_url", "document_url": "https://example.com/a.pdf"}, True),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, False),
        ({"type": "text", "text": '"image_url":{"url":"https://example.com"} "file_id":"x"'}, False),
    ],
)
def test_input_that_is_named_and_not_carried(content: dict[str, Any], open_input: bool) -> None:
    body = body_of(messages=[{"role": "user", "content": [content]}])
    assert chat.read(body).open_input is open_input
    escaped = body.replace(b"url", b"\\u0075rl").replace(b"file_", b"fil\\u0065_")
    assert chat.read(escaped).open_input is open_input


def test_a_former_answer_in_sound_is_named_by_its_id() -> None:
    assert chat.read(body_of(messages=[{"role": "assistant", "audio": {"id": "audio_1"}}])).open_input
    assert not chat.read(body_of(audio={"voice": "sage", "format": "mp3"})).open_input


def test_the_bound_of_input_counts_bytes_and_pictures() -> None:
    plain = body_of(messages=[{"role": "user", "content": "x" * 100}])
    assert chat.input_bound(plain, chat.read(plain)) == len(plain)
    url = "data:image/png;base64," + "A" * 50_000
    pictured = body_of(messages=[{"content": [{"image_url": {"url": url}}] * 2}])
    bound = chat.input_bound(pictured, chat.read(pictured))
    assert 2 * IMAGE_TOKENS < bound < 2 * IMAGE_TOKENS + 500


def test_errors_name_no_content_of_the_body() -> None:
    with pytest.raises(GatewayError) as raised:
        chat.read(b'{"model":"m","x":"secret words" oops}')
    assert "secret" not in raised.value.message
