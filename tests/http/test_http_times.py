"""Limits of time, numbers of connections, and draining. The limits are scaled down."""

import asyncio
import socket
from math import inf
from typing import cast

import pytest
from http_kit import BOUND, SHORT, Caller, Wire, get, post, render_error, until, wire

from unigate.base.clock import monotonic
from unigate.http.exchange import Exchange
from unigate.http.protocol import Connection
from unigate.http.state import Limits, ServerState
from unigate.http.timers import Sweep


async def closed(caller: Caller) -> bytes:
    """What the caller got until it was closed on."""
    async with asyncio.timeout(BOUND):
        return await caller.rest()


async def dribble(caller: Caller, data: bytes, *, every: float) -> None:
    try:
        for at in range(len(data)):
            await caller.send(data[at : at + 1])
            await asyncio.sleep(every)
    except OSError:  # enough was enough
        pass


async def test_head_has_its_time_from_its_first_byte() -> None:
    """Bytes that keep coming do not prolong it."""
    async with wire(limits=Limits(head_time=SHORT)) as w:
        caller = await w.connect()
        dribbling = asyncio.ensure_future(dribble(caller, get(b"/" + b"x" * 10_000), every=0.01))
        reply = await caller.reply()
        assert (reply.status, reply.body) == (408, b"request_timeout")
        assert await closed(caller) == b""
        caller.close()
        await dribbling
        assert not w.calls


async def test_slow_head_behind_a_running_call() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await go.wait()
        x.reply(200, (), x.path)

    async with wire(handler, Limits(head_time=SHORT)) as w:
        caller = await w.ask(get(b"/1") + b"GET /2 HT")
        await until(lambda: w.server.state.connections and w.connection()._error is not None)
        go.set()
        assert [r.status for r in await caller.replies()] == [200, 408]


async def test_body_is_prolonged_by_each_piece() -> None:
    async with wire(limits=Limits(body_time=1.0, least_rate=1)) as w:
        caller = await w.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n")
        await dribble(caller, b"x" * 40, every=0.05)  # twice the time, at more than the rate
        assert (await caller.reply()).body == b"POST / " + b"x" * 40


async def test_body_that_stops() -> None:
    async with wire(limits=Limits(body_time=SHORT)) as w:
        for raw in (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nxx",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        ):
            caller = await w.ask(raw)
            reply = await caller.reply()
            assert (reply.status, reply.headers[b"connection"]) == (408, b"close")
            assert await closed(caller) == b""


async def test_body_below_the_least_rate() -> None:
    async with wire(limits=Limits(body_time=SHORT, least_rate=1000)) as w:
        caller = await w.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n")
        dribbling = asyncio.ensure_future(dribble(caller, b"x" * 10_000, every=0.01))
        assert (await caller.reply()).status == 408
        caller.close()
        await dribbling
        assert not w.calls


async def test_a_caller_that_waits_for_continue_is_not_slow() -> None:
    async def handler(x: Exchange) -> None:
        await asyncio.sleep(1.5)
        x.reply(200, (), await x.read(100))

    async with wire(handler, Limits(body_time=1.0)) as w:
        caller = await w.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await caller.reply()).status == 100
        await caller.send(b"abc")
        assert (await caller.reply()).body == b"abc"


async def test_a_call_that_runs_is_not_idle() -> None:
    async def handler(x: Exchange) -> None:
        await asyncio.sleep(SHORT * 4)
        x.reply(200, (), b"")

    limits = Limits(head_time=SHORT, body_time=SHORT, idle_time=SHORT, write_time=SHORT, linger_time=SHORT)
    async with wire(handler, limits) as w:
        caller = await w.ask(post(b"abc"))
        assert (await caller.reply()).status == 200


@pytest.mark.parametrize("raw", [b"", get(), get() + b"\r\n\r\n"])
async def test_idle_connections_are_closed_without_a_word(raw: bytes) -> None:
    async with wire(limits=Limits(idle_time=SHORT)) as w:
        caller = await w.ask(raw)
        if raw:
            await caller.reply()
        assert await closed(caller) == b""
        assert caller.closed
        await until(lambda: not w.server.state.connections)


