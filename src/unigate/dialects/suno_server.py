"""How a server of Suno's convention answers whoever has it make songs: what was taken, where it stands, what was made.

A handle is `{"id": <the server's>, "lyrics": <whether words are the result>}`, and has `thing`, an action, where something else
than clips is; where a server tells of clips and knows no
tasks, it has their ids as `clips`. Of a clip everything is kept but what tells of the account that it was made at.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from unigate.base.errors import BadAnswer
from unigate.dialects import relay_tasks as relay
from unigate.dialects.relay_tasks import Fields
from unigate.dialects.suno_read import CLIP, PERSONA
from unigate.spec.task import Accepted, Answered, Failure, Json, Made, Order, Output, Progress

#: Members of a clip that tell of the account.
_ACCOUNT = frozenset(
    {"user_id", "handle", "display_name", "avatar_image_url", "is_following_creator", "is_handle_updated"}
)
#: Members of a persona that do, which are shown empty.
_SINGER = frozenset({"user_display_name", "user_handle", "user_image_url"})
#: Files of a clip, and what they are.
_FILES: tuple[tuple[str, Literal["audio", "video", "image"]], ...] = (
    ("audio_url", "audio"),
    ("video_url", "video"),
    ("image_url", "image"),
    ("image_large_url", "image"),
)
#: A clip's status -> the task's, the least advanced first.
_OF_CLIPS = (
    ("submitted", "SUBMITTED"),
    ("queued", "QUEUED"),
    ("processing", "IN_PROGRESS"),
    ("streaming", "IN_PROGRESS"),
    ("complete", "SUCCESS"),
)
#: Operations of all forms by which songs and lyrics are asked for.
MAKES = (
    "suno.music",
    "suno.lyrics",
    "suno.concat",
    "suno.submit",
    "suno_v1.generate",
    "suno_v1.concat",
    "suno_v1.lyrics",
    "suno_goamz.music",
    "suno_goamz.lyrics",
    "suno_goamz.concat",
)
#: The same of words.
_OF_WORDS = {"complete": "SUCCESS", "error": "FAILURE"}
_WEB = re.compile(r"https?://")
_WORDS = "lyrics"
_THING = "thing"
#: Actions of which comes something else than clips or words -> the kind of what they make that later calls may name.
THINGS: Mapping[str, str] = {
    "wav": "",
    "midi": "",
    "video": "",
    "timing": "",
    "upsample_tags": "",
    "persona": PERSONA,
}
#: Files of such.
_THING_FILES: tuple[tuple[str, Literal["audio", "video"]], ...] = (
    ("wav_file_url", "audio"),
    ("video_url", "video"),
    ("mp4_file_url", "video"),
    ("mp4", "video"),
)
#: Members of words.
_TEXT = ("id", "text", "title", "status")
_CLIPS = "clips"


def accepted(order: Order, answered: Answered) -> Accepted:
    """What the answer to a submission says; UpstreamRefused with the status that a refusal amounts to, BadAnswer."""
    told = relay.answered(answered.body)
    handle = {"id": relay.submitted_id(told), _WORDS: order.operation.endswith(f".{_WORDS}")}
    action = order.operation.removeprefix("suno.")
    if action in THINGS:
        return Accepted(handle={**handle, _THING: action})
    clips = told.get("clips")
    if isinstance(clips, list):  # some servers answer as Suno itself does
        return Accepted(handle=handle, progress=_of(clips))
    return Accepted(handle=handle)


def accepted_clips(handle: Json, told: object) -> Accepted:
    """A submission that was answered with its clips, to a server that knows no tasks; BadAnswer."""
    clips = clips_of(told)
    if not clips:
        raise BadAnswer(detail="a submission was accepted without a clip")
    return Accepted(handle={**handle, _CLIPS: [clip["id"] for clip in clips]}, progress=_of(clips))


def progress(handle: Json, answered: Answered) -> Progress:
    """Where one task stands; BadAnswer. Some servers tell of its clips alone, or of its words, without the task around."""
    told = relay.answered(answered.body).get("data")
    if isinstance(told, list):
        return _of(clips_of(told))
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is no task")
    if handle.get(_WORDS) and "task_id" not in told:
        return words(told)
    return _of_task(handle, told)


def progress_many(handles: Sequence[Json], answered: Answered) -> Sequence[Progress | None]:
    """Where several tasks stand; BadAnswer. One that can't be read does not keep the others from being read."""
    told = relay.answered(answered.body).get("data")
    if not isinstance(told, list):
        raise BadAnswer(detail="the answer is no list of tasks")
    found = relay.in_order(handles, [one for one in told if isinstance(one, dict)])
    return [None if task is None else _of_task(handle, task) for handle, task in zip(handles, found, strict=True)]


def named_clips(handles: Sequence[Json]) -> list[str]:
    """The clips that tasks of handles make."""
    found = (handle[_CLIPS] for handle in handles)
    return [str(id) for clips in found if isinstance(clips, list | tuple) for id in clips]


def by_clips(handles: Sequence[Json], told: object) -> list[Progress | None]:
    """Where tasks stand of whose clips a server tells; None for one that it tells nothing of. BadAnswer."""
    if not isinstance(told, list):
        raise BadAnswer(detail="the answer is no list of clips")
    known = {clip["id"]: clip for clip in clips_of(told)}
    wanted = [named_clips([handle]) for handle in handles]
    return [
        _of([known.get(id, {"id": id, "status": "submitted"}) for id in ids]) if known.keys() & set(ids) else None
        for ids in wanted
    ]


def words(told: Fields) -> Progress:
    """Where lyrics stand that are told of without a task."""
    return _words({"status": _OF_WORDS.get(str(told.get("status")), "IN_PROGRESS")}, told)


