"""`/v1/tasks/{id}/events` over real HTTP: each change, from where a caller was, for so many of a key at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_kit import Api, serving
from tasks_kit import PATH, code, owner, watching, with_tasks

from support.waiting import until
from unigate.relay import task_events
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
