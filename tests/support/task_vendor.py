"""A small vendor of tasks over real HTTP, and the provider that speaks to it: what it does is said in the order's body.

`POST /jobs` takes an order; its `fault` says what goes wrong with it. `GET /jobs/{id}`, `POST /jobs/list`, `POST
/jobs/{id}/cancel` and `GET /orders/{task}` ask about it. `POST /jobs/{id}/set` is the test's own hand.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from unigate.base.errors import BadRequest, UpstreamRefused
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.task import Accepted, Answered, Failure, Json, Made, Message, Order, Output, Pace, Progress, TaskApi

#: Statuses that a fault of this name answers a submission with.
REFUSALS = {"refuse": 400, "fail": 500, "auth": 401, "busy": 429, "gateway": 504}


@dataclass
class Vendor:
    """The vendor's books."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Every order that was read, by our task's id.
    orders: list[str] = field(default_factory=list)
    polls: int = 0
    #: How often each task of ours was asked after.
    polled: Counter[str] = field(default_factory=Counter)
    canceled: list[str] = field(default_factory=list)
    #: What polls are answered with while it is set.
    poll_status: int = 200
    #: Orders are answered once this is set; how many wait.
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    orders_waiting: int = 0
    #: Polls are answered once this is set; how many wait.
    poll_gate: asyncio.Event = field(default_factory=asyncio.Event)
    polls_waiting: int = 0
    url: str = ""
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> str:
        """Serve; the base URL."""
        self.gate.set()
        self.poll_gate.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        host, bound = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()

    def end(self, task_id: str, state: str = "succeeded", **more: Any) -> None:
        """Let the job of a task of ours end."""
        for job in self.jobs.values():
            if job["task"] == task_id:
                job.update(state=state, percent=100, **more)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b" ", 2)
                length = 0
                for line in head.split(b"\r\n")[1:]:
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = await reader.readexactly(length)
                told = json.loads(body) if body else {}
                status, answer = await self._answer(method.decode(), path.decode(), told)
                if status == 0:
                    break  # hangs up
                data = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer
                writer.write(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n" % status)
                writer.write(b"content-length: %d\r\n\r\n%b" % (len(data), data))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, told: Any) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if method == "POST" and path == "/jobs":
            return await self._order(told)
        if parts[0] == "orders":
            found = [job for job in self.jobs.values() if job["task"] == parts[1]]
            return 200, {"jobs": found}
        if parts[-1] != "cancel":
            self.polls_waiting += 1
            await self.poll_gate.wait()
            self.polls_waiting -= 1
        if self.poll_status != 200:
            return self.poll_status, {"error": "as ordered"}
        if path == "/jobs/list":
            self.polls += 1
            return 200, [self._seen(self.jobs.get(one)) for one in told["ids"]]
        job = self.jobs.get(parts[1])
        if job is None:
            return 404, {"error": "unknown"}
        if parts[-1] == "cancel":
            self.canceled.append(job["task"])
            if job["order"].get("no_cancel"):
                return 409, {"error": "too late"}
            if job["state"] not in {"succeeded", "failed"}:
                job["state"] = "canceled"
            return 200, job
        if parts[-1] == "resume":
            if told.get("fault") == "refuse":
                return 400, {"error": "no"}
            job["state"] = "running"
            return 200, job
        self.polls += 1
        return 200, self._seen(job)

    async def _order(self, told: Any) -> tuple[int, Any]:
        body, task = told["body"], told["task"]
        fault = body.get("fault", "")
        self.orders_waiting += 1
        await self.gate.wait()
        self.orders_waiting -= 1
        if fault in REFUSALS:
            return REFUSALS[fault], {"error": {"message": "as ordered", "code": fault}}
        if fault == "hang_up_before":
            self.orders.append(task)
            return 0, None
        self.orders.append(task)
        job = {"id": f"j{len(self.jobs)}", "task": task, "state": body.get("state", "running"), "percent": 0}
        job |= {"left": body.get("steps", -1), "order": body, "units": body.get("units"), "billed": False}
        job["billed"] = bool(body.get("billed"))
        self.jobs[job["id"]] = job
        if fault == "hang_up":
            return 0, None
        if fault == "garbage":
            return 200, b"{not json"
        if fault == "refused_as_200":
            del self.jobs[job["id"]]
            self.orders.pop()
            return 200, {"refused": 400}
        return 200, job

    def _seen(self, job: dict[str, Any] | None) -> dict[str, Any] | None:
        """A job when it is asked after: one step further, if it goes by steps."""
        if job is not None:
            self.polled[job["task"]] += 1
        if job is not None and job["state"] == "running" and job["left"] > 0:
            job["left"] -= 1
            job["percent"] = min(99, job["percent"] + 10)
            if not job["left"]:
                job.update(state=job["order"].get("ends", "succeeded"), percent=100)
        return job


