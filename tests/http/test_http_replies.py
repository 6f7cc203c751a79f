"""What goes to the caller: framing of replies, errors, and breaks."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from http_kit import Caller, get, post, wire

from unigate.base.errors import GatewayError, NotFound, TooMany
from unigate.http.exchange import Exchange
from unigate.http.state import ReplyHeads
from unigate.spec import exchange as seam


def fulfils_the_seam(x: Exchange) -> seam.Exchange:
    """Not called: the type checker's proof."""
    return x


X_HEADERS = ((b"content-type", b"text/plain"), (b"x-a", b"b"))


async def test_reply_to_the_byte() -> None:
    async def handler(x: Exchange) -> None:
        x.reply(200, X_HEADERS, b"hello")

    async with wire(handler) as w:
        caller = await w.ask(get())
        await until_received(caller, b"hello")
        assert re.fullmatch(
            rb"HTTP/1\.1 200 OK\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n"
            rb"content-type: text/plain\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello",
            caller.buffer,
        )


async def until_received(caller: Caller, end: bytes) -> None:
    while not caller.buffer.endswith(end):
        assert await caller.more()


class Recorder:
    """A transport that counts writes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.transport.write(data)


async def test_reply_is_one_write() -> None:
    async with wire() as w:
        caller = await w.ask(get())
        await caller.reply()
        connection = w.connection()
        real = connection.transport
        recorder = Recorder(real)
        connection.transport = cast(asyncio.Transport, recorder)
        await caller.send(post(b"abc"))
        assert (await caller.reply()).body == b"POST / abc"
        connection.transport = real
        assert len(recorder.writes) == 1


async def test_large_reply() -> None:
    async def handler(x: Exchange) -> None:
        x.reply(200, X_HEADERS, b"x" * (5 << 20))

    async with wire(handler) as w:
        caller = await w.ask(get() + get())
        assert (await caller.reply()).body == b"x" * (5 << 20)
        assert (await caller.reply()).body == b"x" * (5 << 20)


def stream(length: int | None, *pieces: bytes) -> Callable[[Exchange], Awaitable[None]]:
    async def handler(x: Exchange) -> None:
        x.start(200, X_HEADERS, length)
        for piece in pieces:
            x.write(piece)
            await x.drain()
        x.end()

    return handler


async def test_stream_in_chunks() -> None:
    async with wire(stream(None, b"a", b"", b"bc", b"d" * 100_000)) as w:
        caller = await w.ask(get() + get())
        for _ in range(2):
            reply = await caller.reply()
            assert reply.body == b"abc" + b"d" * 100_000
            assert reply.headers[b"transfer-encoding"] == b"chunked"
            assert reply.complete


async def test_stream_of_known_length() -> None:
    async with wire(stream(3, b"a", b"bc")) as w:
        caller = await w.ask(get() + get())
        for _ in range(2):
            reply = await caller.reply()
            assert (reply.body, reply.headers[b"content-length"]) == (b"abc", b"3")


async def test_empty_streams() -> None:
    for length in (None, 0):
        async with wire(stream(length)) as w:
            caller = await w.ask(get() + get())
            for _ in range(2):
                reply = await caller.reply()
                assert (reply.body, reply.complete) == (b"", True)


async def test_stream_to_1_0_ends_with_the_connection() -> None:
    async with wire(stream(None, b"a", b"bc")) as w:
        caller = await w.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        reply = await caller.reply()
        assert (reply.body, reply.headers[b"connection"], reply.complete) == (b"abc", b"close", True)
        assert b"transfer-encoding" not in reply.headers


async def test_each_piece_leaves_at_once() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        x.start(200, (), None)
        x.write(b"first")
        await go.wait()
        x.write(b"second")
        x.end()

    async with wire(handler) as w:
        caller = await w.ask(get())
        await until_received(caller, b"5\r\nfirst\r\n")
        go.set()
        await until_received(caller, b"6\r\nsecond\r\n0\r\n\r\n")


@pytest.mark.parametrize("handler", [stream(None, b"abc"), stream(3, b"abc")])
async def test_head_gets_no_body(handler: Callable[[Exchange], Awaitable[None]]) -> None:
    async with wire(handler) as w:
        caller = await w.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get())
        head = await caller.reply(to_head=True)
        reply = await caller.reply()
        assert reply.body == b"abc"
        assert {**head.headers, b"date": b""} == {**reply.headers, b"date": b""}


async def test_head_of_a_whole_reply_tells_its_length() -> None:
    async with wire() as w:
        caller = await w.ask(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get())
        assert (await caller.reply(to_head=True)).headers[b"content-length"] == b"%d" % len(b"HEAD / ")
        assert (await caller.reply()).body == b"GET / "


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("headers", [(), ((b"x-a", b"b"),)])
async def test_statuses_without_a_body(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    async def handler(x: Exchange) -> None:
        if x.path == b"/reply":
            x.reply(status, headers, b"")
        else:
            x.start(status, headers, None)
            x.end()

    async with wire(handler) as w:
        caller = await w.ask(get(b"/reply") + get(b"/start") + get(b"/reply"))
        for _ in range(3):
            reply = await caller.reply()
            assert reply.status == status
            assert set(reply.headers) == {b"date", *dict(headers)}


async def test_a_line_break_in_a_header_is_never_sent() -> None:
    async def handler(x: Exchange) -> None:
        value = {b"/1": b"a\r\nx-evil: 1", b"/2": b"a\nx-evil: 1", b"/3": b"a\rx-evil: 1"}[x.path]
        x.reply(200, ((b"x-a", value),), b"")

    async with wire(handler) as w:
        caller = await w.ask(get(b"/1") + get(b"/2") + get(b"/3"))
        for _ in range(3):
            reply = await caller.reply()
            assert reply.status == 500
            assert set(reply.headers) == {b"date", b"content-type", b"content-length"}


async def test_errors_are_rendered_and_the_connection_goes_on() -> None:
    async def handler(x: Exchange) -> None:
        if x.path == b"/missing":
            raise NotFound
        if x.path == b"/fast":
            raise TooMany
        if x.path == b"/bug":
            raise ZeroDivisionError("secret")
        if x.path == b"/nothing":
            return
        x.reply(200, (), b"fine")

    async with wire(handler) as w:
        caller = await w.ask(
            b"".join(post(b"abc", url=url) for url in (b"/missing", b"/fast", b"/bug", b"/nothing", b"/"))
        )
        found = [await caller.reply() for _ in range(5)]
        assert [(r.status, r.body) for r in found] == [
            (404, b"not_found"),
            (429, b"rate_limit_exceeded"),
            (500, b"internal_error"),
            (500, b"internal_error"),
            (200, b"fine"),
        ]


@pytest.mark.parametrize("fault", ["raises", "line break"])
async def test_an_error_that_cannot_be_rendered_closes_the_connection(fault: str) -> None:
    def render(x: Exchange | None, error: GatewayError) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes]:
        if fault == "raises":
            raise ZeroDivisionError
        return 400, ((b"x", b"a\r\nb"),), b""

    async def handler(x: Exchange) -> None:
        raise NotFound

    async with wire(handler, render=render) as w:
        for raw in (get(), b"rubbish\r\n\r\n"):
            caller = await w.ask(raw)
            assert await caller.rest() == b""


@pytest.mark.parametrize("how", ["cut", "raise", "return", "error"])
@pytest.mark.parametrize("length", [None, 10])
async def test_a_reply_that_breaks_off_is_seen_to_be_broken(how: str, length: int | None) -> None:
    async def handler(x: Exchange) -> None:
        x.start(200, (), length)
        x.write(b"abc")
        if how == "cut":
            x.cut()
        elif how == "raise":
            raise ZeroDivisionError
        elif how == "error":
            raise NotFound

    async with wire(handler) as w:
        caller = await w.ask(get() + get())
        reply = await caller.reply()
        assert (reply.body, reply.complete) == (b"abc", False)
        assert await caller.rest() == b""
        caller = await w.ask(b"GET / HTTP/1.0\r\n\r\n")
        try:
            assert not (await caller.reply()).complete
        except EOFError:  # the reset destroyed the head too
            assert caller.closed is False


async def test_a_reply_of_another_length_than_it_said() -> None:
    async def handler(x: Exchange) -> None:
        x.start(200, (), 3)
        x.write(b"abcd" if x.path == b"/long" else b"ab")
        x.end()

    async with wire(handler) as w:
        for path in (b"/long", b"/short"):
            caller = await w.ask(get(path))
            assert not (await caller.reply()).complete


async def test_a_promised_reply() -> None:
    async def handler(x: Exchange) -> None:
        x.promised = True
        asyncio.get_running_loop().call_later(0.05, x.reply, 200, (), x.path)

    async with wire(handler) as w:
        caller = await w.ask(get(b"/1") + get(b"/2"))
        assert (await caller.reply()).body == b"/1"
        assert (await caller.reply()).body == b"/2"


async def test_a_promised_end() -> None:
    async def handler(x: Exchange) -> None:
        x.start(200, (), None)
        x.write(b"a")
        x.promised = True
        asyncio.get_running_loop().call_later(0.05, x.end)

    async with wire(handler) as w:
        caller = await w.ask(get(b"/1") + get(b"/2"))
        assert (await caller.reply()).complete
        assert (await caller.reply()).complete


async def test_misuse_is_told() -> None:
    told: list[str] = []

    async def handler(x: Exchange) -> None:
        for misuse in (x.end, lambda: x.write(b"a")):
            with pytest.raises(RuntimeError) as info:
                misuse()
            told.append(str(info.value))
        x.reply(200, (), b"")
        for misuse in (lambda: x.reply(200, (), b""), lambda: x.start(200, (), 0), lambda: x.write(b"a")):
            with pytest.raises(RuntimeError) as info:
                misuse()
            told.append(str(info.value))
        x.end()
        x.cut()

    async with wire(handler) as w:
        caller = await w.ask(get() + get())
        assert (await caller.reply()).status == 200
        assert (await caller.reply()).status == 200
        assert len(told) == 10


def test_date_is_made_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000_000
    monkeypatch.setattr("unigate.http.state.now_ms", lambda: now)
    heads = ReplyHeads()
    first = heads[200]
    assert first == b"HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
    now += 999
    heads.renew()
    assert heads[200] is first
    now += 1
    heads.renew()
    assert heads[200] == b"HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:21 GMT\r\n"
    assert heads[529].startswith(b"HTTP/1.1 529 Unknown\r\n")
