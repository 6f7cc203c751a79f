"""Intake: turns the bytes of one connection into exchanges, in order.

What comes is cut into heads and bodies. A head is counted to the byte before anything reads it, at most
`limits.queue` requests wait, and what is behind a message that is refused has not been looked at. It must not start,
answer or close anything: `protocol.py` does.
"""

import asyncio
from collections import deque
from math import inf

from unigate.base.clock import monotonic
from unigate.base.errors import BadRequest, GatewayError, HeadTooLarge, TooLarge
from unigate.http.chunks import Chunks
from unigate.http.exchange import Exchange, Line
from unigate.http.state import ServerState

#: Where we are in the input: before or in a head; in a body of known length; in one sent in chunks; past all use.
HEAD, COUNTED, CHUNKED, DEAF = range(4)
_END = b"\r\n\r\n"
#: What `find(_END) + 4` gives where there is none.
_NOT_FOUND = 3
#: Empty lines before a request line that are forgiven, in bytes.
_BLANKS = 64
#: A method begins with a capital letter; bytes below this one may be line ends.
_A, _Z = b"AZ"
_BLANK = 14


class Intake(asyncio.Protocol, Line):
    """The input side of a connection."""

    __slots__ = (
        "_base",
        "_blanks",
        "_chunks",
        "_held",
        "_left",
        "_now",
        "_partial",
        "_paused",
        "_since",
        "client",
        "current",
        "deadline",
        "incoming",
        "mode",
        "server",
        "state",
        "transport",
        "used",
        "waiting",
        "write_deadline",
        "write_paused",
    )
    state: ServerState

    def __init__(self, state: ServerState) -> None:
        self.state = state
        #: The peer's address without port, and our own.
        self.client = ""
        self.server: tuple[str, int] | None = None
        self.deadline = self.write_deadline = inf
        self.write_paused = False
        self.mode = HEAD
        #: Has carried a request.
        self.used = False
        #: The exchange that is being served, those behind it, and the one whose body is still coming.
        self.current: Exchange | None = None
        self.waiting: deque[Exchange] = deque()
        self.incoming: Exchange | None = None
        self._now = 0.0
        #: A head of which only a part came.
        self._partial = bytearray()
        #: What was not looked at yet, since too many requests wait.
        self._held = b""
        self._paused = False
        self._blanks = 0
        #: Since when a head or body is timed; body bytes that had come by then.
        self._since = 0.0
        self._base = 0
        #: Bytes still to come of a counted body, and the decoder of one in chunks.
        self._left = 0
        self._chunks: Chunks | None = None

    def refuse(self, error: GatewayError) -> None:
        """Use nothing of what comes; say why when earlier requests are answered."""
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """Use up what came."""
        self._now = monotonic()
        at, size = 0, len(data)
        try:
            while at < size:
                mode = self.mode
                if mode == HEAD:
                    at = self._take_head(data, at)
                elif mode == COUNTED:
                    at = self._take_counted(data, at)
                elif mode == CHUNKED:
                    at = self._take_chunked(data, at)
                else:
                    return
        except GatewayError as error:
            # It is kept: the frames in which it came about hold the body, in a cycle.
            error.__cause__ = error.__context__ = None
            self.refuse(error.with_traceback(None))
        if self.incoming is not None:
            self._body_goes_on(self.incoming)

    # Heads.

    def _take_head(self, data: bytes, at: int) -> int:
        """Use up one head, or what there is of it; gives the place behind it."""
        if self._partial:
            return self._take_partial_head(data, at)
        if data[at] < _BLANK:
            return self._skip_blanks(data, at)
        if len(self.waiting) >= self.state.limits.queue:
            self._held = data[at:]
            self.pause()
            return len(data)
        end = data.find(_END, at) + 4
        if end == _NOT_FOUND:
            return self._take_partial_head(data, at)
        if end - at > self.state.limits.head:
            raise HeadTooLarge
        return self._read_head(data, at, end, self._now)

    def _skip_blanks(self, data: bytes, at: int) -> int:
        """Forgive a few empty lines before a request line (RFC 9112, 2.2)."""
        end = len(data) - len(data[at:].lstrip(b"\r\n"))
        self._blanks += end - at
        if end == at or self._blanks > _BLANKS:
            raise BadRequest("The request is not valid HTTP.")
        return end

    def _take_partial_head(self, data: bytes, at: int) -> int:
        """Collect a head that comes in several pieces; its time counts from its first byte."""
        partial, limits = self._partial, self.state.limits
        before = len(partial)
        if not before:
            self._since = self._now
            self.deadline = self._now + limits.head_time
        partial += data[at : at + limits.head + 1 - before]
        end = partial.find(_END, max(0, before - 3)) + 4
        if end == _NOT_FOUND:
            if len(partial) > limits.head:
                raise HeadTooLarge
            if not _A <= partial[0] <= _Z or partial.count(b"\n") != partial.count(b"\r\n"):
                raise BadRequest("The request is not valid HTTP.")  # never a method, or never an end: don't wait
            return len(data)
        if end > limits.head:
            raise HeadTooLarge
        head = bytes(partial[:end])
        partial.clear()
        self._read_head(head, 0, end, self._since)
        return at + end - before

    def _read_head(self, data: bytes, at: int, end: int, started: float) -> int:
        """Queue an exchange for the head in `data[at:end]`, or refuse it; gives the place behind what was used."""
        state = self.state
        head, digits = state.known.read(data, at, end)
        x = Exchange(self, head, digits, started)
        length = x.content_length
        if length is None:
            length = head.length
        if length:
            if length > state.limits.body:
                raise TooLarge
            body = data[end : end + length] if length > 0 else b""
            if len(body) != length:
                self._await_body(x, length)
                return end
            x.pieces.append(body)  # all in one packet, as most are
            x.received = length
            end += length
        self.waiting.append(x)
        self.used = True
        self._blanks = 0
        self._arrive(x)
        return end

    def _await_body(self, x: Exchange, length: int) -> None:
        """Queue an exchange whose body is still to come."""
        self.waiting.append(x)
        self.used = True
        self._blanks = 0
        self.incoming = x
        self._since, self._base = self._now, 0
        if length > 0:
            self.mode = COUNTED
            self._left = length
        else:
            self.mode = CHUNKED
            self._chunks = Chunks(x.pieces, self.state.limits.body)

    # Bodies.

    def _take_counted(self, data: bytes, at: int) -> int:
        x = self.incoming
        assert x is not None
        left = self._left
        piece = data[at : at + left]
        size = len(piece)
        x.pieces.append(piece)
        x.received += size
        if size < left:
            self._left = left - size
        else:
            self._arrive(x)
        return at + size

    def _take_chunked(self, data: bytes, at: int) -> int:
        x, chunks = self.incoming, self._chunks
        assert x is not None
        assert chunks is not None
        chunks.pieces = x.pieces
        end = chunks.take(data, at)
        x.received = chunks.received
        if chunks.over:
            self._chunks = None
            self._arrive(x)
        return end

    def _arrive(self, x: Exchange) -> None:
        """The whole request is here."""
        x.arrived = True
        self.incoming = None
        self.deadline = inf
        self.mode = HEAD if x.keep else DEAF
        if x.waiter is not None:
            x.wake()

    def _body_goes_on(self, x: Exchange) -> None:
        """Some of a body came, and more will: time it, and hold the caller back until it is read."""
        if x.waiter is not None and x.pieces:
            x.wake()
        if x.received - x.taken > self.state.limits.backlog:
            self.pause()
            self.deadline = inf
        elif x.expects and not x.received:
            self.deadline = inf  # it waits for us, and we wait for the handler
        else:
            self._prolong(x)

    def _prolong(self, x: Exchange) -> None:
        """Each piece prolongs the time for a body, but the whole must come at a least rate."""
        limits = self.state.limits
        earned = (x.received - self._base) / limits.least_rate
        self.deadline = min(self._now, self._since + earned) + limits.body_time

    def want_body(self) -> None:
        """The handler waits for the body: read on, and count the time from now where the caller was held back."""
        x = self.incoming
        if x is None or self._held:
            return
        if self.deadline == inf:
            self._now = self._since = monotonic()
            self._base = x.received
            self._prolong(x)
        self.resume()

    def pause(self) -> None:
        """Let the caller's bytes wait in the network."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Take the caller's bytes again."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
