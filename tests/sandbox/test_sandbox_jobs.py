"""Jobs: a stage follows from the time that has passed; queues, faults, and who is told. Time stands still but when told."""

import asyncio
import itertools
from typing import Any

import pytest
from sandbox_client import Sandbox

from support.waiting import until
from unigate.base import clock
from unigate.sandbox.serving import faults, outgoing
from unigate.sandbox.serving.answer import Spoiled, VendorError
from unigate.sandbox.serving.jobs import Job, Jobs, Stage, planned, speed_of
from unigate.sandbox.serving.line import Cut
from unigate.sandbox.serving.queue import Queue

STARTED, HALF, DONE = (
    Stage(name="started"),
    Stage(name="half", progress=50),
    Stage(name="done", progress=100, ended=True),
)
TIMELINE = ((0.0, STARTED), (2.0, HALF), (4.0, DONE))
FAILED = Stage(name="failed", ended=True, error="it failed")
_IDS = itertools.count()


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(clock, "monotonic", found)
    return found


def refuse(status: int, code: str | None) -> VendorError:
    return VendorError(status, "refused", code=code)


def job(fault: str = "", **more: Any) -> Job:
    return Job(
        **{
            "id": f"job-{next(_IDS)}",
            "credential": "c",
            "timeline": TIMELINE,
            "failed": FAILED,
            "refuse": refuse,
            "fault": faults.parse(fault) if fault else faults.NONE,
            "made": clock.monotonic(),
            "made_ms": 5000,
            **more,
        }
    )


def test_stages_follow_time(time: Time) -> None:
    one = job(speed=2.0)
    assert (one.stage(), one.waits(), one.remaining()) == (STARTED, True, float("inf"))
    time.now += 100
    assert one.stage() == STARTED, "it has not begun"
    one.begin()
    one.begin(1.0)
    for passed, stage, left in ((0, STARTED, 1), (0.5, STARTED, 0.5), (1, HALF, 1), (1.5, HALF, 0.5), (2, DONE, None)):
        time.now = 1100 + passed
        assert one.stage() == stage
        assert one.remaining() == (float("inf") if left is None else left)
    assert not one.waits()
    assert [one.entered_ms(n) for n in range(3)] == [5000, 5000 + 100_000 + 1000, 5000 + 100_000 + 2000]
    assert one.frees == 1102


def test_ends_before_its_time(time: Time) -> None:
    canceled = Stage(name="canceled", ended=True)
    one, waiting = job(), job()
    one.begin()
    time.now += 3
    for ended in (one, waiting):
        ended.end(canceled)
        assert ended.stage() == canceled
        time.now += 100
        assert ended.stage() == canceled
        time.now -= 100
    assert [stage for _, stage in one.timeline] == [STARTED, HALF, canceled]
    assert one.entered_ms(2) == 8000
    assert one.frees == time.now


def test_starts_over(time: Time) -> None:
    one = job(timeline=((0.0, Stage(name="window")), (300.0, FAILED)))
    one.begin()
    time.now += 60
    one.again(TIMELINE)
    assert (one.stage(), one.waits()) == (STARTED, True)
    one.begin()
    time.now += 2
    assert one.stage() == HALF
    assert one.entered_ms(1) == 5000 + 62_000


@pytest.mark.parametrize(
    ("fault", "names", "progress"),
    [
        ("", ["started", "half", "done"], 100),
        ("500", ["started", "half", "done"], 100),
        ("fail-at", ["started", "half", "failed"], 50),
        ("fail-at:20", ["started", "failed"], 20),
        ("fail-at:100", ["started", "half", "failed"], 100),
        ("fail-at:999", ["started", "half", "failed"], 100),
        ("stuck", ["started", "half"], 50),
        ("stuck:0", ["started"], 0),
        ("stuck:100", ["started", "half"], 50),
        ("stuck,fail-at:0", ["started", "failed"], 0),
    ],
)
def test_faults_change_the_timeline(fault: str, names: list[str], progress: int) -> None:
    found = planned(TIMELINE, faults.parse(fault) if fault else faults.NONE, FAILED)
    assert [stage.name for _, stage in found] == names
    assert found[-1][1].progress == progress
    assert found[-1][1].error == ("it failed" if names[-1] == "failed" else "")
    assert [time for time, _ in found] == [time for time, _ in TIMELINE][: len(found)]


def test_speeds() -> None:
    assert speed_of(b"nothing", 3.0) == 3.0
    assert speed_of(b"[[speed:2.5]] ... [[speed:20]]", 3.0) == 20
    assert speed_of(b"[[speed:0]]", 3.0) > 0


def test_a_queue(time: Time) -> None:
    queue = Queue(running=2, waiting=2)
    jobs = [job() for _ in range(5)]
    assert [queue.enter(one) for one in jobs] == [0, 0, 1, 2, None]
    assert (queue.running(), queue.waiting()) == (2, jobs[2:4])
    assert jobs[4].begun is None
    time.now += 30
    assert jobs[3].stage() == DONE, "it began when its place was free, though nobody looked"
    assert (jobs[2].begun, jobs[3].begun) == (1004, 1004)
    assert (queue.running(), queue.waiting()) == (0, [])


