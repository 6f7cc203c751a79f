"""WebSockets of an ASGI app on our exchanges: the `websocket` scope, as far as an app of ours needs it.

A server that closes before it accepts answers with a plain HTTP reply (the `websocket.http.response` extension).
https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
"""

from collections.abc import Mapping
from typing import Any

from unigate.base.websocket import ABNORMAL, Message, WebSocket
from unigate.http.exchange import Exchange
from unigate.http.upgrade import Handshake

#: Bytes of a message at most.
MOST = 64 << 20


def wants_socket(x: Exchange) -> bool:
    """Whether a request asks to speak WebSocket."""
    return (x.header(b"upgrade") or b"").lower() == b"websocket"


class AsgiSocket:
    """One run of an app on a WebSocket: its `receive` and `send`."""

    def __init__(self, x: Exchange) -> None:
        """UpgradeRequired, BadRequest where the handshake is not sound."""
        offered = [name.strip() for name in (x.header(b"sec-websocket-protocol") or b"").decode("latin-1").split(",")]
        self._x = x
        self._names = [name for name in offered if name]
        self._shake = Handshake(x, subprotocols=self._names[:1], most=MOST)
        self._socket: WebSocket | None = None
        self._begun = False
        #: Status and headers of a refusal whose body is still to come.
        self._refusal: tuple[int, list[tuple[bytes, bytes]]] | None = None

    def scope(self, usual: Mapping[str, Any]) -> dict[str, Any]:
        """The scope, made from that of a plain request."""
        return {
            **usual,
            "type": "websocket",
            "scheme": "ws",
            "subprotocols": self._names,
            "extensions": {"websocket.http.response": {}, "http.response.hang_up": {}},
        }

    async def receive(self) -> dict[str, Any]:
        """What comes from the caller."""
        if not self._begun:
            self._begun = True
            return {"type": "websocket.connect"}
        if self._socket is None:
            return {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
        message = await self._socket.receive()
        if message is None:
            code, reason = self._socket.closed
            return {"type": "websocket.disconnect", "code": code, "reason": reason}
        if message.text:
            return {"type": "websocket.receive", "text": message.data.decode(), "bytes": None}
        return {"type": "websocket.receive", "bytes": message.data, "text": None}

    async def send(self, message: Any) -> None:
        """Pass a message of the app on to the caller."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._socket = self._shake.accept(tuple(message.get("headers", ())))
        elif kind == "websocket.send" and self._socket is not None:
            text = message.get("text")
            sent = Message(message["bytes"], text=False) if text is None else Message(text.encode())
            if self._socket.send(sent):
                await self._socket.drain()
        elif kind == "websocket.close":
            self._close(message.get("code", 1000), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._refusal = (message["status"], list(message.get("headers", ())))
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            status, headers = self._refusal
            self._x.reply(status, [pair for pair in headers if pair[0] != b"content-length"], message.get("body", b""))
        elif kind == "http.response.hang_up":
            self.hang_up()
        else:
            raise RuntimeError(f"the application sent {kind!r}")

    def _close(self, code: int, reason: str) -> None:
        if self._socket is None:
            self._x.reply(403, (), b"")
        else:
            self._socket.close(code, reason)

    def hang_up(self) -> None:
        """Break the connection."""
        if self._socket is None:
            self._x.cut()
        else:
            self._socket.abort()

    def finish(self) -> None:
        """The app has returned: what it left open is closed."""
        if self._socket is not None:
            self._socket.close()
        elif not self._x.ended:
            self._x.cut()
