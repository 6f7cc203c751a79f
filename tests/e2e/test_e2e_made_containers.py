"""Containers that a provider makes while it answers: they are the caller's, who may read their files, and nobody else's."""

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

from support.form_vendor import Asked, answer, take, vendor_beside
from support.stage import Stage, set_stage
from support.world import Process

CONFIG = """
channels:
  - {name: maker, provider: openai, base_url: VENDOR/maker/v1, credentials: sk-maker, models: [gpt-4o]}
prices: [{model: "*", input: 1, output: 1}]
users: [{name: alice, credit: 100}, {name: bob, credit: 100}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
  - {name: bob, user: bob, secret: sk-bob-0123456789, scopes: [relay, platform]}
"""
NUMBERS = count(1)
TOOL: Any = {"type": "code_interpreter", "container": {"type": "auto"}}


async def maker(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each response out of a new container, and knows all containers."""
    await take(asked, reader)
    if asked.method == "GET":
        told: Any = {"id": asked.path.rpartition("/")[2], "object": "container", "status": "running"}
        writer.write(answer(200, json.dumps(told).encode()))
        return
    number = next(NUMBERS)
    call = {"type": "code_interpreter_call", "id": "ci_1", "container_id": f"cntr_{number}", "status": "completed"}
    note = {"type": "container_file_citation", "container_id": f"cntr_{number}", "file_id": "cfile_1"}
    text = {"type": "output_text", "text": "42", "annotations": [note]}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    made = {
        "id": f"resp_{number:048d}",
        "object": "response",
        "created_at": 1,
        "model": "gpt-4o",
        "status": "completed",
        "output": [call, said],
        "usage": usage,
        "tools": [{"type": "function", "name": "f", "parameters": {"container_id": "cntr_asked"}}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
    }
    if not json.loads(bytes(asked.body)).get("stream"):
        writer.write(answer(200, json.dumps(made).encode()))
        return
    events = [
        {"type": "response.created", "sequence_number": 0, "response": {**made, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": call},
        {"type": "response.completed", "sequence_number": 2, "response": made},
    ]
    body = b"".join(b"event: %b\ndata: %b\n\n" % (str(e["type"]).encode(), json.dumps(e).encode()) for e in events)
    writer.write(answer(200, body, b"content-type: text/event-stream"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    home: Path = tmp_path_factory.mktemp("containers")
    with vendor_beside(maker=maker) as vendor:
        built = set_stage(home, vendors, CONFIG.replace("VENDOR", vendor.url))
        yield built
        built.stop()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_they_are_their_callers(stage: Stage, streamed: bool) -> None:
    with openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=60) as sdk:
        made: Any
        if streamed:
            with sdk.responses.stream(model="gpt-4o", input="6 * 7", tools=[TOOL]) as stream:
                made = stream.get_final_response()
        else:
            made = sdk.responses.create(model="gpt-4o", input="6 * 7", tools=[TOOL])
        id = made.output[0].container_id
        assert sdk.containers.retrieve(id).id == id
        with pytest.raises(openai.NotFoundError):
            sdk.containers.retrieve("cntr_asked")
    with openai.OpenAI(base_url=stage.base, api_key="sk-bob-0123456789", max_retries=0) as bob:
        with pytest.raises(openai.NotFoundError):
            bob.containers.retrieve(id)
        with pytest.raises(openai.NotFoundError):
            bob.responses.create(model="gpt-4o", input="x", tools=[{"type": "code_interpreter", "container": id}])