def test_a_queue_with_jobs_that_are_stuck_or_cancelled(time: Time) -> None:
    queue = Queue(running=1, waiting=3)
    stuck, second, third, fourth = (job(fault) for fault in ("stuck", "", "", ""))
    for one in (stuck, second, third, fourth):
        queue.enter(one)
    third.end(FAILED)
    assert queue.waiting() == [second, fourth]
    time.now += 5
    assert stuck.stage() == HALF
    assert not second.waits()
    assert second.begun == 1004, "one that is stuck makes room when it would have been done"
    second.end(FAILED)
    assert not fourth.waits()
    assert fourth.begun == 1005


# The store


async def test_jobs_belong_to_a_credential_and_the_oldest_go() -> None:
    jobs = Jobs(limit=2)
    first, second, third = job(), job(), job(credential="other")
    for one in (first, second, third):
        jobs.put(one)
    assert jobs.get(first.id, "c") is None
    assert jobs.get(second.id, "c") is second
    assert jobs.get(third.id, "c") is None
    assert jobs.poll(third.id, "c", faults.NONE) is None
    assert jobs.of("c") == [second]
    assert second.id in jobs
    jobs.clear()
    assert jobs.of("c") == []


async def test_faults_of_those_who_ask() -> None:
    jobs = Jobs()
    one, vanished, plain = job("poll-429:2,poll-garbage"), job("vanish"), job()
    for each in (one, vanished, plain):
        await jobs.accepted(each)
    for _ in range(2):
        with pytest.raises(VendorError) as refused:
            jobs.poll(one.id, "c", faults.NONE)
        assert refused.value.status == 429
    with pytest.raises(Spoiled):
        jobs.poll(one.id, "c", faults.NONE)
    assert jobs.poll(one.id, "c", faults.NONE) is one
    assert jobs.poll(vanished.id, "c", faults.NONE) is None
    assert jobs.get(vanished.id, "c") is None
    assert jobs.of("c") == [plain, one]
    with pytest.raises(VendorError):
        jobs.poll(plain.id, "c", faults.parse("poll-429"))
    assert jobs.poll(plain.id, "c", faults.parse("poll-429")) is plain


async def test_accepted_without_an_answer() -> None:
    jobs, one = Jobs(), job("accept-and-hang-up")
    with pytest.raises(Cut):
        await jobs.accepted(one)
    assert jobs.get(one.id, "c") is one


async def test_who_watches_is_told_of_each_stage_once() -> None:
    jobs, one, told = Jobs(), job(speed=40.0), []

    async def tell(_job: Job, stage: Stage) -> None:
        told.append(stage)
        raise ConnectionError

    jobs.watch(one, tell)
    await until(lambda: told == [STARTED])
    one.begin()
    await until(lambda: len(told) == 3)
    assert told == [STARTED, HALF, DONE]
    assert await jobs.ended(one, 10) == DONE


async def test_who_watches_sees_a_job_start_over_and_nothing_after_the_end_of_the_world() -> None:
    jobs, told = Jobs(), []
    window = Stage(name="window")
    one = job(timeline=((0.0, window), (300.0, FAILED)), speed=40.0)

    async def tell(_job: Job, stage: Stage) -> None:
        told.append(stage.name)

    one.begin()
    jobs.watch(one, tell)
    await until(lambda: told == ["window"])
    one.again(TIMELINE)
    one.begin()
    await until(lambda: "done" in told)
    assert told == ["window", "started", "half", "done"]
    other = job()
    jobs.watch(other, tell)
    jobs.clear()
    await until(lambda: not jobs._tasks)
    assert len(told) == 4


async def test_waiting_has_an_end() -> None:
    jobs, one = Jobs(), job(speed=0.01)
    one.begin()
    assert await jobs.ended(one, 0.05) == STARTED


# Calls of the sandbox's own


async def test_what_stands_at_an_address(sandbox: Sandbox) -> None:
    assert b'"faces"' in await outgoing.get(f"{sandbox.url}/sandbox")
    hook = f"{sandbox.url}/sandbox/hooks/outgoing"
    assert await outgoing.post(f"{hook}?status=201", b"{}", (("x-a", "b"),)) == 201
    assert await outgoing.post(f"{hook}?redirect={sandbox.url}/sandbox", b"{}") == 302, "not followed"
    with pytest.raises(ValueError, match="404"):
        await outgoing.get(f"{sandbox.url}/sandbox/files/nothing.png")
    with pytest.raises(ValueError, match="line break"):
        await outgoing.post(hook, b"{}", (("x-a", "b\r\nc: d"),))
    for url in ("ftp://127.0.0.1/x", "nothing", "http://"):
        with pytest.raises(ValueError, match="no address"):
            await outgoing.get(url)
    with pytest.raises(OSError):  # noqa: PT011 - the system's words
        await outgoing.get("http://127.0.0.1:1/")


async def test_redirects_lead_to_the_picture(sandbox: Sandbox) -> None:
    head = f"HTTP/1.1 302 Found\r\nlocation: {sandbox.url}/sandbox/counters\r\ncontent-length: 0\r\n\r\n"
    server = await _answering(head.encode())
    async with server:
        assert b"requests" in await outgoing.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")


async def _answering(data: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n", None),
        (b"nonsense\r\n\r\n", None),
        (b"", None),
        (b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n", None),
    ],
)
async def test_answers_of_others(data: bytes, body: bytes | None) -> None:
    server = await _answering(data)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    async with server:
        if body is None:
            with pytest.raises(ValueError):  # noqa: PT011 - each says what it is
                await outgoing.get(url)
        else:
            assert await outgoing.get(url) == body