def read(answered: Answered) -> Any:
    """An answer that need be no object; BadAnswer, UpstreamRefused for a refusal that came as 2xx."""
    try:
        told = msgspec.json.decode(answered.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(detail="the answer is no JSON") from None
    return relay.answered(answered.body) if isinstance(told, dict) else told


def clips_of(value: object) -> list[dict[str, Any]]:
    """Clips without their account; a single one is a list of one."""
    told = value if isinstance(value, list) else [value]
    clips = (one for one in told if isinstance(one, dict) and isinstance(one.get("id"), str) and one["id"])
    return [{name: member for name, member in one.items() if name not in _ACCOUNT} for one in clips]


def of_nobody(told: Fields) -> dict[str, Any]:
    """What is told of a persona, or of a clip's files, without the account that has them."""
    found = {name: "" if name in _SINGER else one for name, one in told.items() if name not in _ACCOUNT}
    if found.get("clip"):
        found["clip"] = next(iter(clips_of(found["clip"])), None)
    if isinstance(found.get("persona_clips"), list):
        clips = [one.get("clip") for one in found["persona_clips"] if isinstance(one, dict)]
        found["persona_clips"] = [{"clip": clip} for clip in clips_of(clips)]
    return found


def _of_task(handle: Json, told: Fields) -> Progress:
    """Where a task stands that a server tells of."""
    action = handle.get(_THING)
    return _thing(told, str(action)) if action else _progress(told, lyrics=bool(handle.get(_WORDS)))


def _thing(told: Fields, action: str) -> Progress:
    """Where something stands that is neither clip nor words."""
    word = str(told.get("status", "")).upper()
    state = relay.STATES.get(word, "running")
    data = told.get("data")
    found = of_nobody(data) if isinstance(data, dict) else {}
    detail = {"status": word, "data": found}
    if state == "failed" or (state == "succeeded" and not found):
        return relay.failed(told, str(found.get("error_message") or "It could not be made."), detail)
    urls = ((found.get(name), kind) for name, kind in _THING_FILES)
    files = {url: Output(url=url, kind=kind) for url, kind in urls if isinstance(url, str) and _WEB.match(url)}
    kind, id = THINGS.get(action, ""), found.get("id")
    return Progress(
        state=state,
        percent=relay.percent(told.get("progress")),
        detail=detail,
        outputs=tuple(files.values()) if state == "succeeded" else (),
        makes=[Made(kind=kind, id=id)] if kind and isinstance(id, str) and state == "succeeded" else (),
    )


def _of(clips: Sequence[Fields]) -> Progress:
    """Where a task stands by its clips."""
    return _progress({"data": clips}, lyrics=False)


def _progress(told: Fields, *, lyrics: bool) -> Progress:
    data = told.get("data")
    if lyrics:
        return _words(told, data)
    clips = clips_of(data)
    word = str(told["status"]).upper() if isinstance(told.get("status"), str) else _least(clips)
    state = relay.STATES.get(word, "running")
    detail = {"status": word, "data": clips}
    if state == "failed" or (state == "succeeded" and not any(map(_good, clips))):
        return relay.failed(told, _why(clips) or "The song could not be made.", detail)
    outputs = _outputs(clips)
    return Progress(
        state=state,
        percent=relay.percent(told.get("progress")),
        detail=detail,
        outputs=outputs if state == "succeeded" else (),
        previews=tuple(one.url for one in outputs if one.kind == "image") if state == "running" else (),
        makes=[Made(kind=CLIP, id=clip["id"]) for clip in clips],
    )


def _words(told: Fields, data: object) -> Progress:
    """Where lyrics stand, of which some models write several."""
    found = [one for one in (data if isinstance(data, list) else [data]) if isinstance(one, Mapping)]
    texts = [{name: one[name] for name in _TEXT if name in one} for one in found]
    word = str(told.get("status", "")).upper()
    state = relay.STATES.get(word, "running")
    detail = {"status": word, "data": texts if isinstance(data, list) else (*texts, {})[0]}
    if state == "failed":
        why = next((str(one["error_message"]) for one in found if one.get("error_message")), "")
        return relay.failed(told, why or "The lyrics could not be written.", detail)
    if state == "succeeded" and not any(one.get("text") or one.get("title") for one in found):
        return Progress(
            state="failed", error=Failure(code="empty_result", message="The lyrics are empty."), detail=detail
        )
    return Progress(state=state, percent=relay.percent(told.get("progress")), detail=detail)


def _least(clips: Sequence[Fields]) -> str:
    """The task's status by that of its clips: the least advanced of those that go on."""
    good = {str(clip.get("status")) for clip in clips if _good(clip)}
    if clips and not good:
        return "FAILURE"
    return next((word for status, word in _OF_CLIPS if status in good), "IN_PROGRESS" if good else "SUBMITTED")


def _good(clip: Fields) -> bool:
    return clip.get("status") != "error"


def _why(clips: Sequence[Fields]) -> str:
    """What the vendor says of clips that failed."""
    about = (clip.get("metadata") for clip in clips)
    found = (one.get("error_message") or one.get("error_type") for one in about if isinstance(one, Mapping))
    return next((one for one in found if isinstance(one, str) and one), "")


def _outputs(clips: Sequence[Fields]) -> tuple[Output, ...]:
    """The files of the clips that are good, each once."""

    def each() -> Iterator[Output]:
        for clip in filter(_good, clips):
            for name, kind in _FILES:
                url = clip.get(name)
                if isinstance(url, str) and _WEB.match(url):
                    yield Output(url=url, kind=kind)

    return tuple({one.url: one for one in each()}.values())
