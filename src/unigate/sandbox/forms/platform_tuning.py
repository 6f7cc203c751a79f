"""The operations of fine-tuning: jobs, their events and checkpoints.

https://platform.openai.com/docs/api-reference/fine-tuning
"""

from unigate.sandbox.forms import checks, platform, tuning_request
from unigate.sandbox.forms.models import Models
from unigate.sandbox.forms.tuning import Tuning
from unigate.sandbox.serving.answer import Answer
from unigate.sandbox.serving.face import Call, Route

#: What the vendor's list of jobs and of events has no more of.
_SHORT = ("object", "data", "has_more")


def routes(models: Models) -> tuple[Route, ...]:
    """All operations of fine-tuning."""

    async def create(call: Call) -> Answer:
        """POST /fine_tuning/jobs."""
        made = tuning_request.create(call, models)
        call.world.cabinet.of(Tuning, call.credential).put(made.id, made)
        await call.world.jobs.accepted(made.job)
        return platform.answer(made.row())

    one = "/v1/fine_tuning/jobs/{id}"
    return (
        Route("POST", "/v1/fine_tuning/jobs", create),
        Route("GET", "/v1/fine_tuning/jobs", _list),
        Route("GET", one, _get),
        Route("GET", f"{one}/events", _events),
        Route("GET", f"{one}/checkpoints", _checkpoints),
        Route("POST", f"{one}/cancel", _cancel),
        Route("POST", f"{one}/pause", _pause),
        Route("POST", f"{one}/resume", _resume),
    )


def _job(call: Call) -> Tuning:
    id = call.params["id"]
    kept = call.world.cabinet.of(Tuning, call.credential).get(id)
    lost = kept is not None and not call.world.jobs.poll(id, call.credential, call.fault)
    told = f"Could not find fine tune: {id[:100]}"
    return platform.found(None if lost else kept, told, param="fine_tune_id", code="fine_tune_not_found")


async def _list(call: Call) -> Answer:
    """GET /fine_tuning/jobs."""
    rows = [one.shown() for one in call.world.cabinet.of(Tuning, call.credential).all()]
    for name, value in call.query.items():
        if name.startswith("metadata[") and name.endswith("]"):
            rows = [row for row in rows if (row["metadata"] or {}).get(name[9:-1]) == value]
    page = platform.page(call, rows)
    return platform.answer({name: page[name] for name in _SHORT})


async def _get(call: Call) -> Answer:
    """GET /fine_tuning/jobs/{id}."""
    return platform.answer(_job(call).shown())


async def _events(call: Call) -> Answer:
    """GET /fine_tuning/jobs/{id}/events."""
    job = _job(call)
    job.look()
    page = platform.page(call, job.events)
    return platform.answer({name: page[name] for name in _SHORT})


async def _checkpoints(call: Call) -> Answer:
    """GET /fine_tuning/jobs/{id}/checkpoints."""
    job = _job(call)
    job.look()
    return platform.answer(platform.page(call, job.checkpoints, usual=10))


async def _cancel(call: Call) -> Answer:
    """POST /fine_tuning/jobs/{id}/cancel."""
    job = _job(call)
    if job.look() in ("succeeded", "failed", "cancelled"):
        raise checks.refuse(f"Job has already completed: {job.id}", None)
    job.cancel()
    return platform.answer(job.shown())


async def _pause(call: Call) -> Answer:
    """POST /fine_tuning/jobs/{id}/pause."""
    job = _job(call)
    if job.look() not in ("queued", "running"):
        raise checks.refuse(f"Cannot pause a job with status '{job.status}'.", None)
    job.pause()
    return platform.answer(job.shown())


async def _resume(call: Call) -> Answer:
    """POST /fine_tuning/jobs/{id}/resume."""
    job = _job(call)
    if job.look() != "paused":
        raise checks.refuse(f"Cannot resume a job with status '{job.status}'.", None)
    job.resume()
    return platform.answer(job.shown())
