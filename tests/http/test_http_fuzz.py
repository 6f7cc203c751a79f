"""Any bytes, any cuts: no hang, no desync.

The oracle for desync: well-formed requests, cut anywhere, give exactly their replies, in order; and behind a message
whose framing was tampered with, nothing runs.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import uvloop
from http_kit import Caller, Reply, Wire, chunked, get, post, wire
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unigate.http.state import Limits

LIMITS = Limits(head=2000, headers=20, body=5000, queue=4, linger_time=0.05)
HASTY = replace(LIMITS, head_time=0.05, body_time=0.05, idle_time=0.05)
FUZZ = settings(max_examples=150)
CANARY = b"/canary"


def run(test: Callable[[Wire], Coroutine[Any, Any, None]], limits: Limits = LIMITS) -> None:
    """Run on a loop of its own: hypothesis calls plain functions."""

    async def main() -> None:
        async with wire(limits=limits) as w:
            await test(w)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def send_cut(caller: Caller, data: bytes, cuts: list[int]) -> None:
    """Send `data` in pieces; each is on its way before the next."""
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    for begin, end in pairwise(places):
        try:
            await caller.send(data[begin:end])
        except OSError:
            return
        for _ in range(3):
            await asyncio.sleep(0)


async def replies_until_silence(caller: Caller) -> list[Reply]:
    """All replies up to the end of the connection; the bound of the kit fails the test where there is none."""
    found = []
    while caller.buffer or await caller.more():
        try:
            found.append(await caller.reply())
        except EOFError:
            break
    return found


_bodies = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"GET /canary HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n" * 9]),
)
_lines = st.lists(
    st.sampled_from(
        [
            b"X: y",
            b"Authorization: Bearer sk-x",
            b"Connection: keep-alive",
            b"Expect: 100-continue",
            b"Connection: Upgrade\r\nUpgrade: h2c",
        ]
    ),
    max_size=2,
    unique=True,
).map(lambda lines: [line for line in lines if not (line.startswith(b"Connection") and line != lines[0])])


@st.composite
def _requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A well-formed request and the body of its reply; the target is filled in later."""
    kind = draw(st.sampled_from(["get", "post", "chunked", "blank"]))
    lines, body = draw(_lines), draw(_bodies)
    if kind == "get":
        return get(b"/%n", *lines), b"GET /%n "
    if kind == "blank":
        return b"\r\n" + get(b"/%n", *lines), b"GET /%n "
    if kind == "post":
        return post(body, *lines, url=b"/%n"), b"POST /%n " + body
    pieces = [piece for piece in (body, draw(_bodies)) if piece]
    trailers = draw(st.sampled_from([b"", b"X: y\r\n", b"Host: b\r\nAuthorization: z\r\n"]))
    return chunked(pieces, *lines, url=b"/%n", trailers=trailers), b"POST /%n " + b"".join(pieces)


_cuts = st.lists(st.integers(min_value=0, max_value=5000), max_size=12)


@FUZZ
@given(st.lists(_requests(), min_size=1, max_size=12), _cuts)
def test_well_formed_requests_get_their_replies_in_order(requests: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    async def test(w: Wire) -> None:
        caller = await w.connect()
        data, expected = b"", []
        for number, (raw, body) in enumerate(requests):
            data += raw.replace(b"/%n", b"/%d" % number, 1)
            expected.append(body.replace(b"/%n", b"/%d" % number, 1))
        sending = asyncio.ensure_future(send_cut(caller, data, cuts))
        found: list[Reply] = []
        while len(found) < len(expected):
            reply = await caller.reply()
            if reply.status != 100:
                found.append(reply)
        await sending
        assert [reply.status for reply in found] == [200] * len(expected)
        assert [reply.body for reply in found] == expected

    run(test)


#: Ways to make the framing of a request unclear, or wrong. None of them is a request that may be served.
_TAMPERED = [
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n",
    b"POST /tampered HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n",
    b"GET /tampered HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /tampered HTTP/1.1\r\n\r\n",
    b"GET /tampered\r\n\r\n",
    b"GET /tampered HTTP/1.1\r\nHost: a\r\nX: y\rZ: z\r\n\r\n",
    b"CONNECT tampered:80 HTTP/1.1\r\nHost: a\r\n\r\n",
]


@FUZZ
@given(st.lists(_requests(), max_size=4), st.sampled_from(_TAMPERED), _cuts)
def test_nothing_runs_behind_a_message_that_is_unclear(
    requests: list[tuple[bytes, bytes]], tampered: bytes, cuts: list[int]
) -> None:
    async def test(w: Wire) -> None:
        caller = await w.connect()
        before = b"".join(raw.replace(b"/%n", b"/%d" % n, 1) for n, (raw, _) in enumerate(requests))
        sending = asyncio.ensure_future(send_cut(caller, before + tampered + get(CANARY) * 3, cuts))
        found = [reply for reply in await replies_until_silence(caller) if reply.status != 100]
        await sending
        assert [reply.status for reply in found[:-1]] == [200] * len(requests)
        assert found[-1].status in {400, 501}
        assert found[-1].headers[b"connection"] == b"close"
        assert [url for _, url, _ in w.calls] == [b"/%d" % n for n in range(len(requests))]

    run(test)


_WORDS = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"abc",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b"x" * 2500,
    b"Y: " + b"z" * 300 + b"\r\n",
    get(b"/"),
    post(b"abc"),
    chunked([b"abc"]),
]


@FUZZ
@given(st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=20)), max_size=14), _cuts)
@example([b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r", b"\nGET"], [])
def test_any_bytes_end_in_replies_and_a_closed_connection(pieces: list[bytes], cuts: list[int]) -> None:
    async def test(w: Wire) -> None:
        caller = await w.connect()
        sending = asyncio.ensure_future(send_cut(caller, b"".join(pieces), cuts))
        data = await caller.rest()  # ends, or the bound of the kit fails the test
        await sending
        assert not data or data.startswith(b"HTTP/1.1 ")
        assert not w.server.state.tasks
        # The server lives: another caller is served as ever.
        w.server.state.limits = LIMITS
        other = await w.ask(get(b"/alive"))
        assert (await other.reply()).body == b"GET /alive "

    run(test, HASTY)
