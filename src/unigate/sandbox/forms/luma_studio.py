"""What Luma makes of an order: real films that move and have sound, and pictures. It knows no HTTP, and blocks.

Callers run it in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.brain import seeds
from unigate.sandbox.media import draw, footage, reel
from unigate.sandbox.media.reel import Reel

if TYPE_CHECKING:
    from PIL.Image import Image

Task = Literal["video", "image", "reframe_image", "reframe_video", "modify_video", "upscale_video", "add_audio"]
#: The shorter side in pixels.
SIDES: Mapping[str, int] = {"540p": 540, "720p": 720, "1080p": 1080, "4k": 2160}
#: Pictures of a large film are made slowly: there are fewer of them a second.
_FPS, _FPS_OF_LARGE, _LARGE = 12, 6, 720
#: How much of a film is kept when it is modified, by the mode's name.
_KEPT: Mapping[str, float] = {"adhere": 0.8, "flex": 0.55, "reimagine": 0.3}
_STEP = 0.07
_PHOTO_SIDE = 1080
MARK = "LUMA"


class Failed(Exception):
    """Nothing can be made of it; the text is the generation's `failure_reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a film or a picture depends on; files are bytes."""

    task: Task
    prompt: str
    ratio: str = "16:9"
    resolution: str = "720p"
    seconds: float = 5.0
    seed: int = 0
    #: Of pictures: `jpg` or `png`.
    format: Literal["jpg", "png"] = "jpg"
    mode: str = ""
    #: Pictures that the film begins and ends with, or that a picture follows.
    first: bytes | None = None
    last: bytes | None = None
    #: Films that come before it and after it.
    before: bytes | None = None
    after: bytes | None = None
    #: What is worked on.
    media: bytes | None = None
    #: With a mark, beside the clean film.
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The files of an order; empty where there is none of a kind."""

    image: bytes
    size: tuple[int, int]
    video: bytes = b""
    marked: bytes = b""
    last: bytes = b""
    seconds: float = 0.0


def size(ratio: str, resolution: str) -> tuple[int, int]:
    """Width and height in pixels, both even."""
    wide, high = (int(part) for part in ratio.split(":"))
    side = SIDES[resolution]
    longer = round(side * max(wide, high) / min(wide, high) / 2) * 2
    return (longer, side) if wide >= high else (side, longer)


def make(order: Order) -> Made:
    """The files; Failed."""
    if order.task in ("image", "reframe_image"):
        return _picture(order)
    taken = _film(order)
    video = taken.file()
    taken = reel.opened(video)  # what was encoded is quicker to read again than to make
    return Made(
        video=video,
        image=draw.encode(taken.picture(0), "jpg"),
        last=draw.encode(taken.picture(-1), "jpg"),
        marked=footage.watermarked(taken, MARK).file() if order.marked else b"",
        size=taken.size,
        seconds=taken.seconds,
    )


def _film(order: Order) -> Reel:
    if order.task == "video":
        return _shot(order)
    source = _opened(order.media)
    match order.task:
        case "upscale_video":
            return footage.resized(source, _larger(source.size, SIDES[order.resolution]))
        case "add_audio":
            return footage.dubbed(source, order.prompt, seed=order.seed)
        case "reframe_video":
            return footage.resized(source, _reframed(source.size, order.ratio))
        case _:
            return _modified(order, source)


def _shot(order: Order) -> Reel:
    """A film; one that goes on from another is joined with it, one between two others is what lies between them."""
    before = _opened(order.before) if order.before is not None else None
    after = _opened(order.after) if order.after is not None else None
    first = before.picture(-1) if before is not None else _image(order.first)
    last = after.picture(0) if after is not None else _image(order.last)
    neighbour = before or after
    sides = neighbour.size if neighbour is not None else size(order.ratio, order.resolution)
    fps = neighbour.fps if neighbour is not None else _FPS if min(sides) <= _LARGE else _FPS_OF_LARGE
    shot = footage.shot(order.prompt, sides, order.seconds, seed=order.seed, fps=fps, first=first, last=last)
    if before is not None and after is None:
        return footage.extended(before, shot)
    return footage.extended(shot, after) if after is not None and before is None else shot


def _modified(order: Order, source: Reel) -> Reel:
    """The film in another look, which the prompt decides; the mode says how much of it is left."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    how, _, degree = order.mode.partition("_")
    kept = max(0.1, _KEPT[how] - _STEP * int(degree or 1))
    look = _image(order.first) or draw.draw(order.prompt, *source.size, seed=order.seed)
    cover = ImageOps.fit(look.convert("RGB"), source.size)
    return footage.changed(source, lambda frame: Image.blend(cover, frame.convert("RGB"), kept))


def _picture(order: Order) -> Made:
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    if order.task == "reframe_image":
        given = _image(order.media)
        assert given is not None
        sides = _reframed(given.size, order.ratio)
        picture = ImageOps.fit(given.convert("RGB"), sides)
    else:
        wide, high = size(order.ratio, "1080p")
        scale = _PHOTO_SIDE / max(wide, high)
        sides = round(wide * scale), round(high * scale)
        picture = draw.draw(order.prompt, *sides, seed=order.seed)
        if (model := _image(order.first)) is not None:
            picture = Image.blend(ImageOps.fit(model.convert("RGB"), sides), picture, 0.5)
    return Made(image=draw.encode(picture, order.format), size=sides)


def _image(data: bytes | None) -> "Image | None":
    if data is None:
        return None
    try:
        return draw.decode(data)
    except ValueError:
        raise Failed("Failed to load the image: it is not a valid image file") from None


def _opened(data: bytes | None) -> Reel:
    try:
        return reel.opened(data or b"")
    except ValueError:
        raise Failed("Failed to load the media: it is not a valid video file") from None


def _larger(sides: tuple[int, int], side: int) -> tuple[int, int]:
    """The same shape with another shorter side."""
    scale = side / min(sides)
    return round(sides[0] * scale / 2) * 2, round(sides[1] * scale / 2) * 2


def _reframed(sides: tuple[int, int], ratio: str) -> tuple[int, int]:
    """Another shape with the same shorter side."""
    wide, high = (int(part) for part in ratio.split(":"))
    side = max(16, min(sides))
    longer = round(side * max(wide, high) / min(wide, high) / 2) * 2
    return (longer, side) if wide >= high else (side, longer)


def stand_in(words: str, *, film: bool) -> bytes:
    """A file for an address that nothing is fetched from: a picture, or a short film."""
    seed = seeds.seed(words)
    if film:
        return footage.shot(words, (320, 180), 2.0, seed=seed, fps=8).file()
    return draw.encode(draw.draw(words, 512, 512, seed=seed), "png")
