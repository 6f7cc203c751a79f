"""Further submits of newer Suno servers: files of a clip, what can be told of it, singers and styles as tasks, and edits."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import cast

from unigate.sandbox.forms import suno_acts as acts
from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms import suno_tasks as tasks
from unigate.sandbox.forms.suno_clips import Clip
from unigate.sandbox.forms.suno_parts import HALVES, Take, stem
from unigate.sandbox.forms.suno_tasks import Work
from unigate.sandbox.media import music_edit as edit
from unigate.sandbox.media.music import Song
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call

_SECONDS = 2.0
_FASTEST = 4.0
Told = Callable[[], Awaitable[Object]]


async def submit(call: Call) -> Answer:
    """A task of one of them."""
    body, action = inputs.body_of(call), call.params["action"].lower()
    if action in ("stems", "crop", "speed"):
        clip = await inputs.clip_of(call, inputs.text(body, "clip_id"))
        id, *fresh = tasks.new_ids(call, 1 + len(HALVES))
        takes = _edits(action, body, clip)
        work = Work(action=action.upper(), clips=[take.clip(one) for take, one in zip(takes, fresh, strict=False)])
    else:
        teller = _TELLERS.get(action)
        if teller is None:
            raise inputs.invalid("invalid_action")
        (id,) = tasks.new_ids(call, 1)
        work = Work(action=action.upper(), tells=await teller(call, body))
    work.hook = inputs.text(body, "notify_hook")
    await tasks.accept(call, id, work, tasks.running(_SECONDS))
    return tasks.submitted(id)


def _edits(action: str, body: Object, clip: Clip) -> list[Take]:
    if action == "stems":
        return [stem(clip, name, clip.title) for name in HALVES]
    start, end, speed = (inputs.seconds(body, name) for name in ("crop_start_s", "crop_end_s", "speed"))
    if action == "crop":
        if start is None or end is None or not start < end <= clip.seconds:
            raise inputs.invalid("crop_start_s and crop_end_s must be a stretch of the clip")
        make: Callable[[], Song] = partial(_cropped, clip, start, end)
    else:
        if speed is None or not 1 / _FASTEST <= speed <= _FASTEST:
            raise inputs.invalid("speed must be a number from 0.25 to 4")
        make = partial(_paced, clip, speed)
    return [
        Take(
            make=make,
            title=clip.title,
            tags=clip.tags,
            lyrics=clip.lyrics,
            model=clip.model,
            kind=f"edit_{action}",
            more={"edited_clip_id": clip.id},
        )
    ]


def _cropped(clip: Clip, start: float, end: float) -> Song:
    song = clip.make()
    return edit.cut(song, start, min(end, song.seconds))


def _paced(clip: Clip, speed: float) -> Song:
    return edit.paced(clip.make(), speed)


def _of_clip(handler: Callable[[Call], Awaitable[Answer]]) -> Callable[[Call, Object], Awaitable[Told]]:
    async def tells(call: Call, body: Object) -> Told:
        """What the call tells that does the same at once, as soon as it does."""
        clip = await inputs.clip_of(call, inputs.text(body, "clip_id"))
        return partial(_payload, handler, replace(call, params={"id": clip.id}))

    return tells


async def _now(handler: Callable[[Call], Awaitable[Answer]], call: Call, _body: Object) -> Told:
    """What is made at once."""
    made = await _payload(handler, call)

    async def told() -> Object:
        """It."""
        return made

    return told


async def _payload(handler: Callable[[Call], Awaitable[Answer]], call: Call) -> Object:
    answer = await handler(call)
    assert isinstance(answer, Whole)
    told = cast(Object, answer.payload)
    return {name: one for name, one in told.items() if name not in ("code", "message", "data")}


_TELLERS: Mapping[str, Callable[[Call, Object], Awaitable[Told]]] = {
    "wav": _of_clip(acts.wav_now),
    "video": _of_clip(acts.mp4),
    "midi": _of_clip(acts.midi_now),
    "timing": _of_clip(acts.timing),
    "persona": partial(_now, acts.persona),
    "upsample-tags": partial(_now, acts.tags),
}
