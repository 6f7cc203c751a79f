"""Tasks under everything at once, in any order: each ends once, is sent at most once, and the books agree."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import update

from support.postgres import Cluster
from support.task_rig import MILLION, Node, Rig, rig
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.spec.task import Answered
from unigate.store.migrate import migrate
from unigate.store.open import connect
from unigate.store.task_tables import tasks

R = TypeVar("R")
TOLD = Answered(status=200, body=b"{}")
HOUR = 3_600_000
#: No lease ends but by a rule.
SETTINGS = LiveSettings(tasks=TaskSettings(lease_seconds=600, send_seconds=0.5, vanish_seconds=0.1, poll_scale=1.0))
FAULTS = ["", "", "", "hang_up", "hang_up_before", "garbage", "fail", "refuse"]


class Files:
    """Databases of SQLite, each a copy of a migrated one."""

    def __init__(self, template: Path) -> None:
        self._template = template

    def create(self, folder: Path) -> str:
        """The address of a new one."""
        path = folder / "unigate.db"
        shutil.copy(self._template, path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """It goes with its folder."""


class Servers:
    """Databases of PostgreSQL, each a copy of the migrated one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names: dict[str, str] = {}

    def create(self, _folder: Path) -> str:
        """The address of a new one."""
        name = f"m_{uuid4().hex}"
        url = self._cluster.create(name, template="unigate_template")
        self._names[url] = name
        return url

    def drop(self, url: str) -> None:
        """It is closed by now."""
        self._cluster.drop(self._names.pop(url))


