"""How many tasks one process carries on SQLite: `python -m bench.tasks [--tasks N] [--single]`.

Ten thousand tasks are submitted, followed for a while, fetched, and ended, against a vendor in a process of its own (the
one of the tests). Their pace is that of real vendors: a second at first, fifteen in the end. What HTTP costs is not in it.
"""

import argparse
import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.base.live_settings import LiveSettings
from unigate.http import tuning
from unigate.spec.task import Pace
from unigate.spec.terms import Terms
from unigate.store.migrate import migrate
from unigate.store.open import connect
from unigate.store.task_tables import tasks
from unigate.store.tasks import OPEN

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE, STEADY, FETCH = 64, 30.0, 5.0
_DUE = select(func.min(tasks.c.due_at)).where(OPEN)
_ENDED = select(func.count()).where(tasks.c.finished_at > 0)


async def vendor() -> None:
    """Serve as the vendor until standard input ends; a line there ends all jobs."""
    from support.task_vendor import Vendor  # noqa: PLC0415 - of the tests, whose folder is on the path by now

    made = Vendor()
    print(json.dumps({"url": await made.start()}), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        for job in made.jobs.values():
            job.update(state="succeeded", percent=100)
        print(json.dumps({"polls": made.polls}), flush=True)


def started() -> "subprocess.Popen[bytes]":
    """The vendor's process."""
    command = [sys.executable, "-m", "bench.tasks", "--vendor"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)


class Bench:
    """One run."""

    def __init__(self, count: int, *, single: bool) -> None:
        self.count = count
        self.kind = "one" if single else "many"
        self.refused = 0
        self.found: dict[str, Any] = {"tasks": count, "asked": "one by one" if single else "50 at a time"}

    async def run(self) -> dict[str, Any]:
        """Everything, in order."""
        from support import task_rig, task_vendor  # noqa: PLC0415 - as above

        api = dataclasses.replace(task_vendor.PROVIDER.tasks[f"test.{self.kind}"], pace=Pace(), many=50)
        provider = dataclasses.replace(task_vendor.PROVIDER, tasks={f"test.{self.kind}": api})
        home = Path(tempfile.mkdtemp(prefix="unigate-bench-tasks-"))
        url = f"sqlite:///{home / 'unigate.db'}"
        await asyncio.to_thread(migrate, url)
        child = started()
        assert child.stdin is not None
        assert child.stdout is not None
        there = task_vendor.Vendor(url=json.loads(child.stdout.readline())["url"])
        rig = task_rig.Rig(connect(url), home, there, settings=LiveSettings(), terms=Terms())
        rig.channels = [dataclasses.replace(task_rig.channel(there), provider=provider)]
        await rig.fund(10**12)
        node = await rig.node(look=1.0, rest=0.05)
        try:
            made = await self.submit(node)
            await self.follow(node)
            await self.fetch(node, made)
            await self.end(node, child)
        finally:
            await node.stop()
            child.stdin.close()
            child.wait(10)
        self.found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        await rig.sound()
        await rig.db.close()
        return self.found

    async def submit(self, node: Any) -> list[str]:
        """As fast as it goes, so many at a time."""
        left, made = iter(range(self.count)), []

        async def one_after_the_other() -> None:
            for n in left:
                while True:  # as a client does that is told to come again
                    try:
                        task = await node.submit(self.kind, prompt=f"prompt {n}")
                        break
                    except StoreUnavailable:
                        self.found["told_to_come_again"] = self.found.get("told_to_come_again", 0) + 1
                made.append(task.id)

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        seconds = time.monotonic() - began
        self.found["submits_per_second"] = round(self.count / seconds)
        self.found["submit_cpu_ms"] = round((time.process_time() - cpu) * 1000 / self.count, 2)
        return made

    async def follow(self, node: Any) -> None:
        """All in flight, and nothing happens: how late the latest is asked after, and what that costs."""
        lags = []
        began, cpu = time.monotonic(), time.process_time()
        while time.monotonic() - began < STEADY:
            await asyncio.sleep(0.1)
            async with node.db.reading() as tx:
                row = await tx.one(_DUE)
            there = max(now_ms() - int(row[0]), 0) if row is not None and row[0] is not None else 0
            lags.append(max(there, node.tasks.engine.claims.late))
        lags.sort()
        self.found["lag_ms"] = {"p50": lags[len(lags) // 2], "p99": lags[len(lags) * 99 // 100], "max": lags[-1]}
        self.found["follow_cpu_percent"] = round((time.process_time() - cpu) * 100 / (time.monotonic() - began))

    async def fetch(self, node: Any, made: list[str]) -> None:
        """Fetches while all are in flight."""
        count, until = 0, time.monotonic() + FETCH

        async def one_after_the_other(start: int) -> None:
            nonlocal count
            place = start
            while time.monotonic() < until:
                task = await node.tasks.get(made[place % len(made)], "usr_1")
                assert task is not None
                place += 97
                count += 1

        await asyncio.gather(*(one_after_the_other(n) for n in range(32)))
        self.found["fetches_per_second"] = round(count / FETCH)

    async def end(self, node: Any, child: "subprocess.Popen[bytes]") -> None:
        """All end at the vendor at once: until the last is seen and paid."""
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"end\n")
        child.stdin.flush()
        self.found["polls"] = json.loads(await asyncio.to_thread(child.stdout.readline))["polls"]
        began = time.monotonic()
        over = asyncio.Event()
        callers = [asyncio.create_task(self.submit_meanwhile(node, over)) for _ in range(8)]
        ended = 0
        while ended < self.count and time.monotonic() - began < 300:
            await asyncio.sleep(0.2)
            async with node.db.reading() as tx:
                row = await tx.one(_ENDED)
            ended = int(row[0]) if row is not None else 0
        seconds = time.monotonic() - began
        over.set()
        waits = sorted(wait for some in await asyncio.gather(*callers) for wait in some)
        self.found["all_ended_seconds"] = round(seconds, 1)
        self.found["ended"] = ended
        told = {"per_second": round(len(waits) / seconds), "p50": waits[len(waits) // 2], "max": waits[-1]}
        self.found["submits_meanwhile"] = {**told, "told_to_come_again": self.refused}

    async def submit_meanwhile(self, node: Any, over: asyncio.Event) -> list[float]:
        """One caller of eight, while all that was there ends: how long each submission took."""
        waits: list[float] = []
        while not over.is_set():
            began = time.monotonic()
            try:
                await node.submit(self.kind, prompt="meanwhile")
            except StoreUnavailable:
                self.refused += 1
            waits.append(round(time.monotonic() - began, 3))
        return waits


def main() -> None:
    """Run it."""
    sys.path.insert(0, str(ROOT / "tests"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--single", action="store_true", help="ask after each task by itself")
    parser.add_argument("--vendor", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.vendor:
        asyncio.run(vendor())
        return
    with asyncio.Runner(loop_factory=tuning.new_event_loop) as runner:
        print(json.dumps(runner.run(Bench(told.tasks, single=told.single).run()), indent=2))


if __name__ == "__main__":
    main()
