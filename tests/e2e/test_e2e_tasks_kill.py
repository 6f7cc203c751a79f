"""kill -9 of one of two nodes with hundreds of tasks under way: none is lost, sent twice, charged twice, or left untold."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from support.midjourney_vendor import MidjourneyVendor, selling
from support.postgres import fetch
from support.receiver import Receiver, receiving
from support.stage import HEAD, KEY, descendants
from support.waiting import until
from support.world import Process, start

PROGRAM = Path(__file__).parents[1] / "support" / "mortal_gateway.py"
TASKS, AT_ONCE, TRIES = 500, 60, 10
#: When the node dies: so many submissions have been answered, and of these so many may have ended.
DEATH, EARLY = 400, 50
#: Of an account's tasks a server lists the newest hundred: each account gets fewer.
ACCOUNTS = [f"sk-mj-{number}" for number in range(12)]
PRICE, CREDIT = 100_000_000, 100_000_000_000
CONFIG = """
storage: {keep: false}
channels:
  - {name: mj, provider: midjourney_proxy, base_url: VENDOR, credentials: [ACCOUNTS], models: [midjourney]}
prices: [{model: midjourney, per_call: 0.1}]
settings:
  tasks: {poll_scale: 0.3, lease_seconds: 3, send_seconds: 5}
  notify: {allow_private_targets: true, lease_seconds: 3, at_once: 64, per_host: 16}
