"""Responses that are made in the background: what a caller sees of one while it is made, and of its end.

https://platform.openai.com/docs/guides/background
"""

from unigate.sandbox.forms import openai_errors
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of

#: In seconds at the usual speed.
_TIMELINE: Timeline = (
    (0.0, Stage(name="queued")),
    (0.3, Stage(name="in_progress", progress=10)),
    (1.5, Stage(name="completed", progress=100, ended=True)),
)
_FAILED = Stage(name="failed", ended=True, error="The server had an error while processing your request.")
_CANCELLED = Stage(name="cancelled", ended=True)


def begun(call: Call, id: str) -> Job:
    """A response that begins now."""
    job = Job(
        id=id,
        credential=call.credential,
        timeline=_TIMELINE,
        failed=_FAILED,
        refuse=openai_errors.failure,
        speed=speed_of(call.body, call.world.options.task_speed),
        fault=call.fault,
    )
    job.begin()
    return job


def shown(response: Object, job: Job) -> Object:
    """The response as it is now; `response` is what it will be once it is completed."""
    stage = job.stage()
    if stage.name == "completed":
        return response
    failed = stage.name == "failed"
    return {
        **response,
        "status": stage.name,
        "completed_at": None,
        "error": {"code": "server_error", "message": stage.error} if failed else None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def cancel(job: Job) -> None:
    """End it, if it has not ended."""
    if not job.stage().ended:
        job.end(_CANCELLED)
