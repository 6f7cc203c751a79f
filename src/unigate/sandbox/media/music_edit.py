"""Cuts and joins songs, replaces stretches of them, and takes them apart. It knows no vendor, and blocks: use a thread.

Each track is worked on alone, so that the tracks of what comes out sum to it as before. Times are seconds.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from unigate.sandbox.media import waves
from unigate.sandbox.media.music import Song
from unigate.sandbox.media.music_score import later
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

#: Seconds over which what was there fades into what is put in its place.
FADE = 0.04
#: The only track of a song that others made.
UPLOAD = "upload"
#: What is low in a foreign sound: means over so many samples.
_LOW = 16


def uploaded(samples: Samples) -> Song:
    """A sound of others as a song."""
    return Song(stems={UPLOAD: samples})


def cut(song: Song, start: float, end: float | None = None) -> Song:
    """What is heard between two moments, with the words that begin there. ValueError where there is nothing between."""
    first, last = round(start * RATE), song.size if end is None else round(end * RATE)
    if not 0 <= first < last <= song.size:
        raise ValueError(f"{start} s to {song.seconds if end is None else end} s lie outside {song.seconds} s")
    return _between(song, first, last)


def _between(song: Song, first: int, last: int) -> Song:
    start, end = first / RATE, last / RATE
    words = tuple(
        word._replace(start=word.start - start, end=min(word.end, end) - start)
        for word in song.words
        if start <= word.start < end
    )
    notes = tuple(
        note._replace(start=note.start - first, length=min(note.length, last - note.start))
        for note in song.notes
        if first <= note.start < last
    )
    stems = {name: track[first:last] for name, track in song.stems.items()}
    part = replace(song, stems=stems, words=words, notes=notes)
    return _faded(part, waves.EDGE * (first > 0), waves.EDGE * (last < song.size))


def paced(song: Song, speed: float) -> Song:
    """The song so many times as fast, and as much higher."""
    size = round(song.size / speed)
    places = [min(round(at * speed), song.size - 1) for at in range(size)]
    return replace(
        song,
        stems={name: Samples("h", map(track.__getitem__, places)) for name, track in song.stems.items()},
        words=tuple(word._replace(start=word.start / speed, end=word.end / speed) for word in song.words),
        notes=tuple(
            note._replace(start=round(note.start / speed), length=round(note.length / speed)) for note in song.notes
        ),
    )


def joined(parts: Sequence[Song], fade: float = 0.0) -> Song:
    """Songs one after the other, each fading into the next over so many seconds; without, as long as all together."""
    edge = round(fade * RATE)
    last = len(parts) - 1
    faded = [_faded(part, edge * (number > 0), edge * (number < last)) for number, part in enumerate(parts)]
    return _laid(faded, list(accumulate((part.size - edge for part in parts[:-1]), initial=0)))


def _laid(parts: Sequence[Song], places: Sequence[int]) -> Song:
    """Songs, each from its place on, over one another where they meet."""
    size = max(at + part.size for part, at in zip(parts, places, strict=True))
    names = dict.fromkeys(name for part in parts for name in part.stems)
    stems = {
        name: waves.mix(
            [
                waves.silence(size),
                *(
                    waves.silence(at) + part.stems[name]
                    for part, at in zip(parts, places, strict=True)
                    if name in part.stems
                ),
            ]
        )
        for name in names
    }
    placed = list(zip(parts, places, strict=True))
    return Song(
        stems=stems,
        words=tuple(
            word._replace(start=word.start + at / RATE, end=word.end + at / RATE)
            for part, at in placed
            for word in part.words
        ),
        notes=tuple(note for part, at in placed for note in later(part.notes, at)),
        style=next((part.style for part in parts if part.style), None),
        lyrics="\n".join(part.lyrics for part in parts if part.lyrics),
    )


def replaced(song: Song, start: float, part: Song) -> Song:
    """The song with another stretch from a moment on, as long as it was; ValueError where that would be longer.

    What was there fades into the new stretch within it, and back.
    """
    first, edge = round(start * RATE), round(FADE * RATE)
    if first + part.size == song.size + 1:
        first -= 1  # start and length were rounded, each on its own
    last = first + part.size
    if not 0 <= first < last <= song.size:
        raise ValueError(f"{part.seconds} s from {start} s on lie outside {song.seconds} s")
    edge = min(edge, part.size // 2)
    pieces = [(_faded(part, edge * (first > 0), edge * (last < song.size)), first)]
    if first:
        head = _between(song, 0, first + edge)
        kept = tuple(word for word in head.words if word.start < start)
        pieces.insert(0, (replace(_faded(head, 0, edge), words=kept), 0))
    if last < song.size:
        pieces.append((_faded(_between(song, last - edge, song.size), edge, 0), last - edge))
    whole = _laid([piece for piece, _ in pieces], [at for _, at in pieces])
    return replace(whole, lyrics=part.lyrics or song.lyrics)


def _faded(song: Song, rise: int, fall: int) -> Song:
    """The song, faded in and out over so many samples."""
    return replace(song, stems={name: waves.edged(track, rise, fall) for name, track in song.stems.items()})


def alone(song: Song, name: str) -> Song:
    """One track of a song; KeyError where it has none of that name."""
    return replace(song, stems={name: song.stems[name]}, words=song.words if name == "vocals" else ())


def divided(song: Song) -> dict[str, Song]:
    """The song as two, `vocals` and `instrumental`, that sum to it; of a foreign sound, what is high and what is low."""
    stems = dict(song.stems)
    foreign = stems.pop(UPLOAD, None)
    sung = [stems.pop("vocals")] if "vocals" in stems else []
    played = list(stems.values())
    if foreign is not None:
        low, high = waves.parted(foreign, _LOW)
        sung, played = [*sung, high], [*played, low]
    empty = waves.silence(song.size)
    return {
        "vocals": replace(song, stems={"vocals": waves.mix([empty, *sung])}),
        "instrumental": replace(song, stems={"instrumental": waves.mix([empty, *played])}, words=()),
    }
