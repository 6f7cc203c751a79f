"""The sandbox's containers: their files in and out, and models that read them."""

import secrets
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseCodeInterpreterToolCall
from sandbox_client import Sandbox

NOTES = b"The harbour has nine cranes.\nThe lighthouse keeper is called Wilhelmina.\n"
BYTES = bytes(range(256)) * 40


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def upload(sdk: openai.OpenAI, data: bytes = NOTES, name: str = "notes.txt") -> str:
    """The id of a new file."""
    return sdk.files.create(file=(name, data), purpose="user_data").id


def test_a_container_from_creation_to_deletion(sdk: openai.OpenAI) -> None:
    made = sdk.containers.create(
        name="workshop", file_ids=[upload(sdk)], expires_after={"anchor": "last_active_at", "minutes": 5}
    )
    assert made.id.startswith("cntr_") and (made.name, made.status, made.object) == ("workshop", "running", "container")
    assert made.expires_after and made.expires_after.minutes == 5
    assert sdk.containers.retrieve(made.id).name == "workshop"
    other = sdk.containers.create(name="other")
    assert [one.id for one in sdk.containers.list(limit=1)] == [other.id, made.id]
    assert [one.id for one in sdk.containers.list(name="workshop")] == [made.id]
    sdk.containers.delete(made.id)
    with pytest.raises(openai.NotFoundError, match=f"Container with id '{made.id}' not found"):
        sdk.containers.retrieve(made.id)


def test_files_in_and_out(sdk: openai.OpenAI) -> None:
    kept = upload(sdk)
    box = sdk.containers.create(name="box").id
    sent = sdk.containers.files.create(box, file=("a.bin", BYTES))
    named = sdk.containers.files.create(box, file_id=kept)
    assert (sent.path, sent.bytes, sent.container_id, sent.source) == ("/mnt/data/a.bin", len(BYTES), box, "user")
    assert (named.path, named.bytes) == ("/mnt/data/notes.txt", len(NOTES)) and named.id.startswith("cfile_")
    assert sdk.containers.files.content.retrieve(sent.id, container_id=box).content == BYTES
    assert sdk.containers.files.content.retrieve(named.id, container_id=box).content == NOTES
    assert [one.id for one in sdk.containers.files.list(box, order="asc")] == [sent.id, named.id]
    assert sdk.containers.files.retrieve(sent.id, container_id=box).path == sent.path
    sdk.containers.files.delete(sent.id, container_id=box)
    with pytest.raises(openai.NotFoundError, match=f"File {sent.id} not found on container {box}"):
        sdk.containers.files.content.retrieve(sent.id, container_id=box)


def test_a_file_by_json(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    box, head = sdk.containers.create(name="box").id, {"authorization": f"Bearer {sdk.api_key}"}
    url = f"{sandbox.url}/openai/v1/containers/{box}/files"
    assert sandbox.http.post(url, json={"file_id": upload(sdk)}, headers=head).json()["bytes"] == len(NOTES)
    lost = sandbox.http.post(url, json={"file_id": "file-none"}, headers=head)
    assert (lost.status_code, lost.json()["error"]["param"]) == (404, "file_id")
    assert sandbox.http.post(url, json={}, headers=head).status_code == 400
    assert sandbox.http.post(url, files={"other": b"x"}, headers=head).json()["error"]["param"] == "file"


@pytest.mark.parametrize("auto", [False, True])
def test_models_read_the_files_of_their_container(sdk: openai.OpenAI, auto: bool) -> None:
    kept = upload(sdk)
    box: Any = {"type": "auto", "file_ids": [kept]} if auto else sdk.containers.create(name="b", file_ids=[kept]).id
    tool: Any = {"type": "code_interpreter", "container": box}
    answer = sdk.responses.create(model="gpt-4o", input="Who is the lighthouse keeper?", tools=[tool])
    assert "notes.txt" in answer.output_text and "Wilhelmina" in answer.output_text


def test_a_response_makes_a_container_and_uses_it_again(sdk: openai.OpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [upload(sdk)]}}
    first = sdk.responses.create(
        model="gpt-4o", input="Who keeps it?", tools=[tool], include=["code_interpreter_call.outputs"]
    )
    call = first.output[0]
    assert isinstance(call, ResponseCodeInterpreterToolCall) and call.id.startswith("ci_") and call.code
    assert [one.model_dump() for one in call.outputs or ()] == [{"type": "logs", "logs": "notes.txt\n"}]
    (kept,) = sdk.containers.files.list(call.container_id).data
    assert sdk.containers.files.content.retrieve(kept.id, container_id=call.container_id).content == NOTES
    second = sdk.responses.create(model="gpt-4o", input="Go on", tools=[tool], previous_response_id=first.id)
    again = second.output[0]
    assert isinstance(again, ResponseCodeInterpreterToolCall)
    assert again.container_id == call.container_id and again.outputs is None
    assert len(sdk.containers.files.list(call.container_id).data) == 1
    sdk.containers.delete(call.container_id)
    third = sdk.responses.create(model="gpt-4o", input="Go on", tools=[tool], previous_response_id=second.id)
    anew = third.output[0]
    assert isinstance(anew, ResponseCodeInterpreterToolCall) and anew.container_id != call.container_id


def test_a_program_in_a_stream(sdk: openai.OpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    events: list[Any] = list(sdk.responses.create(model="gpt-4o", input="Hello", tools=[tool], stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    code = "".join(event.delta for event in events if event.type.endswith("call_code.delta"))
    last = events[-1].response.output[0]
    assert code == last.code and kinds[2:4] == ["output_item.added", "code_interpreter_call.in_progress"]
    ends = [f"code_interpreter_call{step}" for step in ("_code.done", ".interpreting", ".completed")]
    at = kinds.index(ends[0])
    assert kinds[at : at + 4] == [*ends, "output_item.done"]
    assert events[2].item.code == "" and events[2].item.container_id == last.container_id


def test_a_refused_call_makes_no_container(sdk: openai.OpenAI) -> None:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
    with pytest.raises(openai.BadRequestError):
        sdk.responses.create(model="gpt-4o", input="Hello", tools=[tool], temperature=9)
    unused = sdk.responses.create(model="gpt-4o", input="Hello", tools=[tool], tool_choice="none")
    assert [item.type for item in unused.output] == ["message"]
    assert sdk.containers.list().data == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "x", "expires_after": {"anchor": "last_active_at", "minutes": 0}}, "expires_after.minutes"),
        ({"name": "x", "memory_limit": "2g"}, "memory_limit"),
        ({"name": "x", "colour": "red"}, "colour"),
    ],
)
def test_bad_containers(sandbox: Sandbox, sdk: openai.OpenAI, body: Any, param: str) -> None:
    head = {"authorization": f"Bearer {sdk.api_key}"}
    reply = sandbox.http.post(f"{sandbox.url}/openai/v1/containers", json=body, headers=head)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_what_is_not_there(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    box = sdk.containers.create(name="box").id
    stranger = sandbox.openai(key=f"sk-{secrets.token_hex(8)}")
    with pytest.raises(openai.NotFoundError, match="Container with id"):
        stranger.containers.files.list(box)
    for container, kind in (
        (box, openai.NotFoundError),
        ({"type": "auto", "file_ids": ["file-none"]}, openai.NotFoundError),
        (None, openai.BadRequestError),
    ):
        tool: Any = {"type": "code_interpreter", "container": container}
        with pytest.raises(kind):
            stranger.responses.create(model="gpt-4o", input="Hello", tools=[tool])
