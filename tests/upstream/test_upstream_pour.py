"""Pouring: pieces go to a function in the turn in which they come, until it has enough or they end."""

import asyncio

import pytest
from upstream_peer import CHUNKED, LONG, POST, Peer, answering, chunk, vendor

from support.waiting import until
from unigate.base.errors import StreamBroken
from unigate.upstream import Client


async def test_each_piece_is_handed_over_as_it_comes(client: Client) -> None:
    taken = asyncio.Semaphore(0)
    pieces = [b"data: %d\n\n" % n for n in range(50)]

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for piece in pieces:
            await peer.send(chunk(piece))
            await taken.acquire()  # the next one is sent only when this one was handed over
        await peer.send(chunk(b""))
        await peer.gone()

    got: list[bytes] = []

    def sink(piece: bytes) -> bool:
        got.append(piece)
        taken.release()
        return False

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.pour(sink) is False
        assert got == pieces and answer.complete


@pytest.mark.parametrize("waiting", [False, True], ids=["as they come", "from those that wait"])
async def test_it_stops_where_there_is_enough_and_loses_nothing(client: Client, waiting: bool) -> None:
    pieces = [b"%d" % n for n in range(20)]
    async with vendor(answering(CHUNKED + b"".join(map(chunk, pieces)) + chunk(b""))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        if waiting:
            await until(lambda: answer.complete)
        got: list[bytes] = []

        def sink(piece: bytes) -> bool:
            got.append(piece)
            return len(got) % 3 == 0

        stops = 0
        while await answer.pour(sink):
            stops += 1
        assert got == pieces and stops >= len(pieces) // 3
        assert await answer.piece() is None


async def test_what_it_is_given_after_enough_waits_like_any_piece(client: Client) -> None:
    more = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        await more.wait()
        await peer.send(chunk(b"two") + chunk(b"three") + chunk(b""))
        await peer.gone()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.pour(lambda _piece: True) is True
        more.set()
        await until(lambda: answer.complete)
        assert [await answer.piece(), await answer.piece(), await answer.piece()] == [b"two", b"three", None]


async def test_an_error_of_the_receiver_is_raised_to_who_pours_and_is_not_the_vendors(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        await peer.gone()

    def sink(_piece: bytes) -> bool:
        raise LookupError("mine")

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(LookupError, match="mine"):
            await answer.pour(sink)
        assert answer.error is None and not answer.complete
        answer.abort()
        assert client.idle_connections == 0


async def test_a_break_is_raised_behind_what_came_before(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        peer.close()

    got: list[bytes] = []

    def sink(piece: bytes) -> bool:
        got.append(piece)
        return False

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(StreamBroken):
            await answer.pour(sink)
        assert got == [b"one"]


async def test_cancelling_closes_the_connection(client: Client) -> None:
    gone = asyncio.Event()
    got = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"one"))
        await peer.gone()
        gone.set()

    def sink(_piece: bytes) -> bool:
        got.set()
        return False

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        task = asyncio.ensure_future(answer.pour(sink))
        await asyncio.wait_for(got.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 5)
