"""`/v1/tasks` and where providers call back, over real HTTP: who sees what, pages, events, bad input."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_kit import Api, serving

from support.tasks_memory import SECRET, Memory
from support.waiting import until
from unigate.relay import task_events
from unigate.spec.task import Asset, Failure, Task
from unigate.store.database import Database

PATH = "/v1/tasks"
NOW = 1_790_000_000_000


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path, opening: Any) -> AsyncIterator[Api]:
    """A gateway whose tasks lie in memory."""
    database: Database = opening(sqlite_url)
    async with serving(database, tmp_path) as running:
        running.worker.services.tasks = Memory()
        yield running


class Owner:
    """A user with a key, and their tasks."""

    def __init__(self, api: Api, user_id: str, secret: str) -> None:
        self.api, self.user_id = api, user_id
        self.memory = memory(api)
        self.http = api.client(authorization=f"Bearer {secret}")

    def task(self, task_id: str = "task_1", **more: Any) -> Task:
        told: dict[str, Any] = {
            "called": "suno.generate",
            "operation": "suno.song",
            "dialect": "suno",
            "user_id": self.user_id,
            "key_id": "key_1",
            "model": "chirp",
            "state": "running",
            "version": 1,
            "created_at": NOW,
            **more,
        }
        return self.memory.put(Task(id=task_id, **told))


def memory(api: Api) -> Memory:
    """The gateway's tasks."""
    found = api.worker.services.tasks
    assert isinstance(found, Memory)
    return found


async def owner(api: Api, name: str = "alice", **more: Any) -> Owner:
    user_id = await api.user(name)
    return Owner(api, user_id, await api.key(user_id, "relay", **more))


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


