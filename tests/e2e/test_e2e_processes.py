"""Several processes: limits and figures that they share, workers and supervisors that die, a second gateway."""

import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest

from support.stage import MAIN, Stage, alive, body, descendants, gather_posts, set_stage, workers_of
from support.waiting import until, wait_until
from support.world import Process, start

USERS = """
prices:
  - {model: gpt-4o-mini, input: 0.15, output: 0.60}
  - {model: "sandbox-*", input: 0.15, output: 0.60}
users:
  - {name: alice, credit: 100}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: ten, user: alice, secret: sk-ten-0123456789, limits: {rpm: 10}}
  - {name: two, user: alice, secret: sk-two-0123456789, limits: {concurrency: 2}}
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """Two workers on SQLite."""
    built = set_stage(tmp_path_factory.mktemp("pair"), vendors, MAIN + USERS, workers=2)
    yield built
    built.stop()


def counted(stage: Stage, model: str) -> float:
    """How many calls of a model the gateway has counted, from whichever worker answers."""
    text = httpx.get(stage.url + "/metrics").text
    return sum(
        float(value) for value in re.findall(rf'^unigate_calls_total{{.*model="{model}".*}} (\S+)$', text, re.MULTILINE)
    )


async def test_a_rate_is_shared_by_workers(pair: Stage) -> None:
    replies = await gather_posts(pair, 40, body("hi"), "sk-ten-0123456789")
    assert Counter(reply.status_code for reply in replies) == {200: 10, 429: 30}
    assert all(int(r.headers["retry-after"]) >= 1 for r in replies if r.status_code == 429)
    left = sorted(int(r.headers["x-ratelimit-remaining-requests"]) for r in replies if r.status_code == 200)
    assert left == list(range(10))


async def test_calls_at_once_are_shared_by_workers(pair: Stage) -> None:
    for _ in range(2):  # the places are given back
        replies = await gather_posts(pair, 20, body("[[fault:slow-first-byte:1]]"), "sk-two-0123456789")
        assert Counter(reply.status_code for reply in replies) == {200: 2, 429: 18}


async def test_metrics_are_of_all_workers(pair: Stage) -> None:
    replies = await gather_posts(pair, 30, body("hi", model="sandbox-count"), pair.key)
    assert {reply.status_code for reply in replies} == {200}
    await until(lambda: all(counted(pair, "sandbox-count") == 30 for _ in range(8)), what="the sum of both workers")


async def test_changes_reach_all_workers(pair: Stage) -> None:
    """Of calls over fresh connections, which the workers share, every one goes by what was changed."""
    made = pair.cli("key", "create", "brief", "--user", "alice")

    async def answers(model: str) -> Counter[int]:
        replies = await gather_posts(pair, 24, body("hi", model=model), made["secret"])
        return Counter(reply.status_code for reply in replies)

    async def become(status: int, model: str = "gpt-4o-mini") -> None:
        deadline = monotonic() + 30
        while (found := await answers(model)) != {status: 24}:
            assert monotonic() < deadline, f"some worker does not answer {status}: {found}"

    await become(200)
    await become(403, "fresh-model")
    pair.cli("channel", "create", "fresh", "--provider", "openai", "--base-url", f"{pair.sandbox.url}/openai/v1",
             "--credential", "sk-fresh", "--model", "fresh-model=gpt-4o-mini", "--priority", "9")  # fmt: skip
    price = pair.cli("price", "set", "--model", "fresh-model", "input=1", "output=1")
    await become(200, "fresh-model")
    pair.cli("channel", "disable", "fresh")
    await become(404, "fresh-model")  # of the other channel, whose vendor knows no such model
    pair.cli("price", "disable", price["id"])
    await become(403, "fresh-model")
    pair.cli("key", "disable", "alice/brief")
    await become(401)


async def test_a_killed_worker_is_replaced(pair: Stage) -> None:
    assert {
        reply.status_code for reply in await gather_posts(pair, 30, body("hi", model="sandbox-kill"), pair.key)
    } == {200}
    await until(lambda: all(counted(pair, "sandbox-kill") == 30 for _ in range(8)), what="the sum of both workers")
    before = sorted(workers_of(pair))
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    await until(
        lambda: len(workers_of(pair)) == 2 and before[0] not in workers_of(pair), seconds=40, what="a new worker"
    )
    assert {
        reply.status_code for reply in await gather_posts(pair, 20, body("hi", model="sandbox-kill"), pair.key)
    } == {200}
    await until(lambda: all(counted(pair, "sandbox-kill") == 50 for _ in range(8)), what="the sum with the dead one's")


def test_a_second_gateway_is_refused(pair: Stage, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        start(["serve", "--config", str(pair.config), "--port", "0", "--data", str(pair.data)], tmp_path / "log")
    said = str(caught.value)
    assert "ended with 2" in said and "another gateway runs on this data directory" in said, said
    assert "Traceback" not in said
    assert pair.chat().status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_refused(pair: Stage, tmp_path: Path, workers: str) -> None:
    port = pair.url.rpartition(":")[2]
    arguments = ["demo", "--port", port, "--workers", workers, "--data", str(tmp_path / "data")]
    with pytest.raises(pytest.fail.Exception) as caught:
        start(arguments, tmp_path / "log")
    said = str(caught.value)
    assert re.search(r"ended with [12]\b", said) and f"{port}" in said and "in use" in said, said
    assert "Traceback" not in said
    assert {pair.chat().status_code for _ in range(4)} == {200}


def test_nobody_outlives_the_supervisor(tmp_path: Path, vendors: Process) -> None:
    stage = set_stage(tmp_path, vendors, MAIN + USERS, workers=2, whole=True)
    try:
        family = descendants(stage.process.popen.pid)
        assert len(family) >= 4, "workers, mover, limiter"
        replies = [stage.chat() for _ in range(5)]
    finally:
        assert stage.stop_hard() == -signal.SIGKILL
    wait_until(lambda: not any(alive(pid) for pid in family), seconds=20, what="the end of all of them")
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", int(stage.url.rpartition(":")[2]))) != 0
    again = set_stage(tmp_path, vendors, MAIN + USERS, workers=2)
    try:
        for reply in replies:
            again.row(reply.headers["x-request-id"])
        again.settled()
        again.sound()
    finally:
        assert again.stop() == 0
    assert again.manage("ledger", "check")["open_holds"] == 0
