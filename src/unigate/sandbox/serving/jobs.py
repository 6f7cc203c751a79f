"""Jobs that take time: what a vendor accepts now and has done later. Knows no vendor.

A job follows a timeline, and its stage is a function of the time that has passed, so that nothing needs to tick. Only
callbacks need a task of their own, which waits for each change. Faults of tasks change the timeline when it is planned,
or hold for those who ask after the job.
"""

import asyncio
import contextlib
import math
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from unigate.base import clock
from unigate.base.clock import Seconds
from unigate.sandbox.serving import faults
from unigate.sandbox.serving.answer import Spoiled, VendorError, Whole
from unigate.sandbox.serving.line import Cut

_SPEED = re.compile(rb"\[\[speed:(\d{1,6}(?:\.\d{1,3})?)\]\]")
#: The longest time between two looks at a job that callbacks wait for, and that may be cancelled or have its turn.
_TICK = 0.05
#: What the fault `poll-garbage` answers.
_GARBAGE = b'{"status": "IN_PROGRE\x00\xff'


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a job stands."""

    #: The vendor's word.
    name: str
    #: Percent.
    progress: int = 0
    #: Whether nothing comes after it.
    ended: bool = False
    #: Why it failed, in the vendor's words.
    error: str = ""


#: Stages, each with the seconds after the job's beginning at which it is entered; the first with 0.
Timeline = tuple[tuple[Seconds, Stage], ...]


def speed_of(body: bytes, usual: float) -> float:
    """How many times as fast as usual a job shall be: as its call says by `[[speed:N]]`, else `usual`."""
    found = _SPEED.findall(body)
    return max(0.001, float(found[-1])) if found else usual


def planned(timeline: Timeline, fault: faults.Fault, failed: Stage) -> Timeline:
    """The timeline with the faults of the call that made the job."""
    at, stuck = fault.get("fail-at"), fault.get("stuck")
    limit = at if at is not None else stuck
    if limit is None:
        return timeline
    kept = tuple((time, stage) for time, stage in timeline if stage.progress <= limit and not stage.ended)
    kept = kept or timeline[:1]
    if at is None or len(kept) == len(timeline):
        return kept
    end = Stage(name=failed.name, progress=round(min(limit, 100)), ended=True, error=failed.error)
    return (*kept, (timeline[len(kept)][0], end))


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One job. `data` is the face's own."""

    id: str
    credential: str
    timeline: Timeline
    #: What the vendor shows of a job that a fault makes fail.
    failed: Stage
    #: The vendor's refusal of a poll with a status, for faults.
    refuse: Callable[[int, str | None], VendorError]
    speed: float = 1.0
    fault: faults.Fault = faults.NONE
    data: Any = None
    #: Called where the job has not begun, to see whether it is its turn.
    turn: Callable[[], None] | None = None
    made: Seconds = field(default_factory=clock.monotonic)
    made_ms: int = field(default_factory=clock.now_ms)
    #: When it began, None while it waits.
    begun: Seconds | None = None
    #: From when on it holds nobody up; faults do not change that.
    frees: Seconds = math.inf
    #: How often it was asked after, for faults.
    polls: int = 0
    #: How often it was planned anew.
    plans: int = 0
    #: How long it takes at speed 1, without faults.
    _nominal: Seconds = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._plan(self.timeline)

    def _plan(self, timeline: Timeline) -> None:
        self._nominal = timeline[-1][0]
        self.timeline = planned(timeline, self.fault, self.failed)

    def begin(self, at: Seconds | None = None) -> None:
        """Start the clock, now or at a moment that has passed."""
        if self.begun is None:
            self.begun = clock.monotonic() if at is None else at
            self.frees = self.begun + self._nominal / self.speed

    def again(self, timeline: Timeline) -> None:
        """Start over with another timeline, as soon as it begins."""
        self.begun, self.frees = None, math.inf
        self.plans += 1
        self._plan(timeline)

    def end(self, stage: Stage) -> None:
        """End it now, whatever was to come."""
        now = clock.monotonic()
        if self.begun is None:
            self.timeline, self.begun = (*self.timeline[:1], (0.0, stage)), now
        else:
            passed = (now - self.begun) * self.speed
            past = tuple((time, earlier) for time, earlier in self.timeline if time <= passed)
            self.timeline = (*past, (passed, stage))
        self.frees = min(self.frees, now)

    def index(self) -> int:
        """The number of its stage in the timeline."""
        if self.begun is None and self.turn is not None:
            self.turn()
        if self.begun is None:
            return 0
        passed = (clock.monotonic() - self.begun) * self.speed
        return max(n for n, (time, _) in enumerate(self.timeline) if time <= passed or n == 0)

    def stage(self) -> Stage:
        """Its stage now."""
        return self.timeline[self.index()][1]

    def waits(self) -> bool:
        """Whether it has not begun."""
        self.index()
        return self.begun is None

    def entered_ms(self, index: int) -> int:
        """When it entered that stage, in milliseconds since 1970; of the first: when it was made."""
        if index == 0 or self.begun is None:
            return self.made_ms
        return self.made_ms + round((self.begun - self.made + self.timeline[index][0] / self.speed) * 1000)

    def remaining(self) -> Seconds:
        """How long its stage will last; infinite where that is not known."""
        index = self.index()
        if self.begun is None or index + 1 >= len(self.timeline):
            return math.inf
        return max(0.0, self.begun + self.timeline[index + 1][0] / self.speed - clock.monotonic())


