"""Connection: one HTTP/1.1 connection to a vendor, one request at a time.

No byte of one answer ever becomes part of another: a connection is used again only if its answer ended exactly where
the data ended, and it is closed by any byte that comes while nothing is awaited.
"""

import asyncio
import select
import ssl
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade

from unigate.base.errors import BadAnswer, GatewayError, StreamBroken, TookTooLong, Unreachable
from unigate.spec.channel import Timeouts
from unigate.upstream.answer import Answer, End
from unigate.upstream.head import Head
from unigate.upstream.limits import ClientLimits
from unigate.upstream.outgoing import Outgoing, Upload
from unigate.upstream.reader import Reader

#: What is written in one go, and in how large parts the rest follows as the transport takes it.
PART = 64 * 1024
_ALWAYS_FITS = 16 * 1024  # into an idle connection's buffers
#: Statuses from here on end the writing of a body in pieces: nobody wants the rest.
_REFUSED = 300
_WRITE_HIGH, _WRITE_LOW = 64 * 1024, 16 * 1024  # uvloop's own low mark is 16 bytes, its marks for TLS are too high


def _write_nowhere(_data: bytes) -> None:
    raise RuntimeError("the connection has ended")


def _closing() -> bool:
    return True


class Connection(Reader, asyncio.Protocol):
    """Speaks HTTP/1.1 over a transport. Gives itself back when it can serve another request, and tells its end."""

    __slots__ = (
        "_blocked",
        "_give",
        "_gone",
        "_heard",
        "_high",
        "_is_closing",
        "_poll",
        "_size",
        "_ssl",
        "_transport",
        "_unsent",
        "_upload",
        "_write",
        "closed",
        "idle_until",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: ClientLimits,
        give: Callable[["Connection"], None],
        gone: Callable[["Connection"], None],
    ) -> None:
        super().__init__(loop, limits)
        self._give = give
        self._gone = gone
        #: True as soon as it can't be used any more, before the transport has really ended.
        self.closed = False
        #: Loop time until which it may wait in the pool.
        self.idle_until = 0.0
        self._transport: asyncio.Transport | None = None
        self._write: Callable[[bytes], None] = _write_nowhere
        self._is_closing: Callable[[], bool] = _closing
        self._poll: Callable[[int], list[tuple[int, int]]] | None = None
        self._ssl: ssl.SSLObject | None = None
        self._high = limits.high
        #: Something moved since the last sweep.
        self._heard = False
        self._unsent: memoryview | None = None
        #: A body in pieces that was not written to its end.
        self._upload: Upload | None = None
        self._blocked = False
        #: Of the request's body.
        self._size = 0

    def exchange(self, head: Head, body: bytes | Outgoing, timeouts: Timeouts, started: float, now: float) -> Answer:
        """Write a request; the answer's `waiter` ends when its head is there, or when it failed.

        `started`: loop time when sending began, before connecting.
        """
        answer = self._answer = Answer(self, self.loop.create_future(), timeouts, started, now)
        self._in_head = True
        self._head_bytes = self._interim = 0
        self._coded = False
        self._is_head = head.is_head
        size = self._size = len(body) if isinstance(body, bytes) else body.length
        try:
            if not isinstance(body, bytes):
                self._write(b"%b%d\r\ncontent-type: %b\r\n\r\n" % (head.start, size, body.content_type))
                self._upload = Upload(self, body)
                self._heard = True
            elif not size:
                self._write(head.bare)
            elif size <= PART:
                self._write(b"%b%d\r\n\r\n%b" % (head.start, size, body))
            else:
                self._write(b"%b%d\r\n\r\n" % (head.start, size))
                self._unsent = memoryview(body)
                self._pump()
        except RuntimeError:  # uvloop: the handle is closed already
            self._lost(None)
        return answer

    def usable(self, now: float) -> bool:
        """Whether an idle connection may be used again.

        The poll sees what the loop has not yet told us: the peer's close, or bytes that nobody asked for, which would
        else be taken for the next answer.
        """
        if self.closed or self.idle_until <= now or self._is_closing():
            return False
        return self._poll is None or not self._poll(0)

    def taken(self, answer: Answer) -> None:
        """Pieces were taken, or the whole is wanted now: read on."""
        if answer.paused and (answer.whole is not None or answer.buffered <= self._limits.low):
            answer.paused = False
            self._heard = True
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()

    def too_large(self, answer: Answer) -> None:
        """Give up an answer that is larger than its reader allows."""
        self.fail(BadAnswer(detail=f"the answer is larger than {answer.limit} bytes"), "aborted")

    def fail(self, error: GatewayError, end: End) -> None:
        """End the answer with an error, and the connection with it."""
        answer = self._answer
        self._answer = None
        self.abort()
        if answer is not None:
            answer.finish(end, error)

    def abort(self) -> None:
        """Close at once; the transport's `close()` would wait for a peer that takes no data."""
        self.closed = True
        self._unsent = None
        if self._upload is not None:
            self._upload.stop()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection, and with an error what it is busy with."""
        why = "the client was closed"
        self.fail(Unreachable(detail=why) if self._in_head else StreamBroken(detail=why), "aborted")

    def check(self, now: float) -> None:
        """End what has passed one of its deadlines: an exchange, or waiting in the pool. For the client's sweep."""
        answer = self._answer
        if answer is None:
            if self.idle_until <= now:
                self.abort()
            return
        timeouts = answer.timeouts
        if now - answer.started >= timeouts.total:
            self.fail(TookTooLong(detail=f"not complete within {timeouts.total:g} s"), "late")
        elif self._in_head and self._unsent is None and self._upload is None:
            if now - answer.sent_at >= timeouts.first_byte:
                self.fail(TookTooLong(detail=f"no answer within {timeouts.first_byte:g} s"), "late")
        elif self._heard or answer.paused:
            self._heard = False
            self._heard_at = now
        elif now - self._heard_at >= timeouts.idle:
            self.fail(TookTooLong(detail=f"nothing moved for {timeouts.idle:g} s"), "late")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is needed at hand."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH, low=_WRITE_LOW)
        self._write = self._transport.write
        self._is_closing = self._transport.is_closing
        self._ssl = transport.get_extra_info("ssl_object")
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLIN)
            self._poll = poll.poll

    def data_received(self, data: bytes) -> None:
        """Feed the parser; then, and only then, a complete answer's connection may be used again."""
        answer = self._answer
        if answer is None:  # bytes that nobody asked for
            self.abort()
            return
        try:
            if self._in_head:
                size = self._head_bytes = self._head_bytes + len(data)
                if size <= self._head_limit:
                    self._feed(data)
                else:
                    self._read_long_head(data)
            else:
                self._content = False
                self._feed(data)
                if self._content:
                    self._heard = True
                elif self._answer is answer:
                    self._waste(len(data))
        except (HttpParserError, HttpParserUpgrade) as error:
            self._keep = False
            if self._answer is not None:
                detail = self._refusal or str(error)
                self.fail(BadAnswer(detail=detail) if self._in_head else StreamBroken(detail=detail), "broken")
        if self._upload is not None and answer.status >= _REFUSED:
            self._upload.stop()
        if self._answer is None:
            self._completed(answer)
        elif answer.buffered > self._high:
            self._hold_back(answer)

    def eof_received(self) -> None:
        """The peer closed in order: the end of an answer without length, else too early."""
        answer = self._answer
        if answer is not None:
            if self._ends_with_connection() and self._in_order():
                self._answer = None
                answer.finish("closed")
            else:
                self._lost(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport has ended."""
        self.closed = True
        if self._upload is not None:
            self._upload.stop()
        self._gone(self)
        if self._answer is not None:
            self._lost(exc)
        self._transport = self._poll = self._ssl = None
        self._write = _write_nowhere
        self._is_closing = _closing
        del self._feed, self._parser  # they hold this object, and it them

    def pause_writing(self) -> None:
        """The transport holds enough."""
        self._blocked = True

    def resume_writing(self) -> None:
        """The transport takes more."""
        self._blocked = False
        if self._unsent is not None:
            self._pump()
        elif self._upload is not None:
            self._upload.go_on()

    def _waste(self, size: int) -> None:
        """Count bytes that carried no body: chunk extensions, trailers, chunk sizes cut in two."""
        self._wasted += size
        if self._wasted > self._limits.head_bytes:
            self.fail(StreamBroken(detail="framing without content"), "broken")

    def _hold_back(self, answer: Answer) -> None:
        """More waits here than anybody takes: pause, or give up what is larger than its reader allows."""
        if answer.whole is not None:
            if answer.buffered > answer.limit:
                self.too_large(answer)
        elif not answer.paused and self._transport is not None:
            answer.paused = True
            self._transport.pause_reading()

    def _completed(self, answer: Answer) -> None:
        """All of the answer was read. The connection is used again if nothing speaks against it."""
        if answer.end is not None:  # it failed
            return
        if self._keep and self._idle_seconds > 0 and not self.closed and (self._size < _ALWAYS_FITS or self._written()):
            if answer.paused and self._transport is not None:
                self._transport.resume_reading()
            self.idle_until = self._now() + self._idle_seconds
            self._give(self)
        else:
            self.abort()
        answer.finish("whole")

    def _lost(self, exc: Exception | None) -> None:
        """The connection ended before the answer did."""
        answer = self._answer
        assert answer is not None
        why = (str(exc) or type(exc).__name__) if exc is not None else "the connection was closed"
        if not self._in_head:
            cut = self._ssl is not None and exc is None and self._ends_with_connection()
            self.fail(StreamBroken(detail=why), "cut" if cut else "broken")
        elif self._head_bytes:
            self.fail(BadAnswer(detail=f"{why} within the head"), "broken")
        else:
            self.fail(Unreachable(detail=f"{why} before an answer came"), "unanswered")

    def _written(self) -> bool:
        """Whether all of the request has left the process: else the answer came too early to trust what follows."""
        if self._unsent is not None or self._upload is not None:
            return False
        return self._transport is not None and not self._transport.get_write_buffer_size()

    def _in_order(self) -> bool:
        """Whether the peer really said that this is the end. asyncio's own TLS reports a raw close as one, too."""
        if self._ssl is None:
            return True
        try:
            return not self._ssl.read(1)  # nothing behind the peer's `close_notify`
        except ssl.SSLError:
            return False

    def _pump(self) -> None:
        """Write on as far as the transport takes it. Time for the first byte counts from the end of the request."""
        transport, answer = self._transport, self._answer
        while self._unsent is not None and not self._blocked and transport is not None and not transport.is_closing():
            part, rest = self._unsent[:PART], self._unsent[PART:]
            self._unsent = rest if len(rest) else None
            self._heard = True
            transport.write(part)
        if self._unsent is None and answer is not None:
            answer.sent_at = self._now()

    # For the upload.

    @property
    def heard(self) -> bool:
        """Something of an answer has come that was not read yet."""
        return self._in_head and self._poll is not None and bool(self._poll(0))

    def put(self, piece: bytes) -> bool:
        """Write a piece of the body; True where the transport holds enough."""
        self._heard = True
        try:
            self._write(piece)
        except RuntimeError:  # uvloop: the handle is closed already
            if self._answer is not None:
                self._lost(None)
        return self._blocked

    def wrote(self) -> None:
        """The body is written: from now on the answer is awaited."""
        self._upload = None
        if self._answer is not None:
            self._answer.sent_at = self._now()

    def give_up(self, error: GatewayError) -> None:
        """The body can't be had: neither can the answer."""
        self.fail(error, "aborted")
