"""What a task is after what its provider says by taking it, and its trail of tries. Must not write anything."""

from collections.abc import Sequence
from dataclasses import replace

from unigate.base.clock import monotonic
from unigate.routing.choice import Candidate
from unigate.spec.record import Attempt
from unigate.spec.task import Accepted, Json, Task
from unigate.store.tasks import TaskRow, json, text


def known(task: Task, accepted: Accepted, now: int) -> Task:
    """A task after what a provider says by taking it."""
    progress = accepted.progress
    return replace(
        task,
        state="paused" if progress.state == "paused" else "running",
        queued=progress.state == "queued",
        detail=progress.detail,
        previews=progress.previews,
        handle=accepted.handle,
        submitted_at=task.submitted_at or now,
        started_at=now if progress.state == "running" else 0,
        version=task.version + 1,
    )


def quote(row: TaskRow, accepted: Accepted) -> Json:
    """The price of a task that was taken."""
    return {**row.quote, "free": True} if accepted.free else row.quote


def taken(row: TaskRow, task: Task, accepted: Accepted, attempts: Sequence[Attempt]) -> TaskRow:
    """The row of a task that was taken, as the database has it by now."""
    return replace(
        row,
        task=replace(task, handle=json(text(accepted.handle))),
        body=b"",
        quote=quote(row, accepted),
        attempts=text(attempts) if attempts else row.attempts,
        polls=0,
        errors=0,
        missing_since=0,
    )


def attempt_of(candidate: Candidate, status: int, code: str, began: float) -> Attempt:
    """A try that failed, for the task's trail."""
    milliseconds = int((monotonic() - began) * 1000)
    return Attempt(candidate.route.channel.id, candidate.credential.id, status, code, milliseconds)
