"""Runs of evals at work: a model answers each item, where one is asked, and all graders judge each answer.

https://platform.openai.com/docs/api-reference/evals/run-object
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from unigate.base.clock import Seconds
from unigate.sandbox.forms import eval_graders, eval_sample, platform
from unigate.sandbox.serving import inner
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.cabinet import Drawer
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job

#: Seconds at the usual speed: waiting, and working.
_WAITS, _WORKS = 0.2, 0.5
_MOST = 10_000
ENDED = ("completed", "failed", "canceled")


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One run of an eval."""

    id: str
    eval: str
    name: str
    metadata: Object
    source: Object
    #: What is to be judged, each with `item` and maybe `sample`.
    rows: Sequence[Object]
    graders: Sequence[Object]
    #: Faults of those who ask after it, and its speed.
    job: Job
    status: str = "queued"
    error: Object | None = None
    made: int = field(default_factory=platform.now)
    items: Drawer[Object] = field(default_factory=lambda: Drawer(_MOST))
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        """End it, if it has not ended."""
        if self.status not in ENDED:
            self.status = "canceled"
            self.stopped.set()

    def shown(self) -> Object:
        """The run as the vendor tells it."""
        items = self.items.all()
        errored = [item for item in items if item["sample"]["error"]]
        failed = [item for item in items if item["status"] == "fail" and item not in errored]
        counts = {"total": len(self.rows), "errored": len(errored), "failed": len(failed)}
        model = self.source.get("model")
        return {
            "object": "eval.run",
            "id": self.id,
            "eval_id": self.eval,
            "report_url": f"https://platform.openai.com/evaluations/{self.eval}?run_id={self.id}",
            "status": self.status,
            "model": model,
            "name": self.name,
            "created_at": self.made,
            "result_counts": {**counts, "passed": len(items) - len(errored) - len(failed)},
            "per_model_usage": [_usage(str(model), items)] if model and items else [],
            "per_testing_criteria_results": [_counted(grader, items) for grader in self.graders] if items else [],
            "data_source": self.source,
            "metadata": self.metadata,
            "error": self.error,
        }


def _usage(model: str, items: Sequence[Object]) -> Object:
    spent = [item["sample"]["usage"] for item in items]
    names = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
    sums = {name: sum(one[name] for one in spent) for name in names}
    return {"model_name": model, "invocation_count": len(items), **sums}


def _counted(grader: Object, items: Sequence[Object]) -> Object:
    passed = [one["passed"] for item in items for one in item["results"] if one["name"] == grader["id"]]
    return {"testing_criteria": grader["id"], "passed": sum(passed), "failed": len(passed) - sum(passed)}


async def work(call: Call, run: Run, answer: inner.Work) -> None:
    """Do the work of a run until it is done or stopped."""
    await _pause(run, _WAITS)
    if run.status != "queued":
        return
    run.status = "in_progress"
    stuck = run.job.fault.get("stuck")
    for number, row in enumerate(run.rows, 1):
        if stuck is not None and 100 * number > stuck * len(run.rows):
            return
        item = await _judged(call, run, number, row, answer)
        if run.status != "in_progress":
            return
        run.items.put(item["id"], item)
        await _pause(run, _WORKS / len(run.rows))
    if run.status == "in_progress":
        run.status = "completed"


async def _pause(run: Run, seconds: Seconds) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run.stopped.wait(), seconds / run.job.speed)


async def _judged(call: Call, run: Run, number: int, row: Object, answer: inner.Work) -> Object:
    """The output item of one row."""

    async def ask(model: str, messages: list[Object], schema: Object) -> Object | None:
        form = {"type": "json_schema", "json_schema": {"name": "grade", "schema": schema, "strict": True}}
        body = {"model": model, "messages": messages, "response_format": form}
        told = await answer(call, eval_sample.CHAT, body)
        return eval_graders.decoded(eval_sample.chat_text(told.body)) if told.status == 200 else None

    sample = await eval_sample.asked(call, run.source, row, answer)
    names = {"item": row["item"], "sample": sample if "model" in run.source else row.get("sample")}
    results = []
    for grader in run.graders:
        found = eval_graders.Grade(score=0.0, passed=False)
        if sample["error"] is None:
            found = await eval_graders.grade(grader, names, ask)
        told = {"name": grader["id"], "type": grader["type"], "score": found.score, "passed": found.passed}
        results.append({**told, "sample": None})
    return {
        "object": "eval.run.output_item",
        "id": platform.hex_id("outputitem_", 32),
        "created_at": platform.now(),
        "run_id": run.id,
        "eval_id": run.eval,
        "status": "pass" if all(one["passed"] for one in results) else "fail",
        "datasource_item_id": number,
        "datasource_item": row["item"],
        "results": results,
        "sample": {name: value for name, value in sample.items() if name != "output_text"},
    }
