"""Responses in the background: the draft, the vendor's requests and answers, and what a caller sees of each state."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from responses_cases import MESSAGE, UNITS, USAGE, response

from unigate.base.errors import BadAnswer, BadRequest
from unigate.dialects import openai_responses as responses
from unigate.dialects import operations, task_dialect
from unigate.providers import catalogue
from unigate.relay.tasks import TaskView
from unigate.spec.task import Accepted, Answered, Failure, Order, Progress, Submission, Task, TaskApi

OPERATION = next(row for row in operations() if row.name == "openai.responses.background")
VIEW = TaskView(base="http://here", now=0)


def api() -> TaskApi:
    return catalogue()["openai"].tasks[OPERATION.name]


def asked(query: str = "", **members: Any) -> Submission:
    body = json.dumps({"model": "m", "input": "hi", "background": True, **members}).encode()
    return Submission(operation=OPERATION, path="/v1/responses", query=query, params={}, headers={}, body=body)


def answered(body: object) -> Answered:
    return Answered(status=200, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def task(**more: Any) -> Task:
    told: dict[str, Any] = {
        "id": "resp_" + "0" * 32,
        "called": OPERATION.name,
        "operation": "openai.responses",
        "dialect": "openai_responses",
        "user_id": "u",
        "key_id": "k",
        "model": "m",
        "state": "running",
        "created_at": 1_790_000_000_000,
        "input": {"previous_response_id": None, "metadata": {}},
        **more,
    }
    return Task(**told)


def shown(given: Task) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(responses.write_task(given, VIEW))
    return found


def test_the_draft() -> None:
    draft = task_dialect("openai_responses").read_task(
        asked(metadata={"a": "b"}, usage={"include": True}, service_tier="flex", previous_response_id="resp_1")
    )
    assert (draft.operation, draft.model, draft.conditions) == ("openai.responses", "m", {"service_tier": "flex"})
    assert re.fullmatch(r"resp_[0-9a-f]{32}", draft.task_id) and responses.own_id(draft.task_id)
    assert "usage" not in draft.body and draft.body["input"] == "hi"
    assert draft.input == {"previous_response_id": "resp_1", "metadata": {"a": "b"}}
    assert draft.task_id != responses.read_task(asked()).task_id


def test_the_vendors_ids_are_not_taken_for_ours() -> None:
    for id in ("resp_" + "0" * 50, "resp_" + "g" * 32, "msg_" + "0" * 32, ""):
        assert not responses.own_id(id)


def test_a_stream_of_ours_is_refused() -> None:
    responses.check_get(asked("stream=false"))
    with pytest.raises(BadRequest):
        responses.check_get(asked("include=x&stream=true"))


def test_the_vendors_requests() -> None:
    draft = responses.read_task(asked(temperature=1.0))
    order = Order(task_id="t", called=OPERATION.name, operation=draft.operation, model="upstream", body=draft.body)
    sent = api().submit(order, {})
    assert (sent.method, sent.path) == ("POST", "/responses")
    expected = {"model": "upstream", "input": "hi", "background": True, "store": True, "temperature": 1.0}
    assert json.loads(sent.body) == expected
    poll, cancel = api().poll, api().cancel
    assert poll is not None and cancel is not None
    asking, ending = poll({"id": "resp_a/b"}, {}), cancel({"id": "resp_1"}, {})
    assert (asking.method, asking.path) == ("GET", "/responses/resp_a%2Fb")
    assert (ending.method, ending.path) == ("POST", "/responses/resp_1/cancel")


def accepted(body: object) -> Accepted:
    order = Order(task_id="t", called=OPERATION.name, operation="openai.responses", model="m", body={})
    return api().accepted(order, answered(body))


def told(body: object) -> Progress:
    progress = api().progress
    assert progress is not None
    return progress({"id": "resp_v"}, answered(body))


def test_how_an_answer_is_read() -> None:
    given = accepted(response("queued", id="resp_v"))
    assert (given.handle, given.progress.state) == ({"id": "resp_v"}, "queued")
    assert told(response("in_progress", id="resp_v")).state == "running"
    done = told(response("completed", id="resp_v", output=[MESSAGE], usage=USAGE))
    assert done.state == "succeeded" and done.units and done.units["output"] > 0
    assert "id" not in done.detail and done.detail["output"] == [MESSAGE]
    cut = told(response("incomplete", id="resp_v", usage=USAGE))
    assert cut.state == "succeeded" and cut.units


def test_pictures_are_counted_with_what_decides_their_price() -> None:
    picture = {"type": "image_generation_call", "id": "ig_1", "result": "aGk=", "size": "auto", "quality": "low"}
    later = {**picture, "id": "ig_2", "size": "1024x1536"}
    empty = {"type": "image_generation_call", "id": "ig_3", "result": None, "quality": "high"}
    done = told(response("completed", id="resp_v", output=[picture, picture, later, empty, MESSAGE], usage=USAGE))
    assert done.units == {**UNITS, "images": 2}
    assert done.conditions == {"quality": "low", "size": "1024x1536"}
    gone = told(response("cancelled", id="resp_v", output=[picture], usage=None))
    assert (gone.billed, gone.units) == (True, {"images": 1})
    assert "images" not in (told(response("completed", id="resp_v", output=[MESSAGE], usage=USAGE)).units or {})


def test_how_failures_are_read() -> None:
    failed = told(response("failed", id="resp_v", error={"code": "server_error", "message": "No."}, usage=USAGE))
    assert (failed.state, failed.error) == ("failed", Failure(code="server_error", message="No."))
    assert not failed.billed
    assert not told(response("cancelled", id="resp_v", usage=None)).billed
    assert told(response("cancelled", id="resp_v", usage=USAGE)).billed


@pytest.mark.parametrize("body", [b"", b"\xff", [], {}, {"id": 5, "status": "queued"}, {"id": "x", "status": "odd"}])
def test_what_is_no_response(body: object) -> None:
    with pytest.raises(BadAnswer):
        accepted(body)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"state": "waiting"}, "queued"),
        ({"state": "submitting"}, "queued"),
        ({"state": "running", "detail": {"status": "queued"}, "queued": True}, "queued"),
        ({"state": "running", "detail": {"status": "in_progress"}}, "in_progress"),
        ({"state": "running", "detail": {"status": "completed"}}, "in_progress"),
        ({"state": "succeeded", "detail": {"status": "completed"}}, "completed"),
        ({"state": "succeeded", "detail": {"status": "incomplete"}}, "incomplete"),
        ({"state": "canceled", "detail": {"status": "in_progress"}}, "cancelled"),
        ({"state": "unknown"}, "failed"),
        ({"state": "failed", "detail": {"status": "in_progress"}}, "failed"),
    ],
)
def test_what_a_caller_sees(fields: dict[str, Any], status: str) -> None:
    seen = shown(task(**fields))
    assert (seen["id"], seen["object"], seen["status"]) == ("resp_" + "0" * 32, "response", status)
    assert (seen["error"] is not None) == (status == "failed")


def test_the_vendors_account_is_shown_under_our_id() -> None:
    detail = told(
        response("completed", id="resp_v", output=[MESSAGE], usage=USAGE, previous_response_id="resp_u")
    ).detail
    given = task(state="succeeded", detail=detail, input={"previous_response_id": "resp_ours", "metadata": {}})
    seen = shown(given)
    assert seen["previous_response_id"] == "resp_ours" and seen["usage"] == USAGE
    assert "resp_v" not in json.dumps(seen) and "resp_u" not in json.dumps(seen)
    reply = responses.write_accepted(replace(given, state="running"), VIEW)
    assert (reply.status, json.loads(reply.body)["id"]) == (200, given.id)


def test_what_it_goes_on_from_is_renamed_alone() -> None:
    body = b'{"model":"m", "previous_response_id" : "resp_a", "input":"resp_a"}'
    assert json.loads(responses.go_on_from(body, 'resp_"b')) == {
        "model": "m",
        "previous_response_id": 'resp_"b',
        "input": "resp_a",
    }
