"""Vectors of texts: the same text has the same vector, texts that share words have vectors near each other.

Words, their inner three letters and neighbouring words (of Chinese: characters and pairs of them) are features; each is
spread by its hash over all places, so that a shortened vector still tells texts apart. Nothing is learned: synonyms are far.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import shake_128
from heapq import nlargest
from itertools import pairwise
from math import sqrt
from operator import itemgetter

#: A feature sets one place in each block of so many.
_BLOCK = 32
#: Features of a text that count: the weightiest.
_MOST = 512
_WORD = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]")
_SMALL = frozenset(
    "a an the of in on at to for from by with and or but if is are was were be been it its this that these those as i you "  # noqa: SIM905 - words read better as text
    "he she we they my your his her our their me him us them do does did has have had not no so than then there 的 了 是 在".split()
)
_SMALL_WEIGHT = 0.15
_PART_WEIGHT = 0.35
_PAIR_WEIGHT = 0.5
#: What all vectors have in common, so that none is nothing, however short.
_COMMON = 0.05


def of_text(text: str, dimensions: int, salt: str) -> list[float]:
    """The vector of a text, of length 1. `salt` makes vectors of different models strangers to each other."""
    return _spread(_features(text), dimensions, salt)


def of_tokens(tokens: Sequence[int], dimensions: int, salt: str) -> list[float]:
    """The vector of a text that is given as tokens; near others that have the same tokens."""
    pairs = (f"{one} {other}" for one, other in pairwise(tokens))
    return _spread([*((f"#{t}", 1.0) for t in tokens), *((f"#{p}", _PAIR_WEIGHT) for p in pairs)], dimensions, salt)


def shortened(vector: Sequence[float], dimensions: int) -> list[float]:
    """The beginning of a vector, of length 1 again."""
    return _normal(vector[:dimensions])


def packed(vector: Sequence[float]) -> bytes:
    """A vector as 32-bit floats, little-endian."""
    return struct.pack(f"<{len(vector)}f", *vector)


def _features(text: str) -> Iterator[tuple[str, float]]:
    """What a text is known by, with weights."""
    words = [word.casefold() for word in _WORD.findall(text)]
    for word in words:
        small = word in _SMALL
        yield word, _SMALL_WEIGHT if small else 1.0
        if not small and len(word) > 2:
            marked = f"<{word}>"
            yield from ((marked[at : at + 3], _PART_WEIGHT) for at in range(len(marked) - 2))
    for one, other in pairwise(words):
        yield f"{one} {other}", _PAIR_WEIGHT if {one, other}.isdisjoint(_SMALL) else _SMALL_WEIGHT
    if not words:
        yield text, 1.0


def _spread(features: Iterable[tuple[str, float]], dimensions: int, salt: str) -> list[float]:
    """All features added up, each at the places and with the signs that its hash says."""
    weights: dict[str, float] = {}
    for name, weight in features:
        weights[name] = weights.get(name, 0.0) + weight
    vector = [0.0] * dimensions
    vector[0] = _COMMON
    blocks = -(-dimensions // _BLOCK)
    for name, weight in nlargest(_MOST, weights.items(), key=itemgetter(1)):
        damped = sqrt(weight)
        for block, byte in enumerate(_hashed(f"{salt}\0{name}", blocks)):
            place = block * _BLOCK + byte % _BLOCK
            if place < dimensions:
                vector[place] += damped if byte & 0x80 else -damped
    return _normal(vector)


@lru_cache(maxsize=4096)
def _hashed(name: str, length: int) -> bytes:
    return shake_128(name.encode("utf-8", "surrogatepass")).digest(length)


def _normal(vector: Sequence[float]) -> list[float]:
    length = sqrt(sum(value * value for value in vector))
    if not length:
        return [1.0, *[0.0] * (len(vector) - 1)]
    return [value / length for value in vector]
