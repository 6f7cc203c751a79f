"""What can't be said to a vendor that makes pictures in a form of its own, and answers that are none."""

import json

import pytest

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, Unsupported, UpstreamRefused
from unigate.dialects.picture_vendors import NAME, Painter, pictures

SIDED = pictures(Painter(sides=("width", "height"), inline="base64"))[NAME]
NAMED = pictures(Painter(rename={"size": "image_size"}, pictures="images"))[NAME]


def body(**more: object) -> bytes:
    return json.dumps({"model": "m", "prompt": "a fox", **more}).encode()


@pytest.mark.parametrize("param", ["stream", "response_format"])
def test_what_would_change_the_answer_is_refused(param: str) -> None:
    with pytest.raises(Unsupported) as raised:
        NAMED.request(body(stream=param == "stream", response_format="b64_json"), {})
    assert raised.value.param == param


@pytest.mark.parametrize("size", ["large", "10", 7, "1024x", {"width": 1}])
def test_a_size_without_sides_cannot_be_told_by_sides(size: object) -> None:
    with pytest.raises(Unsupported) as raised:
        SIDED.request(body(size=size), {})
    assert raised.value.param == "size"


def test_what_goes_without_saying_is_not_told() -> None:
    for one in (SIDED, NAMED):
        made, ignored = one.request(body(size="auto", response_format=None, stream=False), {})
        assert (json.loads(made), ignored) == (json.loads(body()), ())
    assert json.loads(NAMED.request(body(response_format="url"), {})[0]) == json.loads(body())


@pytest.mark.parametrize("told", [b"", b"[]", b'{"data": []}', b'{"images": {}}', b"<html>"])
def test_an_answer_without_pictures_is_none(told: bytes) -> None:
    with pytest.raises(BadAnswer):
        NAMED.answer(told, b"", "req_x")


@pytest.mark.parametrize("line", ["", "_17"])
def test_an_answer_tells_when_it_was_made(line: str) -> None:
    made = json.loads(SIDED.answer(b'{"data": [{"url": "https://x/y.png"}]}', b"", ids.new("req") + line))
    assert abs(now_ms() // 1000 - made["created"]) < 600


def test_a_refusal_in_a_good_answer_is_one() -> None:
    with pytest.raises(UpstreamRefused):
        NAMED.answer(b'{"error": {"message": "no", "code": 429}}', b"", "req_x")
