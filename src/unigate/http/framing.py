"""What a request head says, and what it must not say. Pure.

llhttp refuses most of what is ambiguous; this module refuses the rest. What both accept has exactly one reading of
where the message ends (RFC 9112, sections 3, 6 and 11.2). Heads are read whole, by a parser of their own, so what one
says can't depend on what came before it, and what was read once need not be read again.
"""

import httptools

from unigate.base.errors import (
    BadRequest,
    ExpectationFailed,
    GatewayError,
    HeadTooLarge,
    NotImplementedHere,
    TooLarge,
    VersionNotSupported,
)
from unigate.spec.exchange import Header

#: Methods that are known; others are 501, CONNECT is 400 since we are no proxy. TRACE and QUERY are served
#: nowhere, thus 405 or 404.
METHODS = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"QUERY"))
#: `length` of a body whose end is told by its chunks.
CHUNKED = -1
#: Headers that must not come twice.
_SINGLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))
_IN_HOST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+;=:[]%"
#: Digits of a length that may still be meant.
_DIGITS = 19
_LENGTH = b"content-length"
#: How clients write it.
_LENGTH_LINES = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
#: Heads that are remembered, and up to which size.
_KNOWN, _KNOWN_SIZE = 1024, 4096

Fields = dict[bytes, bytes]


class Head:
    """A request head that was understood and is sound. Shared between requests: never changed."""

    __slots__ = (
        "expects",
        "fields",
        "headers",
        "keep",
        "length",
        "length_at",
        "method",
        "path",
        "query",
        "url",
        "version",
    )

    def __init__(self, raw: bytes, limit: int) -> None:
        """Read a head, first line to empty line, with at most `limit` headers; GatewayError where it is refused."""
        said = _Reader()
        said.read(raw)
        #: Lower-case names, values stripped.
        self.headers = headers = said.headers
        if len(headers) > limit:
            raise HeadTooLarge("The request has too many headers.")
        self.method = said.method
        if self.method not in METHODS:
            if self.method == b"CONNECT":
                raise BadRequest("This is not a proxy.")
            raise NotImplementedHere("This method is not supported here.")
        #: "1.1" or "1.0".
        self.version = _version(raw, self.method, said.url)
        #: The first value of each header.
        self.fields = fields = _fields(headers)
        _check_host(self.version, fields)
        #: The target in origin form, and its parts.
        self.url = _target(self.method, said.url)
        self.path, _, self.query = self.url.partition(b"?")
        #: Bytes of the body, CHUNKED, or 0.
        self.length = _body_length(self.version, fields)
        #: Place of the content-length among the headers, else -1.
        self.length_at = headers.index((_LENGTH, fields[_LENGTH])) if _LENGTH in fields else -1
        #: The caller holds its body, if there is one, back until it is told to go on.
        self.expects = _expects_continue(self.version, fields)
        #: The connection may carry another request.
        self.keep = said.keep


class KnownHeads:
    """Reads heads, and remembers them: a client's requests differ in little but the length of their bodies."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes, at: int, end: int) -> tuple[Head, bytes]:
        """The head in `data[at:end]`, and the digits of its content-length where the head may be another's.

        Remembered without these digits: what a head says and whether it is sound does not depend on which they are.
        """
        line = data.find(_LENGTH_LINES[0], at, end)
        if line < 0:
            line = data.find(_LENGTH_LINES[1], at, end)
        if line < 0:
            digits, key = b"", data[at:end]
        else:
            begin = line + len(_LENGTH_LINES[0])
            rest = data.find(b"\r\n", begin)
            digits, key = data[begin:rest], data[at:begin] + data[rest:end]
            if not digits.isdigit() or len(digits) > _DIGITS:
                return Head(data[at:end], self._limit), b""
        head = self._known.get(key)
        if head is None:
            head = Head(data[at:end], self._limit)
            if len(key) <= _KNOWN_SIZE:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[key] = head
        return head, digits


class _Reader:
    """What llhttp says of one head."""

    __slots__ = ("headers", "keep", "method", "parser", "url")

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.method = self.url = b""
        self.headers: list[Header] = []
        self.keep = False

    def read(self, raw: bytes) -> None:
        """Read a head; GatewayError where llhttp refuses it."""
        try:
            self.parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            # We don't upgrade. To llhttp this message is over and its body is another protocol; who goes on with
            # this parser runs the body as a request. We don't: a body is never fed to it.
            pass
        except httptools.HttpParserError:
            raise self._refusal() from None
        self.method = self.parser.get_method()
        del self.parser

    def _refusal(self) -> GatewayError:
        """The error for a head that llhttp refuses: it tells of an unknown transfer coding only after the headers."""
        coding = dict(self.headers).get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            return NotImplementedHere("Only the transfer coding `chunked` is supported.")
        return BadRequest("The request is not valid HTTP.")

    def on_url(self, url: bytes) -> None:
        """The target, whole since the head is."""
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; blanks before its value are gone, those behind it are not."""
        self.headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """The end of the head; later the parser has forgotten what it said of the connection."""
        self.keep = self.parser.should_keep_alive()


