"""Bodies in chunks: decoded by llhttp, which is never fed a byte of what follows the body.

Trailers are dropped: a header there would come after everything was decided, `authorization` included.
"""

import httptools

from unigate.base.errors import BadRequest, TooLarge

_END = b"\r\n\r\n"
_HEAD = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
#: Framing that is forgiven: so much, and so much more per byte of body; and so much without any body between.
_FRAMING, _FRAMING_PER_BYTE, _BARE = 16 << 10, 8, 32 << 10


class Chunks:
    """The decoder of one body."""

    __slots__ = ("_bare", "_limit", "_parser", "_raw", "_tail", "over", "pieces", "received")

    def __init__(self, pieces: list[bytes], limit: int) -> None:
        """Decode into `pieces`; more than `limit` bytes is too large."""
        self.pieces = pieces
        #: Decoded bytes so far.
        self.received = 0
        #: The body is complete.
        self.over = False
        self._limit = limit
        #: Raw bytes in all, and since the last byte of content.
        self._raw = self._bare = 0
        #: The last three raw bytes.
        self._tail = b""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(_HEAD)  # a body is all that this parser sees, whatever the real head says

    def take(self, data: bytes, at: int) -> int:
        """Decode from `at` to the next empty line at most; gives the place behind what was used.

        A body in chunks ends with an empty line, so what follows the body is never reached; other empty lines only
        make for a cut more.
        """
        end = self._cut(data, at)
        received = self.received
        try:
            self._parser.feed_data(memoryview(data)[at:end])
        except httptools.HttpParserError as error:
            raise BadRequest("The chunks of the body are not valid.") from error
        if self.received > self._limit:
            raise TooLarge
        size = end - at
        self._tail = (self._tail + data[at:end])[-3:] if size < len(_END) else data[end - 3 : end]
        self._raw += size
        self._bare = self._bare + size if self.received == received else 0
        if self.over:
            del self._parser  # which refers to us
        elif self._bare > _BARE or self._raw > _FRAMING + (1 + _FRAMING_PER_BYTE) * self.received:
            raise BadRequest("The chunks of the body are mostly framing.")
        return end

    def _cut(self, data: bytes, at: int) -> int:
        """The place behind the next empty line, also where it began in what came before; else the end of `data`."""
        tail = self._tail
        begun = (tail + data[at : at + 3]).find(_END)
        if begun >= 0:
            return at + begun + len(_END) - len(tail)
        found = data.find(_END, at)
        return len(data) if found < 0 else found + len(_END)

    def on_body(self, piece: bytes) -> None:
        """Content."""
        self.pieces.append(piece)
        self.received += len(piece)

    def on_message_complete(self) -> None:
        """The end of the body, trailers included."""
        self.over = True
