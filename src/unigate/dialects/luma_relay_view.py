"""Tasks as clients of the relays' form of Luma read them: the bare generation object, the task around it, notices.

A film without a mark is in `video.download_url`, for which the web client waits. Whose account made it is told to nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from unigate.base.clock import rfc3339
from unigate.dialects import linked, luma_write
from unigate.dialects import relay_tasks as relay
from unigate.spec.reply import Reply
from unigate.spec.task import Headers, Task, View

_encode = msgspec.json.encode
#: What newer relays add: it passes, and is not made up.
_MORE = ("request", "assets", "artifact")
_STATES: Mapping[str, str] = {"queued": "pending", "dreaming": "processing"}


def generation(task: Task, view: View) -> dict[str, Any]:
    """The generation object."""
    done = task.state == "succeeded"
    word = luma_write.state(task)
    told = linked(task.detail, task.outputs, view) if done else task.detail
    assert isinstance(told, Mapping)
    video = told.get("video") if done else None
    shown: dict[str, Any] = {
        "id": task.id,
        "liked": told.get("liked"),
        "state": _STATES.get(word, word),
        "video": video,
        "prompt": task.input.get("prompt", ""),
        "user_id": task.user_id,
        "batch_id": "",
        "thumbnail": told.get("thumbnail") if done else None,
        "video_raw": told.get("video_raw") if done else None,
        "created_at": rfc3339(task.created_at),
        "last_frame": told.get("last_frame") if done else None,
        "pipeline_id": "",
        "queue_state": told.get("queue_state"),
        "estimate_wait_seconds": told.get("estimate_wait_seconds"),
        "url": video.get("download_url", "") if isinstance(video, Mapping) else "",
        **({name: told[name] for name in _MORE if name in told} if done else {}),
    }
    why = luma_write.reason(task)
    return {**shown, "failure_reason": why} if why is not None else shown


def accepted(task: Task, view: View) -> Reply:
    """The reply to a submission; it names what the provider has nothing for."""
    ignored = task.detail.get("ignored")
    names = ", ".join(map(str, ignored)) if isinstance(ignored, list | tuple) else ""
    more = ((b"x-unigate-ignored", names.encode()),) if names else ()
    return Reply(_encode(generation(task, view)), 200, (luma_write.JSON_TYPE, *more))


def task_object(task: Task, view: View) -> dict[str, Any]:
    """The task around a generation, as queries for several answer it."""
    return {
        **relay.shown(task, str(task.input.get("action", "")), generation(task, view)),
        "id": int(task.id[:8], 16),
        "created_at": rfc3339(task.created_at),
        "updated_at": rfc3339(task.finished_at or task.started_at or task.created_at),
        "platform": "luma",
    }


def write_tasks(tasks: Sequence[Task], view: View) -> bytes:
    """Several tasks."""
    return relay.envelope([task_object(task, view) for task in tasks])


def write_notice(task: Task, view: View) -> tuple[Headers, bytes]:
    """Headers and body of a notice: the generation with the task's members, and once more as its `data`."""
    return (luma_write.JSON_TYPE,), _encode({**task_object(task, view), **generation(task, view)})
