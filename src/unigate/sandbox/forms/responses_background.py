"""Responses that are made in the background: what a caller sees of one while it is made, and of its end.

https://platform.openai.com/docs/guides/background
"""

from unigate.sandbox.forms import platform
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline

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
    return platform.begun(call, id, _TIMELINE, _FAILED)


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
