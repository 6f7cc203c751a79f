"""What is played when: the nouns of a piece of music, and how its sections are spread over its length.

All times are samples (`voice.RATE` a second). It knows no instruments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from unigate.sandbox.media.music_style import Style
from unigate.sandbox.media.music_verses import Section, Syllable
from unigate.sandbox.media.voice import RATE

#: Shortest and longest piece, in samples, where nobody asked for a length.
_SHORT, _LONG = 8 * RATE, 45 * RATE
#: Beats per minute below which they are slow.
_SLOW = 115
#: Bars of what nobody sings.
_BARS = {"intro": 1, "outro": 1, "solo": 2}
_UNSUNG_BARS = 4
#: What a piece without lyrics consists of.
_PLAIN = (Section(kind="verse"), Section(kind="chorus"))


class Note(NamedTuple):
    """One note of the leading line."""

    start: int
    length: int
    key: int
    syllable: Syllable | None = None


class Bar(NamedTuple):
    """One bar with its chord, a triad on a degree of the scale (0 to 6)."""

    start: int
    degree: int
    #: The kind of section that it is part of.
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A piece of music, not yet played."""

    style: Style
    length: int
    #: A sixteenth.
    step: int
    bars: tuple[Bar, ...]
    #: What is sung, and what the leading instrument plays.
    voice: tuple[Note, ...]
    melody: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A section with its place."""

    section: Section
    start: int
    bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where all sections stand."""

    length: int
    step: int
    spans: tuple[Span, ...]


def bar_steps(style: Style) -> int:
    """Sixteenths of a bar."""
    return 4 * style.beats


def usual_step(style: Style) -> int:
    """A sixteenth at the style's own tempo."""
    return RATE * 15 // style.tempo


def line_bars(count: int, style: Style) -> int:
    """Bars that a line of so many syllables takes: two to a beat, three where beats are slow."""
    return max(1, -(-count // (style.beats * (3 if style.tempo < _SLOW else 2))))


def plan(sections: Sequence[Section], style: Style, length: int | None) -> Plan:
    """The sections over a length, or over as long as they take; they begin with bars that nobody sings where there is room.

    The tempo gives way a little, so that whole bars fill the length; more where there is too much to sing.
    """
    parts = list(sections) or list(_PLAIN)
    if parts[0].kind != "intro":
        parts.insert(0, Section(kind="intro"))
    if parts[-1].kind != "outro":
        parts.append(Section(kind="outro"))
    steps, usual = bar_steps(style), usual_step(style)
    if length is None:
        length = max(_SHORT, min(_LONG, sum(_usual_bars(part, style) for part in parts) * steps * usual))
    bars = max(1, round(length / (steps * usual)))
    counted = _fitted([(part, _usual_bars(part, style)) for part in parts], bars)
    step = max(1, length // (sum(count for _, count in counted) * steps))
    spans, at = [], 0
    for section, count in counted:
        spans.append(Span(section=section, start=at, bars=count))
        at += count * steps * step
    return Plan(length=length, step=step, spans=tuple(spans))


def _usual_bars(section: Section, style: Style) -> int:
    if section.lines:
        return sum(line_bars(len(line), style) for line in section.lines)
    return _BARS.get(section.kind, _UNSUNG_BARS)


def _fitted(counted: list[tuple[Section, int]], bars: int) -> list[tuple[Section, int]]:
    """Sections with as many bars as there are, or more where what is sung does not fit; those not sung go first."""

    def whole() -> int:
        return sum(count for _, count in counted)

    while whole() > bars and len(counted) > 1:
        unsung = [number for number, (section, _) in enumerate(counted) if not section.lines]
        if not unsung:
            break
        del counted[min(unsung, key=lambda number: (counted[number][0].kind not in _BARS, number))]
    if whole() > bars and not counted[0][0].lines:
        return [(counted[0][0], bars)]
    factor = max(1, min(2, bars // whole()))
    counted = [(section, count * factor) for section, count in counted]
    left = max(0, bars - whole())
    last, count = counted[-1]
    if left and last.lines:
        return [*counted, (Section(kind="outro"), left)]
    return [*counted[:-1], (last, count + left)]


def later(notes: Sequence[Note], by: int) -> tuple[Note, ...]:
    """The same notes so much later."""
    return tuple(note._replace(start=note.start + by) for note in notes)
