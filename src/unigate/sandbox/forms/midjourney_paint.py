"""Paints what a Midjourney task makes. Pure, and slow: callers run it in a thread."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.media import draw
from unigate.sandbox.media.film import film

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Kind = Literal[
    "imagine", "quarter", "vary", "enlarge", "zoom", "square", "pan", "inpaint", "blend", "given", "swap", "retexture"
]
Size = tuple[int, int]
#: How much of a reference is seen in a picture that is imagined after it.
_REFERENCE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to make a picture, beside the one that it starts from."""

    kind: Kind
    prompt: str = ""
    #: Of one picture, in pixels.
    size: Size = (512, 512)
    seed: int = 0
    #: Pictures that the caller gave, as files.
    given: tuple[bytes, ...] = ()
    mask: bytes = b""
    #: Which of four pictures it starts from; 0: the whole.
    part: int = 0
    #: By how much is zoomed or enlarged, or how much of the former picture is kept.
    amount: float = 1.0
    #: Where to pan to.
    way: str = ""
    #: Films to make in place of the picture, which is then their first; and their seconds.
    films: int = 0
    seconds: float = 5.0


def paint(recipe: Recipe, base: "Picture | None") -> "Picture":
    """The picture: four in a grid, or one. `base` is what the former task made."""
    given = [draw.decode(data) for data in recipe.given]
    if base is not None and recipe.part:
        base = draw.quarter(base, recipe.part)
    match recipe.kind:
        case "given":
            return given[0].convert("RGB")
        case "swap":
            return _swapped(*given)
        case "quarter" | "enlarge":
            assert base is not None
            factor = round(recipe.amount)
            return _resized(base, (base.width * factor, base.height * factor))
        case _:
            return draw.grid([_one(recipe, number, given, base) for number in range(4)])


def shoot(recipe: Recipe, first: "Picture") -> list[bytes]:
    """The films that begin with that picture."""
    width, height = first.size
    shrunk = 256 / min(width, height)
    size = (max(16, round(width * shrunk)), max(16, round(height * shrunk)))
    return [
        film(recipe.prompt, *size, recipe.seconds, seed=recipe.seed + number, fps=8, first=first)
        for number in range(recipe.films)
    ]


def _one(recipe: Recipe, number: int, given: "list[Picture]", base: "Picture | None") -> "Picture":
    """One of the four."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    size = recipe.size
    fresh = draw.draw(recipe.prompt, *size, seed=recipe.seed + number)
    former = None if base is None else _resized(base, size)
    match recipe.kind:
        case "vary":
            assert former is not None
            return Image.blend(fresh, former, recipe.amount)
        case "zoom" | "square" | "pan":
            assert base is not None
            return _placed(recipe, fresh, base)
        case "inpaint":
            former = former or ImageOps.fit(given[0].convert("RGB"), size)
            return Image.composite(fresh, former, _mask(recipe.mask, size))
        case "retexture":
            grey = ImageOps.fit(given[0].convert("RGB"), size).convert("L")
            return Image.blend(fresh, ImageOps.colorize(grey, (16, 12, 24), (250, 240, 220)), 0.6)
        case _:
            seen = _mixed(given, size)
            share = 0.85 if recipe.kind == "blend" else _REFERENCE
            return fresh if seen is None else Image.blend(fresh, seen, share)


def _mixed(given: "list[Picture]", size: Size) -> "Picture | None":
    """All pictures in one, each as visible as the others."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    mixed: Picture | None = None
    for number, picture in enumerate(given):
        fitted = ImageOps.fit(picture.convert("RGB"), size)
        mixed = fitted if mixed is None else Image.blend(mixed, fitted, 1 / (number + 1))
    return mixed


def _placed(recipe: Recipe, fresh: "Picture", base: "Picture") -> "Picture":
    """The former picture as a part of a larger one."""
    width, height = recipe.size
    if recipe.kind == "zoom":
        part = _resized(base, (round(width / recipe.amount), round(height / recipe.amount)))
        at = ((width - part.width) // 2, (height - part.height) // 2)
    elif recipe.kind == "square":
        shrunk = width / max(base.size)
        part = _resized(base, (round(base.width * shrunk), round(base.height * shrunk)))
        at = ((width - part.width) // 2, (height - part.height) // 2)
    else:
        across = recipe.way in ("left", "right")
        shrunk = height / base.height if across else width / base.width
        part = _resized(base, (round(base.width * shrunk), round(base.height * shrunk)))
        at = (width - part.width if recipe.way == "left" else 0, height - part.height if recipe.way == "up" else 0)
    fresh.paste(part, at)
    return fresh


def _mask(data: bytes, size: Size) -> "Picture":
    """Where to paint anew (white): what is clear in the mask, or white where nothing is clear; all without a mask."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    if not data:
        return Image.new("L", size, 255)
    mask = draw.decode(data)
    alpha = mask.getchannel("A") if mask.mode == "RGBA" else None
    has_hole = alpha is not None and any(alpha.histogram()[:128])
    wanted = ImageOps.invert(alpha) if alpha is not None and has_hole else mask.convert("L")
    return wanted.resize(size).point([0] * 128 + [255] * 128)


def _swapped(face: "Picture", target: "Picture") -> "Picture":
    """The face, as an oval, in the middle of the target."""
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    picture = target.convert("RGB")
    side = max(8, min(picture.size) // 2)
    size = (side * 4 // 5, side)
    oval = Image.new("L", size, 0)
    ImageDraw.Draw(oval).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    at = ((picture.width - size[0]) // 2, (picture.height - size[1]) // 2)
    picture.paste(ImageOps.fit(face.convert("RGB"), size), at, oval)
    return picture


def _resized(picture: "Picture", size: Size) -> "Picture":
    from PIL import Image  # noqa: PLC0415 - only a process that draws pays for it

    return picture.resize(size, Image.Resampling.LANCZOS)


def cell(ratio: float) -> Size:
    """The size of one of four pictures, for a ratio of width to height."""
    width, height = (round(512 * ratio**power / 8) * 8 for power in (0.5, -0.5))
    return max(64, width), max(64, height)