#: Called with a job and each stage that it enters.
Told = Callable[[Job, Stage], Awaitable[None]]


class Jobs:
    """All jobs of a sandbox; bounded, the oldest go first."""

    def __init__(self, limit: int = 2_000) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, id: str) -> bool:
        return id in self._jobs

    def put(self, job: Job) -> None:
        """Keep a job."""
        self._jobs[job.id] = job
        if len(self._jobs) > self._limit:
            self._jobs.popitem(last=False)

    async def accepted(self, job: Job) -> None:
        """What a submit does last, before it answers: keep the job, and mind the faults of accepting."""
        self.put(job)
        if "accept-and-hang-up" in job.fault:
            raise Cut(job.fault.text)
        delay = job.fault.get("slow-submit")
        if delay is not None:
            await asyncio.sleep(delay)

    def get(self, id: str, credential: str) -> Job | None:
        """The job, for other work on it; None where it is unknown, somebody else's, or has vanished."""
        job = self._jobs.get(id)
        return None if job is None or job.credential != credential or "vanish" in job.fault else job

    def poll(self, id: str, credential: str, fault: faults.Fault) -> Job | None:
        """The job, for a caller who asks after it with the faults of this call; raises what faults of polls ask for."""
        job = self._jobs.get(id)
        if job is None or job.credential != credential:
            return None
        fault = job.fault | fault
        job.polls += 1
        refused = fault.get("poll-429") or 0
        if job.polls <= refused:
            raise job.refuse(429, None)
        if job.polls <= refused + (fault.get("poll-garbage") or 0):
            raise Spoiled(Whole(payload=_GARBAGE))
        return None if "vanish" in fault else job

    def of(self, credential: str) -> list[Job]:
        """All jobs of a credential, newest first."""
        return [job for job in reversed(self._jobs.values()) if self.get(job.id, credential)]

    def watch(self, job: Job, told: Told) -> None:
        """Tell of each stage that the job enters, the present one first, until it has ended; errors are ignored."""
        if "vanish" not in job.fault:
            self.keep(_watch(job, told))

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work beside the calls, until all jobs are forgotten."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self, job: Job, seconds: Seconds) -> Stage:
        """Its stage once it has ended, at the latest after so long."""
        until = clock.monotonic() + seconds
        while not (stage := job.stage()).ended and (left := until - clock.monotonic()) > 0:  # noqa: ASYNC110 - time ends it
            await asyncio.sleep(min(left, _TICK, job.remaining() + 0.001))
        return stage

    def clear(self) -> None:
        """Forget all jobs; nobody is told of them any more."""
        self._jobs.clear()
        for task in self._tasks:
            task.cancel()


async def _watch(job: Job, told: Told) -> None:
    plan, seen = job.plans, -1
    while True:
        if plan != job.plans:
            plan, seen = job.plans, -1
        index = job.index()
        while seen < index:
            seen += 1
            stage = job.timeline[seen][1]
            with contextlib.suppress(OSError, ValueError, TimeoutError):
                await told(job, stage)
            if stage.ended:
                return
        await asyncio.sleep(min(_TICK, job.remaining() + 0.001))