users: [{name: alice, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


@dataclass
class Gateway:
    """One node: its processes, and how many submissions are on their way to it."""

    process: Process
    config: Path
    data: Path
    pids: list[int]
    submitting: int = 0

    @property
    def node(self) -> str:
        """Its id."""
        return (self.data / "node").read_text().strip()

    def kill(self) -> None:
        """End its supervisor, workers and mover as no program can help."""
        self.pids = [self.process.popen.pid, *descendants(self.process.popen.pid)]
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)

    async def tell(self, *words: str) -> Any:
        """What a command of `unigate` prints with --json."""
        where = ["--json", "--config", str(self.config), "--data", str(self.data)]
        shell = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "unigate", *words, *where, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await shell.communicate()
        assert shell.returncode == 0, (words, out)
        return json.loads(out)


@contextmanager
def gateway(home: Path, database: str, vendor: str, *, workers: int) -> Iterator[Gateway]:
    """A node, gone when the block has ended."""
    home.mkdir()
    text = HEAD.format(workers=workers, database=database) + CONFIG
    config = home / "gateway.yaml"
    config.write_text(text.replace("VENDOR", vendor).replace("ACCOUNTS", ", ".join(ACCOUNTS)))
    arguments = ["serve", "--config", str(config), "--port", "0", "--data", str(home / "data"), "--json"]
    process = start(arguments, home / "gateway.log", program=PROGRAM)
    try:
        yield Gateway(process, config, home / "data", [])
    finally:
        process.stop()


@dataclass
class Scene:
    """Two nodes, their vendor, and who is told."""

    database: str
    doomed: Gateway
    survivor: Gateway
    vendor: MidjourneyVendor
    hook: Receiver
    own: Receiver
    #: The task that each caller's submission became.
    taken: dict[int, str] = field(default_factory=dict)
    #: Callers whose call was cut off.
    cut: set[int] = field(default_factory=set)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the gateways' database."""
        return fetch(self.database, statement)

    def count(self, of: str) -> int:
        """How many rows there are."""
        return int(self.ask(f"SELECT count(*) FROM {of}")[0][0])

    async def none_left(self, of: str) -> None:
        """Wait until there are no such rows any more."""
        async with asyncio.timeout(120):
            while self.count(of):  # noqa: ASYNC110 - other processes change them
                await asyncio.sleep(0.2)


@asynccontextmanager
async def scene(home: Path, database: str) -> AsyncIterator[Scene]:
    """Set it up; the user has a webhook beside the callbacks that submissions name."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(selling(thinks=0.3, works=8.0, early=EARLY))
        hook = await stack.enter_async_context(receiving())
        own = await stack.enter_async_context(receiving())
        doomed = stack.enter_context(gateway(home / "doomed", database, vendor.url, workers=2))
        survivor = stack.enter_context(gateway(home / "survivor", database, vendor.url, workers=1))
        await survivor.tell("webhook", "create", "alice", own.url)
        yield Scene(database, doomed, survivor, vendor, hook, own)


async def submit(scene: Scene, client: httpx.AsyncClient, number: int) -> None:
    """Submit one order; who is refused or cut off repeats it at the other node, always under the same key."""
    head = {"authorization": f"Bearer {KEY}", "idempotency-key": f"order-{number}"}
    body = {"prompt": f"a cat {number}", "state": f"order-{number}", "notifyHook": scene.hook.url}
    gateways = [scene.doomed if number % 2 else scene.survivor, *[scene.survivor] * TRIES]
    for gateway in gateways:
        gateway.submitting += 1
        try:
            reply = await client.post(gateway.process.url + "/mj/submit/imagine", json=body, headers=head)
        except httpx.TransportError:
            assert gateway is scene.doomed
            scene.cut.add(number)
            continue
        finally:
            gateway.submitting -= 1
        if reply.status_code == 503:
            await asyncio.sleep(float(reply.headers["retry-after"]))
            continue
        assert reply.status_code == 200 and reply.json()["code"] == 1, reply.text
        scene.taken[number] = reply.json()["result"]
        return
    raise AssertionError(f"nobody took order {number}")


async def submit_all(scene: Scene) -> None:
    """All callers, so many at once."""
    some = asyncio.Semaphore(AT_ONCE)

    async def one(client: httpx.AsyncClient, number: int) -> None:
        async with some:
            await submit(scene, client, number)

    async with httpx.AsyncClient(timeout=60, verify=False) as client:
        await asyncio.gather(*(one(client, number) for number in range(TASKS)))


async def test_a_node_is_killed_with_hundreds_of_tasks_under_way(empty_postgres_url: str, tmp_path: Path) -> None:
    async with scene(tmp_path, empty_postgres_url) as seen:
        calling = asyncio.create_task(submit_all(seen))
        await until(lambda: len(seen.taken) >= DEATH or calling.done(), seconds=120, what="many answers")
        seen.vendor.gate.clear()
        await until(
            lambda: seen.vendor.thinking >= AT_ONCE - 10 or calling.done(), seconds=60, what="orders on their way"
        )
        assert seen.doomed.submitting, "it dies while it submits"
        assert seen.vendor.unfinished() >= DEATH - EARLY, "and while tasks are under way"
        seen.doomed.kill()
        seen.vendor.opened = monotonic()
        seen.vendor.gate.set()
        await calling
        assert seen.cut and len(set(seen.taken.values())) == TASKS
        await seen.none_left("tasks WHERE finished_at = 0")
        judge_tasks(seen)
        await judge_notices(seen)
        await seen.none_left(f"processes WHERE node = '{seen.doomed.node}' AND state = 'alive'")
        report = await seen.survivor.tell("ledger", "check")
        assert report["sound"] and not report["findings"], report
        assert (report["open_holds"], report["held"]) == (0, "0"), report


def judge_tasks(seen: Scene) -> None:
    """Each order became one task, which its vendor saw once, and which was charged once; refused ones left no trace there."""
    rows = {row[0]: row[1:] for row in seen.ask("SELECT id, state, request_id, cost FROM tasks")}
    taken = set(seen.taken.values())
    assert rows.keys() >= taken
    assert {rows[id][0] for id in taken} == {"succeeded"}, "this vendor can be asked what became of an order"
    refused = rows.keys() - taken
    assert {rows[id][0] for id in refused} <= {"failed"}
    assert sorted(seen.vendor.orders) == sorted(taken)
    assert {id: row[2] for id, row in rows.items()} == {id: PRICE if id in taken else 0 for id in rows}
    paid = seen.ask("SELECT id, charged FROM usage WHERE charged <> 0")
    assert sorted(paid) == sorted((rows[id][1], PRICE) for id in taken)
    assert seen.ask("SELECT posted FROM accounts") == [(CREDIT - TASKS * PRICE,)]


async def judge_notices(seen: Scene) -> None:
    """Of each task's end everybody was told, by the same message each time."""

    def finals() -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = {}
        for got in seen.hook.got:
            if got.json["status"] == "SUCCESS":
                found.setdefault(got.json["id"], set()).add(got.body)
        return found

    def events() -> dict[str, set[tuple[str, bytes]]]:
        found: dict[str, set[tuple[str, bytes]]] = {}
        for got in seen.own.got:
            if got.json["type"] == "task.succeeded":
                found.setdefault(got.json["data"]["id"], set()).add((got.id, got.body))
        return found

    every = set(seen.taken.values())
    await until(lambda: finals().keys() >= every, seconds=60, what="a callback of each end")
    await until(lambda: events().keys() >= every, seconds=60, what="an event of each end")
    assert finals().keys() == events().keys() == every
    assert {len(bodies) for bodies in finals().values()} == {1}
    assert {len(messages) for messages in events().values()} == {1}
    assert len({id for messages in events().values() for id, _ in messages}) == TASKS
