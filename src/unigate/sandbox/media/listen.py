"""Listens to a file of sound: how long it is, by decoding it, and what was said where we spoke it ourselves.

It knows no vendor and no HTTP, and takes a while: handlers call it in a thread.
"""

import io
from dataclasses import dataclass

from unigate.sandbox.brain import prose, seeds, tokens
from unigate.sandbox.media.voice import MARK, TAG, Spoken, fitted, timing, words

#: How files of others are opened: by these containers alone, and without going anywhere for more.
OPENED = {
    "format_whitelist": "mp3,wav,flac,ogg,aac,mov,mp4,m4a,matroska,webm,mpeg,mpegts",
    "protocol_whitelist": "",
}
#: Words that are heard in a second of sound that is not ours.
_PACE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a file holds."""

    length_ms: int
    text: str
    words: tuple[Spoken, ...]


def listen(data: bytes, language: str = "") -> Heard:
    """What is heard in a file; ValueError where it can't be decoded, or is no sound."""
    length, said = _decoded(data)
    if said is None:
        dice = seeds.dice(data, "heard")
        said = prose.long(max(1, length * _PACE // 1000), dice, zh=language == "zh").strip()
    return Heard(length_ms=length, text=said, words=tuple(fitted(timing(words(said)), length)))


def in_english(heard: Heard) -> Heard:
    """The same in English: texts that are not yet become others of the same length."""
    if heard.text.isascii():
        return heard
    said = prose.long(max(1, tokens.count(heard.text)), seeds.dice(heard.text, "english"), zh=False).strip()
    return Heard(length_ms=heard.length_ms, text=said, words=tuple(fitted(timing(words(said)), heard.length_ms)))


def _decoded(data: bytes) -> tuple[int, str | None]:
    import av  # noqa: PLC0415 - heavy, and few processes listen

    try:
        with av.open(io.BytesIO(data), "r", options=OPENED, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise ValueError("there is no sound in it")
            stream = file.streams.audio[0]
            samples = sum(frame.samples for frame in file.decode(stream))
            rate = stream.codec_context.sample_rate
            tags = {name.lower(): value for name, value in {**file.metadata, **stream.metadata}.items()}
    except av.FFmpegError as error:
        raise ValueError(str(error)) from None
    if not samples or not rate:
        raise ValueError("there is no sound in it")
    told = tags.get(TAG, "")
    return samples * 1000 // rate, told.removeprefix(MARK) if told.startswith(MARK) else None
