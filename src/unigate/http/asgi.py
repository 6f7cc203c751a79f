"""ASGI: runs any ASGI 3 application on our exchanges, so that it shares port, limits and timers with the relay.

Only what `Exchange` offers is used here. The lifespan is not offered: what is to be started and stopped with a process is the worker's.
https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote

from unigate.base.errors import CallerLeft, GatewayError
from unigate.http.asgi_socket import AsgiSocket, wants_socket
from unigate.http.exchange import Exchange
from unigate.spec.exchange import Header

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_VERSION = {"version": "3.0", "spec_version": "2.3"}
#: Headers that frame a message are ours to write.
_OURS = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date", b"upgrade"))


async def run_asgi(
    app: AsgiApp, x: Exchange, state: MutableMapping[str, Any] | None = None, *, sockets: bool = False
) -> None:
    """Serve one exchange by an ASGI app. `state`: what it finds in the scope under that name.

    `sockets`: it has WebSockets; for others an upgrade is a plain request.

    An app that raises or returns after it started its reply is cut off there, visibly for the caller. One that raises
    before that gets what every handler gets. An app is told of a caller who left by `http.disconnect` and not
    cancelled: it may be in a transaction.
    """
    if sockets and wants_socket(x):
        await _run_socket(app, x, state)
        return
    call = _Call(x)
    x.leave = call.wake
    try:
        await app(_scope(x, state), call.receive, call.send)
    except BaseException:
        if x.started_reply and not x.ended:
            x.cut()
        raise
    finally:
        x.leave = None
    if not x.ended and x.started_reply:
        log.error("the application ended its reply to %s %s half way", x.method, x.path)
        x.cut()


async def _run_socket(app: AsgiApp, x: Exchange, state: MutableMapping[str, Any] | None) -> None:
    """The same for a WebSocket; it ends when the app returns."""
    socket = AsgiSocket(x)
    try:
        await app(socket.scope(_scope(x, state)), socket.receive, socket.send)
    except BaseException:
        socket.hang_up()
        raise
    socket.finish()


def _scope(x: Exchange, state: MutableMapping[str, Any] | None) -> Scope:
    return {
        "type": "http",
        "asgi": _VERSION,
        "http_version": x.version,
        "method": x.method.decode("ascii"),
        "scheme": "http",
        "path": unquote(x.path.decode("ascii")),
        "raw_path": x.path,
        "query_string": x.query,
        "root_path": "",
        "headers": x.headers,
        "client": (x.client, 0) if x.client else None,
        "server": x.server,
        "state": {} if state is None else dict(state),
        # Ours: an app may close the connection without a reply, as the sandbox does where a vendor shall die.
        "extensions": {"http.response.hang_up": {}},
    }


class _Call:
    """One run of an app: its `receive` and `send`."""

    __slots__ = ("_changed", "_head", "_refused", "_taken", "_x")

    def __init__(self, x: Exchange) -> None:
        self._x = x
        #: Status and headers, kept until the first piece of body tells whether the length is known.
        self._head: tuple[int, list[Header], int | None] | None = None
        #: The whole body was handed out.
        self._taken = False
        #: Why it can't be; then that is the reply, whatever the app makes of it.
        self._refused: GatewayError | None = None
        self._changed: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """The caller left, or the reply has ended."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def receive(self) -> Message:
        """The body, piece by piece; after it waits for the end of the exchange."""
        x = self._x
        if not self._taken and not x.gone:
            try:
                piece = await x.body()
            except CallerLeft:
                return {"type": "http.disconnect"}
            except GatewayError as error:
                self._refused = error
                raise
            self._taken = x.arrived and not x.pieces
            return {"type": "http.request", "body": piece, "more_body": not self._taken}
        while not (x.gone or x.ended):
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass a message of the app on to the caller."""
        if self._refused is not None and not self._x.started_reply:
            raise self._refused
        kind = message["type"]
        if kind == "http.response.start":
            if self._head is not None or self._x.started_reply:
                raise RuntimeError("the application started its reply twice")
            self._head = (message["status"], *_reply_headers(message.get("headers", ())))
        elif kind == "http.response.body":
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.hang_up":
            self._x.cut()
            self.wake()
        else:
            raise RuntimeError(f"the application sent {kind!r}")

    async def _body(self, data: bytes, *, more: bool) -> None:
        x, head = self._x, self._head
        if head is None and not x.started_reply:
            raise RuntimeError("the application sent a body before its start")
        if head is not None:
            self._head = None
            status, headers, length = head
            if not more and length in (None, len(data)) and x.method != b"HEAD":
                x.reply(status, headers, data)
                self.wake()
                return
            x.start(status, headers, length)
        if data:
            x.write(data)
        if more:
            await x.drain()
        else:
            x.end()
            self.wake()


def _reply_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[Header], int | None]:
    """An app's headers without those that are ours, and the length that it announced."""
    kept: list[Header] = []
    length: int | None = None
    for name, value in headers:
        lower = bytes(name).lower()
        if lower not in _OURS:
            kept.append((lower, bytes(value)))
        elif lower == b"content-length":
            length = int(value)
    return kept, length
