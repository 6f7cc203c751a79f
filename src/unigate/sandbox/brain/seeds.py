"""Randomness that depends on the request alone."""

import random
from hashlib import blake2b

Dice = random.Random


def seed(*parts: bytes | str | int) -> int:
    """A number made of the parts."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode())
        digest.update(b"\0")
    return int.from_bytes(digest.digest(), "big")


def dice(*parts: bytes | str | int) -> Dice:
    """A generator that gives the same numbers for the same parts."""
    return random.Random(seed(*parts))  # noqa: S311 - no secrets are made of it


def hexadecimal(source: Dice, length: int) -> str:
    """So many hexadecimal digits."""
    return f"{source.getrandbits(4 * length):0{length}x}"


def letters(source: Dice, length: int) -> str:
    """So many letters and digits."""
    return "".join(source.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=length))


def uuid(source: Dice) -> str:
    """A UUID of version 4."""
    d = hexadecimal(source, 32)
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{'89ab'[int(d[16], 16) % 4]}{d[17:20]}-{d[20:]}"