async def test_a_task_in_full(api: Api) -> None:
    alice = await owner(api)
    files = (
        Asset(id="ast_1", task_id="task_1", kind="audio", media_type="audio/mpeg", source="http://vendor/1", size=7),
        Asset(id="ast_2", task_id="task_1", kind="image", media_type="", source="http://vendor/2"),
    )
    alice.task(
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
    assert reply.json() == {
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
            {"id": "ast_1", "kind": "audio", "media_type": "audio/mpeg", "url": f"{api.url}/files/ast_1", "size": 7},
            {"id": "ast_2", "kind": "image", "media_type": None, "url": f"{api.url}/files/ast_2", "size": None},
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
        ({"state": "waiting", "ahead": 3}, {"state": "waiting", "progress": None, "ahead": 3, "cost_usd": None}),
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
    alice.task(**given)
    found = (await alice.http.get(f"{PATH}/task_1")).json()
    assert {name: found[name] for name in shown} == shown


async def test_an_unknown_outcome_is_a_failure(api: Api) -> None:
    alice = await owner(api)
    alice.task(state="unknown")
    found = (await alice.http.get(f"{PATH}/task_1")).json()
    assert (found["state"], found["error"]["code"]) == ("failed", "outcome_unknown")


async def test_links_lead_to_where_the_caller_reached_us(api: Api) -> None:
    alice = await owner(api)
    alice.task(
        state="succeeded", outputs=(Asset(id="a", task_id="task_1", kind="file", media_type="", source="http://v"),)
    )
    for head, base in (
        ({"host": "ai.example.com"}, "http://ai.example.com"),
        ({"host": "ai.example.com:8443", "x-forwarded-proto": "https"}, "https://ai.example.com:8443"),
        ({"host": "[::1]:80"}, "http://[::1]:80"),
    ):
        reply = await alice.http.get(f"{PATH}/task_1", headers=head)
        assert reply.json()["assets"][0]["url"] == f"{base}/files/a"


async def test_nobody_else_sees_it(api: Api) -> None:
    alice, bob = await owner(api), await owner(api, "bob")
    alice.task(state="waiting")
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
    assert alice.memory.tasks["task_1"].state == "waiting"


async def test_a_key_that_sees_its_own_numbers_sees_its_own_tasks(api: Api) -> None:
    alice = await owner(api, user_view=False)
    alice.task()
    assert code(await alice.http.get(f"{PATH}/task_1")) == (404, "task_not_found")
    await alice.http.get(PATH, params={"key": "key_1"})
    key_id = alice.memory.filters[-1]["key_id"]
    assert key_id not in ("key_1", None)
    alice.task("task_2", key_id=key_id)
    assert (await alice.http.get(f"{PATH}/task_2")).status_code == 200


async def test_pages(api: Api) -> None:
    alice = await owner(api)
    for n in range(7):
        alice.task(f"task_{n}")
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
    query = {"state": "failed", "kind": "suno.song", "since": "2026-09-21T14:13:20+00:00"}
    assert (await alice.http.get(PATH, params=query)).status_code == 200
    assert alice.memory.filters[-1] == {
        "key_id": None,
        "operation": "suno.song",
        "states": ("failed", "unknown"),
        "since": NOW,
    }


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
    alice.task(state="waiting")
    for _ in range(2):  # one that has ended stays as it is
        reply = await alice.http.post(f"{PATH}/task_1/cancel")
        assert (reply.status_code, reply.json()["state"]) == (200, "canceled")
    alice.task("task_2")
    assert code(await alice.http.post(f"{PATH}/task_2/cancel")) == (409, "conflict")


async def test_requests_are_counted(api: Api) -> None:
    alice = await owner(api, rpm=2)
    alice.task()
    replies = [await alice.http.get(f"{PATH}/task_1") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[0].headers["x-ratelimit-remaining-requests"] == "1"


async def read_events(reply: httpx.Response, seen: list[tuple[int, dict[str, Any]]]) -> None:
    number = 0
    async for line in reply.aiter_lines():
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("data: "):
            seen.append((number, json.loads(line[6:])))


async def test_events_tell_each_change_until_the_end(api: Api) -> None:
    alice = await owner(api, concurrency=1)
    alice.task()
    seen: list[tuple[int, dict[str, Any]]] = []
    async with alice.http.stream("GET", f"{PATH}/task_1/events", headers={"origin": "https://a.example"}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["access-control-allow-origin"] == "*"
        reading = asyncio.create_task(read_events(reply, seen))
        await until(lambda: len(seen) == 1)
        # Somebody who watches takes no place among the key's calls.
        assert (await alice.http.get(f"{PATH}/task_1")).status_code == 200
        alice.memory.change("task_1", percent=50)
        await until(lambda: len(seen) == 2)
        alice.memory.change("task_1", state="succeeded")
        async with asyncio.timeout(10):
            await reading
    assert [(number, told["state"], told["progress"]) for number, told in seen] == [
        (1, "running", None),
        (2, "running", 50),
        (3, "succeeded", 100),
    ]


async def test_events_go_on_from_the_last_that_was_seen(api: Api) -> None:
    alice = await owner(api)
    alice.task(version=4)
    seen: list[tuple[int, dict[str, Any]]] = []
    async with alice.http.stream("GET", f"{PATH}/task_1/events", headers={"last-event-id": "4"}) as reply:
        reading = asyncio.create_task(read_events(reply, seen))
        await until(lambda: alice.memory.waiting)
        alice.memory.change("task_1", state="failed")
        async with asyncio.timeout(10):
            await reading
    assert [number for number, _ in seen] == [5]
    again = await alice.http.get(f"{PATH}/task_1/events", headers={"last-event-id": "5"})
    assert (again.status_code, again.content) == (204, b"")
    for odd in ("4", "x", "-1", "9" * 30):
        late = await alice.http.get(f"{PATH}/task_1/events", headers={"last-event-id": odd})
        assert late.text.count("event: task") == 1, odd


async def test_a_watcher_who_leaves_is_noticed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "KEEP_ALIVE", 0.02)
    alice = await owner(api)
    alice.task()
    async with alice.http.stream("GET", f"{PATH}/task_1/events") as reply:
        async for line in reply.aiter_lines():
            if line == ": keep-alive":
                break
    await until(lambda: not alice.memory.waiting)


async def test_a_head_of_events_ends(api: Api) -> None:
    alice = await owner(api)
    alice.task()
    reply = await alice.http.head(f"{PATH}/task_1/events")
    assert (reply.status_code, reply.content) == (200, b"")
    assert (await alice.http.get(f"{PATH}/task_1")).status_code == 200


async def test_events_end_with_the_gateway(
    sqlite_url: str, tmp_path: Path, opening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_events, "KEEP_ALIVE", 0.02)
    lines: list[str] = []

    async def watch(http: httpx.AsyncClient) -> None:
        async with http.stream("GET", f"{PATH}/task_1/events") as reply:
            async for line in reply.aiter_lines():
                lines.append(line)  # noqa: PERF401 - each as it comes

    async with asyncio.timeout(20), serving(opening(sqlite_url), tmp_path) as running:
        running.worker.services.tasks = Memory()
        alice = await owner(running)
        alice.task()
        watching = asyncio.create_task(watch(alice.http))
        await until(lambda: lines)
        running.clients.clear()
    async with asyncio.timeout(10):
        await watching  # raises nothing: the stream ended properly
    await alice.http.aclose()


async def test_providers_call_back_without_a_key(api: Api) -> None:
    alice = await owner(api)
    alice.task()
    open_to_all = api.client()
    good = f"/callbacks/task_1/{SECRET}"
    reply = await open_to_all.post(good, content=b"anything", headers={"content-type": "application/x-odd"})
    assert (reply.status_code, reply.json()) == (200, {})
    assert (await open_to_all.get(good)).status_code == 200
    assert [told.body for told in alice.memory.told] == [b"anything", b""]
    assert alice.memory.told[0].headers["content-type"] == "application/x-odd"
    for path in ("/callbacks/task_1/wrong", f"/callbacks/none/{SECRET}", "/callbacks/task_1/%00"):
        assert code(await open_to_all.post(path, content=b"x")) == (404, "not_found")
    large = await open_to_all.post(good, content=b"x" * ((1 << 20) + 1))
    assert code(large) == (413, "request_too_large")
    assert len(alice.memory.told) == 2
    assert (await open_to_all.put(good)).status_code == 405
