"""Writing tasks as Replicate's predictions: the object, lists, callbacks, and the events of a stream.

https://replicate.com/docs/reference/http#predictions. Addresses of the vendor do not appear: `urls` lead to the gateway,
and files are our links.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from unigate.base.clock import utc
from unigate.dialects import linked
from unigate.dialects.replicate_links import stream_address
from unigate.dialects.replicate_models import MODELS
from unigate.dialects.replicate_read import DEPLOYMENTS
from unigate.spec.reply import Reply
from unigate.spec.task import Headers, Task, View

SIGNS = True
PATH = "/replicate/v1/predictions"
#: Of the vendor's account of a prediction, what passes to callers.
TOLD = ("output", "logs", "metrics", "version", "model", "data_removed", "status", "error")
_JSON_TYPE = (b"content-type", b"application/json")
#: In place of nothing, so that a reply begins.
_COMMENT = b": nothing new\n\n"
_UNKNOWN = "It is not known what became of this prediction. Nothing was charged for it."
#: The moments of which a caller is told that named none.
_USUAL = ("output", "completed")
#: All that ends a line of an event stream: bars of progress hold bare carriage returns.
_LINE_END = re.compile(r"\r\n|\r|\n")
_encode = msgspec.json.encode


def write_accepted(task: Task, view: View) -> Reply:
    """The reply to a submission: what has not ended is `starting`, whatever it does.

    The clients take any other status for an end where they asked the reply to wait.
    """
    shown = prediction(task, view)
    if not task.ended:
        shown |= {"status": "starting", "output": None}
    wait = task.input.get("wait")
    applied = ((b"preference-applied", b"wait=%d" % wait),) if isinstance(wait, int) else ()
    return Reply(_encode(shown), 201, (_JSON_TYPE, *applied))


def write_task(task: Task, view: View) -> bytes:
    """The prediction as it stands."""
    return _encode(prediction(task, view))


def write_tasks(tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:
    """A page; `next_page`: the query of the page behind."""
    following = f"{view.base}{PATH}?{next_page}" if next_page else None
    return _encode({"previous": None, "next": following, "results": [prediction(task, view) for task in tasks]})


def prediction(task: Task, view: View) -> dict[str, Any]:
    """The prediction as an object."""
    told = task.detail
    at = f"{view.base}{PATH}/{task.id}"
    status = _status(task)
    done = task.state == "succeeded"
    known = MODELS.get(task.model)
    shown: dict[str, Any] = {
        "id": task.id,
        # A version is only a way to name a model.
        "model": task.model.partition(":")[0] if "/" in task.model else str(told.get("model") or ""),
        "version": told.get("version") or task.input.get("version") or (known.version if known else "") or "hidden",
        "input": task.input.get("input", {}),
        "logs": told.get("logs") or "",
        "output": _output(task, view) if done or not task.ended else None,
        "data_removed": bool(told.get("data_removed", False)),
        "error": _error(task) if status in {"failed", "aborted"} else None,
        "source": "api",
        "status": status,
        "created_at": _time(task.created_at),
        "started_at": _time(task.started_at),
        "completed_at": _time(task.finished_at),
        "urls": {"get": at, "cancel": f"{at}/cancel", "stream": stream_address(task, view), "web": at},
    }
    if isinstance(metrics := told.get("metrics"), Mapping):
        shown["metrics"] = metrics
    if isinstance(span := task.input.get("cancel_after"), int):
        shown["deadline"] = (utc(task.created_at) + timedelta(seconds=span)).isoformat(timespec="milliseconds")
    if task.model.startswith(DEPLOYMENTS):
        shown |= {"deployment": task.model.removeprefix(DEPLOYMENTS), "model": str(told.get("model") or "")}
    return shown


def _status(task: Task) -> str:
    match task.state:
        case "succeeded" | "canceled":
            return task.state
        case "unknown":
            return "failed"
        case "failed" if task.input.get("cancel_after") and task.error is not None and "timeout" in task.error.code:
            return "canceled" if task.started_at else "aborted"
        case "failed":
            return "aborted" if task.detail.get("status") == "aborted" else "failed"
        case "running" | "paused" if not task.queued:
            return "processing"
        case _:
            return "starting"


def _output(task: Task, view: View) -> object:
    return linked(task.detail.get("output"), task.outputs, view)


def _error(task: Task) -> str:
    return task.error.message if task.error is not None else _UNKNOWN


def _time(ms: int) -> str | None:
    return utc(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z") if ms else None


def events(before: Task | None, after: Task) -> tuple[str, ...]:
    """What is told of a change: `start`, `output`, `logs` as they come, `completed` at the end.

    The end tells everything, so that of its other moments only those are told that nothing else covers.
    """
    wanted = (after.notify.events if after.notify is not None else ()) or _USUAL
    new = ["start"] if _began(after) and not (before is not None and _began(before)) else []
    was = before.detail if before is not None else {}
    new += [name for name in ("output", "logs") if after.detail.get(name) and was.get(name) != after.detail.get(name)]
    if after.ended and not (before is not None and before.ended):
        if "completed" in wanted:
            return ("completed",)
        new = new[:1] if "start" not in wanted else new
    return tuple(name for name in new if name in wanted)


def _began(task: Task) -> bool:
    return _status(task) not in {"starting", "aborted"}


def write_notice(task: Task, event: str, view: View) -> tuple[Headers, bytes]:  # noqa: ARG001 - all events say the same
    """Headers and body of a callback: the prediction."""
    return (_JSON_TYPE,), write_task(task, view)


def write_secret(secret: str) -> Reply:
    """The secret that signs callbacks."""
    return Reply(_encode({"key": secret}))


def write_events(before: Task | None, after: Task, view: View, last: str = "") -> bytes:
    """What a stream tells of a change, as whole events; `last`: the id of the last event that its reader saw.

    An id says how many outputs and how many characters of the logs have been told with it, so that a reader who comes
    back gets the rest.
    """
    outputs, logs = _seen(before, last)
    found = []
    items = _items(_output(after, view)) if after.state == "succeeded" or not after.ended else []
    for item in items[outputs:]:
        outputs += 1
        found.append(_event("output", item, f"{outputs}.{logs}"))
    text = after.detail.get("logs")
    if isinstance(text, str) and len(text) > logs:
        fresh, logs = text[logs:], len(text)
        found.append(_event("logs", fresh, f"{outputs}.{logs}"))
    if after.ended:
        found += _ending(after, f"{outputs}.{logs}")
    return b"".join(found) or _COMMENT


def _seen(before: Task | None, last: str) -> tuple[int, int]:
    """How many outputs and characters of logs were told."""
    if before is None:
        outputs, _, logs = last.partition(".")
        counts = [
            int(count) if count.isascii() and count.isdecimal() and len(count) < 10 else 0 for count in (outputs, logs)
        ]
        return counts[0], counts[1]
    text = before.detail.get("logs")
    return len(_items(before.detail.get("output"))), len(text) if isinstance(text, str) else 0


def _items(output: object) -> list[str]:
    if output is None:
        return []
    items = output if isinstance(output, list) else [output]
    return [item if isinstance(item, str) else _encode(item).decode() for item in items]


def _ending(task: Task, id: str) -> list[bytes]:
    status = _status(task)
    if status == "succeeded":
        return [_event("done", "{}", id)]
    if status == "canceled":
        return [_event("done", '{"reason":"canceled"}', id)]
    told = _encode({"detail": _error(task)}).decode()
    return [_event("error", told, id), _event("done", '{"reason":"error"}', id)]


def _event(name: str, data: str, id: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"event: {name}\nid: {id}\n{lines}\n".encode()
