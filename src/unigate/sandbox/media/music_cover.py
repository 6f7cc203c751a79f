"""Plays a given song anew: its length and its melody stay, instruments, voice and words are others. It blocks."""

from collections.abc import Sequence
from dataclasses import replace

from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.media import music_ear as ear
from unigate.sandbox.media import music_edit as edit
from unigate.sandbox.media import music_tune as tune
from unigate.sandbox.media.music import Song, played
from unigate.sandbox.media.music_score import Bar, Note, Score, bar_steps, usual_step
from unigate.sandbox.media.music_style import MAJOR, MINOR, Style, styled
from unigate.sandbox.media.music_verses import Syllable, sections


def cover(
    source: Song,
    prompt: str,
    tags: str = "",
    lyrics: str = "",
    *,
    instrumental: bool = False,
    avoid: str = "",
    gender: str = "",
) -> Song:
    """The source in another style, with other lyrics; without any it is instrumental. As long as the source, exactly."""
    asked = styled(unmarked(prompt), tags, avoid, gender)
    known = source.style if edit.UPLOAD not in source.stems else None
    lead = _heard(source) if known is None else list(source.notes)
    style = _kept(asked, known, lead)
    lead = _shifted(lead, 12 * tune.tonic(style, high=style.high) + style.root + 5)
    syllables = (
        [] if instrumental else [one for part in sections(unmarked(lyrics)) for line in part.lines for one in line]
    )
    steps = bar_steps(style)
    bars = max(1, round(source.size / (steps * usual_step(style))))
    step = max(1, source.size // (bars * steps))
    score = Score(
        style=style,
        length=source.size,
        step=step,
        bars=tuple(_bar(number * steps * step, steps * step, style, lead) for number in range(bars)),
        voice=tuple(_sung(lead, syllables)) if syllables else (),
        melody=() if syllables else tuple(note._replace(syllable=None) for note in lead),
    )
    return played(score, lyrics=lyrics if syllables else "")


def _heard(source: Song) -> list[Note]:
    """The leading line of a sound."""
    found = [Note(one.start, one.length, one.key) for one in ear.contour(source.samples()) if one.key is not None]
    return found or [Note(0, source.size, 60)]


def _kept(asked: Style, former: Style | None, lead: Sequence[Note]) -> Style:
    """The style that is asked for, in the key of what is there, and in its tempo where that is known."""
    if former is not None:
        return replace(
            asked,
            tempo=former.tempo,
            beats=former.beats,
            root=former.root,
            minor=former.minor,
            drums=_metre(asked, former),
        )
    weights = [sum(note.length for note in lead if note.key % 12 == tone) for tone in range(12)]

    def fit(root: int, scale: Sequence[int]) -> int:
        return sum(weights[(root + tone) % 12] for tone in scale) + weights[root]

    root, minor = max(
        ((root, minor) for minor in (False, True) for root in range(12)),
        key=lambda one: fit(one[0], MINOR if one[1] else MAJOR),
    )
    return replace(asked, root=root, minor=minor)


def _metre(asked: Style, former: Style) -> str:
    """The drums that are asked for, unless they count otherwise than the piece."""
    return asked.drums if asked.beats == former.beats else former.drums


def _shifted(lead: Sequence[Note], middle: int) -> list[Note]:
    """The line so many octaves higher or lower that it lies around a key."""
    usual = sorted(note.key for note in lead)[len(lead) // 2]
    by = 12 * round((middle - usual) / 12)
    return [note._replace(key=note.key + by) for note in lead]


def _bar(start: int, size: int, style: Style, lead: Sequence[Note]) -> Bar:
    """A bar with the chord that has most of the melody in it."""
    weights = [0] * 12
    for note in lead:
        common = min(note.start + note.length, start + size) - max(note.start, start)
        weights[note.key % 12] += max(0, common)
    degree = max(range(7), key=lambda one: sum(weights[style.pitch(one + third, 0) % 12] for third in (0, 2, 4)))
    return Bar(start, degree, "verse")


def _sung(lead: Sequence[Note], syllables: Sequence[Syllable]) -> list[Note]:
    """Words to a line: notes are divided where they are too few, and else share a syllable."""
    pieces = -(-len(syllables) // len(lead))
    parts = [
        Note(note.start + note.length * piece // pieces, note.length // pieces, note.key)
        for note in lead
        for piece in range(pieces)
    ]
    found, former = [], -1
    for index, note in enumerate(parts):
        number = index * len(syllables) // len(parts)
        syllable = syllables[number]
        found.append(note._replace(syllable=syllable if number != former else Syllable(syllable.vowel, hiss=False)))
        former = number
    return found
