"""Makes real films (H.264 in mp4, or gif) that move, and look different for each prompt and seed.

It knows nothing of vendors, jobs or HTTP. It takes a second or so: handlers call it in a thread.
"""

import colorsys
import io
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.brain import seeds

if TYPE_CHECKING:
    from PIL.Image import Image

Format = Literal["mp4", "gif"]

#: Encoders by preference; the second is what builds without H.264 have.
_ENCODERS = ("libx264", "mpeg4")
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
    if not (16 <= width <= 4096 and 16 <= height <= 4096 and 0 < seconds <= _LONGEST and 1 <= fps <= 60):
        raise ValueError(f"no film of {width}x{height}, {seconds} s, {fps} frames per second")
    if format == "mp4":
        width, height = width - width % 2, height - height % 2
    frames = _frames(prompt, (width, height), max(2, math.ceil(seconds * fps)), seed, first)
    return _mp4(frames, (width, height), fps) if format == "mp4" else _gif(frames, fps)


def _frames(prompt: str, size: tuple[int, int], count: int, seed: int, first: "Image | None") -> Iterator["Image"]:
    """A camera that moves over one scene, and a ball that crosses it."""
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - heavy, and few processes make films

    dice = seeds.dice(seed, prompt, "film")
    scene = _scene(prompt, size, dice) if first is None else ImageOps.fit(first.convert("RGB"), size)
    width, height = size
    turn, radius, colour = dice.random(), max(4, min(size) // 9), _colour(dice, 0.95)
    for number in range(count):
        at = number / (count - 1)
        zoom, angle = _ZOOM * (1 - math.cos(2 * math.pi * at)) / 2, 2 * math.pi * (at + turn)
        left = width * (zoom / 2 + min(zoom / 2, _WANDER) * math.cos(angle))
        top = height * (zoom / 2 + min(zoom / 2, _WANDER) * math.sin(angle))
        box = (left, top, left + width * (1 - zoom), top + height * (1 - zoom))
        frame = scene.resize(size, Image.Resampling.BILINEAR, box=box)
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


def _mp4(frames: Iterator["Image"], size: tuple[int, int], fps: int) -> bytes:
    import av  # noqa: PLC0415 - heavy, and few processes make films

    with tempfile.TemporaryDirectory() as folder:  # to put the index first, the muxer must read again what it wrote
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
            stream = out.add_stream(_encoder(), rate=fps)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.options = {"preset": "ultrafast", "crf": "26"}
            stream.codec_context.thread_count = 1
            for picture in frames:
                out.mux(stream.encode(av.VideoFrame.from_image(picture)))  # type: ignore[no-untyped-call]
            out.mux(stream.encode(None))
        return path.read_bytes()


def _encoder() -> str:
    """The best encoder that this build has."""
    import av  # noqa: PLC0415 - heavy, and few processes make films

    return next(name for name in _ENCODERS if name in av.codecs_available)


def _gif(frames: Iterator["Image"], fps: int) -> bytes:
    from PIL import Image  # noqa: PLC0415 - heavy, and few processes make films

    file = io.BytesIO()
    reduced = [frame.quantize(64, method=Image.Quantize.FASTOCTREE) for frame in frames]
    #: A gif counts in hundredths of a second.
    each = 10 * math.ceil(100 / fps)
    reduced[0].save(file, "GIF", save_all=True, append_images=reduced[1:], duration=each, loop=0)
    return file.getvalue()