def _fields(headers: list[Header]) -> Fields:
    """The first value of each header; refuses repetition where it could be read in two ways."""
    fields: Fields = {}
    for name, value in headers:
        if name not in fields:
            fields[name] = value
        elif name in _SINGLE:
            raise BadRequest(f"More than one {name.decode('ascii', 'replace')} header.")
    return fields


def _version(raw: bytes, method: bytes, url: bytes) -> str:
    """The HTTP version; the request line must be exactly as RFC 9112 writes it (llhttp takes RTSP and more blanks)."""
    line = b"%b %b HTTP/" % (method, url)
    if not raw.startswith(line):
        raise BadRequest("The request line is not valid.")
    version = raw[len(line) : raw.find(b"\r\n")]
    if version == b"1.1":
        return "1.1"
    if version == b"1.0":
        return "1.0"
    raise VersionNotSupported


def _body_length(version: str, fields: Fields) -> int:
    """Bytes of the body, CHUNKED, or 0 for none; refuses what is coded otherwise, or unclear."""
    length = fields.get(_LENGTH)
    coding = fields.get(b"transfer-encoding")
    if coding is not None:
        if coding.lower() != b"chunked":
            raise NotImplementedHere("Only the transfer coding `chunked` is supported.")
        if version != "1.1" or length is not None:
            raise BadRequest("The length of the body is not clear.")
        return CHUNKED
    if length is None:
        return 0
    if not length.isdigit():
        raise BadRequest("The content length is not a number.")
    if len(length) > _DIGITS:
        raise TooLarge
    return int(length)


def _check_host(version: str, fields: Fields) -> None:
    """HTTP/1.1 asks for exactly one Host (two were refused before), with nothing odd in it."""
    host = fields.get(b"host")
    if host is None:
        if version == "1.1":
            raise BadRequest("The Host header is missing.")
    elif host.translate(None, _IN_HOST):
        raise BadRequest("The Host header is not valid.")


def _target(method: bytes, url: bytes) -> bytes:
    """The request target in origin form; absolute form loses scheme and authority (RFC 9112, 3.2)."""
    if b"#" in url or not url.isascii():
        raise BadRequest("The request target is not valid.")
    if url.startswith(b"/"):
        return url
    if url == b"*":
        if method == b"OPTIONS":
            return url
    elif url[:7].lower() == b"http://" or url[:8].lower() == b"https://":
        rest = url[url.index(b"://") + 3 :]
        authority = rest.split(b"/", 1)[0].split(b"?", 1)[0]
        target = rest[len(authority) :]
        if authority:
            return target if target.startswith(b"/") else b"/" + target
    raise BadRequest("The request target is not valid.")


def _expects_continue(version: str, fields: Fields) -> bool:
    """Whether the caller waits for `100 Continue`; any other expectation is refused."""
    expect = fields.get(b"expect")
    if expect is None:
        return False
    if expect.lower() != b"100-continue":
        raise ExpectationFailed
    return version == "1.1"
