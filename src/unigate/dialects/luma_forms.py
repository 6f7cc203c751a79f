"""Luma's official form and the relays' form, each said in the other: requests, and what comes of them.

What one has nothing for is named as ignored, or refused where the film would be another one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from unigate.base.errors import Unsupported
from unigate.dialects.luma_checks import FRAMES
from unigate.dialects.luma_read import HANDLE, RATIO, RESOLUTION
from unigate.dialects.luma_relay_read import MODELS, PICTURES
from unigate.spec.task import Json, Order, Progress

_NAMES: Mapping[str, str] = {official: name for name, official in MODELS.items()}
_SAME = ("loop", "aspect_ratio", "resolution", "duration")
_CARRIED = frozenset({*_SAME, *PICTURES, "user_prompt"})
_TELLABLE = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MOST_TOLD = 20
_SIDES: Mapping[str, int] = {"540p": 540, "720p": 720, "1080p": 1080, "4k": 2160}


def relay_name(model: str) -> str:
    """What relays call a model."""
    return _NAMES.get(model, model)


def to_official(order: Order) -> dict[str, Any]:
    """A call of the relays' form, whose pictures are addresses, as the official API takes it."""
    body = order.body
    frames: dict[str, Any] = {}
    if order.parent is not None:
        frames["frame0"] = {"type": "generation", HANDLE: order.parent}
    for name, frame in zip(PICTURES, FRAMES, strict=True):
        if body.get(name):
            frames[frame] = {"type": "image", "url": body[name]}
    said = {"prompt": body.get("user_prompt"), "keyframes": frames, **{name: body.get(name) for name in _SAME}}
    carried = {name: value for name, value in said.items() if value not in (None, {})}
    return {"generation_type": "video", "model": order.model, **carried}


def ignored(body: Json) -> list[str]:
    """Members of such a call that the official API has nothing for, as far as a header can tell them."""
    dropped = (name for name in body if name not in _CARRIED and _TELLABLE.fullmatch(name))
    return list(islice(dropped, _MOST_TOLD))


def from_official(progress: Progress, order_facts: Json) -> Progress:
    """What the official API says of a film, as the relays' form tells it. `order_facts`: ratio and resolution asked for."""
    if progress.state != "succeeded":
        return progress
    assets = progress.detail.get("assets")
    assert isinstance(assets, Mapping)
    film, still = assets.get("video", ""), assets.get("image")
    width, height = size(str(order_facts.get("ratio") or RATIO), str(order_facts.get("resolution") or RESOLUTION))
    sides = {"width": width, "height": height}
    detail = {
        "video": {"url": film, **sides, "thumbnail": still, "download_url": film},
        "video_raw": {"url": film, **sides},
        "thumbnail": {"url": still, **sides} if still else None,
        "last_frame": None,
        "unmarked": True,
    }
    return replace(progress, detail=detail)


def to_relay(order: Order) -> dict[str, Any]:
    """A call for a film in the official form as relays take it; Unsupported for what they have nothing for."""
    body = order.body
    if body.get("concepts"):
        raise Unsupported("concepts: this provider has none.", param="concepts")
    said = {"user_prompt": body.get("prompt", ""), **{name: body[name] for name in _SAME if name in body}}
    frames = body.get("keyframes")
    for name, frame in frames.items() if isinstance(frames, Mapping) else ():
        if frame.get("type") == "image":
            said["image_url" if name == "frame0" else "image_end_url"] = frame["url"]
        elif name == "frame1":
            raise Unsupported("keyframes.frame1: this provider takes a picture there only.", param="keyframes.frame1")
    return said


def extended(order: Order) -> Json | None:
    """The handle of the film that a call in the official form makes longer; None where it makes a new one."""
    frames = order.body.get("keyframes")
    frame = frames.get("frame0") if isinstance(frames, Mapping) else None
    handle = frame.get(HANDLE) if isinstance(frame, Mapping) else None
    return handle if isinstance(handle, Mapping) else None


def from_relay(progress: Progress) -> Progress:
    """What a relay says of a film, as the official form tells it."""
    if progress.state != "succeeded":
        return replace(progress, detail={})
    video = progress.detail["video"]
    assert isinstance(video, Mapping)
    still = next((one.url for one in progress.outputs if one.kind == "image"), "")
    assets = {"video": video["download_url"], **({"image": still} if still else {})}
    outputs = [one for one in progress.outputs if one.url in assets.values()]
    return replace(progress, detail={"assets": assets}, outputs=outputs)


def size(ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height that a film has by its ratio and resolution, whose number is the shorter side."""
    wide, high = (int(part) for part in ratio.split(":"))
    side = _SIDES.get(resolution, _SIDES[RESOLUTION])
    longer = round(side * max(wide, high) / min(wide, high) / 2) * 2
    return (longer, side) if wide >= high else (side, longer)
