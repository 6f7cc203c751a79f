"""Content that a provider keeps, on its way to a caller: as it comes, whole or in ranges, and never held whole."""

from unigate.base.errors import UpstreamError
from unigate.relay.call import Call
from unigate.relay.served import SANDBOX, harmless
from unigate.routing.choice import Candidate
from unigate.spec.provider import Request
from unigate.tasks.media import UNKNOWN
from unigate.upstream import Answer

#: Statuses that are no failure where a range was asked for, or what has changed since.
OTHERS = frozenset({304, 416})
_ASKED = (b"range", b"if-range", b"if-none-match", b"if-modified-since")
_PASSED = (b"content-range", b"accept-ranges", b"etag", b"last-modified")
_MOST_DIGITS = 18


def with_ranges(call: Call, request: Request) -> Request:
    """A request with what its caller asks of ranges."""
    asked = tuple((name, value) for name in _ASKED if (value := call.x.header(name)) is not None)
    return Request(request.method, request.target, request.headers + asked, request.expires_at)


async def passed_on(call: Call, candidate: Candidate, answer: Answer) -> None:
    """Reply with an answer as it comes; UpstreamError before its beginning only. Whoever calls gives the place back."""
    x = call.x
    head = [(name, value) for name in _PASSED if (value := answer.header(name)) is not None]
    head += [
        *_shown(answer),
        SANDBOX,
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", call.id.encode()),
        *call.marks,
    ]
    if call.key.role != "user":
        head.append((b"x-unigate-channel", candidate.route.channel.name.encode()))
    length = answer.header(b"content-length") or b""
    known = int(length) if length.isdigit() and len(length) <= _MOST_DIGITS else None
    try:
        if answer.status in OTHERS:
            x.reply(answer.status, head, b"")
            return
        first = await answer.piece()
        x.start(answer.status, head, known)
        if x.method != b"HEAD":
            await _pour(call, answer, first)
        x.end()
    finally:
        answer.abort()


def _shown(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Type and name of content, which is the user's, or made by a model's code: no browser may run it at our address."""
    kind = (answer.header(b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
    named = (answer.header(b"content-disposition") or b"").partition(b";")[2].strip()
    return [
        (b"content-type", harmless(kind or UNKNOWN).encode("latin-1")),
        (b"content-disposition", b"attachment; " + named if named else b"attachment"),
    ]


async def _pour(call: Call, answer: Answer, piece: bytes | None) -> None:
    x = call.x
    try:
        while piece is not None:
            if x.write(piece):
                await x.drain()
            piece = await answer.piece()
    except UpstreamError:
        x.cut()
        raise
