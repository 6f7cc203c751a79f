"""The sandbox's vector stores: files that become ready, searches that find what fits, and answers that cite it."""

import secrets
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseFileSearchToolCall, ResponseOutputMessage
from openai.types.responses.response_output_text import AnnotationFileCitation
from sandbox_client import Sandbox, eventually

HARBOUR = b"The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn."
KITCHEN = b"Bread needs flour and patience. The oven stands beside the window. Soup is served at noon."


@pytest.fixture
def sdk(sandbox: Sandbox) -> openai.OpenAI:
    """The SDK with an account of its own."""
    return sandbox.openai(key=f"sk-{secrets.token_hex(8)}")


def upload(sdk: openai.OpenAI, data: bytes, name: str) -> str:
    """The id of a new file."""
    return sdk.files.create(file=(name, data), purpose="assistants").id


def stocked(sdk: openai.OpenAI) -> tuple[str, str, str]:
    """The ids of a store with two files, and of those."""
    store = sdk.vector_stores.create(name="notes")
    harbour, kitchen = upload(sdk, HARBOUR, "harbour.txt"), upload(sdk, KITCHEN, "kitchen.md")
    for file_id, place in ((harbour, "sea"), (kitchen, "house")):
        done = sdk.vector_stores.files.create_and_poll(
            file_id, vector_store_id=store.id, attributes={"place": place, "floor": len(place)}, poll_interval_ms=10
        )
        assert done.status == "completed", done
    return store.id, harbour, kitchen


