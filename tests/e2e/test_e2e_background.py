"""Responses in the background and the tasks that they are, by the official SDK and by plain HTTP, through the sandbox."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response

from support.stage import MAIN, Stage, mark, set_stage
from support.world import Process
from unigate.base.clock import now_ms

MODEL = "gpt-4o-mini"
BOB = "sk-bob-0123456789"
USERS = """
users:
  - {name: alice, credit: 100}
  - {name: bob, credit: 100}
  - {name: poor, credit: 0}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: manage, user: alice, secret: sk-manage-0123456789, scopes: [manage]}
  - {name: bobs, user: bob, secret: sk-bobs-0123456789, scopes: [manage]}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
settings: {tasks: {poll_scale: 0.2}}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with all models of the sandbox, whose tasks are asked after often."""
    built = set_stage(tmp_path_factory.mktemp("background"), vendors, MAIN + USERS)
    yield built
    built.stop()


@pytest.fixture
def sdk(stage: Stage) -> Iterator[openai.OpenAI]:
    """The SDK of alice."""
    with openai.OpenAI(base_url=stage.base, api_key=stage.key, max_retries=0, timeout=60) as client:
        yield client


def ask(stage: Stage, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
    """A call of alice's, or of whoever has the key."""
    head = {"authorization": f"Bearer {key or stage.key}", **more.pop("headers", {})}
    return httpx.request(method, stage.base + path, headers=head, timeout=60, **more)


def ended(client: openai.OpenAI, id: str) -> Response:
    """A response once it has ended."""
    deadline = time.monotonic() + 60
    while (found := client.responses.retrieve(id)).status in ("queued", "in_progress"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def refused(error: openai.APIStatusError) -> tuple[int, str | None]:
    return error.status_code, error.code


def test_it_is_made_while_nobody_waits(stage: Stage, sdk: openai.OpenAI) -> None:
    since = now_ms()
    word = mark()
    raw = sdk.responses.with_raw_response.create(
        model=MODEL, input=f"What is 12 + 30? {word} [[speed:5]]", background=True, metadata={"a": "b"}
    )
    made = raw.parse()
    assert (made.status, made.background, made.output) == ("queued", True, [])
    assert len(made.id) == len("resp_") + 32
    done = ended(sdk, made.id)
    assert (done.id, done.status, done.metadata, done.error) == (made.id, "completed", {"a": "b"}, None)
    assert "42" in done.output_text
    assert done.usage is not None and done.usage.output_tokens > 0
    (sent,) = [one for one in stage.received(word) if one["method"] == "POST"]
    asked = sent["body"]
    assert asked["background"] is True and asked["store"] is True and asked["model"] == MODEL
    task = ask(stage, "GET", f"/tasks/{made.id}").json()
    assert (task["state"], task["kind"], task["dialect"]) == ("succeeded", "openai.responses", "openai_responses")
    assert word not in json.dumps(task)
    row = stage.row(raw.headers["x-request-id"])
    units = done.usage.input_tokens, done.usage.output_tokens
    assert (row["units"]["input"], row["units"]["output"]) == units
    assert row["cost"] == units[0] * 150 + units[1] * 600
    assert float(task["cost_usd"]) == row["cost"] / 1e9
    assert stage.charged(since) == row["cost"]
    stage.sound()


def test_nobody_else_finds_it(stage: Stage, sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=MODEL, input="Mine [[speed:5]]", background=True)
    for method, path in (
        ("GET", f"/responses/{made.id}"),
        ("POST", f"/responses/{made.id}/cancel"),
        ("DELETE", f"/responses/{made.id}"),
        ("GET", f"/responses/{made.id}/input_items"),
        ("GET", f"/tasks/{made.id}"),
        ("GET", f"/tasks/{made.id}/events"),
    ):
        assert ask(stage, method, path, BOB).status_code == 404, path
    assert ask(stage, "GET", "/tasks", BOB).json()["data"] == []
    reply = ask(stage, "POST", "/responses", BOB, json={"model": MODEL, "input": "x", "previous_response_id": made.id})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "previous_response_not_found")
    assert ended(sdk, made.id).status == "completed"


