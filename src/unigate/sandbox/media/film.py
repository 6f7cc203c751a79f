"""Makes real films (H.264 in mp4, or gif) that move, and look different for each prompt and seed.

It knows nothing of vendors, jobs or HTTP. It takes a second or so: handlers call it in a thread.
"""

import colorsys
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.brain import seeds
from unigate.sandbox.media import reel

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["mp4", "gif"]

#: How far the camera comes nearer, and wanders, as shares of the picture.
_ZOOM, _WANDER = 0.12, 0.05
_LONGEST = 120.0
_CAPTION = 60


def film(
    prompt: str,
    width: int,
    height: int,
    seconds: float,
    *,
    seed: int,
    format: Format = "mp4",  # noqa: A002 - what it is called everywhere
    fps: int = 12,
    first: "Image | None" = None,
) -> bytes:
    """A film of at least that length, the same for the same arguments.

    `first`: the picture that it begins with, cut to size. Sides of an mp4 are rounded down to even numbers, which its
    pixel format asks for. ValueError for sizes, lengths and rates that make no film.
    """
    number = count((width, height), seconds, fps)
    if format == "mp4":
        width, height = width - width % 2, height - height % 2
    moving = frames(prompt, (width, height), number, seed=seed, first=first)
    return reel.mp4(moving, (width, height), fps) if format == "mp4" else _gif(moving, fps)


def count(size: tuple[int, int], seconds: float, fps: int) -> int:
    """How many pictures a film has; ValueError for sizes, lengths and rates that make none."""
    width, height = size
    if not (16 <= width <= 4096 and 16 <= height <= 4096 and 0 < seconds <= _LONGEST and 1 <= fps <= 60):
        raise ValueError(f"no film of {width}x{height}, {seconds} s, {fps} frames per second")
    return max(2, math.ceil(seconds * fps))


def frames(
    prompt: str,
    size: tuple[int, int],
    number: int,
    *,
    seed: int,
    first: "Image | None" = None,
    last: "Image | None" = None,
) -> Iterator["Image"]:
    """So many pictures, at least two: a camera that moves over one scene, and a ball that crosses it.

    They begin and end with the pictures given, cut to size; without `last` they end as they began.
    """
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - heavy, and few processes make films

    dice = seeds.dice(seed, prompt, "film")
    scene = _scene(prompt, size, dice) if first is None else ImageOps.fit(first.convert("RGB"), size)
    end = None if last is None else ImageOps.fit(last.convert("RGB"), size)
    width, height = size
    turn, radius, colour = dice.random(), max(4, min(size) // 9), _colour(dice, 0.95)
    for now in range(number):
        at = now / (number - 1)
        zoom, angle = _ZOOM * (1 - math.cos(2 * math.pi * at)) / 2, 2 * math.pi * (at + turn)
        left = width * (zoom / 2 + min(zoom / 2, _WANDER) * math.cos(angle))
        top = height * (zoom / 2 + min(zoom / 2, _WANDER) * math.sin(angle))
        box = (left, top, left + width * (1 - zoom), top + height * (1 - zoom))
        shown = scene if end is None else Image.blend(scene, end, at)
        frame = shown.resize(size, Image.Resampling.BILINEAR, box=box)
        x = round((width + 2 * radius) * at) - radius
        y = round(height * (0.5 + 0.3 * math.sin(2 * math.pi * (2 * at + turn))))
        ImageDraw.Draw(frame).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        yield frame


def _scene(prompt: str, size: tuple[int, int], dice: seeds.Dice) -> "Image":
    """What the camera looks at: a sky, hills, and the prompt."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps  # noqa: PLC0415 - heavy, and few processes make films

    width, height = size
    sky = Image.linear_gradient("L").resize(size)
    scene = ImageOps.colorize(sky, _colour(dice, 0.35), _colour(dice, 0.9))
    pen = ImageDraw.Draw(scene)
    for row in range(4):
        ground, steps = height * (0.5 + 0.12 * row), dice.uniform(3, 9)
        ridge = [(x, ground + height * 0.07 * math.sin(steps * x / width + row)) for x in range(0, width + 9, 8)]
        pen.polygon([*ridge, (width + 8, height), (0, height)], fill=_colour(dice, 0.7 - 0.12 * row))
    words = "".join(letter for letter in prompt if letter.isascii() and letter.isprintable())[:_CAPTION]
    font = ImageFont.load_default(max(8, min(height // 12, 2 * width // (len(words) + 1))))
    pen.text(
        (width // 2, height * 7 // 8), words, fill="white", font=font, anchor="mm", stroke_width=1, stroke_fill="black"
    )
    return scene


def _colour(dice: seeds.Dice, brightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(dice.random(), dice.uniform(0.4, 0.8), brightness)
    return round(255 * red), round(255 * green), round(255 * blue)


def _gif(moving: Iterator["Image"], fps: int) -> bytes:
    from PIL import Image  # noqa: PLC0415 - heavy, and few processes make films

    file = io.BytesIO()
    reduced = [frame.quantize(64, method=Image.Quantize.FASTOCTREE) for frame in moving]
    #: A gif counts in hundredths of a second.
    each = 10 * math.ceil(100 / fps)
    reduced[0].save(file, "GIF", save_all=True, append_images=reduced[1:], duration=each, loop=0)
    return file.getvalue()
