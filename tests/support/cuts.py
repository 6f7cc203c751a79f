"""The same bytes in every kind of pieces, since a network cuts where it likes."""

import random
from collections.abc import Iterator


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The bytes whole, byte by byte, in pieces of 7 and 64, and in random pieces."""
    yield [data]
    for size in (1, 7, 64):
        yield [data[at : at + size] for at in range(0, len(data), size)]
    for seed in range(20):
        chance = random.Random(seed)
        places = sorted(chance.sample(range(len(data) + 1), min(len(data), chance.randint(1, 12))))
        yield [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
