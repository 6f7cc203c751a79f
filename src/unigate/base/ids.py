"""Public ids: a prefix and a ULID (48 bits of milliseconds, 80 random bits, Crockford base 32).

https://github.com/ulid/spec
"""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)  # two characters at a time: twice as fast


def new(prefix: str) -> str:
    """A fresh id such as `req_01J9Z…`: the prefix, an underscore, 26 characters that sort by time."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    pairs = _PAIRS
    return (
        f"{prefix}_"
        f"{pairs[value >> 120]}{pairs[value >> 110 & 1023]}{pairs[value >> 100 & 1023]}{pairs[value >> 90 & 1023]}"
        f"{pairs[value >> 80 & 1023]}{pairs[value >> 70 & 1023]}{pairs[value >> 60 & 1023]}{pairs[value >> 50 & 1023]}"
        f"{pairs[value >> 40 & 1023]}{pairs[value >> 30 & 1023]}{pairs[value >> 20 & 1023]}{pairs[value >> 10 & 1023]}"
        f"{pairs[value & 1023]}"
    )
