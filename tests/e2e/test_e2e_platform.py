"""What OpenAI's platform keeps for its users, by the official client: through one gateway, and through two that take turns."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateways import BOB, Gateways
from support.node import tell
from unigate.base.clock import now_ms

HARBOUR = b"The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn."
KITCHEN = b"Bread needs flour and patience. The oven stands beside the window. Soup is served at noon."
TUNED = "gpt-4o-mini-2024-07-18"


@pytest.fixture
def sdk(gateways: Gateways) -> Iterator[OpenAI]:
    with gateways.sdk() as made:
        yield made


@pytest.fixture
def bob(gateways: Gateways) -> Iterator[OpenAI]:
    """Another user, whose things lie at the same account of the vendor."""
    with gateways.sdk(BOB) as made:
        yield made


def upload(sdk: OpenAI, data: bytes, name: str, purpose: Any = "assistants") -> str:
    """The id of a new file, which the gateway keeps."""
    return sdk.files.create(file=(name, data), purpose=purpose).id


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds at last."""
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.1)
    return found


def lost(call: Callable[[], object], id: str) -> None:
    """The vendor's own 404."""
    with pytest.raises(openai.NotFoundError) as raised:
        call()
    assert id in raised.value.message


@pytest.mark.endpoint("O18")
def test_vector_stores(sdk: OpenAI, bob: OpenAI) -> None:
    before = {store.id for store in sdk.vector_stores.list()}
    harbour = upload(sdk, HARBOUR, "harbour.txt")
    made = sdk.vector_stores.create(name="notes", file_ids=[harbour], metadata={"a": "b"})
    assert (made.name, made.metadata) == ("notes", {"a": "b"})
    kitchen = sdk.vector_stores.files.upload_and_poll(
        vector_store_id=made.id, file=("kitchen.md", KITCHEN), poll_interval_ms=50
    )
    assert kitchen.status == "completed"
    assert sdk.files.retrieve(kitchen.id).filename == "kitchen.md", "its id is that of our file"
    eventually(lambda: sdk.vector_stores.retrieve(made.id).file_counts.completed == 2)
    assert [one.id for one in sdk.vector_stores.files.list(made.id, order="asc", limit=1)] == [harbour, kitchen.id]
    changed = sdk.vector_stores.files.update(harbour, vector_store_id=made.id, attributes={"place": "sea"})
    assert (changed.id, changed.attributes) == (harbour, {"place": "sea"})
    found = sdk.vector_stores.search(made.id, query="Who is the lighthouse keeper?")
    assert [hit.file_id for hit in found] == [harbour, kitchen.id]
    at_sea: Any = {"type": "eq", "key": "place", "value": "sea"}
    assert [hit.file_id for hit in sdk.vector_stores.search(made.id, query="soup", filters=at_sea)] == [harbour]
    assert sdk.vector_stores.files.content(harbour, vector_store_id=made.id).data[0].text == HARBOUR.decode()
    batch = sdk.vector_stores.file_batches.create_and_poll(
        made.id, file_ids=[upload(sdk, b"Third.", "third.txt")], poll_interval_ms=50
    )
    assert batch.file_counts.completed == 1
    assert sdk.vector_stores.files.delete(kitchen.id, vector_store_id=made.id).id == kitchen.id
    assert {store.id for store in sdk.vector_stores.list(limit=1)} == before | {made.id}

    # Of another user it is as if it had never been, and their files can't be named.
    assert made.id not in {store.id for store in bob.vector_stores.list()}
    lost(lambda: bob.vector_stores.retrieve(made.id), made.id)
    lost(lambda: bob.vector_stores.search(made.id, query="x"), made.id)
    lost(lambda: bob.vector_stores.delete(made.id), made.id)
    lost(lambda: bob.vector_stores.create(file_ids=[harbour]), harbour)
    lost(lambda: sdk.vector_stores.files.create(made.id, file_id=upload(bob, b"His.", "his.txt")), "file-")
    assert sdk.vector_stores.delete(made.id).deleted
    lost(lambda: sdk.vector_stores.retrieve(made.id), made.id)


def test_answers_search_in_ones_own_vector_stores(sdk: OpenAI, bob: OpenAI) -> None:
    harbour = upload(sdk, HARBOUR, "harbour.txt")
    store = sdk.vector_stores.create(file_ids=[harbour])
    eventually(lambda: sdk.vector_stores.retrieve(store.id).status == "completed")
    tools: Any = [{"type": "file_search", "vector_store_ids": [store.id]}]
    told = sdk.responses.create(model="gpt-4o-mini", input="Who is the lighthouse keeper?", tools=tools)
    assert "Wilhelmina" in told.output_text
    assert f'"{harbour}"' in told.model_dump_json(), "the citation names our file"
    with pytest.raises(openai.APIStatusError) as raised:
        bob.responses.create(model="gpt-4o-mini", input="Who is the lighthouse keeper?", tools=tools)
    assert raised.value.status_code in (400, 404)


