"""Files of users in calls to models: copied to where the call goes, read there, named by our ids, and deleted with the file."""

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from support.node import tell
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.base.clock import now_ms

CONFIG = """
channels:
  - {name: one, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-copies-one, models: [gpt-4o, gpt-4o-mini, gpt-image-1],
     priority: 9}
  - {name: two, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-copies-two, models: [gpt-4o-mini]}
  - {name: three, provider: openai, base_url: SANDBOX/openai/v1, credentials: [sk-copies-3, sk-copies-4], models: [o3-mini]}
  - {name: four, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-copies-5, models: [o3-mini]}
  - {name: router, provider: openrouter, base_url: SANDBOX/openrouter/api/v1, credentials: sk-r, models: {carried: sandbox-carried}}
  - {name: plain, provider: cerebras, base_url: SANDBOX/cerebras/v1, credentials: sk-c, models: {plain: gpt-4o}}
prices: [{model: "*", input: 1, output: 2}]
users: [{name: alice, credit: 1000}, {name: bob, credit: 1000}, {name: poor, credit: "0.05"}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""
PROGRAM = Path(__file__).parents[1] / "support" / "copying_gateway.py"
BOB = "sk-bob-0123456789"
NOTES = b"The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn. "
QUESTION = "What is the lighthouse keeper called?"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("copies"), vendors, CONFIG, workers=2)
    yield built
    built.settled()
    built.sound()
    built.stop()


@pytest.fixture
def sdk(stage: Stage) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=60) as made:
        yield made


def keep(sdk: openai.OpenAI, name: str = "notes.txt", **more: Any) -> str:
    return sdk.files.create(file=(name, NOTES + mark().encode()), purpose="user_data", **more).id


def chat(file_id: str, question: str = QUESTION) -> list[Any]:
    parts = [{"type": "text", "text": question}, {"type": "file", "file": {"file_id": file_id}}]
    return [{"role": "user", "content": parts}]


def response(file_id: str, question: str = QUESTION) -> list[Any]:
    parts = [{"type": "input_text", "text": question}, {"type": "input_file", "file_id": file_id}]
    return [{"role": "user", "content": parts}]


def at(stage: Stage, credential: str) -> dict[str, dict[str, Any]]:
    """What an account of the sandbox has of files, by name."""
    head = {"authorization": f"Bearer {credential}"}
    found = httpx.get(f"{stage.sandbox.url}/openai/v1/files", headers=head).json()["data"]
    return {one["filename"]: one for one in found}


def gone(stage: Stage, credential: str, name: str) -> bool:
    return name not in at(stage, credential)


@pytest.mark.endpoint("O14")
def test_models_read_files_by_their_ids(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name)
    assert name not in at(stage, "sk-copies-one"), "it is copied when it is needed"
    said = sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
    assert "Wilhelmina" in str(said.choices[0].message.content)
    made = sdk.responses.create(model="gpt-4o", input=response(file))
    assert "Wilhelmina" in made.output_text
    copy = at(stage, "sk-copies-one")[name]
    assert (copy["purpose"], copy["expires_at"]) == ("user_data", None)
    (item,) = sdk.responses.input_items.list(made.id).data
    assert file in json.dumps(item.to_dict()) and copy["id"] not in json.dumps(item.to_dict())
    assert len([one for one in stage.received(copy["id"]) if one["method"] == "POST"]) == 2
    assert not stage.received(file), "our ids go nowhere"
    sdk.files.delete(file)
    wait_until(partial(gone, stage, "sk-copies-one", name), what="the copy is deleted", seconds=30)


def test_streams_too(stage: Stage, sdk: openai.OpenAI) -> None:
    file = keep(sdk)
    with sdk.chat.completions.stream(model="gpt-4o", messages=chat(file)) as stream:
        assert "Wilhelmina" in str(stream.get_final_completion().choices[0].message.content)
    with sdk.responses.stream(model="gpt-4o", input=response(file)) as told:
        assert "Wilhelmina" in told.get_final_response().output_text


def test_the_next_channel_gets_a_copy_too(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name)
    asked = chat(file, f"{QUESTION} [[fault:500,first:1]] {mark()}")
    raw = sdk.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=asked)
    assert "Wilhelmina" in str(raw.parse().choices[0].message.content)
    assert name in at(stage, "sk-copies-one") and name in at(stage, "sk-copies-two")
    row = stage.row(raw.headers["x-request-id"])
    assert [one[2] for one in row["attempts"]] == [500, 200]
    sdk.files.delete(file)
    for account in ("sk-copies-one", "sk-copies-two"):
        wait_until(partial(gone, stage, account, name), what="the copies are deleted", seconds=30)


def test_pictures_to_be_changed(stage: Stage, sdk: openai.OpenAI) -> None:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(made, "PNG")
    file = sdk.files.create(file=(f"{mark()}.png", made.getvalue()), purpose="vision").id
    asked = {"model": "gpt-image-1", "prompt": "a boat", "images": [{"file_id": file}], "size": "1024x1024"}
    head = {"authorization": f"Bearer {stage.key}"}
    reply = httpx.post(f"{stage.base}/images/edits", json=asked, headers=head, timeout=60)
    assert reply.status_code == 200, reply.text
    with Image.open(io.BytesIO(base64.b64decode(reply.json()["data"][0]["b64_json"]))) as picture:
        assert picture.size == (1024, 1024)
    seen = sdk.responses.create(
        model="gpt-4o",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What do you see?"},
                    {"type": "input_image", "file_id": file, "detail": "auto"},
                ],
            }
        ],
    )
    assert "64" in seen.output_text, "the sandbox tells how large it is"


def test_calls_side_by_side_make_one_copy(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name)

    def one(_: int) -> str:
        return str(sdk.chat.completions.create(model="gpt-4o", messages=chat(file)).choices[0].message.content)

    with ThreadPoolExecutor(12) as pool:
        assert all("Wilhelmina" in said for said in pool.map(one, range(24)))
    assert len(stage.received(name)) == 1


def test_a_copy_that_the_provider_lost_is_made_anew(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name)
    sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
    lost = at(stage, "sk-copies-one")[name]["id"]
    head = {"authorization": "Bearer sk-copies-one"}
    assert httpx.delete(f"{stage.sandbox.url}/openai/v1/files/{lost}", headers=head).status_code == 200
    said = sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
    assert "Wilhelmina" in str(said.choices[0].message.content)
    assert at(stage, "sk-copies-one")[name]["id"] != lost


def test_what_is_not_the_users_is_unknown_and_costs_nothing(stage: Stage, sdk: openai.OpenAI) -> None:
    word, file = mark(), keep(sdk)
    before = stage.settled(BOB)["used"]
    with openai.OpenAI(base_url=stage.base, api_key=BOB, max_retries=0) as bob:
        for id in (file, "file-never", "assistant-1"):
            with pytest.raises(openai.NotFoundError, match=f"No such File object: {id}") as refused:
                bob.chat.completions.create(model="gpt-4o", messages=chat(id, word))
            assert (refused.value.param, refused.value.type) == ("file_id", "invalid_request_error")
            with pytest.raises(openai.NotFoundError, match=f"No such File object: {id}"):
                bob.responses.create(model="gpt-4o", input=response(id, word))
        for tool in (
            {"type": "file_search", "vector_store_ids": ["vs_1"]},
            {"type": "code_interpreter", "container": "c1"},
        ):
            with pytest.raises(openai.NotFoundError, match="not found"):
                bob.responses.create(model="gpt-4o", input=word, tools=[tool])  # type: ignore[list-item]
        with pytest.raises(openai.NotFoundError, match="Conversation with id 'conv_1' not found"):
            bob.responses.create(model="gpt-4o", input=word, conversation="conv_1")
    assert not stage.received(word)
    assert stage.settled(BOB)["used"] == before


def test_providers_without_files_get_them_in_the_body(stage: Stage, sdk: openai.OpenAI) -> None:
    file = keep(sdk, "carried.txt")
    said = sdk.chat.completions.create(model="carried", messages=chat(file))
    assert "Wilhelmina" in str(said.choices[0].message.content)
    since = now_ms()
    with pytest.raises(openai.BadRequestError, match="No provider of this model takes files") as refused:
        sdk.chat.completions.create(model="plain", messages=chat(file))
    assert refused.value.code == "unsupported"
    assert stage.charged(since) == 0


def test_the_providers_refusal_of_a_file_is_the_callers(stage: Stage, sdk: openai.OpenAI) -> None:
    file = sdk.files.create(file=("a.txt", b"{}"), purpose="batch").id  # the vendor wants another ending
    since = now_ms()
    with pytest.raises(openai.BadRequestError, match="jsonl"):
        sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
    assert stage.charged(since) == 0


def test_a_file_that_expires_does_so_there_too(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name, expires_after={"anchor": "created_at", "seconds": 7200})
    sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
    copy = at(stage, "sk-copies-one")[name]
    assert 7000 < copy["expires_at"] - copy["created_at"] <= 7200


def test_in_the_background(stage: Stage, sdk: openai.OpenAI) -> None:
    file = keep(sdk)
    made = sdk.responses.create(model="gpt-4o", input=response(file), background=True)
    wait_until(lambda: sdk.responses.retrieve(made.id).status == "completed", what="it is done", seconds=60)
    assert "Wilhelmina" in sdk.responses.retrieve(made.id).output_text
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        sdk.responses.create(model="gpt-4o", input=response("file-never"), background=True)


def test_by_the_sdk_for_node(stage: Stage) -> None:
    seen = tell("copies", stage.key, stage.url)
    for told in ("chat", "response", "streamed"):
        assert "Wilhelmina" in seen[told]
    assert seen["ours"] and seen["deleted"]
    assert (seen["lost"]["name"], seen["lost"]["status"]) == ("NotFoundError", 404)


def test_those_are_preferred_that_have_a_copy(stage: Stage, sdk: openai.OpenAI) -> None:
    name = f"{mark()}.txt"
    file = keep(sdk, name)
    for _ in range(12):  # of three credentials at two channels
        sdk.chat.completions.create(model="o3-mini", messages=chat(file))
    assert len(stage.received(name)) == 1


def test_a_file_may_be_as_long_as_the_model_reads(stage: Stage) -> None:
    with openai.OpenAI(base_url=stage.base, api_key="sk-poor-0123456789", max_retries=0) as poor:
        name = f"{mark()}.txt"
        file = keep(poor, name)
        assert poor.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}])
        with pytest.raises(openai.APIStatusError) as refused:
            poor.chat.completions.create(model="gpt-4o", messages=chat(file))
    assert (refused.value.status_code, refused.value.code) == (402, "insufficient_quota")
    assert not stage.received(name), "nor is it copied"


def test_whoever_is_killed_behind_the_upload_leaves_no_call_waiting(tmp_path: Path, vendors: Process) -> None:
    stage = set_stage(tmp_path, vendors, CONFIG, program=PROGRAM)
    name = f"{mark()}.txt"
    with openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=60) as sdk:
        file = keep(sdk, name)
        with pytest.raises(openai.APIConnectionError):
            sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
        said = sdk.chat.completions.create(model="gpt-4o", messages=chat(file))
        assert "Wilhelmina" in str(said.choices[0].message.content)
        assert len(stage.received(name)) == 2, "the first one's is left at the provider"
    stage.stop()
    assert "a copy may be left at the provider" in (tmp_path / "gateway.log").read_text()
