"""How large the pictures of Replicate's models are: by ratio, by named size, by the picture that was given."""

import math
from collections.abc import Mapping

Size = tuple[int, int]

#: FLUX at one megapixel.
FLUX: Mapping[str, Size] = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "3:4": (896, 1152),
    "4:3": (1152, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
RECRAFT: Mapping[str, Size] = {
    "1:1": (1024, 1024),
    "4:3": (1365, 1024),
    "3:4": (1024, 1365),
    "3:2": (1536, 1024),
    "2:3": (1024, 1536),
    "16:9": (1820, 1024),
    "9:16": (1024, 1820),
    "1:2": (1024, 2048),
    "2:1": (2048, 1024),
    "7:5": (1434, 1024),
    "5:7": (1024, 1434),
    "4:5": (1024, 1280),
    "5:4": (1280, 1024),
    "3:5": (1024, 1707),
    "5:3": (1707, 1024),
}
RECRAFT_SIZES = tuple(f"{width}x{height}" for width, height in RECRAFT.values())
IDEOGRAM: Mapping[str, Size] = {
    "1:1": (1024, 1024),
    "16:9": (1280, 720),
    "9:16": (720, 1280),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
    "16:10": (1280, 800),
    "10:16": (800, 1280),
    "3:1": (1536, 512),
    "1:3": (512, 1536),
}
#: Widths for each height.
_IDEOGRAM = {
    512: (1536,),
    576: (1408, 1472, 1536),
    640: (1024, 1344, 1408, 1472, 1536),
    704: (1152, 1216, 1280, 1344, 1408, 1472),
    720: (1280,),
    736: (1312,),
    768: (1024, 1088, 1152, 1216, 1232, 1280, 1344),
    800: (1280,),
    832: (960, 1024, 1088, 1152, 1216, 1248),
    864: (1152,),
    896: (960, 1024, 1088, 1120, 1152),
    960: (1024, 1088),
}
_TALL = [f"{low}x{high}" for low, highs in _IDEOGRAM.items() for high in highs if (low, high) != (800, 1280)]
_WIDE = [f"{high}x{low}" for low, highs in _IDEOGRAM.items() for high in highs]
IDEOGRAM_RESOLUTIONS = tuple(sorted({*_TALL, *_WIDE, "1024x1024"}, key=lambda size: tuple(map(int, size.split("x")))))

_MEGA = 1024 * 1024


def by_area(ratio: str, area: int, step: int) -> Size:
    """The sides with that ratio (`16:9`) and about that many pixels, each a multiple of `step`."""
    wide, high = map(int, ratio.split(":"))
    return _stepped(math.sqrt(area * wide / high), math.sqrt(area * high / wide), step)


def within(size: Size, most: int = _MEGA, step: int = 16) -> Size:
    """A picture's own size, reduced to at most so many pixels; each side a multiple of `step`."""
    width, height = size
    factor = min(1.0, math.sqrt(most / (width * height)))
    return _stepped(width * factor, height * factor, step)


def read(size: str) -> Size:
    """`WxH` in numbers."""
    width, _, height = size.partition("x")
    return int(width), int(height)


def _stepped(width: float, height: float, step: int) -> Size:
    return max(step, int(width) // step * step), max(step, int(height) // step * step)
