"""A server on a free port with a handler of the test's, and callers that speak raw bytes to it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from unigate.base.errors import GatewayError
from unigate.http.exchange import Exchange
from unigate.http.listen import listen
from unigate.http.protocol import Connection
from unigate.http.serving import Server
from unigate.http.state import Limits, RenderError

#: Seconds after which something that must happen has not.
BOUND = 10.0
#: For limits of time that the test is about.
SHORT = 0.4

Headers = tuple[tuple[bytes, bytes], ...]


def render_error(x: Exchange | None, error: GatewayError) -> tuple[int, Headers, bytes]:
    return error.status, ((b"content-type", b"text/plain"),), error.code.encode()


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def head(*lines: bytes, first: bytes = b"POST /refused HTTP/1.1") -> bytes:
    """A request's head."""
    return b"\r\n".join((first, *lines, b"", b""))


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    #: False where the connection ended before the body did.
    complete: bool = True


class Caller:
    """The other end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self.sock = sock
        self.buffer = b""
        #: The other side closed: None where it did not, else whether it did so properly.
        self.closed: bool | None = None

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(BOUND):
            await self._loop.sock_sendall(self.sock, data)

    async def send_cut(self, data: bytes, size: int) -> None:
        """Send in pieces that arrive one by one."""
        for at in range(0, len(data), size):
            try:
                await self.send(data[at : at + size])
            except OSError:  # refused by now
                return
            await asyncio.sleep(0)

    async def more(self) -> bool:
        """Wait for more bytes; False at the end."""
        if self.closed is not None:
            return False
        try:
            async with asyncio.timeout(BOUND):
                data = await self._loop.sock_recv(self.sock, 1 << 16)
        except ConnectionError:
            self.closed = False
            return False
        if not data:
            self.closed = True
            return False
        self.buffer += data
        return True

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while await self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    async def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not await self.more():
                raise EOFError(self.buffer)
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    async def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not await self.more():
                data, self.buffer = self.buffer, b""
                return data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def head(self) -> tuple[int, dict[bytes, bytes]]:
        """Status and headers of the next reply; every name must be there once only."""
        first, *lines = (await self._until(b"\r\n\r\n")).split(b"\r\n")
        version, status, _ = first.split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers: dict[bytes, bytes] = {}
        for line in lines:
            name, value = line.split(b": ", 1)
            assert name not in headers
            headers[name] = value
        assert not (b"content-length" in headers and b"transfer-encoding" in headers)
        return int(status), headers

    async def reply(self, *, to_head: bool = False) -> Reply:
        """The next reply."""
        status, headers = await self.head()
        if to_head or status in {204, 304} or status < 200:
            return Reply(status, headers, b"")
        if b"content-length" in headers:
            size = int(headers[b"content-length"])
            body = await self._exactly(size)
            return Reply(status, headers, body, len(body) == size)
        if b"transfer-encoding" in headers:
            return await self._chunked(status, headers)
        body = await self.rest()
        return Reply(status, headers, body, self.closed is True)

    async def _chunked(self, status: int, headers: dict[bytes, bytes]) -> Reply:
        body = b""
        while True:
            try:
                size = int(await self._until(b"\r\n"), 16)
            except EOFError:
                return Reply(status, headers, body, complete=False)
            piece = await self._exactly(size + 2)
            if not size:
                assert piece == b"\r\n"
                return Reply(status, headers, body)
            assert piece.endswith(b"\r\n")
            body += piece[:-2]

    async def replies(self) -> list[Reply]:
        """All replies up to the end of the connection."""
        found = []
        while self.buffer or await self.more():
            found.append(await self.reply())
        return found

    def close(self) -> None:
        self.sock.close()


class Wire:
    """A running server, what its handler was called with, and its callers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls: list[tuple[bytes, bytes, bytes]] = []
        self._callers: list[Caller] = []

    async def connect(self, *, receive_buffer: int = 0) -> Caller:
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.server.addresses[0])
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller = Caller(sock)
        self._callers.append(caller)
        return caller

    async def ask(self, data: bytes) -> Caller:
        caller = await self.connect()
        await caller.send(data)
        return caller

    def close(self) -> None:
        for caller in self._callers:
            caller.close()

    def connection(self) -> Connection:
        """The only connection there is."""
        (connection,) = self.server.state.connections
        assert isinstance(connection, Connection)
        return connection

    def serving(self) -> Exchange | None:
        """What the only connection serves, if it is there yet."""
        return self.connection().current if self.server.state.connections else None


Handler = Callable[[Exchange], Awaitable[None]]


@asynccontextmanager
async def wire(
    handler: Handler | None = None, limits: Limits | None = None, render: RenderError = render_error
) -> AsyncIterator[Wire]:
    """A server; without a handler of its own it echoes method, target and body."""
    made: list[Wire] = []

    async def echo(x: Exchange) -> None:
        body = await x.read(1 << 20)
        made[0].calls.append((x.method, x.url, body))
        x.reply(200, (), b"%b %b %b" % (x.method, x.url, body))

    async def serve(x: Exchange) -> None:
        await (handler or echo)(x)

    server = Server(serve, render, limits, sweep_period=0.05)
    made.append(Wire(server))
    await server.start(listen("127.0.0.1", 0))
    try:
        yield made[0]
    finally:
        made[0].close()
        await server.drain(0.5)
        assert not server.state.connections
        assert not server.state.tasks


async def until(condition: Callable[[], object]) -> None:
    """Wait for a state."""
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110  # any state, not an event
            await asyncio.sleep(0.005)


def get(url: bytes = b"/", *headers: bytes) -> bytes:
    return b"\r\n".join((b"GET " + url + b" HTTP/1.1", b"Host: a", *headers, b"", b""))


def post(body: bytes, *headers: bytes, url: bytes = b"/") -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join((b"POST " + url + b" HTTP/1.1", b"Host: a", length, *headers, b"", body))


def chunked(pieces: Iterable[bytes], *headers: bytes, url: bytes = b"/", trailers: bytes = b"") -> bytes:
    coding = b"Transfer-Encoding: chunked"
    head = b"\r\n".join((b"POST " + url + b" HTTP/1.1", b"Host: a", coding, *headers, b"", b""))
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailers + b"\r\n"
