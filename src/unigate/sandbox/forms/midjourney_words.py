"""What the imitation says about pictures (describe) and prompts (shorten): simple, but true of what it was given."""

import re
from typing import TYPE_CHECKING

from unigate.sandbox.forms.midjourney_buttons import numbered
from unigate.sandbox.media import draw

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

#: Red, green, blue -> the colour's name in English and Chinese.
_COLOURS = (
    ((20, 20, 20), "black", "黑色"),
    ((128, 128, 128), "grey", "灰色"),
    ((240, 240, 240), "white", "白色"),
    ((200, 40, 40), "red", "红色"),
    ((230, 140, 40), "orange", "橙色"),
    ((230, 220, 60), "yellow", "黄色"),
    ((60, 160, 70), "green", "绿色"),
    ((50, 170, 180), "turquoise", "青色"),
    ((40, 70, 180), "blue", "蓝色"),
    ((140, 60, 170), "purple", "紫色"),
    ((230, 130, 170), "pink", "粉色"),
    ((120, 80, 50), "brown", "棕色"),
)
_MANNERS = (
    ("a quiet landscape in {colour} tones, soft light, painted in gouache", "{colour}色调的宁静风景,柔和光线,水粉画"),
    ("an abstract composition dominated by {colour}, flat shapes, poster", "以{colour}为主的抽象构图,扁平形状,海报"),
    ("a minimalist illustration, {colour} gradient, {light} scene", "极简插画,{colour}渐变,{light}的场景"),
    ("a cinematic still with {colour} grading, {light} atmosphere, film grain", "电影剧照,{colour}调色,{light}的氛围"),
)
_FILLERS = frozenset(
    "a an the of in on at with and or to is are was by for very really just some that this it its as from".split()  # noqa: SIM905 - words read better as text
)
#: How many shortened prompts there are.
SHORTENED = 5


def described(data: bytes, *, seed: int, chinese: bool) -> list[str]:
    """Four prompts that could have made the picture."""
    image = draw.decode(data).convert("RGB")
    names = _named(image.resize((1, 1)))
    level = image.convert("L").resize((1, 1)).getpixel((0, 0))
    dark = isinstance(level, (int, float)) and level < 110
    light = ("昏暗" if dark else "明亮") if chinese else ("dim" if dark else "bright")
    shape = f"--ar {image.width}:{image.height}" if max(image.size) < 10_000 else ""
    order = [(seed + n) % len(_MANNERS) for n in range(len(_MANNERS))]
    colour = names[1 if chinese else 0]
    return [f"{_MANNERS[n][1 if chinese else 0].format(colour=colour, light=light)} {shape}".strip() for n in order]


def _named(pixel: "Picture") -> tuple[str, str]:
    """The names of the colour of a picture of one pixel."""
    found = pixel.getpixel((0, 0))
    assert isinstance(found, tuple)
    nearest = min(_COLOURS, key=lambda one: sum((a - b) ** 2 for a, b in zip(one[0], found, strict=True)))
    return nearest[1], nearest[2]


def shortened(prompt: str) -> tuple[str, list[str]]:
    """The analysis of a prompt (words that count in bold, those that do not struck out), and shorter prompts."""
    words = re.findall(r"[^\s,]+", prompt)
    weighty = [word for word in words if word.lower() not in _FILLERS] or words
    heavy = set(sorted(weighty, key=len, reverse=True)[: max(1, len(weighty) // 2)])
    marked = " ".join(
        f"**{word}**" if word in heavy else f"~~{word}~~" if word.lower() in _FILLERS else word for word in words
    )
    count = len(weighty)
    lengths = [max(1, count - count * n // SHORTENED) for n in range(SHORTENED)]
    prompts = [" ".join(weighty[:length]) for length in lengths]
    return f"**Important tokens**\n{marked}\n\n**Shortened prompts**\n{numbered(prompts)}", prompts
