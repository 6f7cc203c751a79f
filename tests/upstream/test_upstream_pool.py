"""When a connection is used again, and when a request is sent a second time."""

import asyncio
import gc
import socket
from collections.abc import Callable

import pytest
from upstream_peer import CHUNKED, GET, LONG, OK, POST, Peer, answering, chunk, sized, vendor

from support.waiting import until
from unigate.base.errors import Unreachable, UpstreamError
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.upstream import Client, ClientLimits, endpoint
from unigate.upstream.connection import Connection

Make = Callable[..., Client]


async def test_connections_are_used_last_in_first_out(client: Client) -> None:
    both = asyncio.Barrier(2)

    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number < 2:
            await both.wait()
        while True:
            await peer.send(sized(b"%d" % peer.number))
            await peer.request()

    async with vendor(handler) as server:
        where = server.at()
        one, two = await asyncio.gather(*(client.send(where, POST, b"{}", LONG) for _ in range(2)))
        await one.read(10)
        last = await two.read(10)
        await until(lambda: client.idle_connections == 2)
        got = [await (await client.send(where, POST, b"{}", LONG)).read(10) for _ in range(3)]
        assert len(set(got)) == 1 and last in (b"0", b"1")
        assert (client.open_connections, client.idle_connections) == (2, 2)


