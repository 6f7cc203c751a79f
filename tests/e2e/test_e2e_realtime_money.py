"""The money and the right of a realtime session: it ends when either does, and nothing is charged twice or for nothing."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from support.realtime import PRICES, cost, talking
from support.stage import Stage, set_stage, workers_of
from support.world import Process

CHANNELS = """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-main, models: [gpt-realtime]}
  - {name: cut, provider: openai, base_url: "SANDBOX/fault/cut-after:5/openai/v1", credentials: sk-cut, models: [talk],
     groups: [default]}
"""
PEOPLE = """
settings: {hold: {output_tokens: 200}}
users: [{name: alice, credit: 100}, {name: poor, credit: 0}, {name: small, credit: "0.006"}, {name: tiny, credit: "0.006"}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: one, user: alice, secret: sk-one-0123456789, limits: {concurrency: 1}}
  - {name: rare, user: alice, secret: sk-rare-0123456789, limits: {rpm: 1}}
  - {name: little, user: alice, secret: sk-little-0123456789, limits: {tpm: 60}}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
  - {name: small, user: small, secret: sk-small-0123456789}
  - {name: tiny, user: tiny, secret: sk-tiny-0123456789}
"""
CONFIG = CHANNELS + PEOPLE + PRICES


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> "Stage":
    """A gateway that holds little at a time."""
    return set_stage(
        tmp_path_factory.mktemp("money"), vendors, CONFIG.replace("models: [talk]", "models: {talk: gpt-realtime}")
    )


@pytest.fixture(scope="module", autouse=True)
def _ended(stage: Stage) -> object:
    yield
    stage.stop()


async def responses(stage: Stage, key: str) -> list[dict[str, Any]]:
    """The rows of responses by a key's name, oldest first."""
    listed = await asyncio.to_thread(stage.manage, "key", "list")
    names = {one["id"]: one["name"] for one in (listed["data"] if isinstance(listed, dict) else listed)}
    found = [row for row in stage.rows().values() if row["status"] != 101 and names.get(row["key_id"]) == key]
    return sorted(found, key=lambda row: str(row["id"]))


