"""Bodies as they come: expectations, back-pressure, and replies before the body was read."""

import asyncio

import pytest
from http_kit import SHORT, SMUGGLED, Caller, Wire, chunked, get, head, post, until, wire

from unigate.base.errors import TooLarge
from unigate.http.exchange import Exchange
from unigate.http.state import Limits

# Expect.


async def test_continue_is_sent_when_the_body_is_awaited() -> None:
    reading = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await reading.wait()
        x.reply(200, (), await x.read(100))

    async with wire(handler) as w:
        caller = await w.ask(head(b"Host: a", b"Content-Length: 3", b"Expect: 100-continue"))
        await until(w.serving)
        assert not caller.buffer
        reading.set()
        assert (await caller.reply()).status == 100
        await caller.send(b"abc" + get())
        assert (await caller.reply()).body == b"abc"
        assert (await caller.reply()).status == 200


async def test_no_continue_when_the_body_is_here() -> None:
    async with wire() as w:
        caller = await w.ask(post(b"abc", b"Expect: 100-continue"))
        assert (await caller.reply()).body == b"POST / abc"
        caller = await w.ask(head(b"Host: a", b"Content-Length: 3", b"Expect: 100-continue") + b"a")
        await caller.send(b"bc")
        assert (await caller.reply()).body == b"POST /refused abc"


async def test_no_continue_after_a_final_status() -> None:
    async def handler(x: Exchange) -> None:
        x.start(200, (), None)
        x.write(b"early")
        x.write(await x.read(100))
        x.end()

    async with wire(handler) as w:
        caller = await w.ask(head(b"Host: a", b"Content-Length: 3", b"Expect: 100-continue"))
        assert (await caller.head())[0] == 200
        await caller.send(b"abc")
        assert (await caller.rest()).endswith(b"5\r\nearly\r\n3\r\nabc\r\n0\r\n\r\n")


async def test_a_refusal_in_place_of_continue() -> None:
    async def handler(x: Exchange) -> None:
        await x.read(2)

    async with wire(handler) as w:
        caller = await w.ask(head(b"Host: a", b"Content-Length: 3", b"Expect: 100-continue"))
        reply = await caller.reply()
        assert (reply.status, reply.headers[b"connection"]) == (413, b"close")


async def test_expectation_of_1_0_is_ignored() -> None:
    async with wire() as w:
        caller = await w.ask(b"POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        await until(w.serving)
        await caller.send(b"abc")
        assert (await caller.reply()).body == b"POST / abc"


# Uploads.


async def test_upload_that_nobody_reads_waits_in_the_network() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await go.wait()
        x.reply(200, (), b"%d" % len(await x.read(1 << 30)))

    size = 30 << 20
    async with wire(handler, Limits(body_time=SHORT)) as w:
        caller = await w.connect()
        sending = asyncio.ensure_future(caller.send(post(b"x" * size)))
        await until(lambda: w.server.state.connections and w.connection()._paused)
        await asyncio.sleep(SHORT * 2)  # being made to wait is no slowness of the caller's
        current = w.connection().current
        assert current is not None
        assert current.received < 1 << 20
        assert not sending.done()
        go.set()
        assert (await caller.reply()).body == b"%d" % size
        await sending


@pytest.mark.parametrize("coded", [False, True])
async def test_upload_piece_by_piece(*, coded: bool) -> None:
    largest = 0

    async def handler(x: Exchange) -> None:
        nonlocal largest
        size = 0
        while piece := await x.body():
            largest = max(largest, x.received - size)
            size += len(piece)
            assert not piece.strip(b"x")
            await asyncio.sleep(0)
        assert await x.body() == b""
        x.reply(200, (), b"%d" % size)

    size = 8 << 20
    raw = chunked([b"x" * 10_000] * (size // 10_000)) if coded else post(b"x" * size)
    async with wire(handler) as w:
        caller = await w.connect()
        sending = asyncio.ensure_future(caller.send(raw + get()))
        assert int((await caller.reply()).body) == (size // 10_000 * 10_000 if coded else size)
        assert (await caller.reply()).body == b"0"
        await sending
        assert largest < 2 << 20


async def test_body_may_be_read_twice() -> None:
    async def handler(x: Exchange) -> None:
        first = await x.read(100)
        with pytest.raises(TooLarge):
            await x.read(2)
        x.reply(200, (), first + await x.read(100))

    async with wire(handler) as w:
        caller = await w.ask(post(b"abc"))
        assert (await caller.reply()).body == b"abcabc"
        await caller.send(chunked([b"ab", b"c"]))
        assert (await caller.reply()).body == b"abcabc"


async def _first(w: Wire, raw: bytes) -> Caller:
    caller = await w.ask(raw)
    await until(lambda: w.server.state.connections)
    return caller


async def test_reply_before_the_body_was_read() -> None:
    async def handler(x: Exchange) -> None:
        x.reply(401, (), b"who?")

    async with wire(handler, Limits(linger_time=SHORT)) as w:
        caller = await _first(w, head(b"Host: a", b"Content-Length: 1000000") + b"x" * 10)
        reply = await caller.reply()
        assert (reply.status, reply.body, reply.headers[b"connection"]) == (401, b"who?", b"close")
        assert await caller.rest() == b""  # our side is closed, properly
        assert caller.closed
        await caller.send(b"x" * 100_000 + SMUGGLED)  # and what comes is discarded, not refused
        assert w.server.state.connections
        await until(lambda: not w.server.state.connections)  # for a while


async def test_streamed_reply_before_the_body_was_read() -> None:
    async def handler(x: Exchange) -> None:
        x.start(200, (), None)
        x.write(b"early")
        x.end()

    async with wire(handler, Limits(linger_time=SHORT)) as w:
        caller = await _first(w, head(b"Host: a", b"Content-Length: 20") + b"x")
        reply = await caller.reply()
        assert (reply.body, reply.headers[b"connection"], reply.complete) == (b"early", b"close", True)
        assert await caller.rest() == b""
        await caller.send(b"x" * 19 + SMUGGLED)
        await until(lambda: not w.server.state.connections)