async def test_equal_endpoints_share_connections_and_different_ones_do_not(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(OK)

    async with vendor(handler) as server:
        for where in (server.at(), server.at(), server.at(allow_private=True, verify=False)):
            await (await client.send(where, POST, b"{}", LONG)).read(10)
        assert server.connections == 2


async def test_a_connection_is_pooled_before_its_pieces_are_taken(client: Client) -> None:
    async with vendor(answering(CHUNKED + chunk(b"a") + chunk(b"b") + chunk(b""), OK)) as server:
        first = await client.send(server.at(), POST, b"{}", LONG)
        await until(lambda: first.complete)
        second = await client.send(server.at(), POST, b"{}", LONG)
        assert second.reused and await second.read(10) == b"ok"
        assert [await first.piece() for _ in range(3)] == [b"a", b"b", None]


async def test_idle_connections_are_closed_in_time(make_client: Make) -> None:
    client = make_client(idle_seconds=0.1)
    gone = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()
        gone.set()

    async with vendor(handler) as server:
        await (await client.send(server.at(), POST, b"{}", LONG)).read(10)
        assert client.idle_connections == 1
        async with asyncio.timeout(10):
            await gone.wait()
        await until(lambda: client.open_connections == 0)


async def test_a_connection_past_its_time_is_not_used_though_no_sweep_has_seen_it(make_client: Make) -> None:
    client = make_client(idle_seconds=0.05, sweep_seconds=60)
    async with vendor(answering(OK)) as server:
        await (await client.send(server.at(), POST, b"{}", LONG)).read(10)
        await asyncio.sleep(0.1)
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert not answer.reused
        await answer.read(10)
        assert server.connections == 2


async def test_the_servers_own_term_less_a_second_counts_where_it_is_shorter(make_client: Make) -> None:
    client = make_client(idle_seconds=3600)
    async with vendor(answering(sized(b"ok", b"Keep-Alive: max=5, timeout=2"))) as server:
        loop = asyncio.get_running_loop()
        await (await client.send(server.at(), POST, b"{}", LONG)).read(10)
        (connection,) = client._connections
        assert 0 < connection.idle_until - loop.time() <= 1


async def test_idle_connections_are_bounded(make_client: Make) -> None:
    client = make_client(idle_connections=3)
    all_here = asyncio.Barrier(8)

    async def handler(peer: Peer) -> None:
        await peer.request()
        await all_here.wait()
        await peer.send(OK)
        await peer.gone()

    async with vendor(handler) as server:
        where = server.at()
        answers = await asyncio.gather(*(client.send(where, POST, b"{}", LONG) for _ in range(8)))
        await asyncio.gather(*(a.read(10) for a in answers))
        await until(lambda: client.open_connections == 3)
        assert client.idle_connections == 3


async def test_connections_are_bounded(make_client: Make) -> None:
    client = make_client(connections=2)

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with vendor(handler) as server:
        where = server.at()
        waiting = [asyncio.ensure_future(client.send(where, POST, b"{}", LONG)) for _ in range(2)]
        await until(lambda: client.open_connections == 2)
        with pytest.raises(Unreachable):
            await client.send(where, POST, b"{}", LONG)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


@pytest.mark.parametrize("behind", [b"", b"x", OK])
async def test_what_came_while_a_connection_was_idle_is_seen_before_it_is_used(client: Client, behind: bytes) -> None:
    """The loop does not run between the peer's close (or its stray bytes) and the next request: the poll sees them."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        where = endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", allow_private=True)[0]

        async def answer_one() -> socket.socket:
            peer, _ = await loop.sock_accept(listener)
            await loop.sock_recv(peer, 10_000)
            await loop.sock_sendall(peer, OK)
            return peer

        first = asyncio.ensure_future(answer_one())
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        with await first as peer:
            if behind:
                peer.send(behind)
            else:
                peer.close()
            (connection,) = client._connections
            assert connection._poll is not None and connection._poll(10_000)
            assert not connection.closed and client.idle_connections == 1
            second = asyncio.ensure_future(answer_one())
            answer = await client.send(where, POST, b"{}", LONG, may_repeat=False)
            assert await answer.read(10) == b"ok" and not answer.reused
            (await second).close()


def closing_once(*, read: bool) -> Callable[[Peer], "asyncio.Future[None]"]:
    """A vendor whose first connection answers once, then closes when (or without that) a second request has come."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            if read:
                await peer.request()
            peer.close()
            return
        await peer.gone()

    return handler  # type: ignore[return-value]


async def test_a_request_on_a_dead_pooled_connection_is_sent_once_more(client: Client) -> None:
    async with vendor(closing_once(read=True)) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        answer = await client.send(where, POST, b'{"a":1}', LONG)
        assert await answer.read(10) == b"ok"
        assert not answer.reused and server.connections == 2


async def test_a_request_that_may_not_be_repeated_is_not(client: Client) -> None:
    async with vendor(closing_once(read=True)) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        with pytest.raises(Unreachable):
            await client.send(where, POST, b"{}", LONG, may_repeat=False)
        assert server.connections == 1


async def test_it_is_sent_once_more_only_once_and_on_a_fresh_connection(client: Client) -> None:
    """Two idle connections, both dead, and a server that hangs up on everybody: one more try, not three."""
    both = asyncio.Barrier(2)

    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number < 2:
            await both.wait()
            await peer.send(OK)
            await peer.request()
        peer.close()

    async with vendor(handler) as server:
        where = server.at()
        answers = await asyncio.gather(*(client.send(where, POST, b"{}", LONG) for _ in range(2)))
        await asyncio.gather(*(a.read(10) for a in answers))
        with pytest.raises(Unreachable):
            await client.send(where, POST, b"{}", LONG)
        assert server.connections == 3


async def test_a_fresh_connection_that_is_closed_is_not_tried_again(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        peer.close()

    async with vendor(handler) as server:
        with pytest.raises(Unreachable):
            await client.send(server.at(), POST, b"{}", LONG)
        assert server.connections == 1


@pytest.mark.parametrize("start", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_no_second_try_once_a_byte_of_an_answer_came(client: Client, start: bytes) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(start)
        peer.close()

    async with vendor(handler) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        with pytest.raises(UpstreamError):
            await client.send(where, POST, b"{}", LONG)
        assert server.connections == 1


async def test_no_second_try_after_a_timeout(client: Client) -> None:
    async with vendor(answering(OK)) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        with pytest.raises(UpstreamError) as error:
            await client.send(where, POST, b"{}", Timeouts(first_byte=0.1))
        assert error.value.status == 504
        assert server.connections == 1


async def test_no_second_try_for_a_caller_who_left(client: Client) -> None:
    got = asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        got.set()
        await peer.gone()

    async with vendor(handler) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        task = asyncio.ensure_future(client.send(where, POST, b"{}", LONG))
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: client.open_connections == 0)
        assert server.connections == 1


async def test_a_large_body_is_sent_again_in_full(client: Client) -> None:
    body = bytes(range(256)) * 4000

    async def handler(peer: Peer) -> None:
        if peer.number == 0:
            await peer.request()
            await peer.send(OK)
            await peer.head()
            peer.abort()
            return
        got = await peer.request()
        assert got.body == body
        await peer.send(OK)

    async with vendor(handler) as server:
        where = server.at()
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        answer = await client.send(where, POST, body, LONG)
        assert await answer.read(10) == b"ok" and server.connections == 2


async def test_request_heads_and_bodies_are_as_they_should_be(client: Client) -> None:
    seen = []

    async def handler(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(OK)

    async with vendor(handler) as server:
        where = server.at()
        other = Request("POST", "/v1/other?x=1", ((b"authorization", b"Bearer two"), (b"host", b"virtual.example")))
        for request, body in ((POST, b"{}"), (GET, b""), (other, b""), (POST, b"{}" * 50), (other, b"x" * 70_000)):
            await (await client.send(where, request, body, LONG)).read(10)
        host = f"host: 127.0.0.1:{server.port}".encode()
    assert seen[0].head == b"POST /v1/chat HTTP/1.1\r\n%b\r\ncontent-type: application/json\r\ncontent-length: 2" % host
    assert seen[1].head == b"GET /v1/models HTTP/1.1\r\n" + host
    assert seen[2].head == (
        b"POST /v1/other?x=1 HTTP/1.1\r\nauthorization: Bearer two\r\nhost: virtual.example\r\ncontent-length: 0"
    )
    assert seen[3].body == b"{}" * 50
    assert seen[4].body == b"x" * 70_000 and seen[4].header(b"content-length") == b"70000"


async def test_heads_are_kept_by_identity_and_bounded() -> None:
    client = Client(ClientLimits(kept_heads=10))

    async def handler(peer: Peer) -> None:
        while True:
            got = await peer.request()
            await peer.send(sized(got.line))

    async with vendor(handler) as server:
        where = server.at()
        for number in range(50):
            request = Request("GET", f"/{number}")
            answer = await client.send(where, request, b"", LONG)
            assert await answer.read(100) == b"GET /%d HTTP/1.1" % number
            del request
        assert len(client._targets) <= 10 and server.connections == 1
    await client.close()


async def test_nothing_keeps_connections_that_have_ended(client: Client) -> None:
    async with vendor(answering(sized(b"bye", b"connection: close"))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        await answer.read(10)
        await until(lambda: client.open_connections == 0)
        del answer

        def alive() -> bool:
            return any(isinstance(o, Connection) and o._gone == client._ended for o in gc.get_objects())

        gc.disable()  # not even a cycle is left
        try:
            await until(lambda: not alive())
        finally:
            gc.enable()


async def test_a_closed_client_sends_nothing_and_breaks_off_what_it_was_busy_with(make_client: Make) -> None:
    client = make_client()

    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(CHUNKED + chunk(b"part"))
        await peer.gone()

    async with vendor(handler) as server:
        where = server.at()
        answer = await client.send(where, POST, b"{}", LONG)
        assert await answer.piece() == b"part"
        waiting = asyncio.ensure_future(client.send(where, POST, b"{}", LONG))
        await until(lambda: client.open_connections == 2)
        await client.close()
        for task in (waiting, asyncio.ensure_future(answer.piece()), asyncio.ensure_future(answer.read(10))):
            with pytest.raises(UpstreamError):
                await task
        with pytest.raises(Unreachable):
            await client.send(where, POST, b"{}", LONG)
        assert client.open_connections == 0
