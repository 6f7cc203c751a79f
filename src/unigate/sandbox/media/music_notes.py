"""Plays single notes: instruments of a few partials each, a voice that sings vowels, and drums. It knows no songs.

A note is made once and cut into a track as often as it is played, so that a song is quick to make.
"""

import array
import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate, chain, cycle, islice, repeat
from operator import mul
from typing import NamedTuple

from unigate.sandbox.brain import seeds
from unigate.sandbox.media import waves
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples


class Timbre(NamedTuple):
    """How an instrument sounds."""

    #: How strong the partials are.
    partials: tuple[float, ...]
    #: Seconds until it is loud, and until it has faded to a third (0: it does not).
    attack: float
    decay: float


TIMBRES = {
    "piano": Timbre((1, 0.6, 0.25, 0.15, 0.1, 0.06), 0.004, 0.5),
    "guitar": Timbre((1, 0.8, 0.6, 0.35, 0.25, 0.18, 0.1), 0.003, 0.35),
    "strings": Timbre((1, 0.5, 0.35, 0.25, 0.2, 0.16, 0.13), 0.09, 0),
    "flute": Timbre((1, 0.2, 0.06), 0.05, 0),
    "organ": Timbre((1, 0.7, 0.1, 0.5, 0.02, 0.3), 0.02, 0),
    "bell": Timbre((1, 0.05, 0.6, 0.02, 0.35, 0.2), 0.002, 0.45),
    "synth": Timbre((1, 0.02, 0.33, 0.02, 0.2, 0.02, 0.14, 0.02, 0.11), 0.01, 0),
    "fuzz": Timbre((1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3), 0.006, 1.6),
    "bass": Timbre((1, 0.5, 0.2, 0.1), 0.005, 0.6),
    "sub": Timbre((1, 0.12), 0.01, 0),
}
#: Hertz at which each vowel's mouth rings.
_MOUTHS = {"a": (800, 1200), "e": (480, 1900), "i": (300, 2300), "o": (480, 850), "u": (330, 700)}
#: The voice trembles so often a second, by such a share of a turn.
_TREMBLES, _TREMBLE = 5.5, 0.35
_TURN = 2048
#: Fewest samples of a table: what keeps notes in tune.
_TABLE = 600
_RELEASE = RATE // 60


def hertz(key: int) -> float:
    """The frequency of a key; 69 is 440 Hz."""
    return float(440 * 2 ** ((key - 69) / 12))


@lru_cache(maxsize=128)
def played(timbre: str, key: int, length: int, loud: int) -> Samples:
    """A note of an instrument: so many samples, at most so loud (0 to 32767)."""
    sound = TIMBRES[timbre]
    heard = max(1, min(len(sound.partials), int(RATE / 2 / hertz(key))))
    turn = _turn(sound.partials[:heard])
    turns = max(1, math.ceil(_TABLE * hertz(key) / RATE))
    size = max(2, round(turns * RATE / hertz(key)))
    table = [turn[number * turns * _TURN // size % _TURN] for number in range(size)]
    return _shaped(table, length, loud, sound.attack, sound.decay)


@lru_cache(maxsize=256)
def sung(vowel: str, key: int, length: int, loud: int, *, hiss: bool) -> Samples:
    """A sung note, beginning with a hiss or without."""
    base = hertz(key)
    partials = tuple(_ringing(base * number, vowel) for number in range(1, max(2, min(16, int(RATE / 2 / base)))))
    turn = _turn(partials)
    turns = round(base / _TREMBLES)
    size = round(turns * RATE / base)
    swing = [_TREMBLE * math.sin(math.tau * number / size) / math.tau for number in range(size)]
    table = [turn[int((turns * number / size + by) * _TURN) % _TURN] for number, by in enumerate(swing)]
    tone = _shaped(table, length, loud, 0.025, 0)
    if not hiss:
        return tone
    burst = waves.scaled(_noise(min(length, RATE // 25)), repeat(loud / waves.LOUDEST / 3))
    return waves.edged(burst) + waves.edged(tone[len(burst) :])


def _ringing(frequency: float, vowel: str) -> float:
    """How strong a partial of that frequency is in a mouth that says the vowel."""
    low, high = _MOUTHS[vowel]
    return 0.05 + math.exp(-(((frequency - low) / 250) ** 2)) + 0.5 * math.exp(-(((frequency - high) / 350) ** 2))


@lru_cache(maxsize=64)
def _turn(partials: tuple[float, ...]) -> list[float]:
    """One turn of a wave, at most 1."""
    wave = [math.sin(math.tau * number / _TURN) for number in range(_TURN)]
    made = [0.0] * _TURN
    for number, strength in enumerate(partials, 1):
        made = [value + strength * wave[at * number % _TURN] for at, value in enumerate(made)]
    most = max(map(abs, made))
    return [value / most for value in made]


def _shaped(table: list[float], length: int, loud: int, attack: float, decay: float) -> Samples:
    """A wave that goes on for so long, swelling and fading."""
    rise = min(length // 3, round(attack * RATE))
    fall = min(length // 3, _RELEASE)
    fading = math.exp(-1 / (decay * RATE)) if decay else 1.0
    body = list(accumulate(repeat(fading, length - rise - 1), mul, initial=float(loud))) if length > rise else []
    shape: Iterable[float] = chain(
        (loud * number / rise for number in range(rise)),
        islice(body, len(body) - fall),
        (value * (fall - number) / fall for number, value in enumerate(body[len(body) - fall :])),
    )
    return array.array("h", map(int, map(mul, cycle(table), shape)))


@lru_cache(maxsize=16)
def _noise(length: int) -> Samples:
    """So many samples of noise."""
    data = seeds.dice(length, "noise").randbytes(2 * length)
    return waves.unpacked(data)


@lru_cache(maxsize=32)
def drum(name: str, length: int, loud: int) -> Samples:
    """A stroke: `kick`, `snare` or `hat`."""
    if name == "kick":
        turns = accumulate(repeat(0, length - 1), lambda at, _: at * 0.9991, initial=0.0245)
        phase = accumulate(turns, initial=0.0)
        tone = (math.sin(math.tau * at) for at in islice(phase, length))
        return array.array("h", map(int, map(mul, tone, _fading(length, loud, 0.09))))
    return waves.scaled(_noise(length), _fading(length, loud / waves.LOUDEST, 0.06 if name == "snare" else 0.02))


def _fading(length: int, loud: float, seconds: float) -> Iterable[float]:
    return accumulate(repeat(math.exp(-1 / (seconds * RATE)), max(0, length - 1)), mul, initial=float(loud))
