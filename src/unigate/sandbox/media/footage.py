"""Works on films that are there: longer, in another size, with a mark, with another sound, or a single picture of them.

It knows no vendor, and blocks: handlers call it in a thread. The same arguments give the same film.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from unigate.sandbox.media import film, reel
from unigate.sandbox.media.music import compose
from unigate.sandbox.media.reel import Reel
from unigate.sandbox.media.voice import RATE

if TYPE_CHECKING:
    from PIL.Image import Image

#: Seconds of the shortest song, which a shorter film is given a part of.
_SHORTEST = 0.5


def shot(
    prompt: str,
    size: tuple[int, int],
    seconds: float,
    *,
    seed: int,
    fps: int = 12,
    first: "Image | None" = None,
    last: "Image | None" = None,
    silent: bool = False,
) -> Reel:
    """A film with music to it; ValueError for what makes no film."""
    count = film.count(size, seconds, fps)
    taken = Reel(
        frames=lambda: film.frames(prompt, size, count, seed=seed, first=first, last=last),
        count=count,
        fps=fps,
        size=size,
    )
    return taken if silent else dubbed(taken, prompt, seed=seed)


def dubbed(taken: Reel, prompt: str, *, seed: int) -> Reel:
    """The film with music after a prompt."""
    song = compose(prompt, seconds=max(_SHORTEST, taken.seconds), seed=seed)
    return replace(taken, sound=reel.fitted(song.samples(), taken.count * RATE // taken.fps))


def extended(taken: Reel, more: Reel) -> Reel:
    """One film after the other, in the size and pace of the first."""
    count = round(more.seconds * taken.fps)

    def frames() -> "Iterator[Image]":
        yield from taken.frames()
        at, coming = -1, more.frames()
        for number in range(count):
            while at < min(more.count - 1, number * more.fps // taken.fps):
                at, frame = at + 1, next(coming)
            yield _sized(frame, taken.size)

    silent = taken.sound is None and more.sound is None
    sound = taken.heard() + reel.fitted(more.heard(), count * RATE // taken.fps)
    return replace(taken, frames=frames, count=taken.count + count, sound=None if silent else sound)


def changed(taken: Reel, change: "Callable[[Image], Image]", size: tuple[int, int] | None = None) -> Reel:
    """The film with something done to each of its pictures, which may give them another size."""
    return replace(taken, frames=lambda: map(change, taken.frames()), size=size or taken.size)


def resized(taken: Reel, size: tuple[int, int]) -> Reel:
    """The film in another size, cut where the ratio is another."""
    return changed(taken, lambda frame: _sized(frame, size), size)


def watermarked(taken: Reel, mark: str) -> Reel:
    """The film with a light band in its upper right corner that has a word in it."""
    return changed(taken, lambda frame: stamped(frame, mark))


def stamped(picture: "Image", mark: str) -> "Image":
    """A picture with such a mark."""
    from PIL import ImageDraw, ImageFont  # noqa: PLC0415 - only a process that draws pays for it

    made = picture.convert("RGB")
    pen = ImageDraw.Draw(made, "RGBA")
    height = max(10, made.height // 12)
    font = ImageFont.load_default(height * 2 // 3)
    width = min(made.width, round(pen.textlength(mark, font=font)) + height)
    left = made.width - width
    pen.rectangle((left, 0, made.width, height), fill=(255, 255, 255, 190))
    pen.text((left + height // 2, height // 2), mark, fill=(20, 20, 20, 255), font=font, anchor="lm")
    return made


def _sized(picture: "Image", size: tuple[int, int]) -> "Image":
    from PIL import ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    return picture if picture.size == size else ImageOps.fit(picture, size)
