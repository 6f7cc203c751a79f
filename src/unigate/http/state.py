"""What all connections of one server share: its limits, its handler and what is alive. No behaviour of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError
from unigate.http.exchange import Exchange
from unigate.http.framing import KnownHeads
from unigate.spec.exchange import Header

Handler = Callable[[Exchange], Coroutine[Any, Any, None]]
#: Makes the reply to an error: status, headers, body. The exchange is None where no request was understood.
RenderError = Callable[[Exchange | None, GatewayError], tuple[int, Iterable[Header], bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    #: A request head, first line to empty line.
    head: int = 64 << 10
    headers: int = 256
    #: The largest decoded body of any operation; an operation asks for less with `read(limit)`.
    body: int = 512 << 20
    #: Upload that nobody has asked for yet; above it the caller is made to wait.
    backlog: int = 64 << 10
    #: Requests that wait behind the one being served, on one connection.
    queue: int = 16
    connections: int = 16_384
    #: From the first byte of a head to its end.
    head_time: float = 15.0
    #: Between two pieces of a body, and the grace before `least_rate` counts.
    body_time: float = 30.0
    #: Bytes per second that a caller must at least send (body) or take (reply).
    least_rate: int = 512
    #: How long a caller may take nothing of a reply.
    write_time: float = 30.0
    #: Between two requests.
    idle_time: float = 75.0
    #: How long input is discarded after a reply that came before the request was read.
    linger_time: float = 1.0


class ReplyHeads(dict[int, bytes]):
    """Status line and date header by status, made once per second and status."""

    def __init__(self) -> None:
        super().__init__()
        self._second = -1
        self._date = b""
        self.renew()

    def renew(self) -> None:
        """Forget the lines when their second is over."""
        second = now_ms() // 1000
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode()
            self.clear()

    def __missing__(self, status: int) -> bytes:
        line = b"HTTP/1.1 %d %b\r\ndate: %b\r\n" % (status, _PHRASES.get(status, b"Unknown"), self._date)
        self[status] = line
        return line


class Timed(Protocol):
    """What the sweep watches: something that is alive and must not be for ever."""

    #: When to look at the input side, and at the output side (seconds, monotonic).
    deadline: float
    write_deadline: float

    def expire(self, now: float) -> None:
        """A deadline has passed."""
        ...


class Live(Timed, Protocol):
    """A connection, as its server sees it."""

    def retire(self) -> None:
        """The server drains: close now if nothing is going on, else after the reply."""
        ...

    def drop(self) -> None:
        """Close at once, whatever is going on."""
        ...


class ServerState:
    """Shared by the server, its connections and the sweep."""

    __slots__ = (
        "connections",
        "draining",
        "handler",
        "heads",
        "known",
        "limits",
        "loop",
        "render_error",
        "tasks",
        "tick",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, handler: Handler, render_error: RenderError, limits: Limits
    ) -> None:
        self.loop = loop
        self.handler = handler
        self.render_error = render_error
        self.limits = limits
        self.connections: set[Live] = set()
        #: Running handlers; kept here since the loop itself holds tasks weakly.
        self.tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.heads = ReplyHeads()
        self.known = KnownHeads(limits.headers)
        #: The monotonic clock as of the last sweep: exact enough for limits of many seconds.
        self.tick = monotonic()


_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