def test_cancelling_gives_the_money_back(stage: Stage, sdk: openai.OpenAI) -> None:
    before = stage.settled()
    made = sdk.responses.create(model=MODEL, input="Slowly [[speed:0.01]]", background=True)
    assert stage.usage()["cache_used"] > 0
    for _ in range(2):
        gone = sdk.responses.cancel(made.id)
        assert (gone.id, gone.status, gone.output) == (made.id, "cancelled", [])
    assert ask(stage, "GET", f"/tasks/{made.id}").json()["state"] == "canceled"
    assert stage.settled() == before
    stage.sound()


def test_a_failure_costs_nothing(stage: Stage, sdk: openai.OpenAI) -> None:
    before = stage.settled()
    made = sdk.responses.create(model=MODEL, input="[[speed:5]] [[fault:fail-at:50]]", background=True)
    failed = ended(sdk, made.id)
    assert failed.status == "failed"
    assert failed.error is not None and failed.error.code == "server_error"
    task = ask(stage, "GET", f"/tasks/{made.id}").json()
    assert (task["state"], task["error"]["code"], task["cost_usd"]) == ("failed", "server_error", "0")
    assert stage.settled() == before
    stage.sound()


def test_others_go_on_from_it(stage: Stage, sdk: openai.OpenAI) -> None:
    first = sdk.responses.create(model=MODEL, input="My number is 4711. [[speed:0.01]]", background=True)
    with pytest.raises(openai.BadRequestError) as early:
        sdk.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
    assert early.value.code == "previous_response_not_completed"
    sdk.responses.cancel(first.id)
    first = sdk.responses.create(model=MODEL, input="My number is 4711. [[speed:5]]", background=True)
    ended(sdk, first.id)
    second = sdk.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
    assert second.status == "completed"
    third = sdk.responses.create(
        model=MODEL, input="Then? [[speed:5]]", previous_response_id=second.id, background=True
    )
    fourth = sdk.responses.create(
        model=MODEL, input="So? [[speed:5]]", previous_response_id=ended(sdk, third.id).id, background=True
    )
    assert ended(sdk, fourth.id).previous_response_id == third.id
    items = sdk.responses.input_items.list(third.id, order="asc")
    assert "4711" in items.data[0].model_dump_json()


def test_what_is_deleted_is_gone(stage: Stage, sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=MODEL, input="Soon [[speed:0.01]]", background=True)
    with pytest.raises(openai.ConflictError):
        sdk.responses.delete(made.id)
    sdk.responses.cancel(made.id)
    gone = ask(stage, "DELETE", f"/responses/{made.id}")
    assert (gone.status_code, gone.json()) == (200, {"id": made.id, "object": "response", "deleted": True})
    for method in ("GET", "DELETE"):
        assert ask(stage, method, f"/responses/{made.id}").status_code == 404


@pytest.mark.parametrize(
    ("more", "param"), [({"stream": True}, "stream"), ({"store": False}, "store"), ({"input": 5}, "input")]
)
def test_what_is_refused_costs_nothing(stage: Stage, more: dict[str, Any], param: str) -> None:
    before = stage.settled()
    reply = ask(stage, "POST", "/responses", json={"model": MODEL, "input": "x", "background": True, **more})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param), reply.text
    assert stage.settled() == before


def test_it_is_not_streamed_again(stage: Stage, sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=MODEL, input="Hm [[speed:5]]", background=True)
    reply = ask(stage, "GET", f"/responses/{made.id}?stream=true")
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "stream")