def _submit(order: Order, _options: Json) -> Message:
    if order.body.get("fault") == "cannot_send":
        raise BadRequest("as ordered")
    if order.body.get("fault") == "broken_code":
        raise KeyError("as ordered")
    body = {"task": order.task_id, "body": dict(order.body), "callback": order.callback}
    return Message(method="POST", path="/jobs", body=json.dumps(body).encode())


def _accepted(_order: Order, answered: Answered) -> Accepted:
    told = json.loads(answered.body)
    if "refused" in told:
        raise UpstreamRefused(told["refused"], answered.body)
    return Accepted(handle={"job": told["id"]}, progress=_progress_of(told), free=bool(told["order"].get("free")))


def _progress_of(job: Mapping[str, Any]) -> Progress:
    state = job["state"]
    done = state == "succeeded"
    return Progress(
        state=state,
        percent=job["percent"],
        detail={"job": job["id"], "percent": job["percent"]},
        outputs=[Output(url=f"http://files.test/{job['id']}.png", kind="image")] if done else (),
        error=Failure(code="vendor_failed", message="as ordered") if state == "failed" else None,
        units=job["units"],
        # A job with `tunes` tells of them the other way round before its end.
        makes=[Made(kind="tune", id=id) for id in list(job["order"].get("tunes", ()))[:: 1 if done else -1]],
        billed=job["billed"],
    )


def _poll(handle: Json, _options: Json) -> Message:
    return Message(method="GET", path=f"/jobs/{handle['job']}")


def _progress(_handle: Json, answered: Answered) -> Progress:
    return _progress_of(json.loads(answered.body))


def _poll_many(handles: Sequence[Json], _options: Json) -> Message:
    body = {"ids": [handle["job"] for handle in handles]}
    return Message(method="POST", path="/jobs/list", body=json.dumps(body).encode())


def _progress_many(_handles: Sequence[Json], answered: Answered) -> Sequence[Progress | None]:
    return [None if job is None else _progress_of(job) for job in json.loads(answered.body)]


def _cancel(handle: Json, _options: Json) -> Message:
    return Message(method="POST", path=f"/jobs/{handle['job']}/cancel")


def _recover(order: Order, _options: Json) -> Message:
    return Message(method="GET", path=f"/orders/{order.task_id}")


def _recovered(_order: Order, answered: Answered) -> Accepted | None:
    jobs = json.loads(answered.body)["jobs"]
    return Accepted(handle={"job": jobs[0]["id"]}, progress=_progress_of(jobs[0])) if jobs else None


def _resume(order: Order, _options: Json) -> Message:
    assert order.parent is not None
    return Message(
        method="POST", path=f"/jobs/{order.parent['job']}/resume", body=json.dumps(dict(order.body)).encode()
    )


def _question(handle: Json, _options: Json) -> Message:
    return Message(method="GET", path=f"/jobs/{handle['job']}")


PACE = Pace(first=0.02, growth=1.5, longest=0.2)
ONE = TaskApi(submit=_submit, accepted=_accepted, poll=_poll, progress=_progress, cancel=_cancel, pace=PACE)
MANY = TaskApi(
    submit=_submit,
    accepted=_accepted,
    poll_many=_poll_many,
    progress_many=_progress_many,
    many=7,
    cancel=_cancel,
    canceled=_progress,
    recover=_recover,
    recovered=_recovered,
    resume=_resume,
    calls_back=True,
    asks={"test.question": _question},
    pace=PACE,
)
DEAF = TaskApi(submit=_submit, accepted=_accepted, calls_back=True, called_back=_progress, pace=PACE, deadline=3600.0)
PROVIDER = Provider(
    name="tasks_for_tests",
    title="Tasks for tests",
    base_url=None,
    tasks={"test.one": ONE, "test.many": MANY, "test.deaf": DEAF},
)
OPERATIONS = tuple(
    Operation(name=f"test.{kind}", method="POST", path=f"/test/{kind}", dialect="test", family="test", use="task")
    for kind in ("one", "many", "deaf", "question")
)
