"""A vendor whose every byte the test says: a server over raw sockets, with or without TLS."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream import Endpoint, endpoint

#: Generous bounds: a test that waits for them has failed.
LONG = Timeouts(connect=20, first_byte=20, idle=20, total=30)
PATIENCE = 20.0
POST = Request("POST", "/v1/chat", ((b"content-type", b"application/json"),))
GET = Request("GET", "/v1/models")
HEAD = Request("HEAD", "/v1/models")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def sized(body: bytes, *headers: bytes) -> bytes:
    """A sound answer with a length."""
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (
        b"".join(h + b"\r\n" for h in headers),
        len(body),
        body,
    )


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body; the empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Received:
    """A request as it came."""

    head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b": ")
            if key == name:
                return value
        return None


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        #: Counts the server's connections from 0.
        self.number = number

    async def head(self) -> bytes:
        """A request's head, without the blank line; IncompleteReadError where the client closed."""
        return (await self.reader.readuntil(b"\r\n\r\n"))[:-4]

    async def request(self) -> Received:
        """A whole request."""
        got = Received(await self.head(), b"")
        length = got.header(b"content-length")
        if length is not None:
            got.body = await self.reader.readexactly(int(length))
        return got

    async def send(self, *parts: bytes) -> None:
        """Write parts, each so that it comes in by itself."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0.01)

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


Handler = Callable[[Peer], Awaitable[None]]


@dataclass
class Vendor:
    """A running server."""

    port: int
    tls: bool
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    def at(
        self,
        *,
        host: str = "127.0.0.1",
        proxy: str | None = None,
        verify: bool = True,
        ca_file: str | None = None,
        allow_private: bool = True,
    ) -> Endpoint:
        url = f"{'https' if self.tls else 'http'}://{host}:{self.port}/v1"
        return endpoint(url, proxy=proxy, verify=verify, ca_file=ca_file, allow_private=allow_private)[0]


@contextlib.asynccontextmanager
async def vendor(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Vendor]:
    """Serve each connection by `handler`; what it raises fails the test, except that the client closed."""
    failures: list[BaseException] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        running.connections += 1
        try:
            await handler(Peer(reader, writer, running.connections - 1))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls, limit=1 << 20)
    running = Vendor(port=server.sockets[0].getsockname()[1], tls=tls is not None)
    try:
        yield running
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tuple(tasks), timeout=PATIENCE)
    if failures:
        raise failures[0]


def answering(*answers: bytes) -> Handler:
    """A handler that answers each connection's first request by the first answer, and so on; then it waits."""

    async def handler(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)
        await peer.gone()

    return handler
