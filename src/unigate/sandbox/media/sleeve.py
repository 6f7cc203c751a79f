"""What is seen with a song: its cover, and a film of the cover over which the song's wave moves. It knows no vendor, and blocks."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from unigate.sandbox.media import draw, reel, waves
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

if TYPE_CHECKING:
    from PIL.Image import Image

_FPS = 10
#: How many bars of the wave are seen at once, the middle one being heard now.
_BARS = 41


def cover(title: str, size: int = 512, *, seed: int) -> "Image":
    """A square picture for a song, with its title."""
    return draw.draw(title, size, size, seed=seed)


def film(picture: "Image", sound: Samples, *, fps: int = _FPS) -> bytes:
    """An mp4 of the picture with the wave of the sound on it, as long as the sound, which is heard."""
    picture = picture.convert("RGB").crop(
        (0, 0, picture.width - picture.width % 2, picture.height - picture.height % 2)
    )
    count = max(1, -(-len(sound) * fps // RATE))
    return reel.mp4(_frames(picture, sound, count), picture.size, fps, sound)


def _frames(picture: "Image", sound: Samples, count: int) -> Iterator["Image"]:
    from PIL import ImageDraw  # noqa: PLC0415 - only a process that draws pays for it

    heights = waveform(sound, count)
    width, height = picture.size
    step, floor = width / _BARS, height * 0.72
    for now in range(count):
        frame = picture.copy()
        pen = ImageDraw.Draw(frame, "RGBA")
        pen.rectangle((0, height * 0.5, width, height * 0.94), fill=(0, 0, 0, 70))
        for bar in range(_BARS):
            at = now + bar - _BARS // 2
            tall = height * (0.01 + 0.2 * heights[at]) if 0 <= at < count else height * 0.005
            left = bar * step
            light = (255, 220, 120, 255) if at == now else (255, 255, 255, 190)
            pen.rectangle((left + step * 0.2, floor - tall, left + step * 0.8, floor + tall), fill=light)
        pen.rectangle((0, height * 0.97, width * (now + 1) / count, height), fill=(255, 220, 120, 255))
        yield frame


def waveform(sound: Samples, count: int) -> list[float]:
    """So many heights of a sound's wave, from 0 to 1, the highest being 1."""
    edges = [len(sound) * number // count for number in range(count + 1)]
    found = [waves.level(sound[start:end]) for start, end in pairwise(edges)]
    most = max(found, default=0.0) or 1.0
    return [one / most for one in found]
