"""What the sandbox refuses, as OpenAI would: status, code, param."""

from typing import Any

import httpx
import openai
import pytest
from sandbox_client import USER, Sandbox, user

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASSISTANT = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}


def bad(param: str | None, code: str | None, **body: Any) -> Any:
    shown = ", ".join(f"{name}={str(value)[:40]}" for name, value in body.items())
    return pytest.param(body, param, code, id=shown)


CASES = [
    bad(None, None, model=None),
    bad(None, None, model=""),
    bad("model", "invalid_type", model=5),
    bad("messages", "missing_required_parameter", messages=None),
    bad("messages", "empty_array", messages=[]),
    bad("messages", "invalid_type", messages="hi"),
    bad("messages[0]", "invalid_type", messages=["hi"]),
    bad("messages[0].role", "missing_required_parameter", messages=[{"content": "hi"}]),
    bad("messages[0].role", "invalid_value", messages=[{"role": "boss", "content": "hi"}]),
    bad("messages[0].role", "unsupported_value", model="o1-mini", messages=[{"role": "system", "content": "x"}, USER]),
    bad("messages.[0].content", None, messages=[{"role": "user"}]),
    bad("messages.[0].content", None, messages=[{"role": "user", "content": None}]),
    bad("messages[0].content", "invalid_type", messages=[{"role": "user", "content": 5}]),
    bad("messages[0].content", "empty_array", messages=[{"role": "user", "content": []}]),
    bad("messages[0].content[0].type", "missing_required_parameter", messages=[{"role": "user", "content": [{}]}]),
    bad("messages[0].content[0].type", "invalid_value", messages=[{"role": "user", "content": [{"type": "smell"}]}]),
    bad(
        "messages[0].content[0].text",
        "missing_required_parameter",
        messages=[{"role": "user", "content": [{"type": "text"}]}],
    ),
    bad("messages.[1].role", None, messages=[USER, RESULT]),
    bad("messages.[2].role", None, messages=[USER, ASSISTANT, USER]),
    bad("messages.[2].role", None, messages=[USER, ASSISTANT]),
    bad(
        "messages[2].tool_call_id",
        "missing_required_parameter",
        messages=[USER, ASSISTANT, {"role": "tool", "content": "x"}],
    ),
    bad("temperature", "decimal_above_max_value", temperature=2.1),
    bad("temperature", "decimal_below_min_value", temperature=-1),
    bad("temperature", "invalid_type", temperature="hot"),
    bad("top_p", "decimal_above_max_value", top_p=1.5),
    bad("frequency_penalty", "decimal_above_max_value", frequency_penalty=3),
    bad("presence_penalty", "decimal_below_min_value", presence_penalty=-3),
    bad("n", "integer_below_min_value", n=0),
    bad("n", "integer_above_max_value", n=129),
    bad("n", "invalid_type", n="two"),
    bad("n", "invalid_type", n=True),
    bad("stream", "invalid_type", stream="yes"),
    bad("stream_options", None, stream_options={"include_usage": True}),
    bad("stream_options", "invalid_type", stream=True, stream_options=True),
    bad("max_tokens", "integer_below_min_value", max_tokens=0),
    bad("max_tokens", "invalid_value", max_tokens=999_999),
    bad("max_completion_tokens", "invalid_value", max_completion_tokens=999_999),
    bad("max_tokens", "invalid_parameter_combination", max_tokens=5, max_completion_tokens=5),
    bad("stop", "array_above_max_length", stop=["a", "b", "c", "d", "e"]),
    bad("stop[1]", "invalid_type", stop=["a", 5]),
    bad("top_logprobs", None, top_logprobs=2),
    bad("top_logprobs", "integer_above_max_value", logprobs=True, top_logprobs=21),
    bad("logprobs", "invalid_type", logprobs=1),
    bad("seed", "invalid_type", seed="x"),
    bad("user", "invalid_type", user=5),
    bad("metadata", "invalid_type", metadata=[]),
    bad("metadata.a", "invalid_type", metadata={"a": 1}),
    bad("service_tier", "invalid_value", service_tier="first class"),
    bad("reasoning_effort", "invalid_value", reasoning_effort="a lot"),
    bad("tools", "empty_array", tools=[]),
    bad("tools", "array_above_max_length", tools=[TOOL] * 129),
    bad("tools[0].type", "missing_required_parameter", tools=[{}]),
    bad("tools[0].function", "missing_required_parameter", tools=[{"type": "function"}]),
    bad("tools[0].function.name", "missing_required_parameter", tools=[{"type": "function", "function": {}}]),
    bad("tools[0].function.name", "invalid_value", tools=[{"type": "function", "function": {"name": "a b"}}]),
    bad(
        "tools[0].function.parameters",
        "invalid_function_parameters",
        tools=[{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}],
    ),
    bad("tool_choice", None, tool_choice="auto"),
    bad("tool_choice", "invalid_value", tools=[TOOL], tool_choice="perhaps"),
    bad("tool_choice", None, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
    bad("parallel_tool_calls", None, parallel_tool_calls=True),
    bad("response_format.type", "missing_required_parameter", response_format={}),
    bad("response_format.type", "invalid_value", response_format={"type": "xml"}),
    bad("response_format.json_schema", "missing_required_parameter", response_format={"type": "json_schema"}),
    bad("messages", None, response_format={"type": "json_object"}),
    bad("prediction.type", "invalid_type", prediction={"content": "x"}),
    bad(
        "messages[1].tool_calls[0].function",
        "missing_required_parameter",
        messages=[USER, {"role": "assistant", "tool_calls": [{"id": "1"}]}],
    ),
    bad(
        "messages[0].content[0].image_url",
        "missing_required_parameter",
        messages=[{"role": "user", "content": [{"type": "image_url"}]}],
    ),
    bad("tool_choice.function", "missing_required_parameter", tools=[TOOL], tool_choice={"type": "function"}),
    bad("prediction.type", "invalid_value", prediction={"type": "guess", "content": "x"}),
    bad("max_tokens", "unsupported_parameter", model="o3", max_tokens=5),
    bad("temperature", "unsupported_value", model="gpt-5", temperature=0.5),
    bad("stop", "unsupported_parameter", model="o4-mini", stop="x"),
    bad("logprobs", "unsupported_parameter", model="o3", logprobs=True),
    bad("messages", "context_length_exceeded", model="gpt-4", messages=user("word " * 9000)),
]


@pytest.mark.parametrize(("body", "param", "code"), CASES)
def test_bad_calls_are_refused(sandbox: Sandbox, body: dict[str, Any], param: str | None, code: str | None) -> None:
    answer = sandbox.post(**body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert len(error["message"]) > 10


def test_good_neighbours_of_bad_calls(sandbox: Sandbox) -> None:
    for body in (
        {"temperature": 2, "top_p": 1, "n": 1, "stop": None, "max_tokens": None, "tools": None, "stream": False},
        {"model": "o3", "temperature": 1, "max_completion_tokens": 5000},
        {"messages": [USER, ASSISTANT, RESULT]},
        {"stream_options": None},
        {"response_format": {"type": "text"}},
        {"model": "gpt-5.1", "reasoning_effort": "none", "temperature": 0.2},
        {"logit_bias": {"50256": -100}, "stop": ""},
        {"tools": [{"type": "function", "function": {"name": "bare"}}]},
    ):
        assert sandbox.post(**body).status_code == 200, body


def raw(sandbox: Sandbox, body: bytes, method: str = "POST", path: str = "/v1/chat/completions") -> httpx.Response:
    return sandbox.http.request(
        method, f"{sandbox.url}/openai{path}", content=body, headers={"authorization": "Bearer sk-1"}
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'"x"', b"\xff", b'{"a": \xc3}', b'{"model": "\\ud800"}', b"[" * 100_000, b'{"a":' * 9000],
)
def test_bodies_that_are_no_json_objects(sandbox: Sandbox, body: bytes) -> None:
    answer = raw(sandbox, body)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


def test_unknown_models(sandbox: Sandbox) -> None:
    answer = sandbox.post(model="gpt-nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "message": "The model `gpt-nothing` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }
    }
    with pytest.raises(openai.NotFoundError):
        sandbox.openai().chat.completions.create(model="gpt-nothing", messages=user("hi"))


def test_keys(sandbox: Sandbox) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        sandbox.openai(key="sk-invalid-key-1").chat.completions.create(model="gpt-4o", messages=user("hi"))
    assert refused.value.code == "invalid_api_key"
    answer = sandbox.post(key=None)
    assert answer.status_code == 401
    assert "provide" in answer.json()["error"]["message"]
    assert sandbox.post("/fault/500/openai/v1", key="sk-invalid").status_code == 401


def test_unknown_paths_and_methods(sandbox: Sandbox) -> None:
    answer = raw(sandbox, b"", "POST", "/v1/poems")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Invalid URL (POST /v1/poems)")
    answer = raw(sandbox, b"", "PUT")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_supported"


def test_a_body_over_the_limit(own_sandbox: Sandbox) -> None:
    answer = raw(own_sandbox, b" " * (64 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"
