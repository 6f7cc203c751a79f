"""What Udio makes of a call: two songs that differ, new ones or around one that is there. It knows no HTTP, and blocks."""

from dataclasses import dataclass

from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.media import draw, music_edit, sleeve, voice, waves
from unigate.sandbox.media.music import Song, compose

#: Seconds of a song by the beginning of its model's name: shorter than the vendor's, and in the same order.
_SECONDS = {"udio130": 16.0}
_USUAL = 8.0
_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One song of a call."""

    prompt: str
    lyrics: str
    instrumental: bool
    model: str
    avoid: str
    seed: int
    mode: str = "regular"
    #: What it goes on from.
    source: Song | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A song with its files."""

    song: Song
    title: str
    tags: tuple[str, ...]
    sound: bytes
    cover: bytes


def lyrics_of(prompt: str, kind: str, given: str, seed: int) -> str:
    """The words of a song: the caller's, some made from the prompt, or none."""
    if kind == "instrumental":
        return ""
    return given if kind == "user" else written(prompt, seed).text


def make(wanted: Wanted) -> Track:
    """The song and its files."""
    text = written(wanted.prompt, wanted.seed)
    style = wanted.source.style if wanted.source is not None else None
    part = compose(
        wanted.prompt,
        text.tags,
        wanted.lyrics,
        seconds=_SECONDS.get(wanted.model.partition("-")[0], _USUAL),
        seed=wanted.seed,
        instrumental=wanted.instrumental,
        avoid=wanted.avoid,
        like=style,
    )
    song = part
    if wanted.source is not None:
        parts = [part, wanted.source] if wanted.mode == "precede" else [wanted.source, part]
        song = music_edit.joined(parts)
    sound = voice.encode(waves.packed(song.samples()), "mp3", wanted.prompt)
    cover = draw.encode(sleeve.cover(text.title, _SIDE, seed=wanted.seed), "jpg")
    tags = tuple(tag.strip() for tag in text.tags.split(","))
    return Track(song=song, title=text.title, tags=tags, sound=sound, cover=cover)
