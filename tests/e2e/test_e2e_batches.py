"""Batches by OpenAI's official client: each line is a call of its own, answered once, charged once, and in the output file."""

import base64
from collections.abc import Iterator

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI

from support.batches import CHAT, PRICES, charged, ended, lines_of, made, price, request
from support.image_stage import opened
from support.node import tell
from support.own_files import ask, refused
from support.stage import MAIN, Stage, set_stage
from support.world import Process

CONFIG = (
    MAIN.replace('models: "*"', 'models: "*", groups: [default, cheap]')
    + PRICES
    + """
settings:
  batches: {groups: {cheap: 333333}}
groups: [{name: cheap, multiplier: 1.5}]
users:
  - {name: alice, credit: 10}
  - {name: bob, credit: 10}
  - {name: carol, group: cheap, credit: 10}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: carol, user: carol, secret: sk-carol-0123456789}
"""
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("batches"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    built.stop()


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def of(stage: Stage, key: str) -> OpenAI:
    """The client of another user."""
    return OpenAI(api_key=key, base_url=stage.base, max_retries=0)


@pytest.mark.endpoint("O17")
def test_lines_are_called_and_charged_one_by_one(stage: Stage, openai: OpenAI) -> None:
    lines = [request(f"chat-{n}", f"Say {n} [[tokens:{n + 3}]]") for n in range(30)]
    batch = made(openai, lines, metadata={"job": "nightly"})
    assert (batch.object, batch.endpoint, batch.status, batch.completion_window) == ("batch", CHAT, "validating", "24h")
    assert batch.expires_at == batch.created_at + 86400
    batch = ended(openai, batch)
    assert (batch.status, batch.model, batch.metadata) == ("completed", "gpt-4o-mini", {"job": "nightly"})
    assert batch.request_counts is not None and batch.errors is None and batch.error_file_id is None
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (30, 30, 0)
    assert batch.in_progress_at and batch.finalizing_at and batch.completed_at

    found = lines_of(openai, batch.output_file_id)
    assert [line["custom_id"] for line in found] == [f"chat-{n}" for n in range(30)]
    assert len({line["id"] for line in found}) == 30
    for n, line in enumerate(found):
        assert line["error"] is None and line["response"]["status_code"] == 200
        assert line["response"]["body"]["usage"]["completion_tokens"] == n + 3
    paid = charged(stage, batch)
    assert paid.keys() == {line["response"]["request_id"] for line in found}
    assert sum(paid.values()) == price(found)
    assert batch.usage is not None
    assert batch.usage.output_tokens == sum(n + 3 for n in range(30))
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens

    assert batch.output_file_id is not None
    file = openai.files.retrieve(batch.output_file_id)
    assert file.purpose == "batch_output" and file.filename.endswith(".jsonl")
    assert file.expires_at == file.created_at + 30 * 86400


@pytest.mark.endpoint("O17")
def test_lines_that_fail_stand_in_the_error_file_and_cost_nothing(stage: Stage, openai: OpenAI) -> None:
    lines = [
        request("good", "Hello"),
        request("unknown", "Hello", model="no-such-model-at-all"),
        request("bad", "Hello", temperature="hot"),
        request("fault", "Hello [[fault:status:400]]"),
    ]
    batch = ended(openai, made(openai, lines))
    assert batch.request_counts is not None and batch.model is None
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 1, 3)
    good, bad = lines_of(openai, batch.output_file_id), lines_of(openai, batch.error_file_id)
    assert [line["custom_id"] for line in good] == ["good"]
    assert {line["custom_id"] for line in bad} == {"unknown", "bad", "fault"}
    for line in bad:
        assert line["response"]["status_code"] in (400, 403, 404)
        assert set(line["response"]["body"]["error"]) >= {"message", "type", "code"}
    assert sum(charged(stage, batch).values()) == price(good)


@pytest.mark.endpoint("O17")
@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"model": "gpt-4o-mini", "input": "Hello"}),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hello", "max_tokens": 5}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]}),
        ("/v1/moderations", {"model": "omni-moderation-latest", "input": "Hello"}),
    ],
)
def test_each_endpoint(stage: Stage, openai: OpenAI, endpoint: str, body: dict[str, object]) -> None:
    lines = [{"custom_id": "a", "method": "POST", "url": endpoint, "body": body}]
    batch = ended(openai, made(openai, lines, endpoint=endpoint))
    assert batch.status == "completed", batch
    (line,) = lines_of(openai, batch.output_file_id)
    assert line["response"]["status_code"] == 200 and line["response"]["body"]
    assert charged(stage, batch).keys() == {line["response"]["request_id"]}


@pytest.mark.endpoint("O17")
def test_pictures_are_made_and_charged_by_what_was_made(stage: Stage, openai: OpenAI) -> None:
    url = "/v1/images/generations"
    asked = {"model": "gpt-image-1", "prompt": "a fox", "size": "1024x1024", "quality": "low"}
    lines = [
        {"custom_id": "good", "method": "POST", "url": url, "body": {**asked, "n": 2}},
        {"custom_id": "bad", "method": "POST", "url": url, "body": {**asked, "size": "7x7"}},
    ]
    batch = ended(openai, made(openai, lines, endpoint=url))
    (good,), (bad,) = lines_of(openai, batch.output_file_id), lines_of(openai, batch.error_file_id)
    assert (batch.status, good["custom_id"], bad["custom_id"]) == ("completed", "good", "bad")
    assert bad["response"]["status_code"] == 400
    body = good["response"]["body"]
    assert [opened(base64.b64decode(one["b64_json"])).size for one in body["data"]] == [(1024, 1024)] * 2
    paid = charged(stage, batch)
    assert paid[good["response"]["request_id"]] == body["usage"]["input_tokens"] * 5_000 + 2 * 272 * 40_000
    assert sum(paid.values()) == paid[good["response"]["request_id"]]


