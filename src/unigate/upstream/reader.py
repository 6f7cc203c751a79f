"""Reader: what is and what is not an answer. It is fed bytes and knows no transport.

httptools (llhttp) does the parsing. What it accepts and must not, and what it can't know, is decided here: interim
answers, statuses, transfer codings, answers without length, sizes, bytes behind an answer.
"""

import asyncio
import re

from httptools import HttpParserError, HttpResponseParser

from unigate.upstream.answer import Answer
from unigate.upstream.limits import ClientLimits

_CODING, _KEPT = b"transfer-encoding", b"keep-alive"
_CODING_SIZE, _KEPT_SIZE = len(_CODING), len(_KEPT)
_KEEP_ALIVE = re.compile(rb"(?i)(?:^|[,;\s])timeout\s*=\s*(\d{1,9})")
_LEAST_INTERIM, _LEAST, _MOST, _SWITCHING = 100, 200, 599, 101  # statuses


class _Stop(Exception):
    """Nothing behind this point is to be parsed. Not an error: an exception stops the parser for good."""


class Reader:
    """Reads answers one after another; the methods named `on_...` are called by the parser."""

    __slots__ = (
        "_answer",
        "_coded",
        "_content",
        "_feed",
        "_head_bytes",
        "_head_limit",
        "_headers",
        "_heard_at",
        "_idle_seconds",
        "_in_head",
        "_interim",
        "_is_head",
        "_keep",
        "_limits",
        "_now",
        "_parser",
        "_refusal",
        "_wasted",
        "loop",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: ClientLimits) -> None:
        self.loop = loop
        self._now = loop.time
        self._limits = limits
        self._head_limit = limits.head_bytes
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
        #: Who is answered; None when all of the answer was read, and before there is any.
        self._answer: Answer | None = None
        self._is_head = False
        self._headers: list[tuple[bytes, bytes]] = []
        #: Before the end of the head; bytes since the request, as far as they came with a head.
        self._in_head = True
        self._head_bytes = 0
        self._interim = 0
        self._coded = False
        #: Why it stopped, where the parser does not know.
        self._refusal: str | None = None
        #: Body bytes came with the last data; how many came without any.
        self._content = False
        self._wasted = 0
        #: The answer allows another one behind it; for how long the connection may then wait.
        self._keep = False
        self._idle_seconds = limits.idle_seconds
        self._heard_at = 0.0

    def _read_long_head(self, data: bytes) -> None:
        """Feed no more of a head than its limit, and the rest of the data if that was its end."""
        view = memoryview(data)
        allowed = self._head_limit - (self._head_bytes - len(data))
        self._feed(view[:allowed])
        if self._in_head:
            self._refusal = f"a head of more than {self._head_limit} bytes"
            raise HttpParserError(self._refusal)
        self._feed(view[allowed:])

    def _ends_with_connection(self) -> bool:
        """Whether the answer being read has no length of its own."""
        answer = self._answer
        if self._in_head or answer is None:
            return False
        return answer.header(b"content-length") is None and answer.header(b"transfer-encoding") is None

    def on_message_begin(self) -> None:
        """A second answer to one request is nobody's."""
        if self._answer is None:
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: those go to a list that nobody reads."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there: whoever waits for it goes on."""
        parser, answer = self._parser, self._answer
        assert answer is not None
        status = parser.get_status_code()
        if not _LEAST <= status <= _MOST:
            self._skip_interim(status)
            return
        headers = self._headers
        for name, value in headers:
            size = len(name)
            if size == _CODING_SIZE or size == _KEPT_SIZE:  # noqa: PLR1714, SIM109 - in a loop, and no tuple is made
                self._watch(name.lower(), value)
        if len(headers) > self._limits.headers:
            self._refusal = f"more than {self._limits.headers} headers"
        if self._refusal is not None:
            raise _Stop
        self._in_head = False
        self._keep = parser.should_keep_alive()
        self._wasted = 0
        answer.raw_headers = headers
        self._headers = []
        answer.headers_at = self._heard_at = self._now()
        answer.status = status
        waiter = answer.waiter
        answer.waiter = None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._is_head:
            self._answer = None
            self._keep = False
            raise _Stop

    def on_body(self, data: bytes) -> None:
        """A piece of the body: to whoever waits for it, else to the queue."""
        answer = self._answer
        assert answer is not None
        self._content = True
        sink = answer.sink
        if sink is not None:
            answer.poured(data, sink)
            return
        waiter = answer.waiter
        if waiter is not None:
            answer.waiter = None
            if not waiter.done():
                waiter.set_result(data)
        else:
            answer.pieces.append(data)
            answer.buffered += len(data)

    def on_message_complete(self) -> None:
        """The end of the answer; no callback and no byte behind it concerns anybody."""
        if self._in_head:  # of an interim answer
            self._headers = []
            return
        if self._headers:  # trailers: `connection` and `transfer-encoding` there reach the parser's mind all the same
            self._headers = []
            self._keep = self._keep and self._parser.should_keep_alive()
        self._answer = None

    def _watch(self, name: bytes, value: bytes) -> None:
        """Headers that concern the connection itself."""
        if name == _CODING:
            if self._coded or value.strip().lower() != b"chunked":
                self._refusal = "a transfer coding other than chunked"
            self._coded = True
        elif name == _KEPT:
            found = _KEEP_ALIVE.search(value)
            if found is not None:
                self._idle_seconds = min(self._limits.idle_seconds, int(found[1]) - 1.0)

    def _skip_interim(self, status: int) -> None:
        """Skip 100 to 199, but not too many, and not 101: that would be the end of HTTP here."""
        self._interim += 1
        if not _LEAST_INTERIM <= status < _LEAST or status == _SWITCHING:
            self._refusal = f"status {status:03}"
            raise _Stop
        if self._interim > self._limits.interim:
            self._refusal = f"more than {self._limits.interim} interim answers"
            raise _Stop