class Machine(RuleBasedStateMachine):
    """Two nodes that are moved by hand: nothing happens but what a rule does."""

    databases: ClassVar[Files | Servers]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="unigate-tasks-"))
        self.url = self.databases.create(self.folder)
        self.loop = asyncio.new_event_loop()
        self.db = self.run(self._connect())
        self.house = rig(self.db, self.folder, settings=SETTINGS)
        self.rig: Rig = self.run(self.house.__aenter__())
        self.nodes: list[Node] = [self.run(self.rig.node(started=False)) for _ in range(2)]

    async def _connect(self) -> Any:
        return connect(self.url)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        return self.loop.run_until_complete(work)

    def tasks(self) -> list[dict[str, Any]]:
        return self.run(self.rig.rows())

    @rule(
        at=st.integers(0, 1),
        kind=st.sampled_from(["one", "many"]),
        fault=st.sampled_from(FAULTS),
        token=st.sampled_from(["", "", "a", "b"]),
        billed=st.booleans(),
    )
    def submit(self, at: int, kind: str, fault: str, token: str, billed: bool) -> None:
        headers = {"idempotency_key": token} if token else {}

        async def go() -> None:
            with contextlib.suppress(GatewayError):
                await self.nodes[at].submit(kind, headers=headers, fault=fault, billed=billed)

        self.run(go())

    @rule(at=st.integers(0, 1))
    def look(self, at: int) -> None:
        self.run(self._look(at))

    async def _look(self, at: int) -> None:
        claims = self.nodes[at].tasks.engine.claims
        await claims._turn(self.nodes[at].tasks._tracker.look, together=True)
        await until(lambda: not claims.at_work, seconds=30)

    @rule(at=st.integers(0, 1))
    def one_stops_and_another_owns_nothing_yet(self, at: int) -> None:
        self.run(self._renew(at))

    async def _renew(self, at: int) -> None:
        old = self.nodes[at]
        await old.stop()
        assert not [row for row in await self.rig.rows() if row["owner"] == old.tasks.engine.owner]
        self.nodes[at] = await self.rig.node(started=False)

    @rule(at=st.integers(0, 1))
    def leases_are_lost(self, at: int) -> None:
        """A process was stalled: its memory says that tasks are its own, and their rows do not any more."""
        self.run(self._lose(at))

    async def _lose(self, at: int) -> None:
        async with self.db.writing() as tx:
            lost = (tasks.c.owner == self.nodes[at].tasks.engine.owner, tasks.c.state == "running")
            await tx.run(update(tasks).where(*lost).values(lease_until=1, due_at=1))
        await self._look(1 - at)
        owned = [row["id"] for row in await self.rig.rows() if row["owner"] == self.nodes[1 - at].tasks.engine.owner]
        asked = self.rig.vendor.polled.copy()
        await self._look(at)
        assert not [id for id in owned if self.rig.vendor.polled[id] != asked[id]]

    @rule(pick=st.integers(0, 9), state=st.sampled_from(["succeeded", "running"]))
    def callback_at_another_worker(self, pick: int, state: str) -> None:
        """Its owner asks at its next look."""
        self.run(self._callback_elsewhere(pick, state))

    async def _callback_elsewhere(self, pick: int, state: str) -> None:
        owners = {node.tasks.engine.owner: at for at, node in enumerate(self.nodes)}
        rows = [row for row in await self.rig.rows() if row["state"] == "running" and row["owner"] in owners]
        if not rows:
            return
        row = rows[pick % len(rows)]
        at = owners[row["owner"]]
        if state == "succeeded":
            self.rig.vendor.end(row["id"])
        asked = self.rig.vendor.polled[row["id"]]
        await self.nodes[1 - at].tasks.called_back(row["id"], row["secret"], TOLD)
        await self._look(at)
        assert self.rig.vendor.polled[row["id"]] > asked or (await self.nodes[at].get(row["id"])).ended

    @rule(way=st.sampled_from(["look", "cancel"]), ends=st.booleans())
    def a_lease_ends_while_its_owner_asks(self, way: str, ends: bool) -> None:
        """Both nodes ask after the same tasks, or one cancels what the other asks after; both hear the answer."""
        self.run(self._overlap(way, ends))

    async def _overlap(self, way: str, ends: bool) -> None:
        vendor = self.rig.vendor
        if ends:
            for job in vendor.jobs.values():
                if job["state"] == "running":
                    job.update(state="succeeded", percent=100)
        await self._time_passes()
        vendor.poll_gate.clear()
        asking = [asyncio.create_task(self._look(0))]
        for _ in range(30):
            await asyncio.sleep(0.001)
        await self._time_passes()
        if way == "look":
            asking.append(asyncio.create_task(self._look(1)))
        else:
            rows = [row for row in await self.rig.rows() if row["state"] == "running"]
            asking += [asyncio.create_task(self._cancel(1, row["id"])) for row in rows]
        for _ in range(30):
            await asyncio.sleep(0.001)
        vendor.poll_gate.set()
        await asyncio.gather(*asking)

    @rule(pick=st.integers(0, 9), state=st.sampled_from(["succeeded", "failed", "canceled"]))
    def the_vendor_ends_one(self, pick: int, state: str) -> None:
        jobs = [job for job in self.rig.vendor.jobs.values() if job["state"] == "running"]
        if jobs:
            jobs[pick % len(jobs)].update(state=state, percent=100)

    @rule(pick=st.integers(0, 9), at=st.integers(0, 1), forged=st.booleans())
    def callback(self, pick: int, at: int, forged: bool) -> None:
        rows = [row for row in self.tasks() if row["state"] != "submitting"]
        if rows:
            row = rows[pick % len(rows)]
            secret = "guessed" if forged else row["secret"]
            assert self.run(self.nodes[at].tasks.called_back(row["id"], secret, TOLD)) is not forged

    @rule(pick=st.integers(0, 9), at=st.integers(0, 1))
    def cancel(self, pick: int, at: int) -> None:
        rows = [row for row in self.tasks() if row["state"] != "submitting"]
        if not rows:
            return
        self.run(self._cancel(at, rows[pick % len(rows)]["id"]))

    async def _cancel(self, at: int, task_id: str) -> None:
        with suppress(GatewayError):
            await self.nodes[at].tasks.cancel(await self.nodes[at].get(task_id))

    @rule(pick=st.integers(0, 9))
    def patience_ends(self, pick: int) -> None:
        rows = [row for row in self.tasks() if not row["finished_at"]]
        if rows:
            self.run(self.rig.set(rows[pick % len(rows)]["id"], deadline_at=now_ms() - 1))

    @rule()
    def time_passes(self) -> None:
        self.run(self._time_passes())

    async def _time_passes(self) -> None:
        """An hour for leases and looks, none for patience."""
        async with self.db.writing() as tx:
            moved = {name: tasks.c[name] - HOUR for name in ("due_at", "lease_until", "submitted_at")}
            await tx.run(update(tasks).where(tasks.c.finished_at == 0).values(**moved))

    @rule(at=st.integers(0, 1), sending=st.booleans(), kind=st.sampled_from(["one", "many"]))
    def crash(self, at: int, sending: bool, kind: str) -> None:
        self.run(self._crash(at, sending, kind))

    async def _crash(self, at: int, sending: bool, kind: str) -> None:
        node = self.nodes[at]
        submission: asyncio.Task[Any] | None = None
        if sending:
            self.rig.vendor.gate.clear()
            submission = asyncio.create_task(node.submit(kind))
            for _ in range(40):
                await asyncio.sleep(0.001)
        await node.kill()
        self.rig.vendor.gate.set()
        if submission is not None:
            await asyncio.gather(submission, return_exceptions=True)
        await asyncio.sleep(0.005)
        self.nodes[at] = await self.rig.node(started=False)

    @precondition(lambda self: bool(self.rig.vendor.orders))
    @rule()
    def journals_are_moved(self) -> None:
        self.run(self.rig.moved())

    @invariant()
    def no_order_is_sent_twice(self) -> None:
        orders = self.rig.vendor.orders
        twice = {order for order in orders if orders.count(order) > 1}
        # One that a vendor that can be asked says it does not have may be sent again; none may be there twice.
        made = [job["task"] for job in self.rig.vendor.jobs.values()]
        assert len(made) == len(set(made))
        assert all("hang_up_before" in str(self._fault(order)) for order in twice)

    def _fault(self, task_id: str) -> object:
        return [row["called"] + ":hang_up_before" for row in self.tasks() if row["id"] == task_id]

    def teardown(self) -> None:
        try:
            self.run(self._end())
        finally:
            self.run(self.house.__aexit__(None, None, None))
            self.run(self.db.close())
            self.loop.close()
            self.databases.drop(self.url)
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _end(self) -> None:
        """Everything comes to its end, and the books are looked at."""
        for job in self.rig.vendor.jobs.values():
            if job["state"] == "running":
                job.update(state="succeeded", percent=100)
        for _ in range(40):
            rows = await self.rig.rows()
            if all(row["finished_at"] for row in rows):
                break
            await self._time_passes()
            for at in range(2):
                await self._look(at)
        rows = await self.rig.rows()
        assert all(row["finished_at"] for row in rows), [(r["id"], r["state"]) for r in rows]
        await self.rig.sound()
        posted, held = await self.rig.spent()
        assert (posted, held) == (MILLION - sum(row["cost"] for row in rows), 0)
        told = [row["id"] for row in await self.rig.usage()]
        assert sorted(told) == sorted(row["request_id"] for row in rows)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 15), ("postgresql", 5)])
def test_tasks_under_everything_at_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kind: str, examples: int
) -> None:
    if kind == "sqlite":
        path = tmp_path_factory.mktemp("machine") / "unigate.db"
        migrate(f"sqlite:///{path}")
        Machine.databases = Files(path)
    else:
        Machine.databases = Servers(request.getfixturevalue("_postgres"))
    case = Machine.TestCase
    case.settings = settings(
        max_examples=examples, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    case().runTest()