def test_a_store_from_creation_to_deletion(sdk: openai.OpenAI) -> None:
    files = [upload(sdk, HARBOUR, "harbour.txt"), upload(sdk, bytes(range(128, 256)), "a.bin")]
    made = sdk.vector_stores.create(
        name="notes", file_ids=files, metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 2}
    )
    assert (made.object, made.name, made.metadata) == ("vector_store", "notes", {"a": "b"})
    assert made.id.startswith("vs_") and made.expires_at == (made.last_active_at or 0) + 2 * 86400
    done = eventually(lambda: next(iter([s for s in sdk.vector_stores.list() if s.status == "completed"]), None))
    counts = done.file_counts
    assert (counts.completed, counts.failed, counts.in_progress, counts.total) == (1, 1, 0, 2)
    assert done.usage_bytes == len(HARBOUR)
    failed = sdk.vector_stores.files.list(made.id, filter="failed").data
    assert [one.id for one in failed] == [files[1]]
    assert failed[0].last_error and failed[0].last_error.code == "unsupported_file"
    changed = sdk.vector_stores.update(made.id, name="other", metadata={"c": "d"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_at) == ("other", {"c": "d"}, None)
    assert sdk.vector_stores.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No vector store found with id '{made.id}'"):
        sdk.vector_stores.retrieve(made.id)


def test_files_are_in_progress_first(sdk: openai.OpenAI) -> None:
    file_id = upload(sdk, HARBOUR, "harbour.txt")
    made = sdk.vector_stores.create(name="[[speed:0.01]]", file_ids=[file_id])
    assert (made.status, made.file_counts.in_progress, made.usage_bytes) == ("in_progress", 1, 0)
    assert sdk.vector_stores.search(made.id, query="lighthouse").data == []


def test_files_of_a_store(sdk: openai.OpenAI) -> None:
    store, harbour, kitchen = stocked(sdk)
    assert [one.id for one in sdk.vector_stores.files.list(store, order="asc", limit=1)] == [harbour, kitchen]
    one = sdk.vector_stores.files.retrieve(harbour, vector_store_id=store)
    assert one.attributes == {"place": "sea", "floor": 3} and one.usage_bytes == len(HARBOUR)
    static: Any = one.chunking_strategy
    assert (static.static.max_chunk_size_tokens, static.static.chunk_overlap_tokens) == (800, 400)
    assert sdk.vector_stores.files.content(harbour, vector_store_id=store).data[0].text == HARBOUR.decode()
    changed = sdk.vector_stores.files.update(harbour, vector_store_id=store, attributes={"place": "hill"})
    assert changed.attributes == {"place": "hill"}
    assert sdk.vector_stores.files.delete(harbour, vector_store_id=store).deleted
    with pytest.raises(openai.NotFoundError, match=f"No file found with id '{harbour}'"):
        sdk.vector_stores.files.retrieve(harbour, vector_store_id=store)
    sdk.files.delete(kitchen)
    assert sdk.vector_stores.files.list(store).data == []


def test_batches_of_files(sdk: openai.OpenAI) -> None:
    store = sdk.vector_stores.create().id
    files = [upload(sdk, HARBOUR, "a.txt"), upload(sdk, KITCHEN, "b.txt")]
    done = sdk.vector_stores.file_batches.create_and_poll(store, file_ids=files, poll_interval_ms=10)
    assert (done.status, done.file_counts.completed, done.file_counts.total) == ("completed", 2, 2)
    listed = sdk.vector_stores.file_batches.list_files(done.id, vector_store_id=store, order="asc")
    assert [one.id for one in listed] == files
    slow = sdk.vector_stores.file_batches.create(
        store, files=[{"file_id": files[0], "attributes": {"x": "[[speed:0.01]]"}}]
    )
    assert slow.status == "in_progress"
    ended = sdk.vector_stores.file_batches.cancel(slow.id, vector_store_id=store)
    assert (ended.status, ended.file_counts.cancelled) == ("cancelled", 1)
    assert sdk.vector_stores.file_batches.retrieve(slow.id, vector_store_id=store) == ended


def test_a_search_finds_what_fits_best(sdk: openai.OpenAI) -> None:
    store, harbour, kitchen = stocked(sdk)
    page = sdk.vector_stores.search(store, query="Who is the lighthouse keeper?")
    assert [hit.file_id for hit in page] == [harbour, kitchen]
    assert page.data[0].score > page.data[1].score and page.data[0].filename == "harbour.txt"
    assert page.data[0].content[0].text == HARBOUR.decode()
    assert [hit.file_id for hit in sdk.vector_stores.search(store, query="oven and soup", max_num_results=1)] == [
        kitchen
    ]
    strict = sdk.vector_stores.search(store, query="lighthouse keeper", ranking_options={"score_threshold": 0.9})
    assert [hit.file_id for hit in strict] == [harbour]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"type": "eq", "key": "place", "value": "house"}, {"house"}),
        ({"type": "ne", "key": "place", "value": "house"}, {"sea"}),
        ({"type": "gt", "key": "floor", "value": 3}, {"house"}),
        ({"type": "lte", "key": "floor", "value": 3}, {"sea"}),
        ({"type": "in", "key": "place", "value": ["house", "sea"]}, {"house", "sea"}),
        ({"type": "nin", "key": "place", "value": ["sea"]}, {"house"}),
        ({"type": "gt", "key": "place", "value": 3}, set()),
        ({"type": "eq", "key": "none", "value": 3}, set()),
        (
            {
                "type": "or",
                "filters": [{"type": "eq", "key": "floor", "value": 3}, {"type": "eq", "key": "floor", "value": 5}],
            },
            {"house", "sea"},
        ),
        (
            {
                "type": "and",
                "filters": [{"type": "eq", "key": "floor", "value": 3}, {"type": "eq", "key": "place", "value": "x"}],
            },
            set(),
        ),
    ],
)
def test_filters(sdk: openai.OpenAI, filters: Any, found: set[str]) -> None:
    store, _, _ = stocked(sdk)
    hits = sdk.vector_stores.search(store, query="the", filters=filters)
    assert {(hit.attributes or {})["place"] for hit in hits} == found