async def test_requests_keep_a_connection_alive() -> None:
    async with wire(limits=Limits(idle_time=1.0)) as w:
        caller = await w.connect()
        for _ in range(6):
            await asyncio.sleep(0.25)
            await caller.send(get())
            assert (await caller.reply()).status == 200


# Callers who take a reply slowly.


class Streaming:
    """Streams without end, and counts."""

    def __init__(self) -> None:
        self.written = 0
        self.x: Exchange | None = None
        self.stopped = asyncio.Event()

    async def __call__(self, x: Exchange) -> None:
        self.x = x
        x.start(200, (), None)
        try:
            while True:
                x.write(b"x" * 10_000)
                self.written += 10_000
                await x.drain()
                await asyncio.sleep(0)
        finally:
            self.stopped.set()


async def stalled(handler: Streaming) -> int:
    """Wait until nothing more is written, and tell how much was."""
    before = -1
    async with asyncio.timeout(BOUND):
        while handler.written != before:
            before = handler.written
            await asyncio.sleep(0.1)
    return before


async def test_a_slow_reader_slows_the_handler() -> None:
    handler = Streaming()
    async with wire(handler, Limits()) as w:
        caller = await w.connect(receive_buffer=4096)
        await caller.send(get())
        first = await stalled(handler)
        assert first >= 64 << 10
        assert handler.x is not None
        assert handler.x._line.transport.get_write_buffer_size() <= (64 << 10) + 10_010
        while handler.written == first:  # it goes on when the caller does
            assert await caller.more()
        caller.close()
        async with asyncio.timeout(BOUND):
            await handler.stopped.wait()


async def test_a_reader_that_stops_is_given_up() -> None:
    handler = Streaming()
    async with wire(handler, Limits(write_time=SHORT)) as w:
        caller = await w.connect(receive_buffer=4096)
        await caller.send(get())
        async with asyncio.timeout(BOUND):
            await handler.stopped.wait()
        assert handler.x is not None
        assert handler.x.gone
        await until(lambda: not w.server.state.connections)


@pytest.mark.parametrize("close", [False, True])
async def test_a_whole_reply_that_nobody_takes(*, close: bool) -> None:
    async def handler(x: Exchange) -> None:
        x.reply(200, (), b"x" * (20 << 20))

    async with wire(handler, Limits(write_time=SHORT, idle_time=SHORT)) as w:
        caller = await w.connect(receive_buffer=4096)
        await caller.send(get(b"/", b"Connection: close") if close else get())
        await until(lambda: w.server.state.connections)
        await until(lambda: not w.server.state.connections)


async def test_a_steady_reader_gets_all_of_it() -> None:
    """Also when it takes several times the write timeout, and when the connection closes behind the reply."""
    size = 12 << 20

    async def handler(x: Exchange) -> None:
        x.reply(200, (), b"x" * size)

    async def read(w: Wire, raw: bytes) -> tuple[int, float]:
        caller = await w.connect(receive_buffer=1 << 18)
        await caller.send(raw)
        start, got = monotonic(), 0
        while got < size and await caller.more():
            got += len(caller.buffer)
            caller.buffer = b""
            await asyncio.sleep(0.015)
        return got, monotonic() - start

    async with wire(handler, Limits(write_time=0.6, idle_time=SHORT, linger_time=SHORT)) as w:
        early = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        for got, took in await asyncio.gather(
            *[read(w, raw) for raw in (get(), get(b"/", b"Connection: close"), early)]
        ):
            assert got >= size
            assert took > 2


def test_the_end_of_a_reply_is_watched_to_its_last_byte() -> None:
    """Below the low-water mark too: a transport that closes never gives up by itself."""

    class Stuck:
        def get_write_buffer_size(self) -> int:
            return 100

        def get_extra_info(self, name: str) -> None:
            return None

        def can_write_eof(self) -> bool:
            return False

        def close(self) -> None: ...

        def abort(self) -> None:
            aborted.append(monotonic())

    aborted: list[float] = []
    loop = asyncio.new_event_loop()

    async def never(x: Exchange) -> None: ...

    connection = Connection(ServerState(loop, never, render_error, Limits()))
    connection.transport = cast(asyncio.Transport, Stuck())
    connection.pause_writing()
    connection._shut(linger=False)
    connection.resume_writing()
    assert connection.write_deadline < inf
    connection.expire(connection.write_deadline)
    assert aborted
    loop.close()


