"""A small, fast server of the midjourney-proxy convention, in the test's loop: it takes orders, works on them, and counts.

Each credential is an account that sees its own tasks alone. Orders are known by their `state`, which is the gateway's id of
the task.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any

#: How many tasks `/task/list` shows, as the servers have it.
NEWEST = 100


@dataclass(frozen=True)
class Job:
    """One task that was taken."""

    id: str
    state: str
    account: str
    began: float
    takes: float


@dataclass
class MidjourneyVendor:
    """Its books."""

    #: Seconds until an order is answered, and until its picture is done: for one in four the whole, for others a part.
    thinks: float
    works: float
    #: So many are worked on at once, the others from this moment on.
    early: int = 0
    opened: float = 0.0
    #: Orders are answered while this is set; how many wait for their answer.
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    thinking: int = 0
    #: The `state` of every order that was read, as they came.
    orders: list[str] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    url: str = ""

    def unfinished(self) -> int:
        """How many tasks it works on."""
        return sum(self._part(job) < 1 for job in self.jobs.values())

    def _part(self, job: Job) -> float:
        began = job.began if int(job.id) < self.early else max(job.began, self.opened)
        return min(max(monotonic() - began, 0) / job.takes, 1.0)

    def _take(self, state: str, account: str) -> Job:
        number = len(self.jobs)
        job = Job(str(number), state, account, monotonic(), self.works * (1 + number % 4) / 4)
        self.jobs[job.id] = job
        return job

    def shown(self, job: Job) -> dict[str, Any]:
        """A task as it stands."""
        part = self._part(job)
        done = part == 1
        return {
            "id": job.id,
            "action": "IMAGINE",
            "status": "SUCCESS" if done else "IN_PROGRESS",
            "progress": f"{int(part * 10) * 10}%",
            "state": job.state,
            "imageUrl": f"{self.url}/pictures/{job.id}.png" if done else "",
            "buttons": [],
            "failReason": None,
            "properties": {},
        }

    async def answer(self, method: str, path: str, account: str, body: Any) -> object:
        """What a call is answered with."""
        what = path.rpartition("/mj")[2].partition("?")[0]
        if what == "/submit/imagine":
            self.orders.append(body["state"])
            job = self._take(body["state"], account)
            self.thinking += 1
            await asyncio.sleep(self.thinks)
            await self.gate.wait()
            self.thinking -= 1
            return {"code": 1, "description": "提交成功", "result": job.id, "properties": {}}
        if what == "/task/list-by-condition":
            found = [self.jobs[one] for one in body["ids"] if one in self.jobs]
            return [self.shown(job) for job in found if job.account == account]
        if what == "/task/list":
            mine = [job for job in self.jobs.values() if job.account == account]
            return [self.shown(job) for job in mine[: -NEWEST - 1 : -1]]
        parts = what.split("/")
        assert parts[1] == "task" and parts[3] == "fetch", (method, path)
        found_one = self.jobs.get(parts[2])
        return self.shown(found_one) if found_one is not None and found_one.account == account else None


@asynccontextmanager
async def selling(*, thinks: float, works: float, early: int) -> AsyncIterator[MidjourneyVendor]:
    """A vendor on a free port; `opened` is the test's to set."""
    vendor = MidjourneyVendor(thinks=thinks, works=works, early=early, opened=inf)
    vendor.gate.set()
    open_now: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        open_now[me] = writer
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                    method, path, _ = head[0].split(" ")
                    told = {
                        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
                    }
                    content = await reader.readexactly(int(told.get("content-length", "0")))
                    body = json.loads(content) if content else None
                    data = json.dumps(await vendor.answer(method, path, told["mj-api-secret"], body)).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                    writer.write(b"content-length: %d\r\n\r\n%b" % (len(data), data))
                    await writer.drain()
        finally:
            del open_now[me]
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    vendor.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield vendor
    finally:
        server.close()
        left = list(open_now)
        for writer in open_now.values():
            writer.close()
        await asyncio.gather(*left, return_exceptions=True)
