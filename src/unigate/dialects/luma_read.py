"""Reading what Luma's official API is asked for: films, pictures, and what is done with those that are there.

Fields and values: the vendor's OpenAPI document (github.com/tryAGI/Luma) and its Python SDK `lumaai`. What we need is checked
(structure, addresses, what a price depends on); other fields travel, and are the vendor's to judge.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec

from unigate.base.errors import BadRequest
from unigate.dialects import luma_checks as checks
from unigate.dialects.json_read import decode, refuse_twice
from unigate.spec.task import Draft, Notify, Submission, Task

RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")
RESOLUTIONS = ("540p", "720p", "1080p", "4k")
DURATIONS = ("5s", "9s")
MODES = tuple(f"{how}_{degree}" for how in ("adhere", "flex", "reimagine") for degree in (1, 2, 3))
FORMATS = ("jpg", "png")
#: What is meant where a call does not say it.
RESOLUTION, DURATION, RATIO = "720p", "5s", "16:9"
#: Models whose films have one size.
_ONE_SIZE = frozenset({"ray-1-6"})
#: Under which a frame carries the provider's handle of the generation that it is taken from.
HANDLE = "handle"
#: Seconds for which a picture is waited for, where `sync` does not say how long, and at most.
_WAIT, _LONGEST_WAIT = 60.0, 300.0

_BODY = msgspec.json.Decoder(dict[str, Any])


def read(asked: Submission) -> Draft:
    """The draft of a submission. InvalidJson; BadRequest for what can't become a generation."""
    body = decode(asked.body, _BODY)
    refuse_twice(asked.body, body)
    name = asked.operation.name
    wanted = _KINDS[name]
    given = {member: value for member, value in body.items() if value is not None}
    hook = checks.address(given, "callback_url")
    checks.one_of(given, "generation_type", (wanted,))
    given = {"generation_type": wanted, **given}
    if "keyframes" in given:
        if wanted != "video":
            raise BadRequest("keyframes are for videos that are made anew", param="keyframes")
        given["keyframes"] = checks.frames(given)
    draft = _READERS[name](given, asked.params.get("id", ""))
    makes = "image" if wanted in {"image", "reframe_image"} else "video"
    echo = {**_DEFAULTS.get(wanted, {}), **given}
    return replace(
        draft,
        operation=name,
        body={member: value for member, value in draft.body.items() if member != "callback_url"},
        input={"makes": makes, "request": echo},
        units={"call": 1, f"{makes}s": 1},
        notify=Notify(url=hook) if hook else None,
        task_id=str(uuid4()),
    )


def generations(draft: Draft) -> tuple[str, ...]:
    """Ids of the generations that frames are taken from, each once."""
    frames = draft.body.get("keyframes")
    found = frames.values() if isinstance(frames, Mapping) else ()
    return tuple(dict.fromkeys(frame["id"] for frame in found if frame.get("type") == "generation"))


def go_on(draft: Draft, parent: Task) -> Draft:
    """The draft with what follows from the generation that it goes on from; BadRequest where it can't."""
    if parent.state != "succeeded":
        raise BadRequest("The generation is not completed yet.", param="id")
    if parent.input.get("makes") != "video":
        raise BadRequest("The generation is not a video.", param="id")
    if draft.model:
        return as_large(with_frame(draft, parent), parent)
    conditions = {**parent.conditions, **draft.conditions}
    return replace(draft, model=parent.model, conditions=conditions)


def as_large(draft: Draft, parent: Task) -> Draft:
    """The draft of a film with the size of the one that it goes on from, where it names none: told to the provider and charged."""
    request = parent.input.get("request")
    ratio = request.get("aspect_ratio") if isinstance(request, Mapping) else parent.input.get("ratio")
    usual: dict[str, Any] = {"resolution": parent.conditions.get("resolution"), "aspect_ratio": ratio}
    more = {name: value for name, value in usual.items() if value and name not in draft.body}
    if draft.model in _ONE_SIZE:
        more.pop("resolution", None)
    about = dict(draft.input)
    if isinstance(shown := about.get("request"), Mapping):
        about["request"] = {**shown, **more}
    resolution = {"resolution": more["resolution"]} if "resolution" in more else {}
    return replace(draft, body={**draft.body, **more}, input=about, conditions={**draft.conditions, **resolution})


def with_frame(draft: Draft, source: Task) -> Draft:
    """The draft with the provider's handle in the frames that are taken from a generation."""
    given: Any = draft.body["keyframes"]
    taken = {"type": "generation", "id": source.id, HANDLE: source.handle}
    frames = {name: taken if frame.get("id") == source.id else frame for name, frame in given.items()}
    return replace(draft, body={**draft.body, "keyframes": frames})


