"""WebSockets to vendors: over TLS, through proxies, and what becomes of a handshake that goes wrong."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme
from upstream_peer import LONG, PATIENCE, Peer, vendor
from upstream_proxies import http_proxy, socks_proxy
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from unigate.base.errors import BadAnswer, TookTooLong, Unreachable
from unigate.base.websocket import Message
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream import Client, Endpoint, endpoint
from unigate.upstream.websocket import NotUpgraded, VendorSocket, connect

ASKED = Request("GET", "/v1/realtime?model=m", ((b"authorization", b"Bearer sk-one"),))
#: It has not understood the key of the handshake.
MISTAKEN = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-accept: bm90aGluZw==\r\n\r\n"
)


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("vendor.example", "127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def echoing(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A vendor that says how it was asked, and then says everything again; its port."""

    async def handle(socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        await socket.send(f"{request.path} {request.headers['host']} {request.headers['authorization']}")
        with suppress(ConnectionClosed):
            async for message in socket:
                await socket.send(message)

    async with serve(handle, "127.0.0.1", 0, ssl=context) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def where(port: int, *, scheme: str = "https", host: str = "vendor.example", **options: str) -> Endpoint:
    return endpoint(f"{scheme}://{host}:{port}/v1", allow_private=True, **options)[0]  # type: ignore[arg-type]


async def opened(client: Client, at: Endpoint, timeouts: Timeouts = LONG, most: int = 1 << 20) -> VendorSocket:
    return await connect(client, at, ASKED, timeouts, subprotocols=(), most=most)


async def talked(socket: VendorSocket, at: Endpoint) -> None:
    """Both directions work, for texts and bytes of all lengths; it ends in order."""
    first = await socket.receive()
    assert first is not None and first.text
    assert bytes(first.data).decode() == f"/v1/realtime?model=m {at.authority} Bearer sk-one"
    for said in (Message(b"hello"), Message(bytes(300_000), text=False), Message("äöü".encode())):
        if socket.send(said):
            await socket.drain()
        heard = await socket.receive()
        assert heard is not None and (bytes(heard.data), heard.text) == (said.data, said.text)
    socket.close(4000, "done")
    async with asyncio.timeout(PATIENCE):
        await socket.ended()
    assert socket.closed == (4000, "done")


async def test_over_tls(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async with echoing(tls) as port:
        at = where(port, host="127.0.0.1", ca_file=ca_file)
        await talked(await opened(client, at), at)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_through_a_proxy(client: Client, tls: ssl.SSLContext, ca_file: str, kind: str, scheme: str) -> None:
    async with (
        echoing(tls if scheme == "https" else None) as port,
        http_proxy() if kind == "http" else socks_proxy() as proxy,
    ):
        at = where(port, scheme=scheme, proxy=f"{kind}://127.0.0.1:{proxy.port}", ca_file=ca_file)
        await talked(await opened(client, at), at)
        # A plain WebSocket needs a tunnel as well: a proxy would not pass on what comes after the upgrade.
        assert proxy.tunnels == [f"vendor.example:{port}"] and not proxy.lines


async def test_a_proxy_that_wants_to_know_who_asks(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async with echoing(tls) as port, http_proxy(authorization=b"Basic dTpw") as proxy:
        with pytest.raises(Unreachable) as told:
            await opened(client, where(port, proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file))
        assert told.value.sent is False
        at = where(port, proxy=f"http://u:p@127.0.0.1:{proxy.port}", ca_file=ca_file)
        await talked(await opened(client, at), at)


async def test_a_vendor_that_nobody_vouches_for(client: Client, tls: ssl.SSLContext) -> None:
    async with echoing(tls) as port:
        with pytest.raises(Unreachable) as told:
            await opened(client, where(port, host="127.0.0.1"))
    assert "certificate" in told.value.detail.lower() and told.value.sent is False


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\nretry-after: 3\r\n\r\nnope", NotUpgraded),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", NotUpgraded),
        (MISTAKEN, BadAnswer),
        (b"SSH-2.0-x\r\n\r\n", BadAnswer),
        (b"", Unreachable),
        (b"HTTP/1.1 101 Switch", Unreachable),
    ],
)
async def test_handshakes_that_go_wrong(client: Client, answer: bytes, error: type[Exception]) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        if error is Unreachable:
            peer.close()
        await peer.gone()

    async with vendor(handler) as server:
        with pytest.raises(error) as told:
            await opened(client, server.at())
    if isinstance(told.value, NotUpgraded) and told.value.status == 403:
        assert (told.value.body, told.value.header("retry-after")) == (b"nope", b"3")


async def test_a_vendor_that_never_answers(client: Client) -> None:
    async with vendor(Peer.gone) as server:
        with pytest.raises(TookTooLong):
            await opened(client, server.at(), Timeouts(connect=20, first_byte=0.2))


async def test_a_message_that_is_too_large_ends_it(client: Client) -> None:
    async with echoing() as port:
        socket = await opened(client, where(port, scheme="http", host="127.0.0.1"), most=1000)
        assert await socket.receive() is not None
        socket.send(Message(bytes(2000), text=False))
        assert await socket.receive() is None
        assert socket.closed[0] in (1006, 1009)
