"""How a Midjourney server answers whoever has it make tasks: what was taken, what was refused and as what that counts.

A handle is `{"id": <the server's>, "text": <whether words alone may be the result>}`, without `id` where the answer to a
submission was its end, so that there is nothing to ask after.
"""

from collections.abc import Sequence
from typing import Any

from unigate.base.errors import BadAnswer, UpstreamRefused
from unigate.dialects import midjourney_errors as codes
from unigate.dialects import midjourney_progress as reading
from unigate.spec.task import Accepted, Answered, Failure, Json, Order, Output, Progress

#: What a server's number amounts to as a status. A full server is asked again later, one that failed is passed over.
_STATUSES = {codes.FULL: 429, codes.NO_ROOM: 429, codes.FAILED: 500, codes.UNKNOWN: 500}
#: The same of texts that are about our account with a relay, and not about the caller's.
_ABOUT_US = {"quota_not_enough": 402, "no_available_channel": 503, "get_channel_info_failed": 503}
#: Milliseconds by which a server's clock may be ahead of ours or behind.
_CLOCKS_APART = 300_000
#: Tasks of which a server's list tells at most.
LISTED = 100
_NO_TASK = 404
_WORDS = ("midjourney.describe", "midjourney.shorten")


def accepted(order: Order, answered: Answered) -> Accepted:
    """What the answer to a submission, or to a modal, says; UpstreamRefused with the status that a refusal amounts to, BadAnswer."""
    told = reading.answer(answered.body)
    if told.code == codes.OK and isinstance(told.result, list):
        if not told.result:
            error = Failure(code="empty_result", message="任务没有结果")
            return Accepted(handle={"text": False}, progress=Progress(state="failed", error=error))
        outputs = [Output(url=address, kind="image") for address in told.result]
        return Accepted(
            handle={"text": False},
            progress=Progress(state="succeeded", detail={"result": told.result}, outputs=outputs),
        )
    if told.code not in (codes.OK, codes.QUEUED, codes.EXISTS):
        status = _status(told, order)
        raise codes.ServerRefused(status, answered.body, number=told.code, description=told.description)
    id = told.result or (order.parent or {}).get("id")
    if not isinstance(id, str) or not id:
        raise BadAnswer(detail="a submission was accepted without an id")
    handle = {"id": id, "text": order.operation in _WORDS}
    detail = {"submitted": _shown(told)} if told.code != codes.OK else {}
    if told.code != codes.EXISTS:
        return Accepted(handle=handle, progress=Progress(state="queued", detail=detail))
    # One number for two things: a window that waits for its confirmation, or a task that was there already.
    if "status" in told.properties or "imageUrl" in told.properties:
        return Accepted(handle=handle, progress=Progress(state="running", detail=detail), free=True)
    return Accepted(handle=handle, progress=Progress(state="paused", detail={**detail, "properties": told.properties}))


def _shown(told: reading.Answer) -> dict[str, Any]:
    return {"code": told.code, "description": told.description, "properties": dict(told.properties)}


def _status(told: reading.Answer, order: Order) -> int:
    if told.code == codes.NOT_FOUND:
        # What was named is not there, or no account for it; only where nothing was named does it tell of the server.
        named = order.parent is not None or order.body.get("accountFilter") or order.operation.endswith(".show")
        return 400 if named else 503
    return _ABOUT_US.get(told.description) or _STATUSES.get(told.code, 400)


def adjusted(status: int, body: bytes) -> tuple[int, bytes]:
    """An error of the server's with the status that it amounts to."""
    try:
        return _ABOUT_US.get(reading.answer(body).description.strip(), status), body
    except BadAnswer:
        return status, body


def progress(handle: Json, answered: Answered) -> Progress:
    """Where a task stands; UpstreamRefused (404) where the server does not know it."""
    told = reading.decoded(answered.body)
    if told is None:
        raise UpstreamRefused(_NO_TASK)
    return reading.progress(told, text=bool(handle.get("text")))


def _listed(answered: Answered) -> list[dict[str, Any]]:
    told = reading.decoded(answered.body)
    if not isinstance(told, list):
        raise BadAnswer(detail="a list of tasks is no list")
    return [one for one in told if isinstance(one, dict)]


def progress_many(handles: Sequence[Json], answered: Answered) -> list[Progress | None]:
    """The same of several, in the order of the handles; None: the server does not know it."""
    tasks = {str(task.get("id")): task for task in _listed(answered)}
    found = [tasks.get(str(handle["id"])) if "id" in handle else None for handle in handles]
    return [None if task is None else _one(task, handle) for handle, task in zip(handles, found, strict=True)]


def _one(task: dict[str, Any], handle: Json) -> Progress:
    """One that can't be read does not keep the others from being read, and is still there."""
    try:
        return reading.progress(task, text=bool(handle.get("text")))
    except BadAnswer:
        return Progress(state="running")


def canceled(handle: Json, answered: Answered) -> Progress:
    """Where a task stands that was to be cancelled; UpstreamRefused. A server refunds what it cancels.

    An answer that says nothing is not its word for that: the task's own status will tell.
    """
    told = reading.decoded(answered.body)
    if not isinstance(told, dict) or not ("status" in told or "code" in told):
        return Progress(state="running")
    if "status" in told and told["status"] != "FAILURE":
        return reading.progress(told, text=bool(handle.get("text")))
    if told.get("code", codes.OK) != codes.OK:
        raise UpstreamRefused(400, answered.body)
    return Progress(state="canceled")


def recovered(order: Order, answered: Answered) -> Accepted | None:
    """The task that an order became, found by `state`, which is our id there; None: it became none. BadAnswer."""
    tasks = _listed(answered)
    for task in tasks:
        if task.get("state") == order.task_id and task.get("id"):
            text = order.operation in _WORDS
            return Accepted(handle={"id": str(task["id"]), "text": text}, progress=reading.progress(task, text=text))
    if len(tasks) >= LISTED and not _reaches(tasks, order.submitted_at):
        raise BadAnswer(detail="the server's list of tasks ends before ours could stand in it")
    # Some servers leave out a `state` that is empty, which ours never is; one that tells of none may keep them to itself.
    if tasks and not any("state" in task for task in tasks):
        raise BadAnswer(detail="the list does not tell whose tasks they are")
    return None


def _reaches(tasks: Sequence[dict[str, Any]], moment: int) -> bool:
    """Whether a list of the newest tasks goes back to before a moment, with a margin for clocks that differ."""
    made = [time for task in tasks if type(time := task.get("submitTime")) is int]
    return len(made) == len(tasks) and moment > 0 and min(made) < moment - _CLOCKS_APART
