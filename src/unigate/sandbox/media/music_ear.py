"""Hears sounds of others: decodes a file to samples, and follows the melody in them. It knows no vendor, and blocks."""

import io
import math
from collections.abc import Sequence
from itertools import chain
from operator import mul
from typing import NamedTuple

from unigate.sandbox.media import waves
from unigate.sandbox.media.listen import OPENED
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

#: Every so many samples are summed, which makes the search quick and leaves out what is too high for a melody.
_COARSE = 4
_WINDOW = 384
#: Waves of these lengths are looked for, in summed samples: 80 Hz to 1000 Hz.
_SHORTEST, _LONGEST = RATE // _COARSE // 1000, RATE // _COARSE // 80
#: Moments a second that are looked at, and the most of them in a sound.
_LOOKS, _MOST_LOOKS = 10, 800
#: How much a repetition has to resemble the best one to be taken for a wave.
_ALIKE = 0.8
_SILENT = 0.004


class Tone(NamedTuple):
    """A stretch of one pitch, in samples; `key` is None where nothing is heard, or no pitch."""

    start: int
    length: int
    key: int | None


def decoded(data: bytes, most: float = 600.0) -> Samples:
    """The sound in a file; ValueError where there is none, or more than so many seconds."""
    import av  # noqa: PLC0415 - heavy, and few processes listen

    found = bytearray()
    try:
        with av.open(io.BytesIO(data), "r", options=OPENED, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise ValueError("there is no sound in it")
            fit = av.AudioResampler("s16", "mono", RATE)
            for frame in chain(file.decode(file.streams.audio[0]), (None,)):
                for fitting in fit.resample(frame):
                    found += bytes(fitting.planes[0])[: 2 * fitting.samples]
                if len(found) > 2 * RATE * most:
                    raise ValueError(f"it is longer than {most:g} s")
    except av.FFmpegError:  # whose words are about its inside
        raise ValueError("it is no sound that can be read") from None
    if not found:
        raise ValueError("there is no sound in it")
    return waves.unpacked(bytes(found))


def contour(samples: Samples) -> list[Tone]:
    """The melody of a sound, without gaps from its beginning to its end."""
    hop = max(RATE // _LOOKS, len(samples) // _MOST_LOOKS)
    found: list[Tone] = []
    for at in range(0, len(samples), hop):
        length = min(hop, len(samples) - at)
        middle = max(0, at + length // 2 - _WINDOW * _COARSE // 2)
        key = _key(samples[middle : middle + _WINDOW * _COARSE])
        if found and found[-1].key == key:
            found[-1] = found[-1]._replace(length=found[-1].length + length)
        else:
            found.append(Tone(at, length, key))
    return found


def _key(window: Samples) -> int | None:
    """The key whose pitch is heard, None if none."""
    coarse = [sum(window[at : at + _COARSE]) for at in range(0, len(window) - _COARSE + 1, _COARSE)]
    if len(coarse) < 2 * _LONGEST or waves.level(window) < _SILENT:
        return None
    mean = sum(coarse) / len(coarse)
    wave = [value - mean for value in coarse]
    size = len(wave) - _LONGEST - 1
    alike = [_likeness(wave, lag, size) for lag in range(_LONGEST + 2)]
    peaks = [
        lag
        for lag in range(_SHORTEST, _LONGEST + 1)
        if alike[lag] >= alike[lag - 1] and alike[lag] >= alike[lag + 1] and alike[lag] > 0.3
    ]
    if not peaks:
        return None
    best = max(alike[lag] for lag in peaks)
    lag = next(lag for lag in peaks if alike[lag] >= _ALIKE * best)
    before, here, after = alike[lag - 1 : lag + 2]
    bend = before - 2 * here + after
    exact = lag + (0.5 * (before - after) / bend if bend else 0.0)
    return round(69 + 12 * math.log2(RATE / _COARSE / exact / 440))


def _likeness(wave: Sequence[float], lag: int, size: int) -> float:
    """How much a wave resembles itself a little later, -1 to 1."""
    here, there = wave[:size], wave[lag : lag + size]
    power = sum(map(mul, here, here)) * sum(map(mul, there, there))
    return sum(map(mul, here, there)) / math.sqrt(power) if power else 0.0
