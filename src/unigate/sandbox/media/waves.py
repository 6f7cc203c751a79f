"""Works on samples as a whole: sums, cuts, joins and measures them. It knows no notes, files or vendors.

Samples are signed, 16 bits, one channel, `voice.RATE` a second. Sums are done on all samples at once: seen as the digits
of one large number, two sounds are added by one addition.
"""

import array
import math
import sys
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice
from operator import mul, sub
from typing import TYPE_CHECKING, TypeAlias

from unigate.sandbox.media.voice import RATE

if TYPE_CHECKING:
    Samples: TypeAlias = array.array[int]
else:
    Samples = array.array

LOUDEST = 32_767
#: So many samples are worked on at once, which bounds the room that it takes.
_PIECE = 1 << 17
#: Samples over which a sound is faded where it is cut, so that it does not click: 5 ms.
EDGE = RATE // 200


def silence(count: int) -> Samples:
    """So many samples of nothing."""
    return array.array("h", bytes(2 * count))


def clipped(values: Iterable[int]) -> Samples:
    """Numbers as samples, those out of range moved to its ends."""
    return array.array("h", [max(-LOUDEST - 1, min(LOUDEST, value)) for value in values])


def mix(tracks: Sequence[Samples]) -> Samples:
    """The sum of tracks, as long as the longest, sample by sample; clipped where it is too loud."""
    made = array.array("h")
    for at in range(0, max(map(len, tracks), default=0), _PIECE):
        made += _sum([track[at : at + _PIECE] for track in tracks if len(track) > at])
    return made


def _sum(tracks: list[Samples]) -> Samples:
    """The sum of short tracks, at least one."""
    if len(tracks) == 1:
        return tracks[0]
    length = max(map(len, tracks))
    pairs = (length + 1) // 2
    low, signs = _lanes(0xFFFF, pairs), _lanes(0x80008000, pairs)
    even = odd = _lanes((1 << 31) - ((len(tracks) - 1) << 15), pairs)
    for track in tracks:
        lanes = int.from_bytes(_little(track), "little") ^ signs
        even += lanes & low
        odd += (lanes >> 16) & low
    high, middle = _lanes(0xFFFF0000, pairs), _lanes(1 << 31, pairs)
    if even & high != middle or odd & high != middle:
        longest = [track + silence(length - len(track)) for track in tracks]
        return clipped(map(sum, zip(*longest, strict=True)))
    lanes = (even & low | (odd & low) << 16) ^ signs
    return _native(lanes.to_bytes(4 * pairs, "little"))[:length]


def _lanes(value: int, count: int) -> int:
    """The same 32 bits so many times."""
    return int.from_bytes(value.to_bytes(4, "little") * count, "little")


def _little(samples: Samples) -> bytes:
    if sys.byteorder == "little":
        return samples.tobytes()
    turned = samples[:]
    turned.byteswap()
    return turned.tobytes()


def _native(data: bytes) -> Samples:
    samples = array.array("h", data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def packed(samples: Samples) -> bytes:
    """Samples as bytes, little-endian, as `voice.encode` takes them."""
    return _little(samples)


def unpacked(data: bytes) -> Samples:
    """Samples out of little-endian bytes."""
    return _native(data)


def scaled(samples: Samples, factors: Iterable[float]) -> Samples:
    """Each sample times its factor, factors between -1 and 1."""
    return array.array("h", map(int, map(mul, samples, factors)))


def edged(samples: Samples, rise: int = EDGE, fall: int = EDGE) -> Samples:
    """The sound, faded in over so many samples, and out over so many; at most over half of it each."""
    half = len(samples) // 2
    rise, fall = min(rise, half), min(fall, half)
    rest = len(samples) - fall
    up = scaled(samples[:rise], [number / rise for number in range(rise)])
    return up + samples[rise:rest] + scaled(samples[rest:], [number / fall for number in range(fall, 0, -1)])


def parted(samples: Samples, width: int) -> tuple[Samples, Samples]:
    """What is low in a sound (the mean of so many samples around each) and what is high; they sum to the sound."""
    padded = silence(width // 2) + samples + silence(width - width // 2)
    lows, highs = array.array("h"), array.array("h")
    for at in range(0, len(samples), _PIECE):
        piece = samples[at : at + _PIECE]
        sums = list(accumulate(padded[at : at + len(piece) + width], initial=0))
        means = [(end - start) // width for start, end in zip(sums, islice(sums, width, None), strict=False)]
        high = clipped(map(sub, piece, means))
        lows.extend(map(sub, piece, high))
        highs += high
    return lows, highs


def level(samples: Samples) -> float:
    """How loud it is: the root of the mean square, 0 to 1."""
    return math.sqrt(sum(map(mul, samples, samples)) / len(samples)) / LOUDEST if samples else 0.0


def levels(samples: Samples, each: float = 1.0) -> list[float]:
    """How loud each stretch of so many seconds is; the last may be shorter."""
    step = max(1, round(each * RATE))
    return [level(samples[at : at + step]) for at in range(0, len(samples), step)]