@pytest.mark.endpoint("O17")
def test_a_discount_of_the_group_is_exact(stage: Stage) -> None:
    with of(stage, "sk-carol-0123456789") as carol:
        lines = [request(f"c{n}", "One two three " * n + f"[[tokens:{n + 1}]]") for n in range(7)]
        batch = ended(carol, made(carol, lines))
        found = lines_of(carol, batch.output_file_id)
        assert len(found) == 7
        paid = charged(stage, batch)
        # A half more for her group, less a third, rounded up once for each line.
        assert sum(paid.values()) == price(found, left=(1_500_000 * 666_667, 10**12))
        assert sum(paid.values()) < price(found, left=(3, 2))


@pytest.mark.endpoint("O17")
def test_batches_belong_to_their_user(stage: Stage, openai: OpenAI) -> None:
    mine = made(openai, [request("a", "Hello")])
    with of(stage, "sk-bob-0123456789") as bob:
        for call in (bob.batches.retrieve, bob.batches.cancel):
            with pytest.raises(NotFoundError):
                call(mine.id)
        with pytest.raises(NotFoundError) as foreign:
            bob.batches.create(input_file_id=mine.input_file_id, endpoint=CHAT, completion_window="24h")
        assert foreign.value.param == "input_file_id"
        assert bob.batches.list().data == []
        with pytest.raises(BadRequestError):
            bob.batches.list(after=mine.id)
        ids = [made(bob, [request("a", "Hello")]).id for _ in range(5)]
        assert [batch.id for batch in bob.batches.list(limit=2)] == ids[::-1], "page by page"
        page = bob.batches.list(limit=2, after=ids[3])
        assert [batch.id for batch in page.data] == [ids[2], ids[1]] and page.has_more
    ended(openai, mine)


@pytest.mark.endpoint("O17")
@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"endpoint": "/v1/audio/speech"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": None}, "input_file_id"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {"x" * 65: "a"}}, "metadata"),
        ({"metadata": {str(n): "a" for n in range(17)}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, "output_expires_after.seconds"),
    ],
)
def test_what_is_refused_at_once(stage: Stage, openai: OpenAI, changed: dict[str, object], param: str) -> None:
    file = openai.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    body = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h", **changed}
    reply = ask(stage, "POST", "/v1/batches", json=body)
    refused(reply, 400)
    assert reply.json()["error"]["param"] == param


def test_a_file_that_is_not_for_batches(stage: Stage, openai: OpenAI) -> None:
    file = openai.files.create(file=("a.jsonl", b"{}"), purpose="user_data")
    with pytest.raises(BadRequestError) as wrong:
        openai.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert (wrong.value.param, wrong.value.code) == ("input_file_id", "invalid_file_purpose")
    with pytest.raises(NotFoundError):
        openai.batches.create(input_file_id="file-nothing", endpoint=CHAT, completion_window="24h")


BODY = {"model": "gpt-4o-mini", "messages": []}
LINE = {"custom_id": "a", "method": "POST", "url": CHAT, "body": BODY}


@pytest.mark.endpoint("O17")
@pytest.mark.parametrize(
    ("lines", "code", "line"),
    [
        ([b"", b"  "], "empty_file", None),
        ([b""] * 100_001, "too_many_lines", None),
        ([LINE, b"{not json"], "invalid_json_line", 2),
        ([LINE, b"[1]"], "invalid_json_line", 2),
        ([LINE, b"", b'{"custom_id": "\xff"}'], "invalid_json_line", 3),
        ([{**LINE, "custom_id": None}], "missing_required_parameter", 1),
        ([{**LINE, "custom_id": 7}], "invalid_custom_id", 1),
        ([LINE, LINE], "duplicate_custom_id", 2),
        ([{**LINE, "method": "GET"}], "invalid_method", 1),
        ([{**LINE, "url": "/v1/embeddings"}], "invalid_url", 1),
        ([{**LINE, "body": "text"}], "invalid_request", 1),
        ([{**LINE, "body": {"messages": []}}], "missing_required_parameter", 1),
        ([{**LINE, "body": {**BODY, "stream": True}}], "stream_not_supported", 1),
    ],
)
def test_a_file_with_bad_lines_fails_and_nothing_is_called(
    stage: Stage, openai: OpenAI, lines: list[object], code: str, line: int | None
) -> None:
    batch = ended(openai, made(openai, lines))
    assert batch.status == "failed" and batch.failed_at and not batch.in_progress_at
    assert batch.errors is not None and batch.errors.data is not None
    assert [(error.code, error.line) for error in batch.errors.data] == [(code, line)]
    assert all(error.message for error in batch.errors.data)
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert charged(stage, batch) == {}
    with pytest.raises(APIStatusError) as late:
        openai.batches.cancel(batch.id)
    assert late.value.status_code == 409


def test_only_some_errors_are_told_of_a_file_that_is_all_wrong(openai: OpenAI) -> None:
    batch = ended(openai, made(openai, [b"x"] * 1000))
    assert batch.errors is not None and batch.errors.data is not None
    assert len(batch.errors.data) == 100


@pytest.mark.endpoint("O17")
def test_the_official_client_for_node(stage: Stage) -> None:
    seen = tell("batches", "sk-bob-0123456789", stage.url)
    assert (seen["first"], seen["status"], seen["metadata"]) == ("validating", "completed", {"by": "node"})
    assert seen["counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert (seen["ids"], seen["answered"], seen["tokens"]) == (["one", "two"], True, 7)
    assert seen["listed"]
    assert (seen["late"]["status"], seen["unknown"]["status"]) == (409, 404)
    assert seen["bad"] == ["failed", "duplicate_custom_id", 2]