def _video(given: checks.Body, _id: str) -> Draft:
    checks.text(given, "prompt")
    frames = given.get("keyframes", {})
    if not given.get("prompt") and not frames:
        raise BadRequest("prompt is required where there are no keyframes", param="prompt")
    checks.one_of(given, "aspect_ratio", RATIOS)
    checks.one_of(given, "resolution", RESOLUTIONS)
    checks.one_of(given, "duration", DURATIONS)
    checks.flag(given, "loop")
    checks.concepts(given)
    named = [frame["id"] for frame in frames.values() if frame["type"] == "generation"]
    return Draft(
        operation="",
        model=checks.model(given),
        body=given,
        conditions={
            "resolution": given.get("resolution", RESOLUTION),
            "duration": given.get("duration", DURATION),
        },
        parent_id=named[0] if named else "",
    )


def _image(given: checks.Body, _id: str) -> Draft:
    checks.text(given, "prompt")
    found = [name for name in ("image_ref", "style_ref") if checks.references(given, name)]
    if "modify_image_ref" in given:
        found.append(checks.media(given, "modify_image_ref"))
    if "character_ref" in given:
        found.append(checks.character(given["character_ref"]))
    if not given.get("prompt") and not found:
        raise BadRequest("prompt is required", param="prompt")
    checks.one_of(given, "aspect_ratio", RATIOS)
    checks.one_of(given, "format", FORMATS)
    wait = given.get("sync_timeout", _WAIT) if checks.flag(given, "sync") else 0.0
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= _LONGEST_WAIT:
        raise BadRequest(f"sync_timeout must be a number of seconds, at most {_LONGEST_WAIT:g}", param="sync_timeout")
    # The gateway waits, and asks meanwhile: a provider's answer that is that late might get lost.
    sent = {name: value for name, value in given.items() if name not in {"sync", "sync_timeout"}}
    return Draft(operation="", model=checks.model(given), body=sent, wait=float(wait))


def _reframe(given: checks.Body, _id: str) -> Draft:
    checks.media(given, "media")
    if "first_frame" in given:
        checks.media(given, "first_frame")
    if not checks.one_of(given, "aspect_ratio", RATIOS):
        raise BadRequest("aspect_ratio is required", param="aspect_ratio")
    checks.one_of(given, "format", FORMATS)
    checks.text(given, "prompt")
    for name in _PLACES:
        if name in given and type(given[name]) is not int:
            raise BadRequest(f"{name} must be an integer", param=name)
    return Draft(operation="", model=checks.model(given), body=given, conditions=_usual(given["generation_type"]))


def _modify(given: checks.Body, _id: str) -> Draft:
    checks.media(given, "media")
    if "first_frame" in given:
        checks.media(given, "first_frame")
    if not checks.one_of(given, "mode", MODES):
        raise BadRequest("mode is required", param="mode")
    checks.text(given, "prompt")
    return Draft(operation="", model=checks.model(given), body=given, conditions=_usual("modify_video"))


def _upscale(given: checks.Body, id: str) -> Draft:
    if not checks.one_of(given, "resolution", RESOLUTIONS):
        raise BadRequest("resolution is required", param="resolution")
    return Draft(
        operation="",
        model="",
        body=given,
        conditions={"resolution": given["resolution"]},
        parent_id=id,
    )


def _audio(given: checks.Body, id: str) -> Draft:
    if not checks.text(given, "prompt"):
        raise BadRequest("prompt is required", param="prompt")
    checks.text(given, "negative_prompt")
    return Draft(operation="", model="", body=given, parent_id=id)


_KINDS: Mapping[str, str] = {
    "luma.video": "video",
    "luma.image": "image",
    "luma.image.reframe": "reframe_image",
    "luma.video.reframe": "reframe_video",
    "luma.video.modify": "modify_video",
    "luma.upscale": "upscale_video",
    "luma.audio": "add_audio",
}
_READERS: Mapping[str, Callable[[checks.Body, str], Draft]] = {
    "luma.video": _video,
    "luma.image": _image,
    "luma.image.reframe": _reframe,
    "luma.video.reframe": _reframe,
    "luma.video.modify": _modify,
    "luma.upscale": _upscale,
    "luma.audio": _audio,
}
_DEFAULTS: Mapping[str, checks.Body] = {
    "video": {
        "prompt": None,
        "aspect_ratio": RATIO,
        "loop": False,
        "keyframes": None,
        "callback_url": None,
        "resolution": RESOLUTION,
        "duration": DURATION,
    },
    "image": {"aspect_ratio": RATIO, "format": "jpg", "callback_url": None},
}
_PLACES = (
    *(f"grid_position_{axis}" for axis in "xy"),
    *(f"{axis}_{end}" for axis in "xy" for end in ("start", "end")),
    "resized_width",
    "resized_height",
)


def _usual(kind: str) -> Mapping[str, str | int]:
    """What prices may ask for of a film whose size nobody names; of pictures nothing."""
    return {"resolution": RESOLUTION, "duration": DURATION} if kind.endswith("_video") else {}
