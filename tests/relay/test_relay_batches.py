"""What a batch leaves to others of its key's limits, and how requests are read out of a file."""

import pytest

from unigate.base.live_settings import BatchSettings
from unigate.dialects.openai_batch_lines import (
    LONGEST_ID,
    BadLine,
    read_answered,
    read_line,
    write_answer,
    write_request,
)
from unigate.relay.batch_lines import line_id, operation_at, shown_id
from unigate.relay.batch_run import at_once, spare

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("limit", "left", "seconds"),
    [(60, 60, 0.0), (60, 30, 0.0), (60, 29, 1.0), (60, 0, 30.0), (2, 0, 30.0), (0, 0, 0.0)],
)
def test_a_batch_waits_until_half_of_a_minute_is_left_to_others(limit: int, left: int, seconds: float) -> None:
    for what in (b"requests", b"tokens"):
        head = {b"x-ratelimit-limit-" + what: b"%d" % limit, b"x-ratelimit-remaining-" + what: b"%d" % left}
        assert spare(head) == pytest.approx(seconds)


def test_without_limits_it_waits_for_nobody() -> None:
    assert spare({}) == 0
    assert spare({b"x-ratelimit-limit-requests": b"many"}) == 0


def test_ids_follow_from_batch_and_line() -> None:
    assert line_id("batch_01X", 7) == line_id("batch_01X", 7) == "req_01X_7"
    assert shown_id("batch_01X", 7) == "batch_req_01X_7"
    assert operation_at(CHAT).name == "openai.chat"
    assert operation_at("/v1/images/generations").name == "openai.images.generations"


def test_a_request_keeps_its_body_to_the_byte() -> None:
    body = b'{"model": "m",  "x": 1.50, "y": "\\u00e9"}'
    line = read_line(3, b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":%b}' % body, CHAT)
    assert (line.number, line.custom_id, line.model, line.body) == (3, "a", "m", body)


def test_a_key_that_stands_twice_is_refused() -> None:
    text = b'{"custom_id":"a","custom_id":"b","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}'
    with pytest.raises(BadLine) as bad:
        read_line(1, text, CHAT)
    assert bad.value.told["code"] == "invalid_json_line"


@pytest.mark.parametrize(("length", "good"), [(LONGEST_ID, True), (LONGEST_ID + 1, False)])
def test_a_custom_id_has_a_bound(length: int, good: bool) -> None:
    text = b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}' % (b"i" * length)
    if good:
        assert len(read_line(1, text, CHAT).custom_id) == length
        return
    with pytest.raises(BadLine) as bad:
        read_line(1, text, CHAT)
    assert bad.value.told["code"] == "invalid_custom_id"


def test_a_line_of_countless_members_is_refused() -> None:
    text = (
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}' + b',"x":1' * 1000 + b"}"
    )
    with pytest.raises(BadLine) as bad:
        read_line(1, text, CHAT)
    assert bad.value.told["code"] == "invalid_json_line"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"a": 1.50,\n "b": [1,\n2]}', b'{"a":1.50,"b":[1,2]}'),
        (b"no\njson", b'"no\\njson"'),
        (b'{"a": "\xff"}', '{"a":"\ufffd"}'.encode()),
    ],
)
def test_an_answer_is_one_line(body: bytes, shown: bytes) -> None:
    line = write_answer("i", "c", 200, "r", body)
    assert b"\n" not in line
    assert line == (
        b'{"id":"i","custom_id":"c","response":{"status_code":200,"request_id":"r","body":%b},"error":null}' % shown
    )


@pytest.mark.parametrize(("concurrency", "most"), [(0, 8), (1, 1), (4, 1), (12, 3), (100, 8)])
def test_all_batches_of_a_key_take_half_of_its_calls(concurrency: int, most: int) -> None:
    assert at_once(concurrency, BatchSettings(at_once=8, of_user=2)) == most


def test_a_request_comes_back_by_its_number() -> None:
    line = read_line(7, b'{"custom_id":"a.b","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}', CHAT)
    sent = write_request(line, CHAT, b'{\n"model": "n"}')
    assert sent == b'{"custom_id":"7.a.b","method":"POST","url":"/v1/chat/completions","body":{"model":"n"}}\n'
    back = read_answered(write_answer("i", "7.a.b", 200, "r", b"{}"))
    assert back is not None and (back.number, back.custom_id, back.status, back.body) == (7, "a.b", 200, b"{}")
    for nothing in (b"{", b"[]", b'{"custom_id":"x"}', b'{"custom_id":7}'):
        assert read_answered(nothing) is None
