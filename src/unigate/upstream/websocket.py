"""The vendor's side of a WebSocket: opened as every connection is (addresses checked, proxies, TLS), then shaken hands.

A vendor that refuses the upgrade does so by an HTTP answer; what that means is judged elsewhere.
"""

import asyncio
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.protocol import Event
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from unigate.base.errors import BadAnswer, TookTooLong, Unreachable, UpstreamError
from unigate.base.websocket import WebSocket, library_logger
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream.client import Client
from unigate.upstream.endpoint import Endpoint
from unigate.upstream.head import upgrade


class NotUpgraded(Exception):
    """The vendor answered with something else than 101."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self._headers = headers

    def header(self, name: str) -> bytes | None:
        """The first value of a header."""
        found = self._headers.get_all(name)
        return found[0].encode("latin-1", "replace") if found else None


class VendorSocket(WebSocket):
    """One end of a connection to a vendor."""

    def __init__(self, protocol: ClientProtocol) -> None:
        super().__init__(protocol)
        self._client = protocol
        #: Done when the vendor has answered the handshake, or the connection has ended without.
        self._shaken: asyncio.Future[None] = self._loop.create_future()

    async def shake(self, head: bytes) -> None:
        """Ask for the upgrade. Raises NotUpgraded, BadAnswer, Unreachable."""
        assert self._transport is not None
        self._transport.write(head)
        await self._shaken
        wrong = self._client.handshake_exc
        if isinstance(wrong, InvalidStatus):
            told = wrong.response
            raise NotUpgraded(told.status_code, told.headers, bytes(told.body or b""))
        cut = wrong is not None and isinstance(wrong.__cause__, EOFError)
        if wrong is not None and not cut:
            raise BadAnswer(detail=f"the handshake failed: {wrong}")
        if cut or not self.open:
            raise Unreachable(detail="the connection was closed before the handshake was answered")

    def handshaken(self, event: Event) -> None:  # noqa: ARG002 - what it says is kept by the protocol
        """The vendor has answered."""
        if not self._shaken.done():
            self._shaken.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Understand what came, be it unreadable."""
        super().data_received(data)
        if self._client.handshake_exc is not None and not self._shaken.done():
            self._shaken.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        if not self._shaken.done():
            self._shaken.set_result(None)


async def connect(
    client: Client, endpoint: Endpoint, request: Request, timeouts: Timeouts, *, subprotocols: Sequence[str], most: int
) -> VendorSocket:
    """A WebSocket to a vendor. Messages of more than `most` bytes end it.

    Raises Unreachable, TookTooLong, BadAnswer, and NotUpgraded where the vendor answers anything but 101.
    """
    uri = WebSocketURI(endpoint.scheme == "https", endpoint.host, endpoint.port, request.target, "")
    offered = [Subprotocol(name) for name in subprotocols]
    protocol = ClientProtocol(uri, subprotocols=offered or None, max_size=most, logger=library_logger())
    more = [(b"sec-websocket-key", protocol.key.encode()), (b"sec-websocket-version", b"13")]
    if offered:
        more.append((b"sec-websocket-protocol", ", ".join(offered).encode()))
    head = upgrade(endpoint, request, tuple(more))
    where = f"{endpoint.host}:{endpoint.port}"
    socket = await _opened(client, endpoint, protocol, timeouts, where)
    try:
        async with asyncio.timeout(timeouts.first_byte):
            await socket.shake(head)
    except TimeoutError:
        socket.abort()
        raise TookTooLong(detail=f"no answer to the handshake within {timeouts.first_byte:g} s") from None
    except BaseException:
        socket.abort()
        raise
    return socket


async def _opened(
    client: Client, endpoint: Endpoint, protocol: ClientProtocol, timeouts: Timeouts, where: str
) -> VendorSocket:
    """A connection within the time allowed for it; the errors say that nothing was sent."""
    try:
        try:
            async with asyncio.timeout(timeouts.connect):
                return await client.connector.open(endpoint, lambda: VendorSocket(protocol), through=True)
        except TimeoutError:
            raise TookTooLong(detail=f"no connection to {where} within {timeouts.connect:g} s") from None
        except (OSError, RuntimeError, ValueError) as error:
            raise Unreachable(detail=f"{where}: {error}") from None
    except UpstreamError as error:
        error.sent = False
        raise
