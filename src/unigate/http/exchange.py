"""Exchange: one request of a caller and the reply to it, as handlers see it.

It writes replies and hands out the body; what is on the connection before and after it is `protocol.py`'s
business. It must not know what is served.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from unigate.base.errors import CallerLeft, GatewayError, TooLarge
from unigate.base.websocket import WebSocket
from unigate.http.framing import Head
from unigate.spec.exchange import Header

_pair = b": ".join
_BODILESS = frozenset((204, 304))
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Above this a body is handed to the transport as it is, below it is copied behind its head.
_COPIED = 16 << 10


class Shared(Protocol):
    """What an exchange needs of the server."""

    loop: asyncio.AbstractEventLoop
    #: The server stops: no connection is kept.
    draining: bool

    @property
    def heads(self) -> Mapping[int, bytes]:
        """Status line and date header by status."""
        ...


class Line(Protocol):
    """The connection, as an exchange sees it."""

    __slots__ = ()

    transport: asyncio.Transport
    #: The transport asked to write no more for now.
    write_paused: bool
    #: The peer's address without port, and our own.
    client: str
    server: tuple[str, int] | None

    @property
    def state(self) -> Shared:
        """The server's state."""
        ...

    def want_body(self) -> None:
        """The handler waits for the body: read on."""
        ...

    def finished(self, x: "Exchange") -> None:
        """The reply has been handed over; `x.keep` tells whether another may follow."""
        ...

    def cut_off(self, x: "Exchange", *, hard: bool) -> None:
        """The reply breaks off here: close so that the caller sees it."""
        ...

    def drop(self) -> None:
        """The transport is gone."""
        ...

    async def drained(self) -> None:
        """Wait until the transport takes more."""
        ...

    def hand_over(self, head: bytes, taker: WebSocket) -> None:
        """Send a last head; what comes and goes after it is the taker's."""
        ...


