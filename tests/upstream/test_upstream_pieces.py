"""Bodies in pieces: written as the vendor takes them, begun anew for the next try, ended by an early answer."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import pytest
import trustme
from upstream_peer import LONG, OK, Peer, Received, answering, sized, vendor

from support.waiting import until
from unigate.base.errors import GatewayError, StoreUnavailable, TookTooLong, Unreachable
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream import Client, Whole, endpoint

UPLOAD = Request("POST", "/v1/upload", ((b"x-other", b"1"),))
PIECE = b"0123456789abcdef" * 4096


@dataclass
class Body:
    """Equal pieces, and what was taken of them."""

    count: int
    told: int | None = None
    begun: int = 0
    given: int = 0
    ended: int = 0
    failure: Exception | None = None
    content_type: bytes = b"multipart/form-data; boundary=b"
    #: Awaited before each piece.
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go.set()

    @property
    def length(self) -> int:
        return len(PIECE) * self.count if self.told is None else self.told

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        self.begun += 1
        try:
            for _ in range(self.count):
                await self.go.wait()
                self.given += 1
                yield PIECE
            if self.failure is not None:
                raise self.failure
        finally:
            self.ended += 1


async def test_a_body_arrives_whole_with_its_type_and_length(client: Client) -> None:
    got: list[Received] = []

    async def handler(peer: Peer) -> None:
        for _ in range(3):
            got.append(await peer.request())
            await peer.send(OK)
        await peer.gone()

    async with vendor(handler) as server:
        for body in (Body(40), Whole(b"{}", b"application/json"), Body(0)):
            answer = await client.send(server.at(), UPLOAD, body, LONG)
            assert await answer.read(10) == b"ok"
        assert [each.body for each in got] == [PIECE * 40, b"{}", b""]
        assert [each.header(b"content-length") for each in got] == [b"%d" % (len(PIECE) * 40), b"2", b"0"]
        assert [each.header(b"content-type") for each in got] == [
            Body.content_type,
            b"application/json",
            Body.content_type,
        ]
        assert server.connections == 1  # a connection is used again after such a body


async def test_a_body_over_tls(make_client: Callable[..., Client], authority: trustme.CA, ca_file: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    got: list[Received] = []

    async def handler(peer: Peer) -> None:
        got.append(await peer.request())
        await peer.send(OK)
        await peer.gone()

    async with vendor(handler, tls=context) as server:
        answer = await make_client(ca_file=ca_file).send(server.at(), UPLOAD, Body(40), LONG)
        assert await answer.read(10) == b"ok"
        assert got[0].body == PIECE * 40


async def test_a_vendor_that_reads_slowly_is_given_no_more_than_it_takes(client: Client) -> None:
    go = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.head()
        await go.wait()
        await peer.reader.readexactly(len(PIECE) * 400)
        await peer.send(OK)
        await peer.gone()

    async with vendor(handler) as server:
        body = Body(400)
        sending = asyncio.ensure_future(client.send(server.at(), UPLOAD, body, LONG))
        await until(lambda: body.given > 1)
        before = -1
        while before != body.given:  # until nothing moves any more
            before = body.given
            await asyncio.sleep(0.2)
        assert before < 200
        assert not sending.done()
        go.set()
        assert await (await sending).read(10) == b"ok"
        assert body.given == 400


@pytest.mark.parametrize("status", [401, 413])
async def test_an_early_answer_is_read_and_ends_the_writing(client: Client, status: int) -> None:
    refusal = b"HTTP/1.1 %d No\r\ncontent-length: 4\r\n\r\nwhy?" % status

    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(1000)
        await peer.send(refusal)
        await peer.gone()

    async with vendor(handler) as server:
        body = Body(4000)
        answer = await client.send(server.at(), UPLOAD, body, LONG)
        assert (answer.status, await answer.read(10)) == (status, b"why?")
        await until(lambda: body.ended)
        assert body.given < 400
        await until(lambda: not client.open_connections)  # never used again


@dataclass
class Busy(Body):
    """A body before whose last pieces the loop is busy until the vendor has answered and closed."""

    answered: threading.Event = field(default_factory=threading.Event)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for number in range(self.count):
            if number:
                self.answered.wait(20)
            yield PIECE


async def test_an_early_answer_of_a_vendor_that_closes_at_once(client: Client) -> None:
    """Writing on to a vendor that has closed would destroy an answer that is here and was not read yet."""
    listener = socket.create_server(("127.0.0.1", 0))
    body = Busy(20)

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 413 No\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwhy?")
        body.answered.set()  # closed with bytes unread: a reset

    with listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        where = endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", allow_private=True)[0]
        answer = await client.send(where, UPLOAD, body, LONG)
        assert (answer.status, await answer.read(10)) == (413, b"why?")
        await asyncio.to_thread(thread.join, 20)


async def test_a_good_answer_that_comes_early_ends_nothing(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await peer.reader.readexactly(len(PIECE) * 100)
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await peer.gone()

    async with vendor(handler) as server:
        body = Body(100)
        body.go.clear()
        answer = await client.send(server.at(), UPLOAD, body, LONG)
        assert await answer.piece() == b"one"
        body.go.set()
        assert await answer.read(10) == b"two"
        assert (body.given, answer.complete) == (100, True)


async def test_a_dead_connection_has_it_sent_once_more(client: Client) -> None:
    got: list[bytes] = []

    async def handler(peer: Peer) -> None:
        got.append((await peer.request()).body)
        await peer.send(OK)
        if not peer.number:
            await peer.head()  # and gone
            return
        await peer.gone()

    async with vendor(handler) as server:
        for _ in range(2):
            body = Body(3)
            answer = await client.send(server.at(), UPLOAD, body, LONG)
            assert await answer.read(10) == b"ok"
        assert body.begun == 2
        assert got == [PIECE * 3] * 2


async def test_a_vendor_that_closes_half_way(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(1000)
        peer.abort()

    async with vendor(handler) as server:
        body = Body(4000)
        with pytest.raises(Unreachable):
            await client.send(server.at(), UPLOAD, body, LONG)
        await until(lambda: body.ended)


async def test_a_vendor_that_takes_nothing_is_not_waited_for(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(60)

    async with vendor(handler) as server:
        body = Body(4000)
        with pytest.raises(TookTooLong, match="not answer in time"):
            await client.send(server.at(), UPLOAD, body, Timeouts(connect=20, first_byte=20, idle=0.3, total=30))
        await until(lambda: body.ended)


async def test_time_for_the_answer_counts_from_the_end_of_the_body(client: Client) -> None:
    async with vendor(answering(sized(b"ok"))) as server:
        body = Body(3)
        body.go.clear()
        limits = Timeouts(connect=20, first_byte=0.3, idle=20, total=30)
        sending = asyncio.ensure_future(client.send(server.at(), UPLOAD, body, limits))
        await asyncio.sleep(0.7)
        assert not sending.done()
        body.go.set()
        assert await (await sending).read(10) == b"ok"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Body(2, failure=StoreUnavailable()), StoreUnavailable),
        (Body(2, failure=ZeroDivisionError()), GatewayError),
        (Body(2, told=len(PIECE) * 2 - 1), GatewayError),
        (Body(2, told=len(PIECE) * 2 + 1), GatewayError),
    ],
    ids=["our store", "anything", "longer than it said", "shorter than it said"],
)
async def test_a_body_that_cannot_be_had(client: Client, body: Body, error: type[GatewayError]) -> None:
    received = 0

    async def handler(peer: Peer) -> None:
        nonlocal received
        await peer.head()
        with contextlib.suppress(ConnectionError):
            while piece := await peer.reader.read(65536):
                received += len(piece)

    async with vendor(handler) as server:
        body.given = body.ended = 0
        with pytest.raises(error) as failed:
            await client.send(server.at(), UPLOAD, body, LONG)
        assert type(failed.value) is error
        await until(lambda: body.ended and not client.open_connections)
        assert received <= body.length


async def test_giving_up_ends_the_writing(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        await peer.reader.readexactly(1000)
        await peer.gone()

    async with vendor(handler) as server:
        body = Body(4000)
        sending = asyncio.ensure_future(client.send(server.at(), UPLOAD, body, LONG))
        await until(lambda: body.given)
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        await until(lambda: body.ended and not client.open_connections)
