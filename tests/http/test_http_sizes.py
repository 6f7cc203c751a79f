"""How much a caller may send: head, headers, body, and the framing of chunks."""

import asyncio

import pytest
from http_kit import SMUGGLED, chunked, get, head, post, wire

from unigate.http.exchange import Exchange
from unigate.http.state import Limits


def _head_of(size: int) -> bytes:
    bare = get(b"/", b"X: ")
    return get(b"/", b"X: " + b"y" * (size - len(bare)))


@pytest.mark.parametrize("step", [0, 1000])
async def test_head_is_counted_to_the_byte(step: int) -> None:
    async with wire() as w:
        for size, status in ((64 << 10, 200), ((64 << 10) + 1, 431)):
            caller = await w.connect()
            await caller.send_cut(_head_of(size), step or 1 << 20)
            assert (await caller.reply()).status == status


async def test_head_without_end_is_refused_at_the_limit() -> None:
    async with wire(limits=Limits(head=1000)) as w:
        caller = await w.ask(b"GET / HTTP/1.1\r\nX: " + b"y" * 1000)
        assert (await caller.reply()).status == 431
        caller = await w.ask(b"GET /" + b"y" * 1000)
        assert (await caller.reply()).status == 431


async def test_a_large_head_behind_another_request() -> None:
    async with wire() as w:
        caller = await w.connect()
        sending = asyncio.ensure_future(caller.send(post(b"z" * 50_000, url=b"/1") + _head_of(64 << 10) + get(b"/3")))
        assert [(await caller.reply()).status for _ in range(3)] == [200, 200, 200]
        await sending


async def test_number_of_headers() -> None:
    async with wire() as w:
        caller = await w.ask(get(b"/", *[b"X: y"] * 255))
        assert (await caller.reply()).status == 200
        await caller.send(get(b"/", *[b"X: y"] * 256))
        assert (await caller.reply()).status == 431


async def test_empty_lines_before_a_request_are_few() -> None:
    async with wire() as w:
        caller = await w.ask(b"\r\n" * 32 + get() + b"\r\n" * 32 + get())
        assert (await caller.reply()).status == 200
        assert (await caller.reply()).status == 200
        await caller.send(b"\r\n" * 33)
        assert (await caller.reply()).status == 400


@pytest.mark.parametrize("raw", [post(b"x" * 101), chunked([b"x" * 50, b"x" * 51])])
async def test_body_above_the_limit_of_the_server(raw: bytes) -> None:
    async with wire(limits=Limits(body=100)) as w:
        caller = await w.ask(raw + SMUGGLED)
        assert (await caller.reply()).status == 413
        assert await caller.rest() == b""
        assert not w.calls


async def test_length_is_refused_before_any_of_the_body_came() -> None:
    async with wire() as w:
        caller = await w.ask(head(b"Host: a", b"Content-Length: 9999999999999999999"))
        assert (await caller.reply()).status == 413


async def test_largest_chunk_size_is_counted_as_it_comes() -> None:
    async with wire(limits=Limits(body=100)) as w:
        raw = head(b"Host: a", b"Transfer-Encoding: chunked") + b"ffffffffffffffff\r\n" + b"x" * 101
        caller = await w.ask(raw)
        assert (await caller.reply()).status == 413


async def test_body_above_the_limit_of_the_operation() -> None:
    async def handler(x: Exchange) -> None:
        x.reply(200, (), await x.read(10))

    async with wire(handler) as w:
        caller = await w.ask(post(b"x" * 11) + get(b"/next"))
        assert (await caller.reply()).status == 413  # it was here already, so the connection goes on
        assert (await caller.reply()).status == 200
        await caller.send(head(b"Host: a", b"Content-Length: 11"))
        reply = await caller.reply()
        assert (reply.status, reply.headers[b"connection"]) == (413, b"close")
        caller = await w.ask(head(b"Host: a", b"Transfer-Encoding: chunked") + b"6\r\nxxxxxx\r\n")
        await caller.send(b"6\r\nxxxxxx\r\n")
        assert (await caller.reply()).status == 413


@pytest.mark.parametrize(
    "flood",
    [
        b"1;" + b"x" * 40_000 + b"\r\nx\r\n",
        b"".join(b"1;%b\r\nx\r\n" % (b"y" * 200) for _ in range(500)),
        b"1\r\nx\r\n0\r\nX: " + b"y" * 40_000,
        b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 8000,
        b"0" * 40_000,
    ],
)
async def test_chunk_framing_has_a_budget(flood: bytes) -> None:
    async with wire() as w:
        caller = await w.connect()
        await caller.send_cut(head(b"Host: a", b"Transfer-Encoding: chunked") + flood, 4096)
        assert (await caller.reply()).status == 400
        assert not w.calls


async def test_small_chunks_are_no_abuse() -> None:
    async with wire() as w:
        caller = await w.ask(chunked([b"x"] * 20_000))
        assert len((await caller.reply()).body) == len(b"POST / ") + 20_000


async def test_body_of_many_pieces_and_empty_lines() -> None:
    body = b"\r\n\r\n".join(b"%d" % number for number in range(50_000))
    async with wire() as w:
        caller = await w.connect()
        for raw in (post(body), chunked([body[at : at + 777] for at in range(0, len(body), 777)])):
            sending = asyncio.ensure_future(caller.send(raw))
            assert (await caller.reply()).body == b"POST / " + body
            await sending
