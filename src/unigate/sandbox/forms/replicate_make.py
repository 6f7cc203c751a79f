"""What Replicate's models make of an input: real pictures, drawings and films. It blocks: callers run it in a thread."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms import replicate_sizes as sizes
from unigate.sandbox.forms.replicate_errors import NSFW, SENSITIVE
from unigate.sandbox.forms.replicate_models import Maker, Model
from unigate.sandbox.media.draw import PictureFormat, decode, draw, encode
from unigate.sandbox.media.film import film

if TYPE_CHECKING:
    from PIL.Image import Image

Ending = Literal["png", "jpg", "webp", "svg", "gif", "mp4"]

_UNSAFE = re.compile(r"\[\[nsfw(?::(\d))?\]\]")
_FILM = (1280, 720)
#: Frames of an animation that are really made, and seconds that they last at most.
_MOST_FRAMES, _LONGEST = 250, 120
_CLIP_SECONDS, _CLIP_RATE, _CLIP_SIDE = 2.0, 8, 512
_FILM_SECONDS = 5.64


class Failed(Exception):
    """The model fails; the text is the prediction's `error`."""


@dataclass(frozen=True, slots=True)
class Made:
    """One file of an output."""

    data: bytes
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that an output depends on."""

    model: Model
    #: The input with what usually holds where it says nothing.
    input: Mapping[str, Any]
    #: What stands behind the addresses of the input, by field.
    files: Mapping[str, bytes]
    seed: int

    @property
    def prompt(self) -> str:
        """What shall be shown."""
        return unmarked(str(self.input.get("prompt") or self.input.get("prompt_start") or ""))

    def picture(self, field: str) -> "Image | None":
        """The picture that a field gives, None where it gives none; Failed where it is no picture."""
        data = self.files.get(field)
        if data is None:
            return None
        try:
            return decode(data)
        except ValueError:
            raise Failed(f"cannot identify image file '/tmp/input_{field}'") from None


def make(order: Order) -> tuple[Made, ...]:
    """The output's files in their order; Failed where there is none."""
    return _MAKERS[order.model.makes](order)


def unsafe(order: Order) -> int:
    """How many pictures the model's checker leaves out, as `[[nsfw]]` (all) or `[[nsfw:N]]` in the prompt asks for."""
    found = _UNSAFE.search(str(order.input.get("prompt") or order.input.get("prompt_start") or ""))
    if found is None or order.input.get("disable_safety_checker"):
        return 0
    return int(found[1]) if found[1] else 100


def _pictures(order: Order) -> tuple[Made, ...]:
    count, hidden = int(order.input.get("num_outputs", 1)), unsafe(order)
    if hidden >= count:
        raise Failed(NSFW if "disable_safety_checker" in order.input else SENSITIVE)
    form: PictureFormat = order.input.get("output_format", order.model.format)
    quality = max(1, int(order.input.get("output_quality", 80)))
    base = order.picture("image") or order.picture("image_prompt")
    mask = order.picture("mask")
    size = _size(order, base, mask)
    made = []
    for number in range(hidden, count):
        drawn = draw(order.prompt, *size, seed=order.seed + number)
        picture = drawn if base is None else _mixed(order, drawn, base, mask)
        made.append(Made(encode(picture, form, quality), form))
    return tuple(made)


