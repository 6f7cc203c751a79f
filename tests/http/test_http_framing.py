"""What a request head may say: one by one, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unigate.base.errors import GatewayError
from unigate.http.framing import CHUNKED, Head, KnownHeads


def head(*lines: bytes, first: bytes = b"POST / HTTP/1.1", host: bool = True) -> bytes:
    return b"\r\n".join((first, *([b"Host: a"] if host else []), *lines, b"", b""))


def read(known: KnownHeads, raw: bytes) -> tuple[Head, bytes]:
    """Read a head amid other bytes."""
    return known.read(b"ab" + raw + b"Content-Length: 9\r\n", 2, 2 + len(raw))


def status_of(raw: bytes) -> int:
    with pytest.raises(GatewayError) as refused:
        Head(raw, 256)
    return refused.value.status


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (head(host=False), 400),
        (head(b"Host: b"), 400),
        (head(b"Host: a"), 400),
        (head(b"Host: a b", host=False), 400),
        (head(b"Host: a/b", host=False), 400),
        (head(b"Host: u@b", host=False), 400),
        (head(b"Host: a,b", host=False), 400),
        (head(b"Host: a", first=b"GET / HTTP/1.0"), 400),
        (head(first=b"GET / HTTP/0.9"), 505),
        (head(first=b"GET / HTTP/2.0"), 505),
        (head(first=b"GET / HTTP/1.2"), 400),
        (head(first=b"GET /"), 400),
        (head(first=b"GET / RTSP/1.0"), 400),
        (head(first=b"POST / RTSP/1.1"), 400),
        (head(first=b"OPTIONS / RTSP/1.0"), 400),
        (head(first=b"DESCRIBE / RTSP/1.0"), 501),
        (head(first=b"SOURCE / ICE/1.0"), 501),
        (head(first=b"GET  / HTTP/1.1"), 400),
        (head(first=b"GET /  HTTP/1.1"), 400),
        (head(first=b"GET / HTTP/1.1 "), 400),
        (head(first=b"get / HTTP/1.1"), 400),
        (head(first=b"CONNECT a:80 HTTP/1.1"), 400),
        (head(first=b"PRI * HTTP/2.0"), 400),
        (head(first=b"GET * HTTP/1.1"), 400),
        (head(first=b"GET a HTTP/1.1"), 400),
        (head(first=b"GET /a#b HTTP/1.1"), 400),
        (head(first=b"GET /\xc3\xa9 HTTP/1.1"), 400),
        (head(first=b"GET ftp://a/b HTTP/1.1"), 400),
        (head(first=b"GET http:///b HTTP/1.1"), 400),
        (head(b"Transfer-Encoding: gzip, chunked"), 501),
        (head(b"Transfer-Encoding: ,chunked"), 501),
        (head(b"Transfer-Encoding: chunked, chunked"), 400),
        (head(b"Transfer-Encoding: identity"), 501),
        (head(b"Transfer-Encoding: xchunked"), 501),
        (head(b"Transfer-Encoding:"), 400),
        (head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        (head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), 400),
        (head(b"Transfer-Encoding : chunked"), 400),
        (head(b"Transfer-Encoding\t: chunked"), 400),
        (head(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), 400),
        (head(b"Transfer-Encoding: chunked", b"Content-Length: 3"), 400),
        (head(b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400),
        (head(b"Content-Length: 3", b"Content-Length: 3"), 400),
        (head(b"Content-Length: 3", b"content-length: 4"), 400),
        (head(b"Content-Length: 3, 3"), 400),
        (head(b"Content-Length: +3"), 400),
        (head(b"Content-Length: -3"), 400),
        (head(b"Content-Length: 0x3"), 400),
        (head(b"Content-Length: 3 4"), 400),
        (head(b"Content-Length: "), 400),
        (head(b"Content-Length: \xb2"), 400),
        (head(b"Content-Length: 18446744073709551616"), 400),
        (head(b"Content-Length: 18446744073709551615"), 413),
        (head(b"Expect: 200-maybe"), 417),
        (head(b"Expect: 100-continue", b"Expect: 100-continue"), 400),
        (head(b"X: a\rb"), 400),
        (head(b"X: a\nb"), 400),
        (head(b"X: a\x00b"), 400),
        (head(b"X: a\r\n b"), 400),
        (head(b" X: folded first"), 400),
        (head(b"X"), 400),
        (head(b"X y: z"), 400),
        (head(b": z"), 400),
        (head(*[b"X: y"] * 256), 431),
    ],
)
def test_refused(raw: bytes, status: int) -> None:
    assert status_of(raw) == status


def test_a_head_as_most_are() -> None:
    raw = b"POST /v1/a?b=c&d HTTP/1.1\r\nHost: x.test:80\r\nContent-Length: 12\r\nX-Two: 1 \t\r\nx-two:2\r\n\r\n"
    found = Head(raw, 256)
    assert (found.method, found.url, found.path, found.query) == (b"POST", b"/v1/a?b=c&d", b"/v1/a", b"b=c&d")
    assert found.version == "1.1"
    assert found.headers == [(b"host", b"x.test:80"), (b"content-length", b"12"), (b"x-two", b"1"), (b"x-two", b"2")]
    assert found.fields[b"x-two"] == b"1"
    assert (found.length, found.keep, found.expects) == (12, True, False)


@pytest.mark.parametrize(
    ("first", "url"),
    [
        (b"GET http://other.test/a/b?c HTTP/1.1", b"/a/b?c"),
        (b"GET HTTPS://other.test HTTP/1.1", b"/"),
        (b"GET http://other.test?q=/x HTTP/1.1", b"/?q=/x"),
        (b"OPTIONS * HTTP/1.1", b"*"),
        (b"GET //a//b/../c HTTP/1.1", b"//a//b/../c"),
        (b"GET /a%20b%2Fc HTTP/1.1", b"/a%20b%2Fc"),
    ],
)
def test_targets(first: bytes, url: bytes) -> None:
    assert Head(head(first=first), 256).url == url


@pytest.mark.parametrize(
    ("lines", "first", "keep"),
    [
        ((), b"GET / HTTP/1.1", True),
        ((b"Connection: close",), b"GET / HTTP/1.1", False),
        ((b"Connection: Close, x",), b"GET / HTTP/1.1", False),
        ((b"Connection: x", b"Connection: close"), b"GET / HTTP/1.1", False),
        ((), b"GET / HTTP/1.0", False),
        ((b"Connection: keep-alive",), b"GET / HTTP/1.0", True),
        ((b"Connection: Upgrade, close", b"Upgrade: h2c"), b"GET / HTTP/1.1", False),
        ((b"Connection: Upgrade", b"Upgrade: h2c"), b"GET / HTTP/1.1", True),
    ],
)
def test_whether_the_connection_stays(lines: tuple[bytes, ...], first: bytes, *, keep: bool) -> None:
    assert Head(head(*lines, first=first), 256).keep is keep


def test_lengths() -> None:
    assert Head(head(b"Transfer-Encoding: Chunked"), 256).length == CHUNKED
    assert Head(head(b"Content-Length: 007"), 256).length == 7
    assert Head(head(b"Content-Length: 0"), 256).length == 0
    assert Head(head(), 256).length == 0


def test_host_may_be_left_out_before_1_1_only() -> None:
    assert Head(head(first=b"GET / HTTP/1.0", host=False), 256).version == "1.0"
    assert status_of(head(first=b"GET / HTTP/1.1", host=False)) == 400


def test_expectation_counts_from_1_1_on() -> None:
    assert Head(head(b"Expect: 100-Continue", b"Content-Length: 1"), 256).expects
    assert not Head(head(b"Expect: 100-continue", b"Content-Length: 1", first=b"POST / HTTP/1.0"), 256).expects


def test_number_of_headers() -> None:
    assert len(Head(head(*[b"X: y"] * 255), 256).headers) == 256


def test_known_heads_differ_in_their_length_only() -> None:
    known = KnownHeads(256)
    first, digits = read(known, head(b"Content-Length: 5"))
    assert digits == b"5"
    second, digits = read(known, head(b"Content-Length: 17"))
    assert second is first
    assert digits == b"17"
    third, _ = read(known, head(b"Content-Length: 17", b"X: y"))
    assert third is not first


@pytest.mark.parametrize(
    "line",
    [b"Content-Length: ", b"Content-Length: x", b"Content-Length: 1\r\ncontent-length: 1", b"Content-Length: 5 "],
)
def test_a_known_head_lets_no_other_pass(line: bytes) -> None:
    known = KnownHeads(256)
    read(known, head(b"Content-Length: 5"))
    raw = head(line)
    try:
        direct: object = Head(raw, 256).length
    except GatewayError as refused:
        direct = refused.status
    try:
        found, digits = read(known, raw)
        remembered: object = int(digits or found.length)
    except GatewayError as refused:
        remembered = refused.status
    assert remembered == direct


_LINES = st.sampled_from(
    [
        b"Content-Length: 1",
        b"Content-Length: 23",
        b"content-length: 4",
        b"CONTENT-LENGTH: 5",
        b"Content-Length:  6",
        b"Content-Length: ",
        b"Content-Length: 1x",
        b"X-Content-Length: 7",
        b"X: \tContent-Length: 8",
        b"Transfer-Encoding: chunked",
        b"Host: b",
        b"Expect: 100-continue",
        b"Connection: close",
        b"X: y",
    ]
)


@given(st.lists(st.lists(_LINES, max_size=3), max_size=8))
def test_what_is_remembered_is_what_would_be_read(requests: list[list[bytes]]) -> None:
    known = KnownHeads(256)
    for lines in requests:
        raw = head(*lines)
        outcomes: list[object] = []
        for remembered in (False, True):
            try:
                if remembered:
                    found, digits = read(known, raw)
                    headers = list(found.headers)
                    if digits:
                        headers[found.length_at] = (b"content-length", digits)
                    length = int(digits or found.length)
                else:
                    found = Head(raw, 256)
                    headers, length = found.headers, found.length
                outcomes.append((headers, length, found.keep, found.expects, found.url))
            except GatewayError as refused:
                outcomes.append((refused.status, refused.message))
        assert outcomes[0] == outcomes[1]


def test_memory_of_heads_is_bounded() -> None:
    known = KnownHeads(256)
    for number in range(3000):
        read(known, head(b"X: %d" % number))
    read(known, head(b"X: " + b"y" * 5000))
    assert len(known._known) <= 1024
    assert max(map(len, known._known)) <= 4096
