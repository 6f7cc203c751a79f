"""Works on given pictures: paints into them where a mask lets it, makes others like them, and lets what is behind shine through.

It knows no vendor, and blocks: callers run it in a thread. The same arguments give the same picture.
"""

from typing import TYPE_CHECKING

from unigate.sandbox.brain import seeds
from unigate.sandbox.media import draw

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

#: How much of a given picture stays to be seen where it is painted over without a mask.
_STAYS = 0.55
#: How far the colours of a variation move.
_SHIFT = 0.28


def cut_out(image: "Picture") -> "Picture":
    """The picture with nothing around what stands in the middle of it."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only a process that draws pays for it

    mask = Image.new("L", image.size, 0)
    width, height = image.size
    pen = ImageDraw.Draw(mask)
    pen.ellipse((width * 0.06, height * 0.06, width * 0.94, height * 0.94), fill=255)
    found = image.convert("RGBA")
    found.putalpha(mask)
    return found


def painted(
    given: "list[Picture]", mask: "Picture | None", prompt: str, size: tuple[int, int], *, seed: int
) -> "Picture":
    """The first picture with the prompt painted into it, of that size; the others are seen small along its top.

    With a mask nothing is changed but where that is wholly transparent. A picture that is of that size already keeps each
    of its other pixels.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    base = given[0] if given[0].size == size else ImageOps.fit(given[0], size)
    drawn = draw.draw(prompt, *size, seed=seed)
    side = min(size) // 6
    for number, other in enumerate(given[1:]):
        small = ImageOps.fit(other.convert("RGB"), (side, side))
        drawn.paste(small, (number * side % max(side, size[0] - side), number * side // size[0] * side))
    if mask is None:
        return Image.blend(base.convert("RGB"), drawn, 1 - _STAYS) if len(given) == 1 else _joined(base, drawn, side)
    fitted = mask if mask.size == size else mask.resize(size, Image.Resampling.NEAREST)
    stays = fitted.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    return Image.composite(base, drawn.convert(base.mode), stays)


def _joined(base: "Picture", drawn: "Picture", side: int) -> "Picture":
    """Both pictures in one, the strip at the top as it was painted."""
    from PIL import Image  # noqa: PLC0415 - only a process that draws pays for it

    found = Image.blend(base.convert("RGB"), drawn, 1 - _STAYS)
    strip = (0, 0, drawn.width, side)
    found.paste(drawn.crop(strip), strip)
    return found


def varied(given: "Picture", size: tuple[int, int], *, seed: int) -> "Picture":
    """Another picture like this one."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    dice = seeds.dice(seed, "variation")
    base = ImageOps.fit(given.convert("RGB"), size)
    if dice.random() < 0.5:
        base = ImageOps.mirror(base)
    other = draw.draw("", *size, seed=dice.randint(0, 1 << 30))
    return Image.blend(base, other, _SHIFT * dice.uniform(0.5, 1))
