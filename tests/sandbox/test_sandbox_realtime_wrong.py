"""Realtime events whose members have wrong types get the vendor's error, and the session goes on."""

import asyncio
import json
from typing import Any

import pytest
from sandbox_client import Sandbox
from websockets.asyncio.client import ClientConnection, connect

TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}


def session(**more: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **more}}


def response(**more: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": {"instructions": "say ok", **more}}


WRONG: list[tuple[dict[str, Any], str]] = [
    (session(audio="x"), "session.audio"),
    (session(audio={"input": 5}), "session.audio.input"),
    (session(audio={"output": 1.5}), "session.audio.output"),
    (
        session(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": [5]}}}),
        "session.audio.input.turn_detection.silence_duration_ms",
    ),
    (session(tools=[5]), "session.tools[0]"),
    (session(tools=[{**TOOL, "name": {}}]), "session.tools[0].name"),
    (session(tools=[{**TOOL, "description": 5}]), "session.tools[0].description"),
    (response(tools=[True]), "response.tools[0]"),
    (response(tools=[{**TOOL, "parameters": ["x"]}]), "response.tools[0].parameters"),
    (
        response(tools=[{**TOOL, "parameters": {"type": "object", "properties": "x"}}]),
        "response.tools[0].parameters",
    ),
    (response(modalities=5), "response.output_modalities"),
    (response(output_modalities=None), "response.output_modalities"),
    (response(max_response_output_tokens="x"), "response.max_output_tokens"),
    ({"type": "conversation.item.truncate", "item_id": "kept", "audio_end_ms": {}}, "audio_end_ms"),
]


async def until(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next event of one of these types."""
    async with asyncio.timeout(30):
        while True:
            event: dict[str, Any] = json.loads(await socket.recv())
            if event["type"] in kinds:
                return event


@pytest.mark.parametrize("beta", [False, True])
async def test_a_wrong_type_is_refused_by_its_name_and_the_session_goes_on(sandbox: Sandbox, beta: bool) -> None:
    headers = {"authorization": "Bearer sk-wrong", **({"openai-beta": "realtime=v1"} if beta else {})}
    url = sandbox.url.replace("http", "ws", 1) + "/openai/v1/realtime?model=gpt-realtime"
    async with connect(url, additional_headers=headers) as socket:
        part = {"type": "input_text", "text": "hello"}
        item = {"id": "kept", "type": "message", "role": "user", "content": [part]}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        for event, param in WRONG:
            if beta and event["type"] == "session.update":
                continue  # its members have other names
            await socket.send(json.dumps(event))
            told = (await until(socket, "error", "response.done", "session.updated"))["error"]
            assert told["param"] == param, (event, told)
            assert told["type"] == "invalid_request_error"
        await socket.send(json.dumps(response(modalities=["text"])))
        assert (await until(socket, "error", "response.done"))["response"]["status"] == "completed"


SCHEMAS: list[Any] = [
    {"type": "object", "properties": 5},
    {"type": "object", "properties": {"a": 5}},
    {"type": "object", "properties": {"a": {"type": "array", "items": "x"}}},
    {"type": "object", "required": "a"},
    {"anyOf": {"a": {}}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_that_is_none_is_refused(sandbox: Sandbox, schema: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    refused = [sandbox.post(tools=[tool], tool_choice="required")]
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    refused.append(sandbox.post(response_format=form))
    body: dict[str, Any] = {
        "model": "gpt-4o",
        "input": "x",
        "tools": [{"type": "function", "name": "f", "parameters": schema}],
    }
    key = {"authorization": "Bearer sk-wrong"}
    refused.append(sandbox.http.post(f"{sandbox.url}/openai/v1/responses", json=body, headers=key))
    told = {"format": {"type": "json_schema", "name": "f", "schema": schema}}
    body = {"model": "gpt-4o", "input": "x", "text": told}
    refused.append(sandbox.http.post(f"{sandbox.url}/openai/v1/responses", json=body, headers=key))
    for answer in refused:
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"].startswith("Invalid schema for ")
