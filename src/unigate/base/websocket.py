"""WebSocket: one end of a connection after its handshake (RFC 6455), as messages that are awaited and sent.

The frames are the library's; here are the transport, back-pressure in both directions, pings, and an end that always comes.
It must not know who is at the other end, nor what the messages say.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, cast

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import CLOSED, OPEN, Event, Protocol

from unigate.base.clock import monotonic

#: What waits to be taken, in bytes, before the peer is held back, and when it is let go on; and the same of what we send.
HIGH, LOW = 256 << 10, 64 << 10
#: Seconds without a word after which the peer is pinged, and as many more without an answer after which it is gone.
PING_AFTER = 20.0
#: Seconds in which a peer that is held back has to take something.
TAKE_WITHIN = 30.0
#: Seconds that a close may take.
CLOSE_WITHIN = 5.0
GOING_AWAY, ABNORMAL, BAD_TEXT = 1001, 1006, 1007

# At its finer levels the library would log what the messages say.
_log = logging.getLogger("unigate.websocket")
_log.setLevel(logging.ERROR)


class Message(NamedTuple):
    """One message; a text is sound UTF-8."""

    data: bytes
    text: bool = True


class Closed(NamedTuple):
    """How it ended: the peer's close code, ours where the peer broke a rule, ABNORMAL where the connection was lost."""

    code: int
    reason: str = ""


def library_logger() -> logging.Logger:
    """The logger that is given to the library."""
    return _log


class WebSocket(asyncio.Protocol):
    """One end. For one task that receives and any number that send."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._messages: deque[Message] = deque()
        self._queued = 0
        self._parts: list[bytes] = []
        self._text = True
        self._reading = True
        self._receiver: asyncio.Future[None] | None = None
        self._blocked = False
        self._unsent = 0
        self._moved_at = 0.0
        self._sender: asyncio.Future[None] | None = None
        #: When something came last, and when we last asked for a sign of life (0: not since then).
        self._heard = monotonic()
        self._pinged = 0.0
        self._deaf = False
        self._timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        #: Somebody asked that it ends soon.
        self.retired = False
        self.when_lost: Callable[[], None] = _nothing

    @property
    def open(self) -> bool:
        """Whether messages can still be sent."""
        return self._protocol.state is OPEN and not self._lost.done()

    @property
    def closed(self) -> Closed:
        """How it ended, once `receive` has said that it did."""
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        told = received or (sent if self._protocol.parser_exc is not None else None)
        return Closed(told.code, told.reason) if told is not None else Closed(ABNORMAL)

    # For whoever uses it.

    async def receive(self) -> Message | None:
        """The next message; None when no further one will come."""
        while not self._messages:
            if not self.open:
                return None
            self._receiver = self._loop.create_future()
            await self._receiver
        message = self._messages.popleft()
        self._queued -= len(message.data)
        if not self._reading and self._queued <= LOW:
            self._read_on()
        return message

    def send(self, message: Message) -> bool:
        """Send a message, or nothing where the end has come; True where `drain` should be awaited before the next."""
        if not self.open:
            return False
        if message.text:
            self._protocol.send_text(message.data)
        else:
            self._protocol.send_binary(message.data)
        self._flush()
        return self._blocked

    async def drain(self) -> None:
        """Wait while the peer takes messages more slowly than they are sent."""
        while self._blocked and not self._lost.done():
            if self._sender is None or self._sender.done():
                self._sender = self._loop.create_future()
            await asyncio.shield(self._sender)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; what still comes is dropped. A code that must not be sent is told as GOING_AWAY."""
        self._deaf = True
        self._messages.clear()
        self._queued = 0
        if self._protocol.state is OPEN:
            try:
                self._protocol.send_close(code, reason.encode()[:120].decode("utf-8", "ignore"))
            except ProtocolError:
                self._protocol.send_close(GOING_AWAY)
            self._flush()
        self._read_on()
        self._expect_end()

    async def ended(self) -> None:
        """Wait for the end of the connection, which `close` brings about."""
        await asyncio.shield(self._lost)

    def abort(self) -> None:
        """End it at once, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def retire(self) -> None:
        """Whoever serves it is asked to end it soon."""
        self.retired = True

    def look(self, now: float) -> None:
        """Called now and then: pings a silent peer, and gives up one that is gone or takes nothing."""
        if not self.open or self._transport is None:
            return
        if self._blocked:
            waiting = self._transport.get_write_buffer_size()
            if waiting < self._unsent:
                self._moved_at = now
            elif now - self._moved_at >= TAKE_WITHIN:
                self.abort()
            self._unsent = waiting
        elif self._reading and now - max(self._heard, self._pinged) >= PING_AFTER:
            if self._pinged > self._heard:
                self.abort()
                return
            self._pinged = now
            self._protocol.send_ping(b"")
            self._flush()

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH, low=LOW)

    def data_received(self, data: bytes) -> None:
        """Understand what came."""
        self._heard = monotonic()
        with suppress(EOFError):
            self._protocol.receive_data(data)
        self._progress()

    def eof_received(self) -> bool:
        """The peer sends no more; the transport closes itself."""
        self._protocol.receive_eof()
        self._progress()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._protocol.state is not CLOSED:
            self._protocol.receive_eof()
        if not self._lost.done():
            self._lost.set_result(None)
        self._blocked = False
        self._wake()
        self.when_lost()

    def pause_writing(self) -> None:
        """The peer is slower than we are."""
        self._blocked = True
        self._moved_at = monotonic()
        self._unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0

    def resume_writing(self) -> None:
        """It has taken most."""
        self._blocked = False
        if self._sender is not None and not self._sender.done():
            self._sender.set_result(None)

    # Inside.

    def handshaken(self, event: Event) -> None:
        """Something that is no frame: the answer to a handshake of ours."""

    def _progress(self) -> None:
        """After something came."""
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            else:
                self.handshaken(event)
        self._flush()
        if self._protocol.close_expected():
            self._expect_end()
        if self._messages or not self.open:
            self._wake_receiver()
        if self._reading and self._queued > HIGH and self._transport is not None and self.open:
            self._reading = False
            self._transport.pause_reading()

    def _take(self, frame: Frame) -> None:
        """Put the frames of a message together."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        if self._deaf:
            return
        if self._text and not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError as error:
                self._protocol.parser_exc = error
                self._protocol.fail(BAD_TEXT, "a text that is no UTF-8")
                self._deaf = True
                return
        self._messages.append(Message(data, self._text))
        self._queued += len(data)

    def _flush(self) -> None:
        """Hand over what the library wants to be sent."""
        transport = self._transport
        for data in self._protocol.data_to_send():
            if transport is None or transport.is_closing():
                return
            try:
                if data:
                    transport.write(data)
                elif transport.can_write_eof():
                    transport.write_eof()
                else:
                    transport.close()
            except (OSError, RuntimeError):  # uvloop's word for a transport that closed under us
                transport.abort()

    def _read_on(self) -> None:
        if not self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def _expect_end(self) -> None:
        """The connection is to end soon: see that it does."""
        self._read_on()
        if self._timer is None and not self._lost.done():
            self._timer = self._loop.call_later(CLOSE_WITHIN, self.abort)

    def _wake(self) -> None:
        self._wake_receiver()
        if self._sender is not None and not self._sender.done():
            self._sender.set_result(None)

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)


def _nothing() -> None:
    """Nobody wants to be told."""
