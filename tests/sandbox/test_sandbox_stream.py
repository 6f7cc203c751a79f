"""Streams: order and form of events, usage, pace."""

import json
import time
from typing import Any

import pytest
from sandbox_client import Sandbox, deltas, user

from unigate.sandbox.brain import tokens


def test_the_sdk_reads_a_stream(sandbox: Sandbox) -> None:
    chunks = list(
        sandbox.openai().chat.completions.create(
            model="gpt-4o", messages=user("Tell me of boats."), stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "boats" in text
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == tokens.count(text)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


def test_the_first_chunk_has_a_role_only(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks()
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all("role" not in delta for delta in list(deltas(chunks))[1:])
    assert chunks[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_each_token_is_a_chunk_and_done_ends_it(sandbox: Sandbox) -> None:
    events = sandbox.events(messages=user("[[tokens:20]]"))
    assert len(events) == 20 + 3
    assert events[-1] == "[DONE]"


def test_usage_only_when_asked_for(sandbox: Sandbox) -> None:
    assert all("usage" not in chunk for chunk in sandbox.chunks())
    assert all("usage" not in chunk for chunk in sandbox.chunks(stream_options={"include_usage": False}))
    chunks = sandbox.chunks(stream_options={"include_usage": True})
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["usage"] == sandbox.post().json()["usage"]


def test_obfuscation_unless_declined(sandbox: Sandbox) -> None:
    assert all(chunk["obfuscation"] for chunk in sandbox.chunks())
    assert all("obfuscation" not in c for c in sandbox.chunks(stream_options={"include_obfuscation": False}))


def test_several_answers_come_interleaved(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(n=3, messages=user("Name a door's colour."))
    whole = sandbox.post(n=3, messages=user("Name a door's colour.")).json()
    for index in range(3):
        text = "".join(delta.get("content") or "" for delta in deltas(chunks, index))
        assert text == whole["choices"][index]["message"]["content"]
    assert [chunk["choices"][0]["index"] for chunk in chunks[:6]] == [0, 1, 2, 0, 1, 2]
    assert sum(chunk["choices"][0]["finish_reason"] is not None for chunk in chunks) == 3


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def _called(chunks: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for delta in deltas(chunks):
        for call in delta.get("tool_calls", ()):
            found.setdefault(call["index"], []).append(call)
    return found


def test_one_tool_call_opens_with_its_name(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(tools=TOOLS, messages=user("What is the weather in Lima?"))
    first = chunks[0]["choices"][0]["delta"]
    assert first["role"] == "assistant"
    assert first["content"] is None
    assert first["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": ""}
    assert first["tool_calls"][0]["id"].startswith("call_")
    pieces = _called(chunks)[0]
    assert len(pieces) > 3
    assert json.loads("".join(piece["function"]["arguments"] for piece in pieces)) == {"city": "Lima"}
    assert all("id" not in piece for piece in pieces[1:])
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_parallel_tool_calls_follow_each_other(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(tools=TOOLS, messages=user("What is the weather in Lima and Oslo?"))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": None, "refusal": None}
    made = [json.loads("".join(p["function"]["arguments"] for p in pieces)) for pieces in _called(chunks).values()]
    assert made == [{"city": "Lima"}, {"city": "Oslo"}]


def test_the_former_form_of_calls(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(functions=[TOOLS[0]["function"]], messages=user("What is the weather in Lima?"))
    pieces = [delta["function_call"] for delta in deltas(chunks) if "function_call" in delta]
    assert pieces[0] == {"name": "get_weather", "arguments": ""}
    assert json.loads("".join(piece["arguments"] for piece in pieces)) == {"city": "Lima"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


def test_citations_and_custom_tools_in_streams(sandbox: Sandbox) -> None:
    found = [delta["annotations"] for delta in deltas(sandbox.chunks(web_search_options={})) if "annotations" in delta]
    assert found[0][0]["type"] == "url_citation"
    custom = {"type": "custom", "custom": {"name": "run_code"}}
    chunks = sandbox.chunks(messages=user('Run the code "print(1)"'), tools=[custom])
    pieces = _called(chunks)[0]
    assert pieces[0]["custom"] == {"name": "run_code", "input": ""}
    assert "".join(piece["custom"]["input"] for piece in pieces) == "print(1)"


def test_logprobs_and_refusals_in_streams(sandbox: Sandbox) -> None:
    chunks = sandbox.chunks(messages=user("Count to 3"), logprobs=True)
    said = [c["choices"][0] for c in chunks if c["choices"][0]["delta"].get("content")]
    assert [choice["logprobs"]["content"][0]["token"] for choice in said] == [c["delta"]["content"] for c in said]
    chunks = sandbox.chunks(messages=user("[[refuse]]"))
    assert "sorry" in "".join(delta.get("refusal") or "" for delta in deltas(chunks))


@pytest.mark.parametrize(
    ("model", "text"), [("gpt-4o-40tps", "[[tokens:20]]"), ("gpt-4o", "[[tokens:20]] [[pace:40]]")]
)
def test_streams_are_paced(sandbox: Sandbox, model: str, text: str) -> None:
    begun = time.monotonic()
    chunks = sandbox.openai().chat.completions.create(model=model, messages=user(text), stream=True)
    seen = [time.monotonic() - begun for chunk in chunks if chunk.choices[0].delta.content]
    assert len(seen) == 20
    # The last of 20 tokens at 40 a second is due after half a second, the tenth after a quarter.
    assert seen[-1] >= 0.49
    assert seen[9] >= 0.24


def test_a_paced_model_answers_plainly_as_late(sandbox: Sandbox) -> None:
    begun = time.monotonic()
    assert sandbox.post(model="gpt-4o-40tps", messages=user("[[tokens:20]]")).status_code == 200
    assert time.monotonic() - begun >= 0.49
