"""Money under load and under the knife, with real processes, on both databases, with one worker and with two."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from support.waiting import wait_until
from support.world import World, rows_until

CALLERS, AFFORDABLE = 300, 100


async def call_many(world: World, key: str, model: str, count: int, **more: object) -> list[httpx.Response | None]:
    """`count` calls at once, each on a connection of its own; None where the connection broke."""
    body = {"model": model, "messages": [{"role": "user", "content": "me, please"}], **more}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=60, limits=limits) as sdk:

        async def one() -> httpx.Response | None:
            try:
                return await sdk.post(
                    world.base + "/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
                )
            except httpx.TransportError:
                return None

        return await asyncio.gather(*(one() for _ in range(count)))


def check(world: World) -> None:
    """The books add up and nothing is left to be moved."""
    assert world.cli("ledger", "check")["findings"] == []


def settled(world: World, key: str) -> bool:
    """Nothing is in use any more."""
    return bool(world.usage(key)["cache_used"] == 0)


async def test_money_for_a_hundred_and_a_worker_killed(any_world: World) -> None:
    await three_hundred_callers(any_world)
    await kill_workers_under_load(any_world)
    check(any_world)


async def three_hundred_callers(any_world: World) -> None:
    """Callers at once on one wallet: exactly as many get through as there is money for."""
    key = "sk-hundred-0123456789"
    replies = await call_many(any_world, key, "flat", CALLERS)
    statuses = Counter(reply.status_code if reply is not None else 0 for reply in replies)
    assert statuses == {200: AFFORDABLE, 402: CALLERS - AFFORDABLE}, statuses
    assert {reply.headers["x-unigate-cost"] for reply in replies if reply and reply.status_code == 200} == {"1"}
    # What is in use is told once a second: for a moment, nothing of it may be seen.
    wait_until(lambda: any_world.usage(key) == {"balance": 0, "used": 100, "cache_used": 0}, seconds=30)


async def kill_workers_under_load(any_world: World) -> None:
    """Each reply that a caller got in full has its row; rows beyond that are calls that were in flight."""
    replies: list[httpx.Response | None] = []
    for round_ in range(12):
        calls = asyncio.ensure_future(call_many(any_world, any_world.key, "gpt-4o-mini", 25))
        if round_ % 4 == 1:
            await asyncio.wait([calls], timeout=0.05)  # in the middle of it
            os.kill(a_worker(any_world), signal.SIGKILL)
        replies += await calls
    whole = {r.headers["x-request-id"]: r.headers["x-unigate-cost"] for r in replies if r and r.status_code == 200}
    cut = sum(reply is None for reply in replies)
    assert whole, "some calls got through"
    wait_until(lambda: settled(any_world, any_world.key), seconds=30)
    rows = await rows_until(any_world, lambda rows: set(whole) <= {row["id"] for row in rows})
    found = {row["id"]: row["cost"] for row in rows if row["ended"] == "completed"}
    assert set(whole) <= set(found), "each whole reply has its row"
    for call_id, cost in whole.items():
        assert found[call_id] == round(float(cost) * 1_000_000_000)
    mine = sum(cost < 1_000_000_000 for cost in found.values())
    assert mine - len(whole) <= cut, "rows beyond that are calls that were in flight"


def a_worker(world: World) -> int:
    """The process id of a worker that is alive."""
    for path in sorted((world.data / "run").glob("figures-*.json"), key=lambda p: p.stat().st_mtime, reverse=True):
        pid = int(path.stem.removeprefix("figures-"))
        if Path(f"/proc/{pid}").exists():
            return pid
    pytest.fail("no worker found")


async def test_a_small_balance_is_served_as_far_as_it_reaches(world: World) -> None:
    key = "sk-small-0123456789"
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Tell me a very long story."}]}
    reply = world.post(body, key=key)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-unigate-limited"].startswith("output_tokens=")
    assert reply.json()["choices"][0]["finish_reason"] == "length"
    wait_until(lambda: settled(world, key))
    assert world.usage(key)["balance"] >= 0
    assert json.loads(reply.text)["usage"]["completion_tokens"] <= int(reply.headers["x-unigate-limited"].split("=")[1])
