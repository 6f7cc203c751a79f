"""Deadlines: to connect, to the first byte, between bytes, in all."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest
from upstream_peer import CHUNKED, LONG, POST, Peer, chunk, sized, vendor

from support.waiting import until
from unigate.base.errors import TookTooLong
from unigate.spec.channel import Timeouts
from unigate.upstream import Client, endpoint

Make = Callable[..., Client]


async def test_an_answer_that_does_not_begin_in_time(client: Client) -> None:
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.gone()
        gone.set()

    async with vendor(handler) as server:
        began = time.monotonic()
        with pytest.raises(TookTooLong):
            await client.send(server.at(), POST, b"{}", Timeouts(first_byte=0.3))
        assert 0.25 < time.monotonic() - began < 5
        await gone.wait()


async def test_a_head_that_drips_does_not_prolong_the_time_to_the_first_byte(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"x: y\r\n")
            await asyncio.sleep(0.02)

    async with vendor(handler) as server:
        with pytest.raises(TookTooLong):
            await client.send(server.at(), POST, b"{}", Timeouts(first_byte=0.3))


async def test_interim_answers_do_not_prolong_it_either(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        for _ in range(5):
            await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.05)
        await peer.gone()

    async with vendor(handler) as server:
        with pytest.raises(TookTooLong):
            await client.send(server.at(), POST, b"{}", Timeouts(first_byte=0.4))


async def test_a_stream_that_stalls(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", Timeouts(idle=0.3))
        assert await answer.piece() == b"one"
        with pytest.raises(TookTooLong):
            await answer.piece()
        assert answer.end == "late" and not answer.complete


async def test_a_stream_that_moves_does_not_stall(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(15):
            await peer.send(chunk(b"x"))
            await asyncio.sleep(0.1)
        await peer.send(chunk(b""))
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", Timeouts(first_byte=5, idle=1.0))
        assert await answer.read(100) == b"x" * 15


async def test_framing_without_content_counts_as_silence(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"5;a=")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", Timeouts(idle=0.3))
        with pytest.raises(TookTooLong):
            await answer.read(100)


async def test_a_slow_taker_is_not_the_vendors_silence(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(sized(b"x" * 3_000_000))
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", Timeouts(first_byte=5, idle=0.5))
        await until(lambda: answer.paused)
        await asyncio.sleep(1.2)
        assert len(await answer.read(3_000_000)) == 3_000_000


async def test_the_time_in_all_ends_a_stream_that_moves(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b"x"))
            await asyncio.sleep(0.01)

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", Timeouts(total=0.4))
        with pytest.raises(TookTooLong):
            await answer.read(1_000_000)


async def test_a_vendor_that_takes_no_data_is_idle(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)

    async with vendor(handler) as server:
        with pytest.raises(TookTooLong):
            await client.send(server.at(), POST, b"x" * 20_000_000, Timeouts(idle=0.3, first_byte=20))


async def test_the_first_byte_counts_from_the_end_of_a_large_request(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.head()
        for _ in range(20):
            await peer.reader.readexactly(1_000_000)
            await asyncio.sleep(0.1)
        await peer.send(sized(b"ok"))

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"x" * 20_000_000, Timeouts(first_byte=1.5, idle=5))
        assert await answer.read(10) == b"ok"
        assert answer.headers_at - answer.started > 1.5


async def test_connecting_takes_too_long(client: Client) -> None:
    with socket.socket() as full:  # its queue holds one connection, and nobody accepts
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        where = endpoint(f"http://127.0.0.1:{port}", allow_private=True)[0]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        began = time.monotonic()
        with pytest.raises(TookTooLong):
            await client.send(where, POST, b"{}", Timeouts(connect=0.3))
        assert 0.25 < time.monotonic() - began < 5
        with pytest.raises(TookTooLong):
            await client.send(where, POST, b"{}", Timeouts(connect=30, total=0.3))
        for filler in fillers:
            filler.close()
    assert client.open_connections == 0


async def test_timeouts_of_the_next_request_start_anew(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await asyncio.sleep(0.15)
            await peer.send(sized(b"ok"))

    async with vendor(handler) as server:
        where = server.at()
        for _ in range(11):
            answer = await client.send(where, POST, b"{}", Timeouts(first_byte=1.5, idle=1.5, total=1.5))
            assert await answer.read(10) == b"ok"
        assert server.connections == 1


async def test_the_sweep_rests_while_there_are_no_connections(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(sized(b"bye", b"connection: close"))

    async with vendor(handler) as server:
        for _ in range(2):
            await (await client.send(server.at(), POST, b"{}", LONG)).read(10)
            assert client._sweeper is not None
            await until(lambda: client._sweeper is None)
