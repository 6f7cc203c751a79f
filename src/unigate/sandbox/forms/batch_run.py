"""Batches at work: their lines are answered by the sandbox's own operations, within about a second.

https://platform.openai.com/docs/api-reference/batch/object
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from unigate.base.clock import Seconds
from unigate.sandbox.forms import batch_lines, jsonl, platform, platform_files
from unigate.sandbox.forms.batch_lines import Line
from unigate.sandbox.forms.models import Models
from unigate.sandbox.serving import inner
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

_WINDOW_SECONDS = 24 * 3600
#: Seconds at the usual speed: looking through the lines, answering them, writing the files.
_VALIDATES, _WORKS, _WRITES = 0.2, 0.5, 0.2
_REFUSED = 400
_MOMENTS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """One batch."""

    id: str
    endpoint: str
    input: str
    metadata: Object
    #: Seconds for which its files last, 0: for ever.
    lasts: int
    #: Faults of those who ask after it, and its speed.
    job: Job
    status: str = "validating"
    made: int = field(default_factory=platform.now)
    #: Status -> when it was entered, in seconds since 1970.
    moments: dict[str, int] = field(default_factory=dict)
    errors: list[Object] = field(default_factory=list)
    total: int = 0
    completed: int = 0
    failed: int = 0
    model: str | None = None
    usage: Object = field(default_factory=batch_lines.nothing)
    #: Lines of its files, until those are written.
    good: list[Object] = field(default_factory=list)
    bad: list[Object] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    #: Set as soon as somebody cancels it.
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, status: str) -> None:
        """Go on to a status."""
        self.status = status
        self.moments[status] = platform.now()

    def add(self, row: Object) -> None:
        """Take a line that was answered."""
        if row["response"]["status_code"] >= _REFUSED:
            self.failed += 1
            self.bad.append(row)
            return
        self.completed += 1
        self.good.append(row)
        self.model = self.model or row["response"]["body"].get("model")
        batch_lines.count(self.usage, row["response"]["body"].get("usage") or {})

    def shown(self) -> Object:
        """The batch as the vendor tells it."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.files.get("output"),
            "error_file_id": self.files.get("error"),
            "created_at": self.made,
            "expires_at": self.made + _WINDOW_SECONDS,
            **{f"{name}_at": self.moments.get(name) for name in _MOMENTS},
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "usage": self.usage,
            "metadata": self.metadata or None,
        }


async def run(call: Call, batch: Batch, data: bytes, models: Models, work: inner.Work) -> None:
    """Do the work of a batch from validation to its end."""
    await _pause(batch, _VALIDATES)
    lines, batch.errors = batch_lines.read(data, batch.endpoint, models)
    if batch.errors:
        batch.enter("failed")
        return
    if batch.status == "validating":
        batch.total = len(lines)
        batch.enter("in_progress")
        if not await _work(call, batch, lines, work):
            return
    _write(call, batch)
    if batch.status == "cancelling":
        batch.enter("cancelled")
        return
    batch.enter("finalizing")
    await _pause(batch, _WRITES)
    batch.enter("completed")


async def _work(call: Call, batch: Batch, lines: list[Line], work: inner.Work) -> bool:
    """Answer the lines until they are all answered or it was cancelled; False where a fault ends it before."""
    fault = batch.job.fault
    for number, line in enumerate(lines):
        share = 100 * number / len(lines)
        if share >= (fault.get("stuck") or 101):
            return False
        if share >= (fault.get("fail-at") or 101):
            batch.errors = [{"code": "server_error", "message": "The batch failed.", "param": None, "line": None}]
            batch.enter("failed")
            return False
        if batch.status == "cancelling":
            return True
        answered = await work(call, batch.endpoint, line.body)
        batch.add(batch_lines.written(line, answered))
        await _pause(batch, _WORKS / len(lines))
    return True


async def _pause(batch: Batch, seconds: Seconds) -> None:
    """Let time pass, until it is cancelled."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(batch.cancelled.wait(), seconds / batch.job.speed)


def _write(call: Call, batch: Batch) -> None:
    """Make the files of what was answered."""
    kinds: Iterable[tuple[str, list[Object]]] = (("output", batch.good), ("error", batch.bad))
    for kind, rows in kinds:
        if rows:
            made = platform_files.add(
                call.world,
                call.credential,
                jsonl.write(rows),
                filename=f"{batch.id}_{kind}.jsonl",
                purpose="batch_output",
                lasts=batch.lasts,
            )
            batch.files[kind] = made.id
            rows.clear()
