"""What comes from the caller, over a socket: framing, upgrades, pipelining."""

import asyncio

import pytest
from http_kit import SMUGGLED, chunked, get, head, post, until, wire

from unigate.http.exchange import Exchange

REFUSED = [
    (head(b"Host: a", b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 3") + b"0\r\n\r\n", 400),
    (head(b"Host: a", b"Content-Length: 0", b"Content-Length: 35"), 400),
    (head(b"Host: a", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 501),
    (head(b"Host: a", b"Transfer-Encoding: ,chunked") + b"0\r\n\r\n", 501),
    (head(b"Host: a", b"Transfer-Encoding: identity"), 501),
    (head(b"Host: a", b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0") + b"0\r\n\r\n", 400),
    (head(b"Host: a", b"Host: b"), 400),
    (head(), 400),
    (head(b"Host: a", first=b"CONNECT a:80 HTTP/1.1"), 400),
    (head(b"Host: a", first=b"GET / HTTP/0.9"), 505),
    (head(b"Host: a", first=b"GET / HTTP/2.0"), 505),
    (head(b"Host: a", first=b"GET / RTSP/1.0"), 400),
    (head(b"Host: a", first=b"GET /#x HTTP/1.1"), 400),
    (head(b"Host: a", b"Content-Length: 18446744073709551615"), 413),
    (head(b"Host: a", b"Content-Length: 3", b"Expect: magic") + b"abc", 417),
    (head(b"Host: a", b"X: y\r\n folded: z"), 400),
    (head(b"Host: a", b"X: y\nTransfer-Encoding: chunked"), 400),
    (head(b"Host: a", b"Content-Length : 3") + b"abc", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"3\nabc\n0\n\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"2\r\nabc\r\n0\r\n\r\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"-1\r\nabc\r\n0\r\n\r\n", 400),
    (head(b"Host: a", b"Transfer-Encoding: chunked") + b"10000000000000003\r\nabc\r\n0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501),
    (b"GET /\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"\x00", 400),
]


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(("raw", "status"), REFUSED)
async def test_refused_and_nothing_behind_it_runs(raw: bytes, status: int, step: int) -> None:
    async with wire() as w:
        caller = await w.connect()
        await caller.send_cut(raw + SMUGGLED, step or len(raw + SMUGGLED))
        reply = await caller.reply()
        assert reply.status == status
        assert reply.headers[b"connection"] == b"close"
        assert await caller.rest() == b""
        assert caller.closed
        assert not w.calls


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize(
    ("raw", "call"),
    [
        (get(b"/a?b=c"), (b"GET", b"/a?b=c", b"")),
        (post(b"abc"), (b"POST", b"/", b"abc")),
        (post(b"abc\r\n\r\nGET / HTTP/1.1\r\n\r\n"), (b"POST", b"/", b"abc\r\n\r\nGET / HTTP/1.1\r\n\r\n")),
        (chunked([b"abc", b"de" * 20]), (b"POST", b"/", b"abc" + b"de" * 20)),
        (chunked([b"a\r\n\r\n", b"\r\n\r\n0\r\n\r\n"]), (b"POST", b"/", b"a\r\n\r\n\r\n\r\n0\r\n\r\n")),
        (chunked([b"abc"], trailers=b"Authorization: no\r\nX: y\r\n"), (b"POST", b"/", b"abc")),
        (chunked([]), (b"POST", b"/", b"")),
        (b"\r\n\r\n" + get(), (b"GET", b"/", b"")),
        (b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", (b"GET", b"/c", b"")),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", (b"OPTIONS", b"*", b"")),
    ],
)
async def test_served_and_the_connection_goes_on(raw: bytes, call: tuple[bytes, bytes, bytes], step: int) -> None:
    async with wire() as w:
        caller = await w.connect()
        await caller.send_cut(raw + get(b"/next"), step or 1 << 20)
        assert (await caller.reply()).body == b" ".join(call)
        assert (await caller.reply()).body == b"GET /next "
        assert w.calls == [call, (b"GET", b"/next", b"")]


async def test_what_an_exchange_tells() -> None:
    seen: list[Exchange] = []

    async def handler(x: Exchange) -> None:
        seen.append(x)
        x.reply(200, (), await x.read(100))

    async with wire(handler) as w:
        caller = await w.ask(post(b"abc", b"X-Two: 1 ", b"x-two: 2", url=b"/a/b?c=d"))
        await caller.reply()
        (x,) = seen
        assert (x.method, x.url, x.path, x.query, x.version) == (b"POST", b"/a/b?c=d", b"/a/b", b"c=d", "1.1")
        assert x.headers == [(b"host", b"a"), (b"content-length", b"3"), (b"x-two", b"1"), (b"x-two", b"2")]
        assert x.header(b"x-two") == b"1"
        assert x.header(b"content-length") == b"3"
        assert x.header(b"x-three") is None
        assert (x.content_length, x.client) == (3, "127.0.0.1")
        assert x.server == w.server.addresses[0]
        assert x.ended
        assert x.started_reply
        await caller.send(post(b"longer than that"))
        await caller.reply()
        assert seen[1].header(b"content-length") == b"16"
        assert (b"content-length", b"16") in seen[1].headers
        assert seen[1].content_length == 16


async def test_trailers_change_nothing() -> None:
    seen: list[Exchange] = []

    async def handler(x: Exchange) -> None:
        seen.append(x)
        x.reply(200, (), await x.read(100))

    async with wire(handler) as w:
        caller = await w.ask(chunked([b"abc"], trailers=b"Authorization: Bearer other\r\nHost: b\r\n"))
        assert (await caller.reply()).body == b"abc"
        assert seen[0].header(b"authorization") is None
        assert seen[0].headers == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")


@pytest.mark.parametrize("step", [0, 1, 50])
@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (post(SMUGGLED, *UPGRADE), SMUGGLED),
        (chunked([SMUGGLED, b"x"], *UPGRADE), SMUGGLED + b"x"),
        (post(b"", *UPGRADE), b""),
        (get(b"/", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x"), b""),
    ],
)
async def test_an_upgrade_is_served_as_a_plain_request(raw: bytes, body: bytes, step: int) -> None:
    async with wire() as w:
        caller = await w.connect()
        await caller.send_cut(raw + get(b"/next"), step or 1 << 20)
        assert (await caller.reply()).status == 200
        assert (await caller.reply()).body == b"GET /next "
        assert [call[1:] for call in w.calls] == [(b"/", body), (b"/next", b"")]


async def test_upgrade_and_close() -> None:
    async with wire() as w:
        caller = await w.ask(post(SMUGGLED, b"Connection: upgrade, close", b"Upgrade: h2c") + SMUGGLED)
        (reply,) = await caller.replies()
        assert reply.headers[b"connection"] == b"close"
        assert w.calls == [(b"POST", b"/", SMUGGLED)]


# Pipelining.


async def test_answers_come_in_the_order_of_requests() -> None:
    running = 0

    async def handler(x: Exchange) -> None:
        nonlocal running
        running += 1
        assert running == 1
        number = int(x.path[1:])
        for _ in range(number % 5):
            await asyncio.sleep(0)
        running -= 1
        x.reply(200, (), x.path + await x.read(10))

    async with wire(handler) as w:
        caller = await w.ask(b"".join(post(b"x" * (n % 3), url=b"/%d" % n) for n in range(300)))
        for number in range(300):
            assert (await caller.reply()).body == b"/%d" % number + b"x" * (number % 3)


async def test_at_most_16_wait_and_the_rest_is_not_read() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await go.wait()
        x.reply(200, (), x.path)

    async with wire(handler) as w:
        caller = await w.connect()
        raw = b"".join(get(b"/%d" % n, b"X: " + b"y" * 1000) for n in range(20_000))  # more than buffers hold
        sending = asyncio.ensure_future(caller.send(raw))
        await until(lambda: w.server.state.connections and w.connection()._paused)
        connection = w.connection()
        assert len(connection.waiting) in {15, 16}  # one of the first 16 runs already
        assert len(connection._held) <= 1 << 18
        assert not sending.done()
        go.set()
        for number in range(20_000):
            assert (await caller.reply()).body == b"/%d" % number
        await sending
        assert not connection._held


async def test_an_error_comes_after_the_replies_to_what_was_before_it() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await go.wait()
        x.reply(200, (), x.path)

    async with wire(handler) as w:
        caller = await w.ask(get(b"/1") + get(b"/2") + b"GET /3 HTTP/1.1\r\n\r\n" + get(b"/4"))
        await until(w.serving)
        go.set()
        replies = await caller.replies()
        assert [(r.status, r.body) for r in replies[:2]] == [(200, b"/1"), (200, b"/2")]
        assert [r.status for r in replies[2:]] == [400]


async def test_a_request_whose_body_turns_out_broken_does_not_run_when_it_waits() -> None:
    go = asyncio.Event()
    seen: list[bytes] = []

    async def handler(x: Exchange) -> None:
        seen.append(x.path)
        await go.wait()
        x.reply(200, (), await x.read(100))

    broken = head(b"Host: a", b"Transfer-Encoding: chunked", first=b"POST /broken HTTP/1.1") + b"3\r\nab"
    async with wire(handler) as w:
        caller = await w.ask(get(b"/1") + broken)
        await until(lambda: w.server.state.connections and w.connection().waiting)
        await caller.send(b"cXX" + SMUGGLED)
        await until(lambda: not w.connection().waiting)
        go.set()
        assert [r.status for r in await caller.replies()] == [200, 400]
        assert seen == [b"/1"]


async def test_a_body_that_breaks_while_it_is_read() -> None:
    outcome: list[type[BaseException]] = []

    async def handler(x: Exchange) -> None:
        try:
            await x.read(100)
        except Exception as error:
            outcome.append(type(error))
            raise

    async with wire(handler) as w:
        caller = await w.ask(head(b"Host: a", b"Transfer-Encoding: chunked") + b"3\r\nab")
        await until(w.serving)
        await caller.send(b"cXX" + SMUGGLED)
        assert [r.status for r in await caller.replies()] == [400]
        assert [kind.__name__ for kind in outcome] == ["BadRequest"]


@pytest.mark.parametrize(
    "last", [get(b"/last", b"Connection: close"), b"GET /last HTTP/1.0\r\n\r\n", get(b"/last", b"Connection: x, Close")]
)
async def test_nothing_is_looked_at_after_the_last_request(last: bytes) -> None:
    async with wire() as w:
        caller = await w.ask(get(b"/1") + last + SMUGGLED + b"\x00 rubbish")
        replies = await caller.replies()
        assert [r.body for r in replies] == [b"GET /1 ", b"GET /last "]
        assert replies[1].headers[b"connection"] == b"close"
        assert b"connection" not in replies[0].headers


async def test_what_is_behind_the_last_request_is_not_even_queued() -> None:
    go = asyncio.Event()

    async def handler(x: Exchange) -> None:
        await go.wait()
        x.reply(200, (), b"")

    async with wire(handler) as w:
        caller = await w.ask(get(b"/", b"Connection: close") + SMUGGLED)
        await until(w.serving)
        await caller.send(SMUGGLED)
        await asyncio.sleep(0.01)
        connection = w.connection()
        assert not connection.waiting
        go.set()
        assert [r.status for r in await caller.replies()] == [200]


async def test_1_0_is_kept_when_asked_for() -> None:
    raw = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    async with wire() as w:
        caller = await w.ask(raw)
        assert (await caller.reply()).headers[b"connection"] == b"keep-alive"
        await caller.send(raw)
        assert (await caller.reply()).status == 200