def _mixed(order: Order, drawn: "Image", base: "Image", mask: "Image | None") -> "Image":
    """A drawn picture that follows a given one, or replaces what a mask marks of it."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - only a process that draws pays for it

    under = ImageOps.fit(base.convert("RGB"), drawn.size)
    if mask is not None:
        marked = ImageOps.fit(mask.convert("L"), drawn.size)
        repainted = marked.point([255 * ((tone >= 128) is (order.model.repaints == "white")) for tone in range(256)])
        return Image.composite(drawn, under, repainted)
    if "image_prompt" in order.files:
        return Image.blend(under, drawn, 1 - float(order.input.get("image_prompt_strength", 0.5)))
    return Image.blend(under, drawn, float(order.input.get("prompt_strength", 0.8)))


def _size(order: Order, base: "Image | None", mask: "Image | None") -> sizes.Size:
    """How large the pictures are."""
    given, ratio = order.input, order.input.get("aspect_ratio", "")
    follows = "image" in order.files and base is not None
    if follows and (mask is None or "width" not in given):
        assert base is not None
        return sizes.within(base.size, step=8)
    if ratio == "custom":
        return tuple(max(256, int(given.get(side, 1024)) // 32 * 32) for side in ("width", "height"))  # type: ignore[return-value]
    if "style_type" in given:
        return sizes.IDEOGRAM[ratio] if given["resolution"] == "None" else sizes.read(given["resolution"])
    if "style" in given:
        return sizes.read(given["size"]) if ratio == "Not set" else sizes.RECRAFT[ratio]
    if "raw" in given:
        return sizes.by_area(ratio, 4 * 1024 * 1024, 32)
    if ratio:
        width, height = sizes.FLUX[ratio]
        return (width, height) if given.get("megapixels", "1") == "1" else (width // 2, height // 2)
    return tuple(min(2048, max(64, int(given[side]))) // 8 * 8 for side in ("width", "height"))  # type: ignore[return-value]


def _drawing(order: Order) -> tuple[Made, ...]:
    """An SVG: a ground, some shapes, and the prompt."""
    if unsafe(order):
        raise Failed(SENSITIVE)
    width, height = _size(order, None, None)
    dice = seeds.dice(order.seed, order.prompt, "drawing")
    low, high = f"hsl({dice.randrange(360)} 60% 30%)", f"hsl({dice.randrange(360)} 70% 80%)"
    shapes = "".join(
        f'<circle cx="{dice.randrange(width)}" cy="{dice.randrange(height)}" r="{dice.randrange(20, min(width, height) // 5)}" '
        f'fill="hsl({dice.randrange(360)} 70% 60%)" fill-opacity="0.6"/>'
        for _ in range(8)
    )
    text = escape("".join(letter for letter in order.prompt[:80] if letter.isprintable()))
    made = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<defs><linearGradient id="ground" x2="0" y2="1"><stop stop-color="{low}"/>'
        f'<stop offset="1" stop-color="{high}"/></linearGradient></defs>'
        f'<rect width="100%" height="100%" fill="url(#ground)"/>{shapes}'
        f'<text x="50%" y="90%" font-family="sans-serif" font-size="{height // 24}" text-anchor="middle" fill="white">'
        f"{text}</text></svg>"
    )
    return (Made(made.encode(), "svg"),)


def _cutout(order: Order) -> tuple[Made, ...]:
    """The picture with a cleared border."""
    from PIL import Image  # noqa: PLC0415 - only a process that draws pays for it

    picture = _given(order, "image").convert("RGBA")
    width, height = picture.size
    edge = max(1, min(width, height) // 8)
    cut = Image.new("RGBA", picture.size)
    inner = (edge, edge, max(edge + 1, width - edge), max(edge + 1, height - edge))
    cut.paste(picture.crop(inner), inner[:2])
    return (Made(encode(cut, "png"), "png"),)


def _removal(order: Order) -> tuple[Made, ...]:
    """The picture with a grey box for each thing that was named."""
    from PIL import ImageDraw  # noqa: PLC0415 - only a process that draws pays for it

    picture = _given(order, "image_path").convert("RGB")
    named = order.input["objects_to_remove"]
    names = named if isinstance(named, list) else named.split(",")
    width, height = picture.size
    pen = ImageDraw.Draw(picture)
    for number in range(len(names)):
        left, top = width * (1 + number % 3) // 5, height * (1 + number // 3 % 3) // 5
        if len(names) == 1:
            left, top = width // 3, height // 3
        pen.rectangle((left, top, left + max(1, width // 6), top + max(1, height // 6)), fill=(128, 128, 128))
    return (Made(encode(picture, "png"), "png"),)


def _animation(order: Order) -> tuple[Made, ...]:
    """A film between two prompts; its stills come first where they are asked for."""
    given = order.input
    if unsafe(order):
        raise Failed(NSFW)
    end = unmarked(str(given["prompt_end"]))
    width, height = int(given["width"]), int(given["height"])
    keys, rate = int(given["num_animation_frames"]), int(given["gif_frames_per_second"])
    stills = []
    if given["intermediate_output"]:
        words = [order.prompt if number < keys / 2 else end for number in range(keys)]
        drawn = [draw(word, width, height, seed=order.seed, frame=number) for number, word in enumerate(words)]
        stills = [Made(encode(still, "png"), "png") for still in drawn]
    frames = keys * int(given["num_interpolation_steps"]) * (2 if given["gif_ping_pong"] else 1)
    seconds = min(frames, _MOST_FRAMES, _LONGEST * rate) / rate
    form: Literal["gif", "mp4"] = given["output_format"]
    caption = f"{order.prompt} - {end}"
    moving = film(caption, width, height, seconds, seed=order.seed, format=form, fps=rate)
    return (*stills, Made(moving, form))


def _clip(order: Order) -> tuple[Made, ...]:
    """A short square film."""
    if unsafe(order):
        raise Failed(NSFW)
    side = _CLIP_SIDE
    return (Made(film(order.prompt, side, side, _CLIP_SECONDS, seed=order.seed, fps=_CLIP_RATE), "mp4"),)


def _film(order: Order) -> tuple[Made, ...]:
    """A film of six seconds that begins with the picture given, or shows the person given."""
    if unsafe(order):
        raise Failed(SENSITIVE)
    first, size = order.picture("first_frame_image"), _FILM
    subject = order.picture("subject_reference")
    if first is not None:
        size = sizes.within(first.size, _FILM[0] * _FILM[1], 2)
        size = (max(16, size[0]), max(16, size[1]))
    elif subject is not None:
        first = draw(order.prompt, *size, seed=order.seed)
        subject.thumbnail((size[0] // 2, size[1] * 3 // 4))
        first.paste(subject.convert("RGB"), ((size[0] - subject.width) // 2, (size[1] - subject.height) // 2))
    return (Made(film(order.prompt, *size, _FILM_SECONDS, seed=order.seed, first=first), "mp4"),)


def _given(order: Order, field: str) -> "Image":
    """The picture of a required field."""
    picture = order.picture(field)
    assert picture is not None, field
    return picture


_MAKERS: Mapping[Maker, Callable[[Order], tuple[Made, ...]]] = {
    "pictures": _pictures,
    "drawing": _drawing,
    "cutout": _cutout,
    "removal": _removal,
    "animation": _animation,
    "clip": _clip,
    "film": _film,
}
