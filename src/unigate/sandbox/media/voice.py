"""Speaks a text in tones: each word has its length, each voice its pitch and timbre. Encoded as real files by PyAV.

What was said is written into the file's own tags, so that `listen` can tell it again. It knows no vendor and no HTTP, and
takes a while: handlers call it in a thread.
"""

import array
import io
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from unigate.sandbox.brain import seeds

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import OutputContainer

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
FORMATS: tuple[Format, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
#: Samples per second: 16 bits, one channel.
RATE = 24_000
#: The tag that holds what was said, with a mark by which our own files are known.
TAG, MARK = "comment", "unigate sandbox: "
#: Container, encoder, options of the container, and of the encoder (of mp3: half the time for the same size).
_FILES: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {}, {"compression_level": "7"}),
    "opus": ("ogg", "libopus", {}, {}),
    "aac": ("adts", "aac", {"write_id3v2": "1"}, {}),
    "flac": ("flac", "flac", {}, {}),
    "wav": ("wav", "pcm_s16le", {}, {}),
}
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_END = re.compile(r"[.!?。！？…]$")  # noqa: RUF001
#: Milliseconds: of a word as such and of each of its letters, behind a word, and behind a sentence.
_WORD_MS, _LETTER_MS, _GAP_MS, _STOP_MS = 120, 45, 40, 220
_LEVELS = (0.2, 0.5, 0.8)
_LOUD = 9000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word with its place in milliseconds."""

    word: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """What is said one after the other: words, and single characters of scripts without blanks."""
    return _WORD.findall(text)


def timing(said: Sequence[str], speed: float = 1.0) -> list[Spoken]:
    """When each word is said at a speed."""
    at = 0.0
    found = []
    for word in said:
        length = (_WORD_MS + _LETTER_MS * min(len(word), 20)) / speed
        found.append(Spoken(word, round(at), round(at + length)))
        at += length + (_STOP_MS if _END.search(word) else _GAP_MS) / speed
    return found


def fitted(spoken: Sequence[Spoken], length: int) -> list[Spoken]:
    """The same words in so many milliseconds."""
    whole = spoken[-1].end if spoken else 0
    return [Spoken(one.word, one.start * length // whole, one.end * length // whole) for one in spoken] if whole else []


def speak(text: str, voice: str, speed: float) -> bytes:
    """A text as samples: signed, 16 bits, little-endian, RATE a second."""
    made = array.array("h")
    for number, one in enumerate(timing(words(text), speed)):
        start = one.start * RATE // 1000
        made.extend(array.array("h", bytes(2 * max(0, start - len(made)))))
        pitch = seeds.dice(voice, "voice").uniform(95, 260) * (1 + 0.12 * math.sin(number * 1.7 + len(one.word)))
        made.extend(_tone(voice, round(pitch), (one.end - one.start) * RATE // 1000))
    made.extend(array.array("h", bytes(2 * (RATE // 20))))
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def _tone(voice: str, pitch: int, samples: int) -> "array.array[int]":
    """One word: whole cycles that rise and fall."""
    quiet, middle, loud = (_cycle(voice, pitch, level) for level in _LEVELS)
    count = max(1, samples // len(loud))
    edge = max(1, count // 8)
    made = quiet * edge + middle * edge + loud * max(0, count - 4 * edge) + middle * edge + quiet * edge
    made = made[:samples]
    made.extend(array.array("h", bytes(2 * (samples - len(made)))))
    return made


@cache
def _cycle(voice: str, pitch: int, level: float) -> "array.array[int]":
    dice = seeds.dice(voice, "timbre")
    parts = [1.0, *(dice.uniform(0.1, 0.7) for _ in range(3))]
    size = max(8, RATE // pitch)
    return array.array(
        "h",
        (
            int(
                _LOUD
                * level
                * sum(p * math.sin(2 * math.pi * (n + 1) * i / size) for n, p in enumerate(parts))
                / sum(parts)
            )
            for i in range(size)
        ),
    )


def encode(samples: bytes, format: Format, said: str) -> bytes:  # noqa: A002 - what it is called everywhere
    """Samples as a file of a format, with what was said in its tags; bare samples have none."""
    if format == "pcm":
        return samples
    import av  # noqa: PLC0415 - heavy, and few processes speak

    container, codec, options, quality = _FILES[format]
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options) as file:
        file.metadata[TAG] = MARK + said
        stream = file.add_stream(codec, rate=RATE, options=quality)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        stream.codec_context.thread_count = 1
        feed(file, stream, samples)
    return out.getvalue()


def feed(file: "OutputContainer", stream: "AudioStream", samples: bytes) -> None:
    """Write samples into a stream of an open file, to their end."""
    import av  # noqa: PLC0415 - heavy, and few processes speak

    context = stream.codec_context
    fit = av.AudioResampler(context.format, "mono", RATE, frame_size=context.frame_size or None)
    for frame in _frames(samples):
        for fitting in fit.resample(frame):
            file.mux(stream.encode(fitting))
    for fitting in fit.resample(None):
        file.mux(stream.encode(fitting))
    file.mux(stream.encode(None))


def _frames(samples: bytes) -> "Iterator[AudioFrame]":
    """Samples, a second at a time."""
    import av  # noqa: PLC0415 - heavy, and few processes speak

    for start in range(0, len(samples), 2 * RATE):
        part = samples[start : start + 2 * RATE]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(part) // 2)
        frame.sample_rate = RATE
        frame.pts = start // 2
        frame.planes[0].update(part)
        yield frame