@pytest.mark.endpoint("O19")
def test_conversations(sdk: OpenAI, bob: OpenAI) -> None:
    hello: Any = {"type": "message", "role": "user", "content": "My name is Ada."}
    made = sdk.conversations.create(items=[hello], metadata={"topic": "names"})
    assert made.metadata == {"topic": "names"}
    answer = sdk.responses.create(model="gpt-4o-mini", input="Say something.", conversation=made.id)
    assert answer.output_text
    bye: Any = {**hello, "content": "Good bye."}
    more = sdk.conversations.items.create(made.id, items=[bye])
    listed = list(sdk.conversations.items.list(made.id, order="asc", limit=2))
    assert len(listed) == 4 and listed[-1].id == more.data[0].id
    assert sdk.conversations.items.retrieve(str(listed[0].id), conversation_id=made.id) == listed[0]
    assert sdk.conversations.items.delete(str(listed[0].id), conversation_id=made.id).id == made.id
    assert sdk.conversations.update(made.id, metadata={"topic": "x"}).metadata == {"topic": "x"}
    lost(lambda: bob.conversations.retrieve(made.id), made.id)
    lost(lambda: bob.conversations.items.list(made.id), made.id)
    with pytest.raises(openai.APIStatusError) as raised:
        bob.responses.create(model="gpt-4o-mini", input="What is my name?", conversation=made.id)
    assert raised.value.status_code in (400, 404)
    assert sdk.conversations.delete(made.id).deleted
    lost(lambda: sdk.conversations.retrieve(made.id), made.id)


@pytest.mark.endpoint("O20")
def test_containers(sdk: OpenAI, bob: OpenAI) -> None:
    name = f"box-{secrets.token_hex(4)}"
    kept = upload(sdk, HARBOUR, "harbour.txt", "user_data")
    made = sdk.containers.create(name=name, file_ids=[kept])
    data = bytes(range(256)) * 4000
    sent = sdk.containers.files.create(made.id, file=("a.bin", data))
    named = sdk.containers.files.create(made.id, file_id=kept)
    assert (sent.bytes, named.bytes) == (len(data), len(HARBOUR))
    assert sdk.containers.files.content.retrieve(sent.id, container_id=made.id).content == data
    assert {sent.id, named.id} <= {one.id for one in sdk.containers.files.list(made.id)}
    tools: Any = [{"type": "code_interpreter", "container": made.id}]
    told = sdk.responses.create(model="gpt-4o", input="Who is the lighthouse keeper?", tools=tools)
    assert "Wilhelmina" in told.output_text
    other = sdk.containers.create(name=f"{name}-2")
    assert [one.id for one in sdk.containers.list(name=name)] == [made.id]
    assert [one.id for one in sdk.containers.list(limit=1)][:2] == [other.id, made.id]
    lost(lambda: bob.containers.retrieve(made.id), made.id)
    lost(lambda: bob.containers.files.content.retrieve(sent.id, container_id=made.id), made.id)
    lost(lambda: bob.containers.files.create(bob.containers.create(name="b").id, file_id=kept), kept)
    sdk.containers.files.delete(sent.id, container_id=made.id)
    sdk.containers.delete(made.id)
    lost(lambda: sdk.containers.retrieve(made.id), made.id)


@pytest.mark.endpoint("O22")
def test_fine_tuning(sdk: OpenAI, bob: OpenAI) -> None:
    talks = [
        [{"role": "user", "content": f"What is {n} + 1?"}, {"role": "assistant", "content": str(n + 1)}]
        for n in range(10)
    ]
    lines = "\n".join(json.dumps({"messages": talk}) for talk in talks).encode()
    train, check = (upload(sdk, lines, name, "fine-tune") for name in ("train.jsonl", "check.jsonl"))
    team = secrets.token_hex(4)
    job = sdk.fine_tuning.jobs.create(
        model=TUNED, training_file=train, validation_file=check, suffix="sums", metadata={"team": team}
    )
    assert (job.training_file, job.validation_file) == (train, check), "the ids are those of our files"
    done = eventually(lambda: (now := sdk.fine_tuning.jobs.retrieve(job.id)).status == "succeeded" and now)
    assert done.fine_tuned_model.startswith("ft:")
    assert done.training_file == train
    asked: Any = {"model": done.fine_tuned_model, "messages": talks[2][:1]}
    assert sdk.chat.completions.create(**asked).choices[0].message.content == "3"
    with pytest.raises(openai.NotFoundError) as raised:
        bob.chat.completions.create(**asked)
    assert raised.value.code == "model_not_found"
    assert [event.object for event in sdk.fine_tuning.jobs.list_events(job.id)]
    assert [one.object for one in sdk.fine_tuning.jobs.checkpoints.list(job.id)]
    assert [one.id for one in sdk.fine_tuning.jobs.list(metadata={"team": team})] == [job.id]
    assert next(one.training_file for one in sdk.fine_tuning.jobs.list()) == train
    for verb in ("cancel", "pause", "resume"):
        with pytest.raises(openai.BadRequestError):
            getattr(sdk.fine_tuning.jobs, verb)(job.id)
    lost(lambda: bob.fine_tuning.jobs.retrieve(job.id), job.id)
    lost(lambda: bob.fine_tuning.jobs.cancel(job.id), job.id)
    assert job.id not in {one.id for one in bob.fine_tuning.jobs.list()}
    lost(lambda: bob.fine_tuning.jobs.create(model=TUNED, training_file=train), train)