# Connections, and the end of the server.


async def test_connections_above_the_limit_are_told_so() -> None:
    async with wire(limits=Limits(connections=3, linger_time=SHORT)) as w:
        kept = [await w.ask(get()) for _ in range(3)]
        for caller in kept:
            assert (await caller.reply()).status == 200
        caller = await w.ask(get())
        reply = await caller.reply()
        assert (reply.status, reply.body, reply.headers[b"connection"]) == (503, b"too_many_connections", b"close")
        kept.pop().close()
        await until(lambda: len(w.server.state.connections) == 2)
        caller = await w.ask(get())
        assert (await caller.reply()).status == 200


async def test_far_above_the_limit_connections_are_dropped() -> None:
    async with wire(limits=Limits(connections=1, linger_time=BOUND)) as w:
        for _ in range(65):
            await w.connect()
        await until(lambda: len(w.server.state.connections) == 65)
        caller = await w.connect()
        assert await closed(caller) == b""


async def test_drain_lets_calls_end_and_closes_the_rest() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        if x.path == b"/slow":
            await go.wait()
        x.reply(200, (), await x.read(100))

    async with wire(handler) as w:
        idle, busy, sending = await w.ask(get()), await w.ask(get(b"/slow") + get(b"/behind")), await w.connect()
        assert (await idle.reply()).status == 200
        address = w.server.addresses[0]
        await sending.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
        await until(lambda: len(w.server.state.tasks) == 2)
        draining = asyncio.ensure_future(w.server.drain(BOUND))
        assert await closed(idle) == b""
        assert idle.closed
        with pytest.raises(ConnectionRefusedError), socket.socket() as sock:
            sock.connect(address)
        go.set()
        (reply,) = await busy.replies()
        assert (reply.status, reply.headers[b"connection"]) == (200, b"close")
        assert not draining.done()
        await sending.send(b"bc")
        (reply,) = await sending.replies()
        assert (reply.body, reply.headers[b"connection"]) == (b"abc", b"close")
        assert await draining is True


async def test_drain_is_bounded() -> None:
    cancelled: list[bytes] = []

    async def handler(x: Exchange) -> None:
        if x.path == b"/started":
            x.start(200, (), None)
            x.write(b"abc")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(x.path)

    async with wire(handler) as w:
        waiting, started = await w.ask(get(b"/waiting")), await w.ask(get(b"/started"))
        await until(lambda: len(w.server.state.tasks) == 2)
        assert await w.server.drain(SHORT) is False
        assert sorted(cancelled) == [b"/started", b"/waiting"]
        assert not w.server.state.connections
        assert (await waiting.reply()).status == 503
        assert not (await started.reply()).complete


async def test_a_connection_that_has_just_opened_gets_a_moment_in_a_drain() -> None:
    async with wire(limits=Limits(linger_time=SHORT)) as w:
        caller, silent = await w.connect(), await w.connect()
        await until(lambda: len(w.server.state.connections) == 2)
        draining = asyncio.ensure_future(w.server.drain(BOUND))
        await asyncio.sleep(0)
        await caller.send(get())
        (reply,) = await caller.replies()
        assert reply.status == 200
        assert await closed(silent) == b""
        assert await draining is True


async def test_sweep_goes_on_after_one_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Due:
        def __init__(self, deadline: float, write_deadline: float) -> None:
            self.deadline, self.write_deadline = deadline, write_deadline
            self.expired = 0

        def expire(self, now: float) -> None:
            self.expired += 1
            if self.expired == 2:
                raise ZeroDivisionError

    alive = [Due(0, inf), Due(inf, 0), Due(inf, inf)]
    looks: list[float] = []
    sweep = Sweep(asyncio.get_running_loop(), alive, looks.append, 0.01)
    sweep.start()
    await until(lambda: alive[0].expired >= 4)
    sweep.stop()
    assert alive[1].expired >= 3
    assert not alive[2].expired
    assert looks == sorted(looks)
    assert "a deadline could not be handled" in caplog.text
    before = len(looks)
    await asyncio.sleep(0.05)
    assert len(looks) == before
