"""Draws pictures: real ones, that follow prompt and seed and carry the prompt in them; reads and joins them too.

It knows no vendor, and blocks: callers run it in a thread. Pillow is loaded with the first picture. The same arguments
give the same picture.
"""

import io
import math
import struct
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.brain.pictures import measure
from unigate.sandbox.media import lettering

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw as Pen

PictureFormat = Literal["png", "jpg", "webp"]
Colour = tuple[int, int, int]

#: The longest side that is decoded, in pixels.
LARGEST = 8192
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
#: Sky above, sky below, shapes; pairs that look well together.
_PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((24, 32, 92), (240, 134, 110), (255, 214, 140)),
    ((10, 60, 90), (126, 206, 202), (250, 244, 200)),
    ((70, 24, 84), (236, 108, 146), (255, 230, 170)),
    ((22, 66, 48), (186, 214, 120), (250, 250, 214)),
    ((38, 38, 52), (140, 150, 190), (242, 196, 96)),
    ((120, 44, 30), (246, 190, 106), (255, 246, 222)),
    ((18, 84, 128), (214, 236, 250), (255, 168, 92)),
)
_WAVE = 24


def draw(prompt: str, width: int, height: int, *, seed: int, frame: int = 0) -> "Picture":
    """A picture in RGB of that size in pixels; with `frame` (0, 1, ...) things in it move on, as in a film."""
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    text = unmarked(prompt)
    dice = seeds.dice(text, seed, "picture")
    above, below, light = (_shifted(colour, dice.randint(-14, 14)) for colour in dice.choice(_PALETTES))
    slope = Image.linear_gradient("L").rotate(dice.choice((0, 0, 90, 180)))
    image = ImageOps.colorize(slope.resize((width, height)), above, below)
    pen = ImageDraw.Draw(image, "RGBA")
    side = min(width, height)
    _disc(pen, _drifting(dice, width, height * 0.5, frame), side * dice.uniform(0.09, 0.16), (*light, 235))
    for _ in range(dice.randint(4, 7)):
        colour = (*dice.choice((above, below, light)), dice.randint(60, 120))
        _disc(pen, _drifting(dice, width, height, frame), side * dice.uniform(0.04, 0.2), colour)
    for layer in range(3):
        shade = _shifted(above, -18 * (layer + 1))
        _hills(pen, width, height, (0.62 + 0.12 * layer, dice.uniform(0, math.tau) + 0.07 * frame), (*shade, 200))
    if side >= 32 and text:
        lettering.write(pen, text, width, height)
    return image


def encode(image: "Picture", format: PictureFormat, quality: int = 80) -> bytes:  # noqa: A002 - as Pillow calls it
    """The picture as a file. `quality` (1..100) counts for those that lose some."""
    out = io.BytesIO()
    if format == "png":
        image.save(out, "PNG", compress_level=1)
    elif format == "jpg":
        image.convert("RGB").save(out, "JPEG", quality=quality)
    else:
        image.save(out, "WEBP", quality=quality, method=0)
    return out.getvalue()


def decode(data: bytes) -> "Picture":
    """The picture in a file (PNG, JPEG, GIF, WebP), in RGB or RGBA, upright; ValueError where there is none."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    measured = measure(data)
    if measured is None:
        raise ValueError("this is no picture")
    if max(measured[1:]) > LARGEST:
        raise ValueError("the picture is too large")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            upright = ImageOps.exif_transpose(image)
            clear = "A" in upright.getbands() or "transparency" in upright.info
            return upright.convert("RGBA" if clear else "RGB")
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise ValueError("this is no picture") from error


def grid(images: "list[Picture]") -> "Picture":
    """Four pictures of one size as two rows of two."""
    from PIL import Image  # noqa: PLC0415 - only a process that draws pays for it

    width, height = images[0].size
    joined = Image.new("RGB", (2 * width, 2 * height))
    for number, image in enumerate(images):
        joined.paste(image, (number % 2 * width, number // 2 * height))
    return joined


def quarter(grid: "Picture", number: int) -> "Picture":
    """One of the four pictures of a grid, by its number from 1 to 4."""
    width, height = grid.width // 2, grid.height // 2
    left, top = (number - 1) % 2 * width, (number - 1) // 2 * height
    return grid.crop((left, top, left + width, top + height))


def blurred(image: "Picture", share: float) -> "Picture":
    """The picture as it looks before it is done: the smaller the share of work (0..1), the less can be seen."""
    from PIL import Image, ImageFilter  # noqa: PLC0415 - only a process that draws pays for it

    small = image.convert("RGB").resize((max(1, image.width // 4), max(1, image.height // 4)))
    radius = (1 - share) * min(small.size) / 10
    return small.filter(ImageFilter.GaussianBlur(radius)).resize(image.size, Image.Resampling.BILINEAR)


def _shifted(colour: Colour, by: int) -> Colour:
    red, green, blue = (max(0, min(255, part + by)) for part in colour)
    return red, green, blue


def _drifting(dice: seeds.Dice, width: float, height: float, frame: int) -> tuple[float, float]:
    """A place that moves on with each frame and comes back on the other side."""
    x, y = dice.uniform(0, width), dice.uniform(0.1 * height, 0.9 * height)
    speed = dice.choice((-1, 1)) * dice.uniform(0.008, 0.02)
    return (x + speed * width * frame) % width, y


def _disc(pen: "Pen", centre: tuple[float, float], radius: float, colour: tuple[int, int, int, int]) -> None:
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _hills(pen: "Pen", width: int, height: int, wave: tuple[float, float], colour: tuple[int, int, int, int]) -> None:
    """A line of hills; `wave` is how far down it stands (0..1) and where it begins."""
    level, phase = wave
    step = width / _WAVE
    tops = [
        (n * step, height * (level + 0.05 * math.sin(phase + n / 3) + 0.02 * math.sin(2.3 * phase + n)))
        for n in range(_WAVE + 1)
    ]
    pen.polygon([*tops, (width, height), (0, height)], fill=colour)