def test_no_money_no_task(stage: Stage) -> None:
    reply = ask(
        stage, "POST", "/responses", "sk-poor-0123456789", json={"model": MODEL, "input": "x", "background": True}
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (402, "insufficient_quota")


def test_the_same_request_twice_is_one_task(stage: Stage) -> None:
    word = mark()
    body = {"model": MODEL, "input": f"Once {word} [[speed:5]]", "background": True}
    replies = [ask(stage, "POST", "/responses", json=body, headers={"idempotency-key": word}) for _ in range(3)]
    assert len({reply.json()["id"] for reply in replies}) == 1
    other = ask(stage, "POST", "/responses", json={**body, "input": "Other"}, headers={"idempotency-key": word})
    assert other.status_code == 409
    assert len([one for one in stage.received(word) if one["method"] == "POST"]) == 1


@pytest.mark.endpoint("P5")
def test_events_tell_of_it_until_the_end(stage: Stage, sdk: openai.OpenAI) -> None:
    made = sdk.responses.create(model=MODEL, input="Watch [[speed:1]]", background=True)
    states = []
    head = {"authorization": f"Bearer {stage.key}"}
    with httpx.stream("GET", f"{stage.base}/tasks/{made.id}/events", headers=head, timeout=60) as reply:
        for line in reply.iter_lines():
            if line.startswith("data: "):
                told = json.loads(line[6:])
                states.append(told["state"])
                assert told["id"] == made.id
    assert states[0] in ("queued", "running") and states[-1] == "succeeded"


@pytest.mark.endpoint("P5")
def test_lists_have_what_is_asked_for(stage: Stage, sdk: openai.OpenAI) -> None:
    made = [sdk.responses.create(model=MODEL, input=f"{n} [[speed:9]]", background=True).id for n in range(3)]
    for one in made:
        ended(sdk, one)
    query = {"kind": "openai.responses", "state": "succeeded", "limit": "2", "model": MODEL, "key": "this"}
    page = ask(stage, "GET", "/tasks", params=query).json()
    behind = ask(stage, "GET", "/tasks", params={**query, "cursor": page["next"]}).json()
    assert [one["id"] for one in (*page["data"], *behind["data"])][:3] == made[::-1]
    assert ask(stage, "GET", "/tasks", params={"kind": "suno.song"}).json()["data"] == []
    assert ask(stage, "GET", "/tasks", params={"until": "2020-01-01"}).json()["data"] == []


def test_operators_and_owners_look_at_it(stage: Stage, sdk: openai.OpenAI) -> None:
    before = stage.settled()
    made = sdk.responses.create(model=MODEL, input="Look [[speed:0.01]]", background=True)
    (listed, *_) = stage.manage("task", "list", "--state", "queued", "--user", "alice", "--limit", "3")
    assert (listed["id"], listed["user"], listed["channel"], listed["cost"]) == (made.id, "alice", "main", "0")
    assert float(listed["held"]) > 0
    found = stage.manage("task", "show", made.id)
    assert found["task"]["kind"] == "openai.responses" and found["handle"]["id"].startswith("resp_")

    def api(method: str, path: str, key: str = "sk-manage-0123456789") -> httpx.Response:
        return httpx.request(method, f"{stage.url}/api/tasks{path}", headers={"authorization": f"Bearer {key}"})

    own = api("GET", f"/{made.id}").json()
    assert own["user"] == "alice" and own["channel"] is None and own["handle"] is None
    assert [one["id"] for one in api("GET", "?limit=1").json()["data"]] == [made.id]
    assert api("GET", "", "sk-bobs-0123456789").json()["data"] == []
    for method, path in (("GET", ""), ("POST", "/cancel")):
        assert api(method, f"/{made.id}{path}", "sk-bobs-0123456789").status_code == 404
    assert api("GET", "?state=done").status_code == 400
    for _ in range(2):
        assert api("POST", f"/{made.id}/cancel").json()["state"] == "canceled"
    assert sdk.responses.retrieve(made.id).status == "cancelled"
    assert stage.settled() == before
    stage.sound()


def test_the_shell_cancels_it(stage: Stage, sdk: openai.OpenAI) -> None:
    before = stage.settled()
    word = mark()
    made = sdk.responses.create(model=MODEL, input=f"Stop {word} [[speed:0.01]]", background=True)
    for _ in range(2):
        assert stage.manage("task", "cancel", made.id)["task"]["state"] == "canceled"
    assert sdk.responses.retrieve(made.id).status == "cancelled"
    stage.manage("task", "show", "nobodys", code=1)
    stage.manage("task", "list", "--state", "odd", code=2)
    assert stage.settled() == before
    stage.sound()
