"""Makes music out of words: a song that follows prompt, tags and lyrics, as tracks that sum to it.

The same arguments give the same song, so that whoever keeps them need not keep the sound. It knows no vendor and no HTTP,
and takes part of a second: handlers call it in a thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.media import music_band as band
from unigate.sandbox.media import music_score as score
from unigate.sandbox.media import waves
from unigate.sandbox.media.music_score import Note
from unigate.sandbox.media.music_style import Style, styled
from unigate.sandbox.media.music_tune import invented
from unigate.sandbox.media.music_verses import sections
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

#: The longest song, in seconds.
LONGEST = 480.0


class Sung(NamedTuple):
    """A word with its place in seconds."""

    word: str
    start: float
    end: float
    #: The heading of the section that it begins; empty elsewhere.
    heading: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """A song as it is heard."""

    #: By name: `vocals`, `melody`, `chords`, `bass`, `drums`, or `upload`; all of one length.
    stems: Mapping[str, Samples]
    words: tuple[Sung, ...] = ()
    #: The leading line, sung or played.
    notes: tuple[Note, ...] = ()
    #: What it was made in; None where others made it.
    style: Style | None = None
    lyrics: str = ""

    @property
    def size(self) -> int:
        """Its length in samples."""
        return max(map(len, self.stems.values()), default=0)

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.size / RATE

    def samples(self) -> Samples:
        """All tracks together."""
        return waves.mix(list(self.stems.values()))


def compose(
    prompt: str,
    tags: str = "",
    lyrics: str = "",
    *,
    seconds: float | None = None,
    seed: int,
    instrumental: bool = False,
    avoid: str = "",
    gender: str = "",
    like: Style | None = None,
) -> Song:
    """A song of exactly that length, or of the length that its lyrics ask for (8 s to 45 s).

    `prompt` and `tags` decide tempo, key and instruments, lyrics with headings like `[Chorus]` its form; without lyrics it
    is instrumental. `avoid` are tags that are not wanted, `gender` (`m`, `f`) is the voice's; `like` is the style of
    another song that it goes on from. ValueError for a length of no song.
    """
    if seconds is not None and not 0.5 <= seconds <= LONGEST:
        raise ValueError(f"no song of {seconds} s")
    prompt, lyrics = unmarked(prompt), unmarked(lyrics)
    style = like or styled(prompt, tags, avoid, gender)
    parts = sections(lyrics)
    if instrumental:
        parts = [replace(part, lines=()) for part in parts]
    plan = score.plan(parts, style, None if seconds is None else round(seconds * RATE))
    piece = invented(plan, style, seeds.seed(prompt, tags, seed, "song"))
    return played(piece, lyrics="" if instrumental else lyrics)


def played(piece: score.Score, *, lyrics: str = "") -> Song:
    """The song of a score."""
    lead = sorted((*piece.voice, *piece.melody))
    return Song(
        stems=band.play(piece), words=tuple(_words(piece.voice)), notes=tuple(lead), style=piece.style, lyrics=lyrics
    )


def _words(voice: Sequence[Note]) -> list[Sung]:
    """Words, each from its first syllable to its last."""
    found: list[Sung] = []
    for note in voice:
        start, end = note.start / RATE, (note.start + note.length) / RATE
        if note.syllable is not None and note.syllable.word:
            found.append(Sung(note.syllable.word, start, end, note.syllable.heading))
        elif found:
            found[-1] = found[-1]._replace(end=end)
    return found