class Exchange:
    """One request and its reply. Fulfils `spec.exchange.Exchange`."""

    __slots__ = (
        "_chunked",
        "_left",
        "_line",
        "_mute",
        "arrived",
        "client",
        "content_length",
        "ended",
        "expects",
        "fields",
        "gone",
        "headers",
        "keep",
        "leave",
        "method",
        "path",
        "pieces",
        "promised",
        "query",
        "received",
        "refused",
        "server",
        "started",
        "started_reply",
        "taken",
        "task",
        "url",
        "version",
        "waiter",
    )

    def __init__(self, line: Line, head: Head, digits: bytes, started: float) -> None:
        """`digits`: the content-length, where `head` has that of another request."""
        self._line = line
        self.method = head.method
        #: Origin form.
        self.url = head.url
        self.path = head.path
        self.query = head.query
        self.version = head.version
        #: Lower-case names, values stripped.
        self.headers = head.headers.copy()
        self.fields = head.fields
        #: Decimal; also 0 where the caller said so.
        self.content_length: int | None = None
        if digits:
            self.content_length = int(digits)
            self.headers[head.length_at] = (b"content-length", digits)
        elif head.length_at >= 0:
            self.content_length = head.length
        #: Monotonic seconds of the head's first byte.
        self.started = started
        #: The peer's address as text, without port.
        self.client = line.client
        self.server = line.server
        #: The caller holds its body back until it is told to go on.
        self.expects = head.expects
        #: Whether another request may follow on the connection.
        self.keep = head.keep
        #: The whole body is here.
        self.arrived = False
        #: Decoded pieces that were not handed out yet.
        self.pieces: list[bytes] = []
        #: Decoded bytes that came so far, and those that the handler has taken.
        self.received = self.taken = 0
        #: Why the rest of the body will not come.
        self.refused: GatewayError | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.gone = False
        self.started_reply = False
        self.ended = False
        self.promised = False
        self.task: asyncio.Task[None] | None = None
        #: Called when the caller leaves, in place of cancelling the task.
        self.leave: Callable[[], None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, lower-case name."""
        if name == b"content-length" and self.content_length is not None:
            return b"%d" % self.content_length
        return self.fields.get(name)

    # The body of the request.

    async def read(self, limit: int) -> bytes:
        """The whole body, decoded; may be asked for again. TooLarge beyond `limit` bytes."""
        if not self.arrived:
            await self._gather(limit)
        if self.received > limit:
            raise TooLarge
        pieces = self.pieces
        if len(pieces) == 1:
            return pieces[0]
        whole = b"".join(pieces)
        self.pieces = [whole]
        return whole

    async def _gather(self, limit: int) -> None:
        """Wait until the body is complete. Small pieces are merged as they come: a list of them costs 40 times more."""
        if self.content_length is not None and self.content_length > limit:
            raise TooLarge
        whole = bytearray()
        while True:
            whole += b"".join(self.pieces)
            self.pieces.clear()
            self.taken = self.received
            if self.received > limit:
                raise TooLarge
            if self.arrived:
                break
            await self._more()
        self.pieces.append(bytes(whole))

    async def body(self) -> bytes:
        """What came of the body since the last time; waits for some; empty at the end."""
        while not self.pieces and not self.arrived:
            await self._more()
        pieces, self.pieces = self.pieces, []
        self.taken = self.received
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _more(self) -> None:
        """Wait for a piece, the end, or the reason why neither comes."""
        if self.refused is not None:
            raise self.refused
        if self.gone:
            raise CallerLeft
        line = self._line
        if self.expects and not self.received and not self.started_reply:
            self.expects = False
            self._send(_CONTINUE)
        line.want_body()
        waiter = self.waiter = line.state.loop.create_future()
        try:
            await waiter
        finally:
            self.waiter = None

    def wake(self) -> None:
        """Something came for whoever waits for the body."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def left(self) -> None:
        """The caller is gone: stop the handler, within this turn of the loop."""
        if self.gone:
            return
        self.gone = True
        self.wake()
        if self.ended:
            return
        if self.leave is not None:
            self.leave()
        elif self.task is not None:
            self.task.cancel()

    @property
    def draining(self) -> bool:
        """The server stops: what has no end of its own ends now."""
        return self._line.state.draining

    # The reply.

    def reply(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """A whole reply in one write. `headers`: lower-case names, none that frame (length, coding, connection)."""
        if self.started_reply:
            raise RuntimeError("this reply was started before")
        lines = [*map(_pair, headers)]
        line = self._line
        state = line.state
        if status in _BODILESS:
            body = b""
        else:
            lines.append(b"content-length: %d" % len(body))
            if self.method == b"HEAD":
                body = b""
        if not (self.arrived and self.keep) or state.draining or self.version == "1.0":
            self._connection(lines)
        block = _block(lines)
        self.started_reply = self.ended = True
        if self.gone:
            return
        try:
            if len(body) < _COPIED:
                line.transport.write(state.heads[status] + block + body)
            else:
                line.transport.writelines((state.heads[status], block, body))
        except RuntimeError:  # uvloop's word for a transport that closed under us
            line.drop()
            return
        line.finished(self)

    def start(self, status: int, headers: Iterable[Header], length: int | None) -> None:
        """Begin the reply. `length` None: sent in chunks, and to HTTP/1.0 up to the connection's end."""
        if self.started_reply:
            raise RuntimeError("this reply was started before")
        bodiless = status in _BODILESS
        #: Nothing of the body is sent.
        self._mute = bodiless or self.method == b"HEAD"
        #: Bytes that may still be written; None: as many as come.
        self._left = length
        self._chunked = length is None and self.version == "1.1" and not bodiless
        lines = [*map(_pair, headers)]
        if self._chunked:
            lines.append(b"transfer-encoding: chunked")
        elif length is not None:
            if not bodiless:
                lines.append(b"content-length: %d" % length)
        elif not self._mute:
            self.keep = False  # ends with the connection
        state = self._line.state
        if not self.arrived or state.draining or not self.keep or self.version == "1.0":
            self._connection(lines)
        block = _block(lines)
        self.started_reply = True
        self._send(state.heads[status] + block)

    def _connection(self, lines: list[bytes]) -> None:
        """Say whether the connection stays open, where that is not what the version implies."""
        if not self.arrived or self._line.state.draining:
            self.keep = False
        if not self.keep:
            lines.append(b"connection: close")
        elif self.version == "1.0":
            lines.append(b"connection: keep-alive")

    def upgrade(self, headers: Iterable[Header], taker: WebSocket) -> None:
        """Answer 101: what comes and goes on the connection is the taker's from now on. BadRequest, CallerLeft."""
        if self.gone:
            raise CallerLeft
        self._line.hand_over(self._line.state.heads[101] + _block([*map(_pair, headers)]), taker)
        self.started_reply = self.ended = True

    def write(self, data: bytes) -> bool:
        """Send a piece of the body; nothing happens when the caller has left. True where `drain` should be awaited."""
        if not data or self.gone:
            return False
        if not self.started_reply or self.ended:
            raise RuntimeError("this reply is not being written")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.cut()
                raise RuntimeError("the reply is longer than it said")
        if self._mute:
            return False
        line = self._line
        try:
            if not self._chunked:
                line.transport.write(data)
            elif len(data) < _COPIED:
                line.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            else:
                line.transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
        except RuntimeError:  # uvloop's word for a transport that closed under us
            line.drop()
        return line.write_paused

    async def drain(self) -> None:
        """Wait while the caller takes the reply more slowly than it is written."""
        if self._line.write_paused:
            await self._line.drained()

    def end(self) -> None:
        """End the reply; the next request of the connection starts."""
        if self.ended:
            return
        if not self.started_reply:
            raise RuntimeError("there is no reply to end")
        if self._left and not self._mute:
            self.cut()
            if not self.gone:
                raise RuntimeError("the reply is shorter than it said")
            return
        self.ended = True
        if self._chunked and not self._mute:
            self._send(b"0\r\n\r\n")
        if not self.gone:
            self._line.finished(self)

    def cut(self) -> None:
        """Break off: close without the end of the body, so that nobody takes it for complete."""
        if self.ended:
            return
        self.ended = True
        self.keep = False
        if not self.gone:
            # Where only the connection's end ends the body, a proper close would look like completeness.
            hard = self.started_reply and not self._chunked and self._left is None
            self._line.cut_off(self, hard=hard)

    def _send(self, data: bytes) -> None:
        if self.gone:
            return
        try:
            self._line.transport.write(data)
        except RuntimeError:
            self._line.drop()


def closing_reply(status_line: bytes, headers: Iterable[Header], body: bytes) -> bytes:
    """A whole reply as bytes, after which the connection closes; for requests that never became an exchange."""
    lines = [*map(_pair, headers), b"content-length: %d" % len(body), b"connection: close"]
    return b"".join((status_line, _block(lines), body))


def _block(lines: list[bytes]) -> bytes:
    """Header lines and the empty line as they are sent; a line break inside of one would make two of it."""
    lines.append(b"\r\n")
    block = b"\r\n".join(lines)
    if not block.count(b"\n") == block.count(b"\r") == len(lines):
        raise ValueError("line break in a reply header")
    return block
