"""Udio's tasks and songs as clients of its relays read them; songs stand at both places where clients look.

A song has the caller's ids and our links, and not a word of whose account made it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from unigate.base.clock import utc
from unigate.dialects import linked
from unigate.dialects import relay_tasks as relay
from unigate.dialects.udio_server import is_bad
from unigate.spec.task import Task, View

ACTION = "udio-generate"


def shown(task: Task, view: View) -> dict[str, Any]:
    """The task object."""
    found = songs(task, view)
    return {**relay.shown(task, ACTION, {"songs": found} if found else None), "songs": found}


def songs(task: Task, view: View) -> list[dict[str, Any]]:
    """The songs of a task, as far as its relay has told of them."""
    told = task.detail.get("songs")
    found = told if isinstance(told, list | tuple) else ()
    names = relay.names(task, [str(song["id"]) for song in found])
    return [_song(task, song, names.get(str(song["id"]), str(song["id"])), view) for song in found]


def song(task: Task, id: str, view: View) -> dict[str, Any]:
    """One of its songs by its id, its relay's too; one that its relay has not told of is as new as its task."""
    id = relay.names(task, ()).get(id, id)
    return next((one for one in songs(task, view) if one["id"] == id), None) or _song(task, {}, id, view)


def ids(task: Task) -> Sequence[str]:
    """Ids of its songs by which the caller knows them."""
    if allotted := relay.allotted(task):
        return allotted
    told = task.detail.get("songs")
    return [str(one["id"]) for one in told if isinstance(one, Mapping)] if isinstance(told, list | tuple) else ()


def _song(task: Task, told: Mapping[str, Any], id: str, view: View) -> dict[str, Any]:
    mode = task.input.get("mode")
    usual: dict[str, Any] = {
        "tags": [],
        "liked": False,
        "likes": 0,
        "plays": 0,
        "title": "",
        "lyrics": "",
        "prompt": task.input.get("prompt", ""),
        "disliked": False,
        "duration": 0,
        "error_id": None,
        "finished": False,
        "song_path": "",
        "user_tags": [],
        "created_at": utc(task.created_at).isoformat(timespec="microseconds"),
        "error_code": None,
        "error_type": None,
        "image_path": "",
        "video_path": None,
        "attribution": "",
        "description": "",
        "publishable": True,
        "error_detail": None,
        "published_at": None,
        "replaced_tags": {},
        "original_song_path": None,
        "audio_conditioning_type": mode if mode != "regular" else None,
    }
    seen = linked(told, task.outputs, view)
    assert isinstance(seen, Mapping)
    found = {
        **usual,
        **seen,
        "id": id,
        "generation_id": task.id,
        "user_id": task.user_id,
        "artist": "",
        "artist_image": "",
    }
    if task.state == "succeeded" and not is_bad(told):
        return found
    unmade = {"song_path": "", "image_path": "", "video_path": None, "duration": 0}
    if not task.ended:
        return {**found, **unmade, "finished": False}
    why = relay.fail_reason(task)
    kind = found["error_type"] or (task.error.code if task.error is not None else None)
    return {
        **found,
        **unmade,
        "finished": True,
        "error_type": kind,
        "error_detail": found["error_detail"] or why or None,
    }