@pytest.mark.endpoint("O21")
def test_evals(sdk: OpenAI, bob: OpenAI) -> None:
    schema = {"type": "object", "properties": {"ask": {"type": "string"}, "want": {"type": "string"}}}
    config: Any = {"type": "custom", "item_schema": schema, "include_sample_schema": True}
    grader: Any = {
        "type": "string_check",
        "name": "same",
        "input": "{{ sample.output_text }}",
        "reference": "{{item.want}}",
        "operation": "eq",
    }
    made = sdk.evals.create(name="sums", data_source_config=config, testing_criteria=[grader])
    rows = [{"item": {"ask": "What is 12 + 30?", "want": "42"}}, {"item": {"ask": "What is 1 + 1?", "want": "3"}}]
    file = upload(sdk, "\n".join(map(json.dumps, rows)).encode(), "rows.jsonl", "evals")
    template: Any = {"type": "template", "template": [{"role": "user", "content": "{{item.ask}}"}]}
    source: Any = {
        "type": "completions",
        "model": "gpt-4o",
        "source": {"type": "file_id", "id": file},
        "input_messages": template,
    }
    run = sdk.evals.runs.create(made.id, name="first", data_source=source)
    told: Any = run.to_dict()
    assert told["data_source"]["source"]["id"] == file, "the id is that of our file"

    def ended() -> Any:
        now = sdk.evals.runs.retrieve(run.id, eval_id=made.id)
        return now if now.status in ("completed", "failed", "canceled") else None

    done = eventually(ended)
    assert (done.result_counts.passed, done.result_counts.failed) == (1, 1)
    items = list(sdk.evals.runs.output_items.list(run.id, eval_id=made.id, limit=1))
    assert [item.results[0].passed for item in items] == [True, False]
    one = sdk.evals.runs.output_items.retrieve(items[0].id, eval_id=made.id, run_id=run.id)
    assert one.id == items[0].id
    assert [each.id for each in sdk.evals.runs.list(made.id)] == [run.id]
    assert made.id in {each.id for each in sdk.evals.list(order="desc")}
    assert sdk.evals.update(made.id, name="more").name == "more"
    lost(lambda: bob.evals.retrieve(made.id), made.id)
    lost(lambda: bob.evals.runs.retrieve(run.id, eval_id=made.id), made.id)
    lost(lambda: bob.evals.runs.output_items.list(run.id, eval_id=made.id), made.id)
    assert made.id not in {each.id for each in bob.evals.list()}
    bobs = bob.evals.create(data_source_config=config, testing_criteria=[grader])
    lost(lambda: bob.evals.runs.create(bobs.id, data_source=source), file)
    with pytest.raises(openai.APIStatusError):
        sdk.evals.runs.cancel(run.id, eval_id=made.id)
    assert sdk.evals.runs.delete(run.id, eval_id=made.id).deleted
    assert sdk.evals.delete(made.id).deleted
    lost(lambda: sdk.evals.retrieve(made.id), made.id)


def test_node(gateways: Gateways) -> None:
    seen = tell("platform", gateways.key, *gateways.origins)
    assert seen["found"] == ["notes.txt"] and seen["ours"] and seen["listed"]
    assert seen["said"] and seen["items"] == 3
    assert seen["content"] and seen["pages"] == 2
    assert {seen["deleted"][name] for name in seen["deleted"]} == {True}
    for refusal in seen["lost"]:
        assert (refusal["name"], refusal["status"]) == ("NotFoundError", 404)
        assert refusal["id"].startswith("req_")


def test_nothing_of_it_costs_anything(gateways: Gateways, sdk: OpenAI) -> None:
    since = now_ms()
    store = sdk.vector_stores.create()
    sdk.vector_stores.search(store.id, query="x")
    sdk.vector_stores.delete(store.id)
    assert gateways.stages[0].charged(since) == 0
    gateways.sound()


def test_a_file_that_its_provider_has_lost_goes_there_again(gateways: Gateways, sdk: OpenAI) -> None:
    text = f"The word is {secrets.token_hex(8)}.".encode()
    file = upload(sdk, text, "word.txt")
    first = sdk.vector_stores.create(file_ids=[file])
    for account in ("sk-upstream-one", "sk-upstream-two"):
        base = f"{gateways.stages[0].sandbox.url}/openai/v1"
        with OpenAI(api_key=account, base_url=base, max_retries=0) as vendor:
            for copy in vendor.files.list():
                if copy.filename == "word.txt":
                    vendor.files.delete(copy.id)
    added = sdk.vector_stores.files.create_and_poll(file, vector_store_id=first.id, poll_interval_ms=50)
    assert (added.id, added.status) == (file, "completed")
    assert sdk.vector_stores.files.content(file, vector_store_id=first.id).data[0].text == text.decode()
