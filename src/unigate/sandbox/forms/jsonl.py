"""Reads files with one JSON object in each line."""

from collections.abc import Iterator

import msgspec

from unigate.sandbox.serving.answer import Object, encode


def read(data: bytes) -> Iterator[tuple[int, Object | None]]:
    """The number of each line that is not blank, from 1, with its object; None where it is none."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        yield number, value if isinstance(value, dict) else None


def write(rows: list[Object]) -> bytes:
    """Objects in lines."""
    return b"".join(encode(row) + b"\n" for row in rows)
