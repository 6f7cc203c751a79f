"""Suno's tasks and clips as clients of its servers read them.

A clip is what its server tells of it, with our links, under the id that its caller knows, and without whose account made it.
The answer to a submission holds the envelope and, beside it, every member of the clip that some documents print for this
call, so that clients made after either find what they need.
"""

import re
from collections.abc import Mapping
from typing import Any

from unigate.base.clock import rfc3339
from unigate.dialects import linked
from unigate.dialects import relay_tasks as relay
from unigate.dialects.relay_tasks import Fields
from unigate.spec.task import Task, View

#: `mv` -> the version that clips show as `major_model_version`.
VERSIONS: Mapping[str, str] = {
    "chirp-v3-0": "v3",
    "chirp-v3.0": "v3",
    "chirp-v3-5": "v3.5",
    "chirp-v4": "v4",
    "chirp-auk-turbo": "v4.5-all",
    "chirp-auk": "v4.5",
    "chirp-bluejay": "v4.5+",
    "chirp-crow": "v5",
    "chirp-fenix": "v5.5",
}
_SUFFIX = re.compile(r"-(?:tau|upload)$")
#: Status of a task -> of its clips.
_CLIP: Mapping[str, str] = {
    "NOT_START": "submitted",
    "SUBMITTED": "submitted",
    "QUEUED": "queued",
    "IN_PROGRESS": "streaming",
    "SUCCESS": "complete",
    "FAILURE": "error",
}


def version(mv: object) -> str:
    """The version that a model's name stands for; "" for one that is not known."""
    return VERSIONS.get(_SUFFIX.sub("", str(mv)), "")


def shown(task: Task, view: View) -> dict[str, Any]:
    """The task object."""
    data: object = clips(task, view)
    if task.input.get("action") == "LYRICS":
        texts = lyrics_of(task)
        data = texts if isinstance(task.detail.get("data"), list | tuple) else texts[0]
    elif isinstance(task.detail.get("data"), Mapping):  # another file, a singer, ...
        data = linked(task.detail["data"], task.outputs, view)
    return relay.shown(task, str(task.input.get("action", "")), data)


def clips(task: Task, view: View) -> list[dict[str, Any]]:
    """The clips of a task, as far as its server has told of them."""
    told = task.detail.get("data")
    clips = told if isinstance(told, list | tuple) else ()
    names = relay.names(task, [clip["id"] for clip in clips])
    found = []
    for clip in clips:
        seen = linked(clip, task.outputs, view)
        assert isinstance(seen, dict)
        id = names.get(seen["id"], seen["id"])
        found.append(
            {**seen, "id": id, **({"clip_id": id} if "clip_id" in seen else {}), **_owner(task)},
        )
    return found


def clip(task: Task, id: str, view: View) -> dict[str, Any]:
    """One of its clips by its id, its server's too; one that its server has not told of yet is as new as its task."""
    id = relay.names(task, ()).get(id, id)
    found = next((one for one in clips(task, view) if one["id"] == id), None)
    if found is not None or task.state != "succeeded":
        return found if found is not None else new_clip(task, id)
    about = new_clip(task, id)  # its server made fewer than were asked for
    why = {"error_type": "not_made", "error_message": "The clip was not made."}
    return {**about, "status": "error", "metadata": {**about["metadata"], **why}}


def lyrics(task: Task) -> dict[str, Any]:
    """The words that a task writes, the first where there are several."""
    return lyrics_of(task)[0]


def lyrics_of(task: Task) -> list[dict[str, Any]]:
    """All words that a task writes; as yet unwritten ones where there are none."""
    told = task.detail.get("data")
    found = [one for one in (told if isinstance(told, list | tuple) else [told]) if isinstance(one, Mapping)]
    return [_text(task, one) for one in found or [{}]]


def _text(task: Task, told: Mapping[str, object]) -> dict[str, Any]:
    usual = {"SUCCESS": "complete", "FAILURE": "error"}.get(relay.status(task), "submitted")
    return {
        "id": told.get("id") or task.id,
        "text": told.get("text") or "",
        "title": told.get("title") or "",
        "status": (told.get("status") if not task.ended else None) or usual,
    }


def submitted(task: Task) -> dict[str, Any]:
    """What stands beside the envelope of an answer to a submission."""
    action = task.input.get("action")
    if action == "MUSIC":
        return new_clip(task, task.id) | {"status": "submitted"}
    if action == "LYRICS":
        return {"id": task.id, "text": "", "title": "", "status": "submitted"}
    more = {"clip_id": task.id, "task_id": task.id} if action == "UPLOAD" else {}
    return {"id": task.id, "status": "submitted", **more}


def new_clip(task: Task, id: str) -> dict[str, Any]:
    """A clip of which nothing is known but what was asked for."""
    asked = task.input
    mv = str(asked.get("mv", ""))
    status = _CLIP[relay.status(task)]
    return {
        "id": id,
        "title": asked.get("title", ""),
        "status": status,
        "is_liked": False,
        "metadata": {
            "tags": asked.get("tags", ""),
            "type": "gen",
            "prompt": asked.get("prompt", ""),
            "stream": True,
            "history": None,
            "duration": 0,
            "error_type": task.error.code if task.error is not None else None,
            "error_message": relay.fail_reason(task) or None,
            "concat_history": None,
            "refund_credits": status == "error",
            "audio_prompt_id": None,
            "gpt_description_prompt": asked.get("gpt_description_prompt"),
        },
        "reaction": None,
        "audio_url": "",
        "image_url": "",
        "is_public": False,
        "video_url": "",
        "created_at": rfc3339(task.created_at),
        "is_trashed": False,
        "model_name": mv,
        "play_count": 0,
        "upvote_count": 0,
        "image_large_url": "",
        "is_video_pending": False,
        "major_model_version": version(mv),
        **_owner(task),
    }


def _owner(task: Task) -> Fields:
    """Whose a clip is: the caller's."""
    return {"user_id": task.user_id, "handle": "", "display_name": "", "is_handle_updated": False}
