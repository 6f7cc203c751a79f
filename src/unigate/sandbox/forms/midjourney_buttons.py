"""Buttons below a Midjourney picture: which ones in which order, and what a pressed one (its customId) asks for."""

import re
from dataclasses import dataclass
from typing import Literal

from unigate.sandbox.serving.answer import Object

Window = Literal["never", "remix", "always"]
_DIGITS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
_ARROWS = (("left", "⬅️"), ("right", "➡️"), ("up", "⬆️"), ("down", "⬇️"))
#: The version of the model -> the one in the names of its enlargers.
_ENLARGERS = {"5": "v5", "5.1": "v5", "5.2": "v5", "6": "v6", "6.1": "v6r1", "7": "v7"}


@dataclass(frozen=True, slots=True)
class Button:
    """One button."""

    custom_id: str
    label: str = ""
    emoji: str = ""

    def shown(self) -> Object:
        """The button on the wire."""
        return {"customId": self.custom_id, "emoji": self.emoji, "label": self.label, "style": 2, "type": 2}


@dataclass(frozen=True, slots=True)
class Press:
    """What a pressed button asks for."""

    family: str
    action: str
    #: Whether a window must be confirmed first.
    window: Window = "never"
    #: What stands in the customId: a number, a direction, ...
    value: str = ""


#: customId (after `MJ::`) -> family, action of the new task, whether there is a window. The group is the value.
_FAMILIES: tuple[tuple[str, str, str, Window], ...] = (
    (r"JOB::upsample::([1-4])::.+", "upscale", "UPSCALE", "never"),
    (r"JOB::variation::([1-4])::.+", "variation", "VARIATION", "remix"),
    (r"JOB::reroll::(0)::.+", "reroll", "REROLL", "remix"),
    (r"JOB::((?:high|low))_variation::1::.+", "vary", "VARIATION", "remix"),
    (r"JOB::upsample_v\w+?_((?:2x|4x))(?:_\w+)?::1::.+", "enlarge", "UPSCALE_HD", "never"),
    (r"Outpaint::(50|75|100)::1::.+", "zoom", "ZOOM", "never"),
    (r"(CustomZoom)::.+", "custom_zoom", "ZOOM", "always"),
    (r"(Inpaint)::1::.+", "inpaint", "VARIATION", "always"),
    (r"JOB::pan_(left|right|up|down)::1::.+", "pan", "PAN", "remix"),
    (r"JOB::animate_(high|low)::1::.+", "animate", "VIDEO", "remix"),
    (r"JOB::animate_((?:high|low)_extend)::1::.+", "extend", "VIDEO", "remix"),
    (r"JOB::video_virtual_upscale::([1-4])::.+", "video_upscale", "UPSCALE", "never"),
    (r"Picread::(Retry)", "describe", "DESCRIBE", "never"),
    (r"Job::PicReader::([1-4])", "read", "IMAGINE", "always"),
    (r"Job::PicReader::(all)", "read_all", "IMAGINE", "never"),
    (r"Job::PromptAnalyzer::([1-5])", "shortened", "IMAGINE", "always"),
    (r"(BOOKMARK)::.+", "bookmark", "", "never"),
)


def pressed(custom_id: str) -> Press | None:
    """What a customId asks for, None where it is none."""
    for pattern, family, action, window in _FAMILIES:
        found = re.fullmatch(f"MJ::{pattern}", custom_id)
        if found:
            return Press(family, action, window, found[1])
    return None


def grid(hash: str) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    """Below four pictures."""
    upscale = (Button(f"MJ::JOB::upsample::{n}::{hash}", f"U{n}") for n in range(1, 5))
    vary = (Button(f"MJ::JOB::variation::{n}::{hash}", f"V{n}") for n in range(1, 5))
    return (*upscale, Button(f"MJ::JOB::reroll::0::{hash}::SOLO", emoji="🔄"), *vary)


