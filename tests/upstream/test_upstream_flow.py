"""Streams as they come, back-pressure both ways, early answers, giving up."""

import asyncio
import hashlib

import pytest
from upstream_peer import CHUNKED, LONG, OK, POST, Peer, answering, chunk, sized, vendor

from support.waiting import until
from unigate.base.errors import StreamBroken
from unigate.upstream import Client


async def test_pieces_come_one_by_one_as_they_were_sent(client: Client) -> None:
    taken = asyncio.Semaphore(0)
    pieces = [b"data: %d\n\n" % n for n in range(50)]

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for piece in pieces:
            await peer.send(chunk(piece))
            await taken.acquire()  # the next one is sent only when this one has arrived: nothing is held back
        await peer.send(chunk(b""))
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        got = []
        while (piece := await answer.piece()) is not None:
            got.append(piece)
            taken.release()
        assert got == pieces and answer.complete


async def test_pieces_that_came_together_are_not_merged(client: Client) -> None:
    pieces = [b"%d" % n for n in range(200)]
    async with vendor(answering(CHUNKED + b"".join(map(chunk, pieces)) + chunk(b""))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        await until(lambda: answer.complete)
        got = []
        while (piece := await answer.piece()) is not None:
            got.append(piece)
        assert got == pieces


async def test_a_body_is_read_whole_after_some_of_its_pieces(client: Client) -> None:
    async with vendor(answering(CHUNKED + chunk(b"one") + chunk(b"two") + chunk(b"three") + chunk(b""))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.piece() == b"one"
        assert await answer.read(8) == b"twothree"
        assert await answer.piece() is None and await answer.read(0) == b""


async def test_what_nobody_takes_is_bounded_and_the_vendor_feels_it(client: Client) -> None:
    total = 64 * 1024 * 1024
    sent = 0

    async def handler(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        part = b"x" * 65536
        while sent < total:
            peer.writer.write(part)
            await peer.writer.drain()
            sent += len(part)
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        await until(lambda: answer.paused)
        await asyncio.sleep(0.3)
        held = sent
        await asyncio.sleep(0.2)
        assert sent == held < total // 2, "the vendor could go on sending"
        assert answer.buffered <= 64 * 1024 + 256 * 1024
        most = got = 0
        while (piece := await answer.piece()) is not None:
            got += len(piece)
            most = max(most, answer.buffered)
        assert got == total and most <= 64 * 1024 + 256 * 1024
        assert client.idle_connections == 1


async def test_a_large_request_is_written_as_the_vendor_takes_it(client: Client) -> None:
    body = b"0123456789abcdef" * (1 << 20)

    async def handler(peer: Peer) -> None:
        got = await peer.head()
        assert b"content-length: %d" % len(body) in got
        await asyncio.sleep(0.1)
        digest, left = hashlib.sha256(), len(body)
        while left:
            data = await peer.reader.read(min(left, 100_000))
            digest.update(data)
            left -= len(data)
        await peer.send(sized(digest.digest()))
        await peer.request()
        await peer.send(OK)

    async with vendor(handler) as server:
        where = server.at()
        answer = await client.send(where, POST, body, LONG)
        assert await answer.read(100) == hashlib.sha256(body).digest()
        again = await client.send(where, POST, b"{}", LONG)
        assert again.reused and await again.read(10) == b"ok"


async def test_the_transport_never_holds_much_of_a_large_request(client: Client) -> None:
    release = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await release.wait()
        peer.abort()

    async with vendor(handler) as server:
        task = asyncio.ensure_future(client.send(server.at(), POST, b"x" * 30_000_000, LONG))
        await until(lambda: client.open_connections == 1)
        (connection,) = client._connections
        await until(lambda: connection._blocked)
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        assert connection._transport.get_write_buffer_size() <= 3 * 64 * 1024
        release.set()
        with pytest.raises(Exception, match="provider"):
            await task


@pytest.mark.parametrize("takes", [True, False])
async def test_an_early_answer_is_delivered_and_the_connection_dropped(client: Client, *, takes: bool) -> None:
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.head()
        if not takes:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\n", b"large")
        if not takes:
            peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await peer.gone()
        gone.set()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"x" * 30_000_000, LONG)
        assert (answer.status, await answer.read(100)) == (413, b"large")
        assert client.idle_connections == 0
        await until(lambda: client.open_connections == 0)
        await gone.wait()


async def test_so_it_is_where_the_transport_still_holds_the_rest(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unigate.upstream.connection.PART", 1 << 30)
    release = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await peer.send(OK)
        await release.wait()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"x" * 30_000_000, LONG)
        assert await answer.read(100) == b"ok" and answer.complete
        assert client.idle_connections == 0
        await until(lambda: client.open_connections == 0)
        release.set()


async def test_a_cancelled_call_reaches_the_vendor_at_once(client: Client) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        came.set()
        await peer.gone()
        gone.set()

    async with vendor(handler) as server:
        task = asyncio.ensure_future(client.send(server.at(), POST, b"{}", LONG))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await gone.wait()


@pytest.mark.parametrize("way", ["piece", "read", "abort"])
async def test_giving_up_a_stream_reaches_the_vendor_at_once(client: Client, way: str) -> None:
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        await peer.gone()
        gone.set()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.piece() == b"one"
        if way == "abort":
            answer.abort()
            answer.abort()
        else:
            task = asyncio.ensure_future(answer.piece() if way == "piece" else answer.read(100))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with asyncio.timeout(2):
            await gone.wait()
        assert answer.end == "aborted" and not answer.complete
        with pytest.raises(StreamBroken):
            await answer.piece()


async def test_giving_up_wakes_who_waits(client: Client) -> None:
    async with vendor(answering(CHUNKED)) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        task = asyncio.ensure_future(answer.piece())
        await asyncio.sleep(0)
        answer.abort()
        with pytest.raises(StreamBroken):
            await task


async def test_giving_up_a_complete_answer_does_nothing(client: Client) -> None:
    async with vendor(answering(OK)) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        await until(lambda: answer.complete)
        answer.abort()
        assert client.idle_connections == 1
        assert await answer.read(10) == b"ok"


async def test_giving_up_while_paused(client: Client) -> None:
    async with vendor(answering(sized(b"x" * 5_000_000))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        await until(lambda: answer.paused)
        answer.abort()
        await until(lambda: client.open_connections == 0)


async def test_many_streams_at_once_do_not_mix(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        while True:
            got = await peer.request()
            await peer.send(CHUNKED)
            for n in range(20):
                peer.writer.write(chunk(b"%b:%d " % (got.body, n)))
                await asyncio.sleep(0)
            await peer.send(chunk(b""))

    async with vendor(handler) as server:
        where = server.at()

        async def one(name: bytes) -> None:
            for _ in range(3):
                answer = await client.send(where, POST, name, LONG)
                got = []
                while (piece := await answer.piece()) is not None:
                    got.append(piece)
                assert got == [b"%b:%d " % (name, n) for n in range(20)]

        await asyncio.gather(*(one(b"%d" % n) for n in range(100)))
        assert server.connections == 100
