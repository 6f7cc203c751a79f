"""`/v1/tasks` and where providers call back, over real HTTP: who sees what, pages, bad input."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_kit import Api, serving
from tasks_kit import NOW, PATH, SECRET, code, file, owner, with_tasks

from unigate.base.clock import now_ms
from unigate.manage import keys
from unigate.spec.task import Failure
from unigate.store.database import Database


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path, opening: Any) -> AsyncIterator[Api]:
    """A gateway with tasks in its database."""
    database: Database = opening(sqlite_url)
    async with serving(database, tmp_path) as running:
        parts = with_tasks(running, tmp_path)
        yield running
    await parts.tasks.engine.changes.close()
    await parts.letters.close()


async def test_a_task_in_full(api: Api) -> None:
    alice = await owner(api)
    files = (
        file("ast_1", 0, kind="audio", media_type="audio/mpeg", size=7),
        file("ast_2", 1, kind="image"),
    )
    await alice.task(
        state="succeeded",
        input={"prompt": "a song"},
        outputs=files,
        cost=10_000_000,
        parent_id="task_0",
        conditions={"mode": "fast"},
        started_at=NOW + 1,
        finished_at=NOW + 61_000,
        handle={"id": "upstream-secret"},
        detail={"upstream": "upstream-secret"},
        previews=("http://vendor/preview",),
    )
    reply = await alice.http.get(f"{PATH}/task_1", headers={"origin": "https://a.example"})
    assert reply.headers["x-unigate-cost"] == "0.01"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["x-request-id"].startswith("req_")
    shown = reply.json()
    assert {one["url"].partition("?")[2][:6] for one in shown["assets"]} == {"until="}
    assert [one.pop("url").partition("?")[0] for one in shown["assets"]] == [
        f"{api.url}/files/ast_1.mp3",
        f"{api.url}/files/ast_2.bin",
    ]
    assert shown == {
        "id": "task_1",
        "object": "task",
        "kind": "suno.song",
        "dialect": "suno",
        "model": "chirp",
        "state": "succeeded",
        "progress": 100,
        "ahead": None,
        "input": {"prompt": "a song"},
        "previews": [],
        "assets": [
            {"id": "ast_1", "kind": "audio", "media_type": "audio/mpeg", "size": 7},
            {"id": "ast_2", "kind": "image", "media_type": None, "size": None},
        ],
        "error": None,
        "cost_usd": "0.01",
        "parent_id": "task_0",
        "key_id": "key_1",
        "created_at": "2026-09-21T14:13:20.000Z",
        "started_at": "2026-09-21T14:13:20.001Z",
        "finished_at": "2026-09-21T14:14:21.000Z",
        "metadata": {"mode": "fast"},
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"state": "waiting"}, {"state": "waiting", "progress": None, "ahead": 3, "cost_usd": None}),
        ({"state": "submitting"}, {"state": "queued", "error": None}),
        ({"state": "running", "queued": True}, {"state": "queued"}),
        ({"state": "running", "percent": 40, "previews": ("http://p",)}, {"progress": 40, "previews": ["http://p"]}),
        ({"state": "paused", "percent": 0}, {"state": "paused", "progress": 0}),
        ({"state": "canceled"}, {"state": "canceled", "error": None, "cost_usd": "0"}),
        (
            {"state": "failed", "error": Failure(code="banned", message="No.")},
            {"state": "failed", "error": {"code": "banned", "message": "No."}, "cost_usd": "0"},
        ),
    ],
)
async def test_states(api: Api, given: dict[str, Any], shown: dict[str, object]) -> None:
    alice = await owner(api)
    for n in range(3):
        await alice.task(f"task_before_{n}", state="waiting")
    await alice.task(**given)
    found = (await alice.http.get(f"{PATH}/task_1")).json()
    assert {name: found[name] for name in shown} == shown


async def test_an_unknown_outcome_is_a_failure(api: Api) -> None:
    alice = await owner(api)
    await alice.task(state="unknown")
    found = (await alice.http.get(f"{PATH}/task_1")).json()
    assert (found["state"], found["error"]["code"]) == ("failed", "outcome_unknown")


async def test_links_lead_to_where_the_caller_reached_us(api: Api) -> None:
    alice = await owner(api)
    await alice.task(state="succeeded", outputs=(file("a"),))
    for head, base in (
        ({"host": "ai.example.com"}, "http://ai.example.com"),
        ({"host": "ai.example.com:8443", "x-forwarded-proto": "https"}, "https://ai.example.com:8443"),
        ({"host": "[::1]:80"}, "http://[::1]:80"),
    ):
        reply = await alice.http.get(f"{PATH}/task_1", headers=head)
        assert reply.json()["assets"][0]["url"].startswith(f"{base}/files/a.bin?until=")


async def test_nobody_else_sees_it(api: Api) -> None:
    alice, bob = await owner(api), await owner(api, "bob")
    await alice.task(state="waiting")
    for method, path in (
        ("GET", f"{PATH}/task_1"),
        ("POST", f"{PATH}/task_1/cancel"),
        ("GET", f"{PATH}/task_1/events"),
        ("GET", f"{PATH}/none"),
        ("GET", f"{PATH}/a%00b"),
        ("GET", f"{PATH}/%F0%9F%98%80"),
    ):
        assert code(await bob.http.request(method, path)) == (404, "task_not_found"), path
    assert (await bob.http.get(PATH)).json() == {"object": "list", "data": [], "next": None}
    assert (await alice.row()).task.state == "waiting"


async def test_a_key_that_sees_its_own_numbers_sees_its_own_tasks(api: Api) -> None:
    alice = await owner(api, user_view=False)
    await alice.task()
    assert code(await alice.http.get(f"{PATH}/task_1")) == (404, "task_not_found")
    (key,) = await keys.list_keys(api.desk, user="alice")
    await alice.task("task_2", key_id=key.id)
    assert (await alice.http.get(f"{PATH}/task_2")).status_code == 200
    for query in ({}, {"key": "key_1"}, {"key": key.id}):
        shown = (await alice.http.get(PATH, params=query)).json()["data"]
        assert [one["id"] for one in shown] == ["task_2"]


async def test_pages(api: Api) -> None:
    alice = await owner(api)
    for n in range(7):
        await alice.task(f"task_{n}")
    seen: list[str] = []
    query = {"limit": "3"}
    while True:
        page = (await alice.http.get(PATH, params=query)).json()
        seen += [one["id"] for one in page["data"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [f"task_{n}" for n in range(6, -1, -1)]


async def test_filters_reach_the_tasks(api: Api) -> None:
    alice = await owner(api)
    await alice.task("task_1", state="failed")
    await alice.task("task_2", state="unknown")
    await alice.task("task_3", state="succeeded")
    await alice.task("task_4", state="failed", operation="suno.lyrics")
    await alice.task("task_5", state="failed", created_at=NOW - 1)
    query = {"state": "failed", "kind": "suno.song", "since": "2026-09-21T14:13:20+00:00"}
    shown = (await alice.http.get(PATH, params=query)).json()["data"]
    assert [one["id"] for one in shown] == ["task_2", "task_1"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=%21", "cursor"),
        ("cursor=" + "A" * 3000, "cursor"),
        ("since=yesterday", "since"),
        ("until=0001-01-01", "until"),
        ("model=a&model=b", "model"),
        ("model=a%00", "model"),
        ("colour=blue", "colour"),
    ],
)
async def test_bad_queries(api: Api, query: str, param: str) -> None:
    alice = await owner(api)
    reply = await alice.http.get(f"{PATH}?{query}")
    assert code(reply) == (400, "invalid_request")
    assert reply.json()["error"]["param"] == param


async def test_cancelling(api: Api) -> None:
    alice = await owner(api)
    await alice.task(state="waiting")
    for _ in range(2):  # one that has ended stays as it is
        reply = await alice.http.post(f"{PATH}/task_1/cancel")
        assert (reply.status_code, reply.json()["state"]) == (200, "canceled")
    assert (await alice.row()).task.finished_at
    await alice.task("task_2")
    assert code(await alice.http.post(f"{PATH}/task_2/cancel")) == (409, "conflict")


async def test_requests_are_counted(api: Api) -> None:
    alice = await owner(api, rpm=2)
    await alice.task()
    replies = [await alice.http.get(f"{PATH}/task_1") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[0].headers["x-ratelimit-remaining-requests"] == "1"


async def test_providers_call_back_without_a_key(api: Api) -> None:
    alice = await owner(api)
    await alice.task()
    open_to_all = api.client()
    good = f"/callbacks/task_1/{SECRET}"
    for path in ("/callbacks/task_1/wrong", f"/callbacks/none/{SECRET}", "/callbacks/task_1/%00"):
        assert code(await open_to_all.post(path, content=b"x")) == (404, "not_found")
    large = await open_to_all.post(good, content=b"x" * ((1 << 20) + 1))
    assert code(large) == (413, "request_too_large")
    assert (await open_to_all.put(good)).status_code == 405
    assert (await alice.row()).due_at == 1 << 50
    reply = await open_to_all.post(good, content=b"anything", headers={"content-type": "application/x-odd"})
    assert (reply.status_code, reply.json()) == (200, {})
    assert (await alice.row()).due_at <= now_ms()  # its word is a reason to ask
    await alice.change("task_1", due_at=1 << 50)
    assert (await open_to_all.get(good)).status_code == 200
    assert (await alice.row()).due_at <= now_ms()
    assert (await alice.row()).task.state == "running"
