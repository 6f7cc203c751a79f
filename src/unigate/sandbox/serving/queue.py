"""A queue of jobs: so many run at a time, so many wait, and others are refused. Nothing ticks: who looks moves it on."""

from unigate.base import clock
from unigate.sandbox.serving.jobs import Job


class Queue:
    """Places for jobs to run, and for jobs to wait."""

    def __init__(self, *, running: int, waiting: int) -> None:
        self._slots: list[Job | None] = [None] * running
        self._waiting: list[Job] = []
        self._places = waiting

    def enter(self, job: Job) -> int | None:
        """Let a job in: 0 where it runs at once, else its place among those who wait, from 1; None where all is full."""
        self.settle()
        free = any(_freed(slot) <= clock.monotonic() for slot in self._slots)
        if not free and len(self._waiting) >= self._places:
            return None
        job.turn = self.settle
        self._waiting.append(job)
        self.settle()
        return self._waiting.index(job) + 1 if job in self._waiting else 0

    def settle(self) -> None:
        """Begin what may begin, at the moment when its place became free."""
        now = clock.monotonic()
        # One that was cancelled has begun too: it waits no more.
        self._waiting = [job for job in self._waiting if job.begun is None]
        while self._waiting:
            number = min(range(len(self._slots)), key=lambda n: _freed(self._slots[n]))
            freed = _freed(self._slots[number])
            if freed > now:
                return
            job = self._waiting.pop(0)
            self._slots[number] = job
            job.begin(max(freed, job.made))

    def running(self) -> int:
        """How many run."""
        self.settle()
        return sum(_freed(slot) > clock.monotonic() for slot in self._slots)

    def waiting(self) -> list[Job]:
        """Those who wait, the next first."""
        self.settle()
        return list(self._waiting)


def _freed(slot: Job | None) -> clock.Seconds:
    return clock.LONG_AGO if slot is None else slot.frees
