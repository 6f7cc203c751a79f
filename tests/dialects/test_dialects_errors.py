"""Errors as callers and their SDKs read them, and as vendors send them."""

import json
from typing import Any

import openai
import pytest

from support.answers import answering
from unigate.base.errors import BadRequest, GatewayError, InvalidKey, NoFunds, StreamBroken, TooMany, Unreachable
from unigate.dialects import dialect, operations, writer
from unigate.dialects import openai_errors as errors


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (
            BadRequest("Bad n.", param="n"),
            {"message": "Bad n.", "type": "invalid_request_error", "param": "n", "code": "invalid_request"},
        ),
        (
            InvalidKey(),
            {
                "message": "Incorrect API key provided.",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            },
        ),
        (
            TooMany(),
            {
                "message": "Rate limit reached.",
                "type": "rate_limit_error",
                "param": None,
                "code": "rate_limit_exceeded",
            },
        ),
        (
            Unreachable(detail="secret host"),
            {
                "message": "The provider could not be reached. (request id: req_1)",
                "type": "server_error",
                "param": None,
                "code": "upstream_error",
            },
        ),
    ],
)
def test_an_error_of_ours_has_the_four_fields(error: GatewayError, wanted: dict[str, str | None]) -> None:
    assert json.loads(errors.write_error(error, "req_1")) == {"error": wanted}


def one_stream(_body: bytes) -> bytes:
    """A stream of one role-only event and an error event of ours."""
    start = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    return start + errors.write_stream_error(StreamBroken(), "req_1")


def test_the_sdk_raises_on_an_error_in_a_stream() -> None:
    with (
        answering(one_stream, "text/event-stream") as url,
        openai.OpenAI(api_key="sk-x", base_url=url, max_retries=0, timeout=10) as client,
    ):
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            list(stream)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "No.", "type": "t", "param": "p", "code": "c"}}, "No.", "c"),
        ({"error": {"message": "No.", "code": 429}}, "No.", "429"),
        ({"error": {"message": {"detail": "x"}}}, '{"detail":"x"}', None),
        ({"error": "No."}, "No.", None),
        ({"message": "No.", "code": 1}, "No.", "1"),
        ({"detail": "No."}, "No.", None),
        ({"msg": "No."}, "No.", None),
        ([{"error": {"message": "No.", "status": "INVALID"}}], "No.", None),
        ({"error": None}, "The provider answered with status 400.", None),
        ({}, "The provider answered with status 400.", None),
        (None, "The provider answered with status 400.", None),
        (5, "The provider answered with status 400.", None),
        ([], "The provider answered with status 400.", None),
        ("No.", "No.", None),
    ],
)
def test_vendors_errors_are_understood(body: Any, message: str, code: str | None) -> None:
    raw = json.dumps(body).encode()
    told = errors.read_error(400, raw)
    assert (told.message, told.code) == (message, code)
    assert json.loads(errors.pass_error(400, raw))["error"]["message"] is not None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The provider answered with status 502."),
        (b"<html>x", "The provider answered with status 502."),
        (b"busy", "busy"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_what_is_no_json_is_told_in_words(body: bytes, message: str) -> None:
    assert errors.read_error(502, body).message == message


def test_an_error_in_the_form_passes_to_the_byte() -> None:
    body = b'{ "error": {"message":"No.", "type" : "x", "new": 1} }\n'
    assert errors.pass_error(400, body) is body


def test_a_long_message_is_cut() -> None:
    assert len(errors.read_error(400, b"x" * 100_000).message) == 2000
    assert len(errors.read_error(400, json.dumps({"error": {"message": "y" * 9000}}).encode()).message) == 2000


def test_dialects_are_found_by_their_files() -> None:
    spoken = {row.dialect for row in operations()}
    assert spoken >= {
        "openai_chat",
        "openai_completions",
        "openai_embeddings",
        "openai_moderations",
        "openai_responses",
    }
    assert spoken >= {"openai_models", "platform", "dashboard"}
    assert [row.name for row in dialect("openai_chat").OPERATIONS] == ["openai.chat"]
    for row in operations():
        told = json.loads(writer(row.dialect).write_error(NoFunds(), "req_1"))
        # Replicate's errors are problem documents (RFC 9457): a title and a status.
        assert told["status"] == 402 if "title" in told else told.get("error", told)["code"] == "insufficient_quota"
        assert row in writer(row.dialect).OPERATIONS
        assert row.free or row.use in {"passed", "relay", "realtime", "task"}
        assert row.binds or row.use != "bound"


def test_a_dialect_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError, match="no dialect"):
        writer("sse")
    with pytest.raises(LookupError, match="not spoken"):
        dialect("platform")
