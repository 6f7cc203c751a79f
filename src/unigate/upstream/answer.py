"""Answer: what a vendor said, taken whole or piece by piece as it came from the socket.

Pieces are never merged and never held back. A connection serves its next request as soon as the answer has come
in, even if pieces of it still wait here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from unigate.base.errors import BadAnswer, GatewayError, StreamBroken
from unigate.spec.channel import Timeouts

#: How an answer ended.
#: `whole`: its framing says that all of it came. `closed`: it had no length, and its connection was closed in order.
#: `cut`: it had no length, and a TLS connection broke off without saying so; all that came was delivered, and only
#: the dialect's own end can tell whether it is all. `broken`: it is known to be incomplete. `unanswered`: the
#: connection ended before a byte of an answer came. `late`: a timeout. `aborted`: given up by us.
End = Literal["whole", "closed", "cut", "broken", "unanswered", "late", "aborted"]


class Source(Protocol):
    """What an answer needs of the connection that it comes from."""

    loop: asyncio.AbstractEventLoop

    def taken(self, answer: "Answer") -> None:
        """Pieces were taken, or the whole is wanted now."""
        ...

    def too_large(self, answer: "Answer") -> None:
        """More came than the reader of the whole allows."""
        ...

    def fail(self, error: GatewayError, end: End) -> None:
        """End the answer with an error, and the connection with it."""
        ...


class Answer:
    """Status and headers are there; the body may still be on its way. One task at a time may read it."""

    __slots__ = (
        "_headers",
        "buffered",
        "connection",
        "end",
        "error",
        "headers_at",
        "limit",
        "paused",
        "pieces",
        "raw_headers",
        "reused",
        "sent_at",
        "sink",
        "started",
        "status",
        "timeouts",
        "waiter",
        "whole",
    )

    #: The connection had served another request before.
    reused: bool
    #: Loop time when the head was complete.
    headers_at: float
    #: Headers as the parser gave them.
    raw_headers: list[tuple[bytes, bytes]]
    #: Largest body for a reader of the whole.
    limit: int

    def __init__(
        self,
        connection: Source,
        waiter: "asyncio.Future[bytes | None]",
        timeouts: Timeouts,
        started: float,
        sent_at: float,
    ) -> None:
        # One is made for each request, so nothing is set here that is always set later.
        self.status = 0
        #: None while the body is still coming.
        self.end: End | None = None
        #: Loop times: when sending began, and when the request was written.
        self.started = started
        self.sent_at = sent_at
        self._headers: list[tuple[bytes, bytes]] | None = None

        # The rest is between answer and connection.
        self.connection: Source | None = connection
        self.timeouts = timeouts
        self.error: GatewayError | None = None
        #: Who waits for the head or for a piece; who waits for the whole body.
        self.waiter: asyncio.Future[bytes | None] | None = waiter
        #: Who takes the pieces in the turn in which they come; tells when it has enough for now.
        self.sink: Callable[[bytes], bool] | None = None
        self.whole: asyncio.Future[None] | None = None
        self.pieces: deque[bytes] = deque()
        self.buffered = 0
        self.paused = False

    @property
    def complete(self) -> bool:
        """All of the body has come in (pieces may still wait here)."""
        return self.end is not None and self.error is None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Lower-case names, values without surrounding blanks, in order; no trailers."""
        if self._headers is None:
            self._headers = [(name.lower(), value.strip()) for name, value in self.raw_headers]
        return self._headers

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), or None."""
        size = len(name)
        for key, value in self.raw_headers:
            if len(key) == size and key.lower() == name:
                return value.strip()
        return None

    async def read(self, limit: int) -> bytes:
        """The whole body, or what of it was not yet taken.

        Raises BadAnswer if it is larger than `limit` bytes, StreamBroken if it breaks off, TookTooLong.
        """
        if self.end is None or self.error is not None:
            await self._all(limit)
        if self.buffered > limit:
            raise BadAnswer(detail=f"the answer is larger than {limit} bytes")
        pieces = self.pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.buffered = 0
        return body

    async def piece(self) -> bytes | None:
        """The next piece of the body, or None at its end.

        Raises StreamBroken where the answer breaks off and TookTooLong where it stalls, after what came before.
        """
        pieces = self.pieces
        if pieces:
            data = pieces.popleft()
            self.buffered -= len(data)
            if self.paused and self.connection is not None:
                self.connection.taken(self)
            return data
        if self.end is None:
            assert self.connection is not None
            waiter = self.waiter = self.connection.loop.create_future()
            try:
                piece: bytes | None = await waiter
            except asyncio.CancelledError:
                self.abort()
                raise
            if piece is not None:
                return piece
        if self.error is not None:
            raise self.error
        return None

    async def pour(self, sink: Callable[[bytes], bool]) -> bool:
        """Hand pieces to `sink` as they come, until it returns True; False at the end of the body.

        It is called in the turn of the loop in which a piece came, so that a piece costs no wake-up of a task. Raises
        what `sink` raises, and as `piece`.
        """
        pieces = self.pieces
        while pieces or self.end is not None:
            data = await self.piece()
            if data is None:
                return False
            if sink(data):
                return True
        assert self.connection is not None
        self.sink = sink
        waiter = self.waiter = self.connection.loop.create_future()
        try:
            enough = await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self.sink = None
        if enough is not None or pieces:
            return True
        if self.error is not None:
            raise self.error
        return False

    def poured(self, data: bytes, sink: Callable[[bytes], bool]) -> None:
        """A piece came while somebody pours. For the connection only: nothing that `sink` raises is its fault."""
        try:
            if not sink(data):
                return
        except Exception as error:  # noqa: BLE001 - it is raised where the sink was given
            failure: Exception | None = error
        else:
            failure = None
        self.sink = None
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            if failure is not None:
                waiter.set_exception(failure)
            else:
                waiter.set_result(b"")

    def abort(self) -> None:
        """Give up: the connection is closed at once. Does nothing once the answer has ended."""
        if self.connection is not None:
            self.connection.fail(StreamBroken(detail="given up by the gateway"), "aborted")

    async def _all(self, limit: int) -> None:
        """Wait until all of the body has come in."""
        connection = self.connection
        if connection is not None:
            self.limit = limit
            length = self.header(b"content-length")
            if self.buffered > limit or (length is not None and length.isdigit() and int(length[:20]) > limit):
                connection.too_large(self)
            else:
                whole = self.whole = connection.loop.create_future()
                connection.taken(self)
                try:
                    await whole
                except asyncio.CancelledError:
                    self.abort()
                    raise
        if self.error is not None:
            raise self.error

    def finish(self, end: End, error: GatewayError | None = None) -> None:
        """Nothing more will come; whoever waits goes on. For the connection only."""
        self.end = end
        self.error = error
        self.connection = None
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)
        whole = self.whole
        if whole is not None:
            self.whole = None
            if not whole.done():
                whole.set_result(None)
