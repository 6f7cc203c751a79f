"""Plays a score: each instrument a track, all of one length. It knows no files.

Together the tracks never reach the loudest sample, so that their sum is the song and nothing is lost of it.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from unigate.sandbox.media import music_notes as notes
from unigate.sandbox.media import waves
from unigate.sandbox.media.music_score import Bar, Score, bar_steps
from unigate.sandbox.media.waves import Samples

#: How loud each is at most; their sum is below `waves.LOUDEST`.
_VOICE, _MELODY, _CHORD, _BASS = 8500, 5500, 1900, 5000
_STROKES = {"kick": 4000, "snare": 2500, "hat": 1000}
#: Instruments that have to be struck again and again.
_STRUCK = frozenset({"piano", "guitar", "bell"})
#: The lowest keys of chords and bass.
_CHORD_FLOOR, _BASS_FLOOR = 52, 31
#: Strokes on the sixteenths of a bar: loud `x`, soft `o`.
PATTERNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "rock": {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
        "hard": {"kick": "x.x.x.x.x.x.x.x.", "snare": "....x.......x..o", "hat": "x.x.x.x.x.x.x.x."},
        "four": {"kick": "x...x...x...x...", "snare": "....x.......x...", "hat": "..x...x...x...x."},
        "hop": {"kick": "x.....x...x.....", "snare": "....x.......x...", "hat": "x.oox.o.x.oox.oo"},
        "brush": {"kick": "o.......o.......", "snare": "....o..o....o...", "hat": "x..ox..ox..ox..o"},
        "waltz": {"kick": "x...........", "snare": "....o...o...", "hat": "x...o...o..."},
    }
)
#: On which sixteenths the bass plays.
_WALKS = {"hard": range(0, 16, 2), "four": range(2, 16, 4), "hop": (0, 6, 10), "brush": range(0, 16, 4)}
_QUIET = frozenset({"intro", "outro"})


def play(score: Score) -> dict[str, Samples]:
    """The tracks of a piece by name: `vocals`, `melody`, `chords`, `bass`, `drums`; those that are silent are left out."""
    parts: dict[str, Callable[[Score], Samples]] = {
        "vocals": _voice,
        "melody": _melody,
        "chords": _chords,
        "bass": _bass,
        "drums": _drums,
    }
    tracks = {name: part(score) for name, part in parts.items()}
    return {name: track for name, track in tracks.items() if any(track)}


def _put(track: Samples, at: int, sound: Samples) -> None:
    """Write a sound into a track, as far as it reaches."""
    sound = sound[: max(0, len(track) - at)]
    track[at : at + len(sound)] = sound


def _voice(score: Score) -> Samples:
    track = waves.silence(score.length)
    for note in score.voice:
        if note.syllable is not None:
            sung = notes.sung(note.syllable.vowel, note.key, note.length, _VOICE, hiss=note.syllable.hiss)
            _put(track, note.start, sung)
    return track


def _melody(score: Score) -> Samples:
    track = waves.silence(score.length)
    for note in score.melody:
        _put(track, note.start, notes.played(score.style.melody, note.key, note.length, _MELODY))
    return track


def _chords(score: Score) -> Samples:
    """A triad in each bar, struck on each beat by instruments that fade."""
    style, track = score.style, waves.silence(score.length)
    made: dict[tuple[int, int], Samples] = {}
    for bar, length in _bars(score):
        every = 4 * score.step if style.chords in _STRUCK else length
        for at in range(0, length, every):
            size = min(every, length - at)
            if (bar.degree, size) not in made:
                keys = (_above(style.pitch(bar.degree + third, 4), _CHORD_FLOOR) for third in (0, 2, 4))
                made[bar.degree, size] = waves.mix([notes.played(style.chords, key, size, _CHORD) for key in keys])
            _put(track, bar.start + at, made[bar.degree, size])
    return track


def _bass(score: Score) -> Samples:
    style, track = score.style, waves.silence(score.length)
    if not style.bass:
        return track
    walk = [at for at in _WALKS.get(style.drums, (0, 8)) if at < bar_steps(style)]
    for bar, length in _bars(score):
        if bar.kind == "intro":
            continue
        key = _above(style.pitch(bar.degree, 2), _BASS_FLOOR)
        for at, end in zip(walk, [*walk[1:], bar_steps(style)], strict=True):
            size = min((end - at) * score.step, length - at * score.step)
            if size > 0:
                _put(track, bar.start + at * score.step, notes.played(style.bass, key, size, _BASS))
    return track


def _drums(score: Score) -> Samples:
    """Kick, snare and hat each, summed."""
    pattern = PATTERNS.get(score.style.drums)
    if pattern is None:
        return waves.silence(score.length)
    layers = []
    for name, strokes in pattern.items():
        layer = waves.silence(score.length)
        for bar, _ in _bars(score):
            for at, stroke in enumerate(strokes):
                if stroke != "." and bar.kind not in _QUIET:
                    loud = _STROKES[name] // (1 if stroke == "x" else 2)
                    _put(layer, bar.start + at * score.step, notes.drum(name, 4 * score.step, loud))
        layers.append(layer)
    return waves.mix(layers)


def _bars(score: Score) -> Iterator[tuple[Bar, int]]:
    """Bars, each with its length."""
    size = bar_steps(score.style) * score.step
    for bar in score.bars:
        yield bar, min(size, score.length - bar.start)


def _above(key: int, floor: int) -> int:
    """The same tone in the octave above a floor."""
    return floor + (key - floor) % 12
