"""`/v1/tasks` and where providers call back, over real HTTP: who sees what, pages, events, bad input."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_kit import SECRET as GATEWAY
from api_kit import Api, serving
from sqlalchemy import update

from support.waiting import until
from unigate.base.clock import now_ms
from unigate.manage import keys
from unigate.relay import task_events
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.spec.task import Failure, Task
from unigate.store import assets, tasks
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.task_tables import tasks as table
from unigate.store.tasks import TaskRow

PATH = "/v1/tasks"
NOW = 1_790_000_000_000
SECRET = "secret-of-callbacks"


def with_tasks(api: Api, folder: Path) -> TaskParts:
    """Give a gateway its engine, which looks after nothing by itself: what becomes of a task is the test's to say."""
    services = api.worker.services
    places = TaskPlaces(data=folder, storage="file:///assets", keep=True, secret=GATEWAY)
    return TaskParts(api.desk.db, services, services.upstreams.client, places)


@pytest.fixture
async def api(sqlite_url: str, tmp_path: Path, opening: Any) -> AsyncIterator[Api]:
    """A gateway with tasks in its database."""
    database: Database = opening(sqlite_url)
    async with serving(database, tmp_path) as running:
        parts = with_tasks(running, tmp_path)
        yield running
    await parts.tasks.engine.changes.close()
    await parts.letters.close()


class Owner:
    """A user with a key, and their tasks."""

    def __init__(self, api: Api, user_id: str, secret: str) -> None:
        self.api, self.user_id = api, user_id
        self.db = api.desk.db
        self.http = api.client(authorization=f"Bearer {secret}")
        self._made = 0

    async def task(self, task_id: str = "task_1", *, outputs: tuple[AssetRow, ...] = (), **more: Any) -> Task:
        """A task as some process left it."""
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
        task = Task(id=task_id, **told)
        self._made += 1
        row = TaskRow(
            task=task,
            number=task.created_at * 1000 + self._made,
            group_name="default",
            units={},
            upstream_model="",
            body=b"",
            secret=SECRET,
            hold_id="",
            quote={},
            attempts="",
            due_at=1 << 50,
        )
        async with self.db.writing() as tx:
            assert await tasks.add(tx, row)
            await assets.add(tx, outputs)
        return task

    async def change(self, task_id: str, **columns: object) -> None:
        """What another process makes of a task; its version rises."""
        changed = {**columns, "version": table.c.version + 1}
        async with self.db.writing() as tx:
            await tx.run(update(table).where(table.c.id == task_id).values(changed))

    async def row(self, task_id: str = "task_1") -> TaskRow:
        """A task as it stands."""
        async with self.db.reading() as tx:
            found = await tasks.find(tx, task_id)
        assert found is not None
        return found


def file(id: str, place: int = 0, **more: Any) -> AssetRow:
    """A file of `task_1` that is yet to be copied."""
    told: dict[str, Any] = {
        "kind": "file",
        "media_type": "",
        "source": "http://v.example/1",
        "user_id": "usr_1",
        **more,
    }
    return AssetRow(id=id, task_id="task_1", private=False, place=place, state="waiting", due_at=1 << 50, **told)


async def owner(api: Api, name: str = "alice", **more: Any) -> Owner:
    user_id = await api.user(name)
    return Owner(api, user_id, await api.key(user_id, "relay", **more))


def watching(api: Api) -> int:
    """Streams of events that are open."""
    return len(api.worker.services.watchers)


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


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


async def read_events(reply: httpx.Response, seen: list[tuple[int, dict[str, Any]]]) -> None:
    number = 0
    async for line in reply.aiter_lines():
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("data: "):
            seen.append((number, json.loads(line[6:])))


async def test_events_tell_each_change_until_the_end(api: Api) -> None:
    alice = await owner(api, concurrency=1)
    await alice.task()
    seen: list[tuple[int, dict[str, Any]]] = []
    async with alice.http.stream("GET", f"{PATH}/task_1/events", headers={"origin": "https://a.example"}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["access-control-allow-origin"] == "*"
        reading = asyncio.create_task(read_events(reply, seen))
        await until(lambda: len(seen) == 1)
        # Somebody who watches takes no place among the key's calls.
        assert (await alice.http.get(f"{PATH}/task_1")).status_code == 200
        await alice.change("task_1", percent=50)
        await until(lambda: len(seen) == 2)
        await alice.change("task_1", state="succeeded")
        async with asyncio.timeout(10):
            await reading
    assert [(number, told["state"], told["progress"]) for number, told in seen] == [
        (1, "running", None),
        (2, "running", 50),
        (3, "succeeded", 100),
    ]


async def test_events_go_on_from_the_last_that_was_seen(api: Api) -> None:
    alice = await owner(api)
    await alice.task(version=4)
    seen: list[tuple[int, dict[str, Any]]] = []
    async with alice.http.stream("GET", f"{PATH}/task_1/events", headers={"last-event-id": "4"}) as reply:
        reading = asyncio.create_task(read_events(reply, seen))
        await until(lambda: watching(api))
        await alice.change("task_1", state="failed")
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
    await alice.task()
    async with alice.http.stream("GET", f"{PATH}/task_1/events") as reply:
        async for line in reply.aiter_lines():
            if line == ": keep-alive":
                break
    await until(lambda: not watching(api))


async def test_streams_of_a_key_are_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_events, "KEEP_ALIVE", 0.02)
    monkeypatch.setattr(task_events, "STREAMS", 2)
    alice, bob = await owner(api), await owner(api, "bob")
    await alice.task()
    await bob.task("task_2")

    async def watch(http: httpx.AsyncClient, path: str) -> None:
        async with http.stream("GET", path) as reply:
            assert reply.status_code == 200
            async for _ in reply.aiter_lines():
                pass

    open_ones = [asyncio.create_task(watch(alice.http, f"{PATH}/task_1/events")) for _ in range(2)]
    await until(lambda: watching(api) == 2)
    refused = await alice.http.get(f"{PATH}/task_1/events")
    assert code(refused) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await alice.http.get(f"{PATH}/task_1")).status_code == 200
    others = asyncio.create_task(watch(bob.http, f"{PATH}/task_2/events"))
    await until(lambda: watching(api) == 3)
    open_ones.pop().cancel()
    await until(lambda: watching(api) == 2)
    open_ones.append(asyncio.create_task(watch(alice.http, f"{PATH}/task_1/events")))
    await until(lambda: watching(api) == 3)
    for one in (*open_ones, others):
        one.cancel()
    await until(lambda: not watching(api))


async def test_as_many_streams_as_calls_at_once_where_that_is_lower(api: Api) -> None:
    alice = await owner(api, concurrency=1)
    await alice.task()
    async with alice.http.stream("GET", f"{PATH}/task_1/events"):
        await until(lambda: watching(api))
        assert code(await alice.http.get(f"{PATH}/task_1/events")) == (429, "rate_limit_exceeded")
    await until(lambda: not watching(api))
    for _ in range(3):  # what only asks whether it is there opens none
        assert (await alice.http.head(f"{PATH}/task_1/events")).status_code == 200
    assert not watching(api)


async def test_a_head_of_events_ends(api: Api) -> None:
    alice = await owner(api)
    await alice.task()
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
        parts = with_tasks(running, tmp_path)
        alice = await owner(running)
        await alice.task()
        open_one = asyncio.create_task(watch(alice.http))
        await until(lambda: lines)
        running.clients.clear()
    async with asyncio.timeout(10):
        await open_one  # raises nothing: the stream ended properly
    await alice.http.aclose()
    await parts.tasks.engine.changes.close()
    await parts.letters.close()


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
