"""Connection: serves the requests of one TCP connection in order, one handler at a time, and ends it properly.

It must not know what is served: that is the handler's. What the bytes mean is `intake.py`'s.
"""

import asyncio
import logging
from math import inf
from typing import cast

from unigate.base.clock import monotonic
from unigate.base.errors import BadRequest, CallerTooSlow, Draining, GatewayError, TooManyConnections
from unigate.base.websocket import WebSocket
from unigate.http.exchange import Exchange, closing_reply
from unigate.http.intake import DEAF, HEAD, Intake
from unigate.http.state import ServerState
from unigate.http.tcp import reset_on_close, untaken

log = logging.getLogger(__name__)

_HIGH_WATER, _LOW_WATER = 64 << 10, 16 << 10
#: Connections above the limit that are told so; beyond them they are dropped without a word.
_TOLD = 64


class Connection(Intake):
    """One connection of a caller."""

    __slots__ = ("_closing", "_drained", "_error", "_taker", "_untaken")

    def __init__(self, state: ServerState) -> None:
        super().__init__(state)
        #: The last reply is out; only its delivery is watched.
        self._closing = False
        #: To be told to the caller once earlier requests are answered; then the connection closes.
        self._error: GatewayError | None = None
        self._drained: asyncio.Future[None] | None = None
        #: Who speaks on the connection in our place.
        self._taker: WebSocket | None = None
        #: Bytes that the caller had not taken when its slowness was last judged.
        self._untaken = 0

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place among the connections, or tell that there is none."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER, low=_LOW_WATER)
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.client = peer[0] if isinstance(peer, tuple) else ""
        self.server = (here[0], here[1]) if isinstance(here, tuple) else None
        state = self.state
        state.connections.add(self)
        limits = state.limits
        self.deadline = monotonic() + (limits.linger_time if state.draining else limits.idle_time)
        above = len(state.connections) - limits.connections
        if above > _TOLD:
            self.drop()
        elif above > 0:
            self.refuse(TooManyConnections())

    def data_received(self, data: bytes) -> None:
        """Understand what came; start a handler when a request is there."""
        if self._held:
            self._held += data
            return
        self.take(data)
        if self.current is None and self.waiting:
            self._start()

    def eof_received(self) -> bool:
        """The caller hung up: nobody waits for answers any more. The transport closes itself."""
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Nothing can be sent or received any more."""
        self._leave()
        self.state.connections.discard(self)
        self.deadline = self.write_deadline = inf

    def pause_writing(self) -> None:
        """More than the high-water mark waits to be sent."""
        self.write_paused = True
        self._watch_writing()

    def resume_writing(self) -> None:
        """The caller has taken most of it."""
        self.write_paused = False
        if self._closing:
            self._watch_writing()
        else:
            self.write_deadline = inf
        self._undrain()

    # Serving.

    def _start(self) -> None:
        """Start the handler of the next request."""
        self.current = x = self.waiting.popleft()
        state = self.state
        x.task = task = asyncio.Task(self._serve(x), loop=state.loop, name="call")
        state.tasks.add(task)

    async def _serve(self, x: Exchange) -> None:
        """Run the handler; whatever it does, there is a reply or a visible break."""
        state = self.state
        try:
            await state.handler(x)
            if not (x.ended or x.promised):
                log.error("the handler returned without a reply to %s %s", x.method, x.path)
                self._fail(x, GatewayError())
        except GatewayError as error:
            self._fail(x, error)
        except asyncio.CancelledError:
            self._fail(x, Draining())
            raise
        except Exception:
            log.exception("the handler of %s %s failed", x.method, x.path)
            self._fail(x, GatewayError())
        finally:
            if x.task is not None:
                state.tasks.discard(x.task)
                # A task that was cancelled holds its frames, and they the body: no cycle may keep it until garbage is collected.
                x.task = None
            if x.refused is not None:
                x.refused.__traceback__ = None  # so do those of an error that is kept

    def _fail(self, x: Exchange, error: GatewayError) -> None:
        if x.ended or x.gone:
            return
        if not x.started_reply:
            try:
                x.reply(*self.state.render_error(x, error))
            except Exception:
                log.exception("an error could not be rendered")
        x.cut()  # where there was no reply, or only half of one

    def finished(self, x: Exchange) -> None:
        """A reply is out: go on with the next request, or close."""
        self.current = None
        if not x.keep or self.state.draining:
            # Where input may be under way, closing at once would reset the connection and destroy the reply.
            self._shut(linger=self.mode != DEAF or x.refused is not None)
        elif self.waiting:
            self._start()
            if self._held and len(self.waiting) <= self.state.limits.queue // 2:
                self._catch_up()
        elif self._error is not None:
            self._tell()
        elif self.mode == HEAD and not self._partial:
            self.deadline = self.state.tick + self.state.limits.idle_time

    def _catch_up(self) -> None:
        """Look at what was held back while too many requests waited."""
        held, self._held = self._held, b""
        self.resume()
        self.take(held)

    def cut_off(self, x: Exchange, *, hard: bool) -> None:
        """Close after a reply that broke off; `hard`: reset, since a proper close would read as completeness."""
        if hard:
            reset_on_close(self.transport.get_extra_info("socket"))
            self.drop()
        else:
            self.current = None
            self._shut(linger=self.mode != DEAF or x.refused is not None)

    async def drained(self) -> None:
        """Wait until the transport takes more; the write timeout bounds it by closing the connection."""
        while self.write_paused:
            if self._drained is None or self._drained.done():
                self._drained = self.state.loop.create_future()
            await asyncio.shield(self._drained)

    def _undrain(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def hand_over(self, head: bytes, taker: WebSocket) -> None:
        """Send a last head; what comes and goes after it is the taker's."""
        if self.waiting or self._partial or self._held or self._error is not None or self.mode != HEAD:
            raise BadRequest("Nothing may follow the request before it is answered with 101.")
        self._forget()
        self.current = None
        self._taker = taker
        taker.when_lost = lambda: self.state.connections.discard(self)
        self.resume()
        self.transport.write(head)
        self.transport.set_protocol(taker)
        taker.connection_made(self.transport)
        if self.state.draining:
            taker.retire()

    # Refusing and closing.

    def refuse(self, error: GatewayError) -> None:
        """Use nothing of what comes; say why when earlier requests are answered."""
        self.mode = DEAF
        self.deadline = inf
        self._error = error
        self._partial.clear()
        self._held = b""
        self._chunks = None
        x, self.incoming = self.incoming, None
        if x is not None:
            if x is self.current:
                x.refused = error
                x.wake()
            elif x in self.waiting:
                self.waiting.remove(x)  # sound as its head was, it does not run
        self.resume()
        if self.current is None and not self.waiting:
            self._tell()

    def _tell(self) -> None:
        """Send the reply to what was refused, and close."""
        error, self._error = self._error, None
        assert error is not None
        try:
            status, headers, body = self.state.render_error(None, error)
            self.transport.write(closing_reply(self.state.heads[status], headers, body))
        except RuntimeError:  # uvloop's word for a transport that closed under us
            self.drop()
        except Exception:
            log.exception("an error could not be rendered")
            self.drop()
        else:
            self._shut(linger=True)

    def _shut(self, *, linger: bool) -> None:
        """Close when all that was written is delivered; `linger`: discard input for a while first."""
        self._closing = True
        self._forget()
        if self.transport.get_write_buffer_size():
            self._watch_writing()
        if linger and self.transport.can_write_eof():
            self.deadline = monotonic() + self.state.limits.linger_time
            self.resume()
            try:
                self.transport.write_eof()
            except (OSError, RuntimeError):  # the peer was faster
                self.drop()
        else:
            self.deadline = inf
            self.transport.close()

    def retire(self) -> None:
        """The server drains: close where nothing is going on; else the reply under way will."""
        if self._taker is not None:
            self._taker.retire()
            return
        if self.current is None and not self.waiting and self.mode == HEAD and not self._partial:
            if self.used:
                self._shut(linger=False)
            else:  # opened just now, its first request may be on the way
                self.deadline = monotonic() + self.state.limits.linger_time

    def drop(self) -> None:
        """Close at once, whatever is going on."""
        self.transport.abort()
        self._leave()

    def _leave(self) -> None:
        """There is nobody to answer to: stop the handler, start no other."""
        x, self.current = self.current, None
        self._forget()
        self.write_paused = False
        self._undrain()
        if x is not None:
            x.left()

    def _forget(self) -> None:
        """Use nothing that came and was not served yet."""
        self.mode = DEAF
        self.incoming = self._chunks = None
        self.waiting.clear()
        self._partial.clear()
        self._held = b""

    # Time.

    def expire(self, now: float) -> None:
        """A deadline has passed: called by the sweep."""
        if self.write_deadline <= now:
            taken, limits = self._untaken - self._count_untaken(), self.state.limits
            if taken < limits.least_rate * limits.write_time:
                self.drop()
                return
            self._watch_writing()
        if self.deadline > now:
            return
        if self._closing:
            if self.transport.get_write_buffer_size():
                self.deadline = now + self.state.limits.linger_time
            else:
                self.drop()
        elif self.incoming is not None or self._partial:
            self.refuse(CallerTooSlow())
        else:
            self._shut(linger=False)

    def _watch_writing(self) -> None:
        """Judge from now on whether the caller takes what is written."""
        self._untaken = self._count_untaken()
        self.write_deadline = monotonic() + self.state.limits.write_time

    def _count_untaken(self) -> int:
        transport = self.transport
        return transport.get_write_buffer_size() + untaken(transport.get_extra_info("socket"))