def test_long_files_are_cut(sdk: openai.OpenAI) -> None:
    words = " ".join(f"word{n}" for n in range(600)) + " The treasure is below the old oak. " + "filler " * 400
    store, file_id = sdk.vector_stores.create().id, upload(sdk, words.encode(), "long.txt")
    static: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
    sdk.vector_stores.files.create_and_poll(
        file_id, vector_store_id=store, chunking_strategy=static, poll_interval_ms=10
    )
    hits = sdk.vector_stores.search(store, query="Where is the treasure?", max_num_results=50).data
    assert len(hits) > 5 and "treasure" in hits[0].content[0].text
    assert all(len(hit.content[0].text) < 2000 for hit in hits)
    assert sdk.vector_stores.retrieve(store).usage_bytes > len(words)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("", {"name": 1}, "name"),
        ("", {"purpose": "x"}, "purpose"),
        ("", {"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days"),
        ("", {"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ("", {"metadata": {"a": "x" * 513}}, "metadata.a"),
        ("/search", {}, "query"),
        ("/search", {"query": "x", "max_num_results": 51}, "max_num_results"),
        ("/search", {"query": "x", "filters": {"type": "like"}}, "filters.type"),
        ("/search", {"query": "x", "filters": {"type": "and", "filters": []}}, "filters.filters"),
        ("/search", {"query": "x", "ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ("/files", {}, "file_id"),
        ("/files", {"file_id": "notes.txt"}, "file_id"),
        ("/file_batches", {}, "file_ids"),
        ("/file_batches", {"file_ids": []}, "file_ids"),
    ],
)
def test_bad_calls(sandbox: Sandbox, sdk: openai.OpenAI, path: str, body: Any, param: str) -> None:
    store = f"/{sdk.vector_stores.create().id}" if path else ""
    head = {"authorization": f"Bearer {sdk.api_key}"}
    reply = sandbox.http.post(f"{sandbox.url}/openai/v1/vector_stores{store}{path}", json=body, headers=head)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_what_is_not_there(sandbox: Sandbox, sdk: openai.OpenAI) -> None:
    store = sdk.vector_stores.create().id
    stranger = sandbox.openai(key=f"sk-{secrets.token_hex(8)}")
    for sought in (stranger.vector_stores.retrieve, stranger.vector_stores.delete, stranger.vector_stores.files.list):
        with pytest.raises(openai.NotFoundError, match="No vector store found"):
            sought(store)
    with pytest.raises(openai.BadRequestError, match="Expected an ID that begins with 'vs_'"):
        sdk.vector_stores.retrieve("store")
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        sdk.vector_stores.files.create(store, file_id="file-none")
    with pytest.raises(openai.NotFoundError, match="No file batch found"):
        sdk.vector_stores.file_batches.retrieve("vsfb_none", vector_store_id=store)


def test_answers_out_of_stores(sdk: openai.OpenAI) -> None:
    store, harbour, _ = stocked(sdk)
    tool: Any = {"type": "file_search", "vector_store_ids": [store]}
    plain = sdk.responses.create(model="gpt-4o", input="Who is the lighthouse keeper?")
    response = sdk.responses.create(
        model="gpt-4o",
        input="Who is the lighthouse keeper?",
        tools=[tool],
        include=["file_search_call.results"],
    )
    search, message = response.output
    assert isinstance(search, ResponseFileSearchToolCall) and isinstance(message, ResponseOutputMessage)
    assert search.status == "completed" and search.queries == ["Who is the lighthouse keeper?"]
    assert search.results and search.results[0].file_id == harbour and search.results[0].attributes
    assert "Wilhelmina" in response.output_text and "Wilhelmina" not in plain.output_text
    part: Any = message.content[0]
    (cited,) = part.annotations
    assert isinstance(cited, AnnotationFileCitation)
    assert (cited.file_id, cited.filename) == (harbour, "harbour.txt")
    assert response.output_text[: cited.index].endswith("Wilhelmina.")
    assert response.usage and plain.usage and response.usage.input_tokens > plain.usage.input_tokens
    narrow: Any = {**tool, "filters": {"type": "eq", "key": "place", "value": "sea"}}
    hidden = sdk.responses.create(model="gpt-4o", input="Soup?", tools=[narrow])
    assert isinstance(hidden.output[0], ResponseFileSearchToolCall) and hidden.output[0].results is None
    assert "harbour.txt" in hidden.output_text
    unused = sdk.responses.create(model="gpt-4o", input="Soup?", tools=[tool], tool_choice="none")
    assert [item.type for item in unused.output] == ["message"]


def test_a_streamed_search(sdk: openai.OpenAI) -> None:
    store, harbour, _ = stocked(sdk)
    tool: Any = {"type": "file_search", "vector_store_ids": [store]}
    events: list[Any] = list(sdk.responses.create(model="gpt-4o", input="Lighthouse?", tools=[tool], stream=True))
    kinds = [event.type.removeprefix("response.") for event in events]
    steps = [f"file_search_call.{step}" for step in ("in_progress", "searching", "completed")]
    assert kinds[2:7] == ["output_item.added", *steps, "output_item.done"]
    added, done = kinds.index("output_text.annotation.added"), kinds.index("output_text.done")
    assert done == added + 1 and events[added].annotation.file_id == harbour
    blank = next(event for event in events if event.type == "response.content_part.added")
    assert blank.part.annotations == [] and events[2].item.queries == []
    assert events[-1].response.output[1].content[0].annotations[0].file_id == harbour


def test_stores_that_are_not_there(sdk: openai.OpenAI) -> None:
    tool: Any = {"type": "file_search", "vector_store_ids": ["vs_none"]}
    with pytest.raises(openai.NotFoundError, match="No vector store found with id 'vs_none'"):
        sdk.responses.create(model="gpt-4o", input="Who?", tools=[tool])
    tool["vector_store_ids"] = []
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.responses.create(model="gpt-4o", input="Who?", tools=[tool])
    assert refused.value.param == "tools[0].vector_store_ids"
