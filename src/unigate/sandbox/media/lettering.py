"""Writes texts into pictures. The font has Latin, and for all else there is a box with the number of the character in it."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Pen
    from PIL.ImageFont import FreeTypeFont as Font


@cache
def _font(size: int) -> "Font":
    from PIL import ImageFont  # noqa: PLC0415 - only a process that draws pays for it

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without its fonts"
    return font


@cache
def _known(character: str) -> bool:
    """Whether the font has this character."""
    if character.isspace():
        return True
    font = _font(20)
    return bytes(font.getmask(character)) != bytes(font.getmask("\ufffe"))


def _advance(character: str, size: int) -> float:
    return _font(size).getlength(character) if _known(character) else float(size)


def _lines(text: str, size: int, width: float) -> list[str]:
    """The text in lines that fit; words stay whole where they can."""
    lines: list[str] = []
    line, used = "", 0.0
    for word in _words(text):
        length = sum(_advance(character, size) for character in word)
        if line.strip() and used + length > width:
            lines.append(line.rstrip())
            line, used = "", 0.0
        for character in word:
            step = _advance(character, size)
            if used + step > width and line:
                lines.append(line)
                line, used = "", 0.0
            if line or not character.isspace():
                line += character
                used += step
    return [*lines, line.rstrip()] if line.strip() else lines


def _words(text: str) -> list[str]:
    """Words with the blank that follows; a character of a script without blanks is a word."""
    words: list[str] = []
    for character in " ".join(text.split()):
        joins = words and _known(character) and _known(words[-1][-1]) and not words[-1].endswith(" ")
        if joins or (character == " " and words):
            words[-1] += character
        else:
            words.append(character)
    return words


def write(pen: "Pen", text: str, width: int, height: int) -> None:
    """The text over a darker band at the foot, as large as three lines allow, at least legibly; cut where too long."""
    largest, smallest = max(9, min(width, height) // 16), max(9, min(width, height) // 28)
    margin = width * 0.05
    size = largest
    lines = _lines(text[:400], size, width - 2 * margin)
    while len(lines) > 3 and size > smallest:
        size = max(smallest, size * 4 // 5)
        lines = _lines(text[:400], size, width - 2 * margin)
    if len(lines) > 4:
        lines = [*lines[:3], lines[3][:-1] + "..."]
    step = size * 1.3
    top = height - margin - step * len(lines)
    pen.rectangle((0, top - size * 0.4, width, height), fill=(0, 0, 0, 110))
    for number, line in enumerate(lines):
        x = margin
        for part in _runs(line):
            if _known(part[0]):
                pen.text((x, top + number * step), part, font=_font(size), fill=(255, 255, 255, 255))
                x += _font(size).getlength(part)
                continue
            for character in part:
                _box(pen, character, (x, top + number * step), size)
                x += size


def _runs(line: str) -> list[str]:
    """Stretches of characters that the font has, and of such that it has not."""
    runs: list[str] = []
    for character in line:
        if runs and _known(character) is _known(runs[-1][-1]):
            runs[-1] += character
        else:
            runs.append(character)
    return runs


def _box(pen: "Pen", character: str, at: tuple[float, float], size: int) -> None:
    """A character that the font lacks: its number in a box."""
    x, y = at
    white = (255, 255, 255, 255)
    pen.rectangle((x + 1, y + 1, x + size - 1, y + size - 1), outline=white)
    digits = f"{ord(character):04X}"
    half = (len(digits) + 1) // 2
    font = _font(max(5, size * 2 // 5))
    pen.text((x + size * 0.2, y + size * 0.06), digits[:half], font=font, fill=white)
    pen.text((x + size * 0.2, y + size * 0.48), digits[half:], font=font, fill=white)
