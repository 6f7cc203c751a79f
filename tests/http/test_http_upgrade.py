"""Handing a connection over to WebSocket: the handshake, what is left of HTTP afterwards, slow peers, and the end."""

import asyncio
import base64

import pytest
from http_kit import BOUND, Wire
from http_kit import wire as serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from support.waiting import until
from unigate.base import websocket
from unigate.base.websocket import WebSocket
from unigate.http.exchange import Exchange
from unigate.http.upgrade import Handshake

KEY = base64.b64encode(bytes(16))
HEAD = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
)


class Echo:
    """Says what it hears, and shows its sockets."""

    def __init__(self) -> None:
        self.sockets: list[WebSocket] = []

    async def __call__(self, x: Exchange) -> None:
        socket = Handshake(x, subprotocols=("talk",), most=1 << 20).accept([(b"x-here", b"yes")])
        self.sockets.append(socket)
        while (message := await socket.receive()) is not None:
            if socket.send(message):
                await socket.drain()
        socket.close()


def client(wire: Wire, **options: object) -> connect:
    host, port = wire.server.addresses[0]
    return connect(f"ws://{host}:{port}/ws", open_timeout=BOUND, ping_interval=None, max_size=None, **options)  # type: ignore[arg-type]


async def test_messages_come_back_as_they_were() -> None:
    echo = Echo()
    async with serving(echo) as wire, client(wire, subprotocols=["other", "talk"]) as socket:
        assert socket.subprotocol == "talk"
        assert socket.response is not None and socket.response.headers["x-here"] == "yes"
        for message in ("", "héllo", b"\x00\xff", "x" * 300_000):
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(iter([b"a", b"b", b"c"]))
        assert await socket.recv() == b"abc"


async def test_the_rest_of_http_is_over_and_its_place_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_WITHIN", 0.5)  # this caller never closes
    echo = Echo()
    async with serving(echo) as wire:
        caller = await wire.ask(HEAD + b"\r\n")
        status, headers = await caller.head()
        assert (status, headers[b"upgrade"], headers[b"connection"]) == (101, b"websocket", b"Upgrade")
        assert b"content-length" not in headers and len(wire.server.state.connections) == 1
        await caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")  # an unmasked frame of an unknown kind
        ended = await caller.rest()
        assert (ended[:1], int.from_bytes(ended[2:4], "big")) == (b"\x88", 1002)
        await until(lambda: not wire.server.state.connections and not wire.server.state.tasks)


@pytest.mark.parametrize("behind", [b"\x81\x80\x00\x00\x00\x00", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
async def test_what_comes_before_the_answer_is_refused(behind: bytes) -> None:
    async with serving(Echo()) as wire:
        caller = await wire.ask(HEAD + b"\r\n" + behind)
        assert (await caller.head())[0] == 400


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD.replace(b"Upgrade: websocket\r\n", b""), 426),
        (HEAD.replace(b"keep-alive, Upgrade", b"close"), 426),
        (HEAD.replace(KEY, b"AAAA"), 400),
        (HEAD.replace(b"Version: 13", b"Version: 12"), 400),
        (HEAD.replace(b"GET", b"POST"), 405),
    ],
)
async def test_what_is_no_handshake_is_refused(head: bytes, status: int) -> None:
    async with serving(Echo()) as wire:
        caller = await wire.ask(head + b"\r\n")
        assert (await caller.head())[0] == status


async def test_a_peer_that_does_not_read_holds_us_back() -> None:
    """What waits is bounded on both sides: the sender stops reading, and goes on when the peer does."""
    echo = Echo()
    async with serving(echo) as wire, client(wire, max_queue=1) as socket:
        sent = 0

        async def push() -> None:
            nonlocal sent
            while sent < 400:
                await socket.send(b"x" * 100_000)
                sent += 1

        pushing = asyncio.get_running_loop().create_task(push())
        await until(lambda: echo.sockets and echo.sockets[0]._blocked, seconds=30)
        await until(lambda: not echo.sockets[0]._reading, seconds=30)
        assert echo.sockets[0]._queued <= websocket.HIGH + 200_000
        for _ in range(400):
            async with asyncio.timeout(BOUND):
                assert len(await socket.recv()) == 100_000
        await pushing


async def test_a_silent_peer_is_pinged_and_given_up() -> None:
    echo = Echo()
    async with serving(echo) as wire, client(wire) as socket:
        await socket.send("hello")
        await socket.recv()
        (ours,) = echo.sockets
        now = ours._heard
        ours.look(now + websocket.PING_AFTER + 1)
        await until(lambda: ours._heard > now)  # the pong
        assert ours.open
        socket.transport.pause_reading()
        later = ours._heard + websocket.PING_AFTER + 1
        ours.look(later)
        ours.look(later + websocket.PING_AFTER + 1)
        await until(lambda: not ours.open)
        socket.transport.resume_reading()  # or its own closing waits in vain


async def test_draining_tells_whoever_serves_it() -> None:
    echo = Echo()
    async with serving(echo) as wire, client(wire) as socket:
        await socket.send("hello")
        await socket.recv()
        draining = asyncio.get_running_loop().create_task(wire.server.drain(BOUND))
        await until(lambda: echo.sockets[0].retired)
        echo.sockets[0].close(1012, "restart")
        with pytest.raises(ConnectionClosed) as end:
            await socket.recv()
        assert end.value.rcvd is not None and (end.value.rcvd.code, end.value.rcvd.reason) == (1012, "restart")
        assert await draining
