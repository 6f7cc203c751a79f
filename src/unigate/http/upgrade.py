"""The caller's side of a WebSocket: the handshake is checked first, and answered when the handler knows that it serves it.

It must not know what is spoken on it.
"""

from collections.abc import Sequence
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from unigate.base.errors import BadRequest, MethodNotAllowed, UpgradeRequired
from unigate.base.websocket import WebSocket, library_logger
from unigate.http.exchange import Exchange
from unigate.spec.exchange import Header

#: What the library's answer says that we send as it is.
_SENT = ("Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol")


class Handshake:
    """A caller's wish to speak WebSocket, found sound."""

    def __init__(self, x: Exchange, *, subprotocols: Sequence[str], most: int) -> None:
        """`subprotocols`: those of which one is chosen where the caller names it; `most`: bytes of a message.

        UpgradeRequired where it is a plain request, BadRequest where the handshake breaks the rules.
        """
        self._x = x
        self._most = most
        protocol = ServerProtocol(
            subprotocols=[Subprotocol(name) for name in subprotocols],
            select_subprotocol=_chosen,
            logger=library_logger(),
        )
        headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in x.headers)
        target = x.url.decode("ascii")
        self._answer = protocol.accept(Request(target, headers, x.method.decode("ascii"), f"HTTP/{x.version}"))
        _check(self._answer)

    def accept(self, more: Sequence[Header] = ()) -> WebSocket:
        """Answer it; the connection is a WebSocket from now on. BadRequest, CallerLeft."""
        told = [
            (name.lower().encode(), self._answer.headers[name].encode())
            for name in _SENT
            if name in self._answer.headers
        ]
        # The exchange writes the head, so that the protocol begins behind it.
        taker = WebSocket(ServerProtocol(state=OPEN, max_size=self._most, logger=library_logger()))
        self._x.upgrade([*told, *more], taker)
        return taker


def _check(answer: Response) -> None:
    if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        return
    if answer.status_code == HTTPStatus.UPGRADE_REQUIRED:
        raise UpgradeRequired(headers=((b"upgrade", b"websocket"),))
    if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        raise MethodNotAllowed
    raise BadRequest("This is not a handshake of WebSocket as RFC 6455 has it.")


def _chosen(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Our own subprotocol where the caller offers it; a caller that offers others only is served without one."""
    return next((name for name in protocol.available_subprotocols or () if name in offered), None)