async def rows_of(stage: Stage, key: str, enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    """The same, once there are enough and nothing is in use any more."""
    for _ in range(300):
        rows = await responses(stage, key)
        if enough(rows) and not stage.usage(f"sk-{key}-0123456789")["cache_used"]:
            return rows
        await asyncio.sleep(0.1)
    raise AssertionError(f"the awaited rows did not come: {rows}")


async def test_without_money_there_is_no_session(stage: Stage) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(stage, key="sk-poor-0123456789"):
            pass
    assert refused.value.response.status_code == 402
    assert b"insufficient_quota" in (refused.value.response.body or b"")


async def test_it_ends_when_the_balance_does(stage: Stage) -> None:
    done = []
    async with talking(stage, key="sk-small-0123456789") as talker:
        for at in range(40):
            await talker.ask(f"Go on {at} [[tokens:150]]")
            while (event := await talker.next())["type"] not in {"response.done", "error"}:
                pass
            if event["type"] == "error":
                break
            done.append(event["response"])
        assert event["type"] == "error", "the money never ended"
        assert event["error"]["type"] == event["error"]["code"] == "insufficient_quota"
        assert await talker.closed() == (1008, "insufficient_quota")
    rows = await rows_of(stage, "small", lambda found: len(found) >= len(done))
    assert len(done) >= 3
    assert [row["cost"] for row in rows][: len(done)] == [cost(one["usage"]) for one in done]
    seen = stage.usage("sk-small-0123456789")
    assert seen["balance"] >= 0
    assert sum(row["charged"] for row in rows) == round(seen["used"] * 10**9)
    await asyncio.to_thread(stage.sound)


async def test_a_long_response_is_cut_where_the_money_ends(stage: Stage) -> None:
    async with talking(stage, key="sk-tiny-0123456789") as talker:
        await talker.ask("[[pace:2000]][[tokens:4000]]")
        assert await talker.closed() == (1008, "insufficient_quota")
        assert talker.seen[-1]["error"]["code"] == "insufficient_quota"
    (row,) = await rows_of(stage, "tiny", lambda found: found)
    assert row["ended"] == "canceled"
    assert 0 < row["charged"] <= 6_000_000
    assert stage.usage("sk-tiny-0123456789")["balance"] >= 0
    await asyncio.to_thread(stage.sound)


async def test_what_failed_or_said_nothing_is_free(stage: Stage) -> None:
    async with talking(stage) as talker:
        failed = await talker.answer("[[fault:500]]")
        empty = await talker.answer("[[fault:empty]]")
        assert (failed["status"], empty["output"]) == ("failed", [])
        done = await talker.answer("[[reply:Better]]")
    ids = {failed["id"], empty["id"], done["id"]}
    rows = await rows_of(stage, "app", lambda found: ids <= {row["upstream_request_id"] for row in found})
    told = {row["upstream_request_id"]: (row["ended"], row["charged"]) for row in rows}
    assert (told[failed["id"]], told[empty["id"]]) == (("failed", 0), ("empty", 0))
    assert told[done["id"]] == ("completed", cost(done["usage"]))


async def test_who_leaves_in_the_middle_pays_what_went_out_once(stage: Stage) -> None:
    before = {row["id"] for row in await responses(stage, "app")}
    async with talking(stage) as talker:
        await talker.ask("[[pace:50]][[tokens:1500]]")
        for _ in range(3):
            await talker.until("response.output_text.delta")
        talker.socket.transport.abort()
    rows = await rows_of(stage, "app", lambda found: {row["id"] for row in found} - before)
    (row,) = [row for row in rows if row["id"] not in before]
    assert row["ended"] == "canceled"
    assert 3 <= row["output_tokens"] < 1500 and row["estimated"] == 0
    assert row["charged"] == row["cost"] != 0


async def test_a_provider_that_breaks_off_is_paid_for_what_went_out(stage: Stage) -> None:
    async with talking(stage, model="talk") as talker:
        await talker.ask("[[tokens:50]]")
        code, _ = await talker.closed()
        assert code == 1011
        assert talker.seen[-1]["error"]["code"] == "upstream_error"
    assert talker.types().count("response.output_text.delta") == 5
    rows = await rows_of(stage, "app", lambda found: any(row["ended"] == "upstream_broken" for row in found))
    (row,) = [row for row in rows if row["ended"] == "upstream_broken"]
    assert row["estimated"] == 1 and row["output_tokens"] == 5
    assert row["charged"] > 5 * 4000


async def test_a_session_is_one_call_of_its_key(stage: Stage) -> None:
    async def refused(key: str) -> int:
        try:
            async with talking(stage, key=key):
                return 101
        except InvalidStatus as told:
            return told.response.status_code

    async with talking(stage, key="sk-one-0123456789"):
        assert await refused("sk-one-0123456789") == 429
    for _ in range(100):
        if await refused("sk-one-0123456789") == 101:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("the place was not given back")
    async with talking(stage, key="sk-rare-0123456789") as talker:
        await talker.answer("[[reply:Hello]]")
        await talker.answer("[[reply:Hello]]")
        assert await refused("sk-rare-0123456789") == 429


async def test_tokens_count_while_it_lasts(stage: Stage) -> None:
    async with talking(stage, key="sk-little-0123456789") as talker:
        await talker.answer("[[tokens:300]]")
        reply = stage.post(
            {"model": "gpt-realtime", "messages": [{"role": "user", "content": "Hi"}]}, "sk-little-0123456789"
        )
        assert reply.status_code == 429 and "tokens per minute" in reply.text
        assert (await talker.answer("[[reply:Still here]]"))["status"] == "completed"


async def test_a_key_that_is_revoked_ends_its_session(stage: Stage) -> None:
    made = await asyncio.to_thread(stage.manage, "key", "create", "fresh", "--user", "alice")
    async with talking(stage, key=made["secret"]) as talker:
        await asyncio.to_thread(stage.manage, "key", "disable", "fresh")
        assert await talker.closed() == (1008, "invalid_api_key")
        assert talker.seen[-1]["error"]["code"] == "invalid_api_key"


async def test_nothing_is_lost_or_paid_twice_when_the_gateway_is_killed(tmp_path: Path, vendors: Process) -> None:
    text = CHANNELS.replace("models: [talk]", "models: {talk: gpt-realtime}") + PEOPLE + PRICES
    stage = set_stage(tmp_path, vendors, text)
    try:
        async with talking(stage) as talker:
            done = [await talker.answer(f"[[reply:Number {at}]]") for at in range(3)]
            await talker.ask("[[pace:20]][[tokens:500]]")
            await talker.until("response.output_text.delta")
            (worker,) = workers_of(stage)
            os.kill(worker, signal.SIGKILL)
            assert (await talker.closed())[0] == 1006
        rows = await rows_of(stage, "app", lambda found: len(found) >= len(done))
        assert {row["upstream_request_id"] for row in rows} == {one["id"] for one in done}
        charged = {row["upstream_request_id"]: row["charged"] for row in rows}
        assert [charged[one["id"]] for one in done] == [cost(one["usage"]) for one in done]
        assert round(stage.usage()["used"] * 10**9) == sum(cost(one["usage"]) for one in done)
        await asyncio.to_thread(stage.sound)
    finally:
        stage.stop()


async def test_a_gateway_that_stops_lets_a_response_end_first(tmp_path: Path, vendors: Process) -> None:
    text = CHANNELS.replace("models: [talk]", "models: {talk: gpt-realtime}") + PEOPLE + PRICES
    stage = set_stage(tmp_path, vendors, text)
    async with talking(stage) as idle, talking(stage) as busy:
        await busy.ask("[[pace:60]][[tokens:120]]")
        await busy.until("response.output_text.delta")
        os.kill(stage.process.popen.pid, signal.SIGTERM)
        assert (await idle.closed())[0] == 1012
        assert (await busy.closed())[0] == 1012
        assert busy.types()[-1] == "response.done"
    assert await asyncio.to_thread(stage.process.popen.wait, 60) == 0
    stage.stop()
