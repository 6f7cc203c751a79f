"""Server-sent events: cutting a stream of bytes into events without losing a byte.

https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.6). Each event keeps its raw bytes, blank line included,
so that what isn't changed passes as it came. It must not know what the data means.
"""

import re

from unigate.base.errors import StreamBroken

#: Pictures and sound come as base64 inside one event.
MAX_EVENT = 32 * 1024 * 1024

_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Splitter:
    """Gives events as soon as they are complete. `held` are the bytes of one that is not complete yet."""

    __slots__ = ("_limit", "_scanned", "held")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self.held = bytearray()
        self._limit = limit
        self._scanned = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """The raw bytes of each event that `piece` completes; together with `held` they are all that was fed.

        StreamBroken when an event grows beyond the limit.
        """
        held = self.held
        if not held and b"\r" not in piece:
            events = piece.split(b"\n\n")
            rest = events.pop()
            if rest:
                held += rest
            self._check()
            return [event + b"\n\n" for event in events]
        held += piece
        events = []
        start = 0
        scan = max(self._scanned - 3, 0)  # an end may lie across two pieces
        while (end := _END.search(held, scan)) is not None:
            if end.end() == len(held) and end[0] == b"\r\n\r":
                break  # its line feed is on the way
            scan = end.end()
            events.append(bytes(held[start:scan]))
            start = scan
        del held[:start]
        self._scanned = len(held)
        self._check()
        return events

    def _check(self) -> None:
        if len(self.held) > self._limit:
            raise StreamBroken("The provider sent an event that is too large.", detail=f"over {self._limit} bytes")

    def rest(self) -> bytes:
        """What is left of an event that was never completed; nothing is held afterwards."""
        left = bytes(self.held)
        self.held.clear()
        self._scanned = 0
        return left


def parse(event: bytes) -> tuple[bytes, bytes | None]:
    """The name and the data of one event; data None where it has none (comments only)."""
    name = b""
    data: list[bytes] = []
    for line in _LINE.split(event.removeprefix(_BOM)):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return name, b"\n".join(data) if data else None


def with_data(event: bytes, data: bytes) -> bytes:
    """The event with other data on one line (`data` must not hold line ends); other lines and the line ends stay."""
    parts: list[bytes] = []
    at = 0
    placed = False
    while at < len(event):
        end = _LINE.search(event, at)
        stop = end.end() if end else len(event)
        line = event[at : end.start() if end else stop]
        bare = line.removeprefix(_BOM) if at == 0 else line
        if bare.partition(b":")[0] != b"data":
            parts.append(event[at:stop])
        elif not placed:
            placed = True
            head = line[: len(line) - len(bare)] + (b"data: " if bare.startswith(b"data: ") else b"data:")
            parts.append(head + data + (end[0] if end else b""))
        at = stop
    return b"".join(parts)
