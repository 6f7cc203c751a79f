"""Invents chords and the leading line of a piece. It knows notes, but no sound.

Sections of one kind have one tune, so that a chorus comes back as it was, and verses have other words to the same melody.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.seeds import Dice
from unigate.sandbox.media.music_score import Bar, Note, Plan, Score, Span, bar_steps, later, line_bars
from unigate.sandbox.media.music_style import Style
from unigate.sandbox.media.music_verses import Syllable

#: Degrees of chords, a bar each.
_PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 5, 4), (0, 3, 0, 4), (0, 2, 3, 4), (0, 5, 1, 4))
_STEPS = (-2, -1, -1, 0, 1, 1, 2, 3)
_LOWEST, _HIGHEST = -2, 8
#: Sixteenths of a line that nobody sings, so that a singer may breathe.
_BREATH = 2
_MARKS = (5, 6, 7, 8)


def invented(plan: Plan, style: Style, seed: int) -> Score:
    """The piece of a plan; the same for the same arguments."""
    bars: list[Bar] = []
    voice: list[Note] = []
    melody: list[Note] = []
    size = bar_steps(style) * plan.step
    for span in plan.spans:
        kind = span.section.kind
        chords = _chords(span, seed)
        bars += [Bar(span.start + number * size, degree, kind) for number, degree in enumerate(chords)]
        sung = bool(span.section.lines)
        lines = span.section.lines or _hummed(span, seed)
        notes = _tune(lines, chords, style, plan.step, seeds.dice(seed, kind, "tune"))
        (voice if sung else melody).extend(later(notes, span.start))
    return Score(
        style=style, length=plan.length, step=plan.step, bars=tuple(bars), voice=tuple(voice), melody=tuple(melody)
    )


def tonic(style: Style, *, high: bool) -> int:
    """The octave of the root for a high or low voice."""
    return (5 if high else 4) - (style.root > 6)


def _chords(span: Span, seed: int) -> list[int]:
    """A degree for each bar; what ends a piece comes home."""
    kind = span.section.kind
    row = seeds.dice(seed, kind, "chords").choice(_PROGRESSIONS)
    found = [row[number % len(row)] for number in range(span.bars)]
    return [*found[:-1], 0] if kind == "outro" else found


def _hummed(span: Span, seed: int) -> tuple[tuple[Syllable | None, ...], ...]:
    """Lines for an instrument."""
    dice = seeds.dice(seed, span.section.kind, "marks")
    row = [dice.choice(_MARKS) for _ in range(2)]
    return tuple((None,) * row[number % 2] for number in range(span.bars))


def _tune(
    lines: Sequence[Sequence[Syllable | None]], chords: list[int], style: Style, step: int, dice: Dice
) -> list[Note]:
    """The notes of lines over chords."""
    weights = [line_bars(len(line), style) for line in lines]
    factor = max(1, len(chords) // max(1, sum(weights)))
    starts = [at * factor for at in accumulate(weights, initial=0)]
    octave = tonic(style, high=style.high)
    per_bar = bar_steps(style)
    # Lines follow one of two melodies in turn; numbers for more syllables than a line has keep the tune the same.
    rolls = [[dice.random() for _ in range(64)] for _ in range(2)]
    found: list[Note] = []
    for number, (line, bar) in enumerate(zip(lines, starts, strict=False)):
        roll = rolls[number % 2]
        times = _rhythm(len(line), weights[number] * factor * per_bar, step, roll)
        degree = round(4 * roll[0])
        for index, (syllable, (start, length)) in enumerate(zip(line, times, strict=True)):
            chord = chords[min(len(chords) - 1, bar + start // (per_bar * step))]
            degree += _STEPS[int(roll[(index + 1) % 64] * len(_STEPS))] if index else 0
            degree = _turned(degree)
            last = index == len(line) - 1
            if last or start % (4 * step) == 0:
                degree = _near(degree, 0 if last and number == len(lines) - 1 else chord)
            found.append(Note(bar * per_bar * step + start, length, style.pitch(degree, octave), syllable))
    return found


def _turned(degree: int) -> int:
    """A degree that went too far, thrown back."""
    if degree > _HIGHEST:
        return 2 * _HIGHEST - degree
    return 2 * _LOWEST - degree if degree < _LOWEST else degree


def _near(degree: int, chord: int) -> int:
    """The tone of a chord that is nearest."""
    tones = {(chord + third) % 7 for third in (0, 2, 4)}
    return min((one for one in range(_LOWEST, _HIGHEST + 1) if one % 7 in tones), key=lambda one: abs(one - degree))


def _rhythm(count: int, steps: int, step: int, roll: list[float]) -> list[tuple[int, int]]:
    """Start and length of each syllable of a line that lasts so many sixteenths."""
    room = max(steps - _BREATH, steps // 2)
    if count > room:
        edges = [steps * step * number // count for number in range(count + 1)]
        return [(start, end - start) for start, end in pairwise(edges)]
    unit = min(4, room // count)
    lengths = [unit] * count
    left = room - unit * count
    for index in sorted(range(count), key=lambda index: roll[-1 - index % 64]):
        if left >= unit and roll[index % 64] < 0.4:
            lengths[index] += unit
            left -= unit
    lengths[-1] += min(left, 2 * unit)
    starts = accumulate(lengths, initial=0)
    return [(start * step, length * step) for start, length in zip(starts, lengths, strict=False)]