def single(hash: str, version: str, *, square: bool) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    """Below one picture that was chosen out of four."""
    shape = () if square else (Button(f"MJ::Outpaint::100::1::{hash}::SOLO", "Make Square", "↔️"),)
    return (
        *_enlarging(hash, version, ""),
        Button(f"MJ::JOB::low_variation::1::{hash}::SOLO", "Vary (Subtle)", "🪄"),
        Button(f"MJ::JOB::high_variation::1::{hash}::SOLO", "Vary (Strong)", "🪄"),
        Button(f"MJ::Inpaint::1::{hash}::SOLO", "Vary (Region)", "🖌️"),
        Button(f"MJ::Outpaint::50::1::{hash}::SOLO", "Zoom Out 2x", "🔍"),
        Button(f"MJ::Outpaint::75::1::{hash}::SOLO", "Zoom Out 1.5x", "🔍"),
        Button(f"MJ::CustomZoom::{hash}", "Custom Zoom", "🔍"),
        *shape,
        *(Button(f"MJ::JOB::pan_{way}::1::{hash}::SOLO", emoji=arrow) for way, arrow in _ARROWS),
        Button(f"MJ::BOOKMARK::{hash}", emoji="❤️"),
        *_animating(hash, version),
    )


def enlarged(hash: str, version: str) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    """Below a picture that was enlarged."""
    return (
        *_enlarging(hash, version, "Redo "),
        Button(f"MJ::JOB::low_variation::1::{hash}::SOLO", "Vary (Subtle)", "🪄"),
        Button(f"MJ::JOB::high_variation::1::{hash}::SOLO", "Vary (Strong)", "🪄"),
        Button(f"MJ::BOOKMARK::{hash}", emoji="❤️"),
        *_animating(hash, version),
    )


def films(hash: str, count: int) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    """Below films."""
    chosen = (Button(f"MJ::JOB::video_virtual_upscale::{n}::{hash}", f"U{n}") for n in range(1, count + 1))
    return (*chosen, Button(f"MJ::JOB::reroll::0::{hash}::SOLO", emoji="🔄"))


def film(hash: str) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    """Below one film that was chosen."""
    return (
        Button(f"MJ::JOB::animate_high_extend::1::{hash}::SOLO", "Extend (High motion)", "🎞️"),
        Button(f"MJ::JOB::animate_low_extend::1::{hash}::SOLO", "Extend (Low motion)", "🎞️"),
        Button(f"MJ::BOOKMARK::{hash}", emoji="❤️"),
    )


def described() -> tuple[Button, ...]:
    """Below a picture that was put into words."""
    read = (Button(f"MJ::Job::PicReader::{n}", emoji=digit) for n, digit in enumerate(_DIGITS[:4], 1))
    return (*read, Button("MJ::Picread::Retry", emoji="🔄"), Button("MJ::Job::PicReader::all", "Imagine all", "🎉"))


def shortened(count: int) -> tuple[Button, ...]:
    """Below a prompt that was shortened."""
    return tuple(Button(f"MJ::Job::PromptAnalyzer::{n}", emoji=_DIGITS[n - 1]) for n in range(1, count + 1))


def numbered(texts: list[str]) -> str:
    """Texts with the digits that their buttons show."""
    return "\n\n".join(f"{digit} {text}" for digit, text in zip(_DIGITS, texts, strict=False))


def unnumbered(text: str) -> list[str]:
    """The texts again, without their digits."""
    return [part.partition(" ")[2] for part in text.split("\n\n") if part.startswith(_DIGITS)]


def _enlarging(hash: str, version: str, again: str) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    name = _ENLARGERS.get(version, "v6")
    if name == "v5":
        return tuple(
            Button(f"MJ::JOB::upsample_v5_{n}x::1::{hash}::SOLO", f"{again}Upscale ({n}x)", "upscale_1") for n in (2, 4)
        )
    return tuple(
        Button(
            f"MJ::JOB::upsample_{name}_2x_{manner}::1::{hash}::SOLO",
            f"{again}Upscale ({manner.capitalize()})",
            "upscale_1",
        )
        for manner in ("subtle", "creative")
    )


def _animating(hash: str, version: str) -> tuple[Button, ...]:  # noqa: A002 - the servers' word
    if version != "7":
        return ()
    return tuple(
        Button(f"MJ::JOB::animate_{motion}::1::{hash}::SOLO", f"Animate ({motion.capitalize()} motion)", "🎞️")
        for motion in ("high", "low")
    )
