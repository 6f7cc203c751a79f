"""Opening a file at its provider, in order to copy it: what it is, told by its beginning, and its pieces."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from unigate.base.clock import monotonic
from unigate.base.errors import BadAnswer, TookTooLong, TooLarge
from unigate.base.live_settings import AssetSettings
from unigate.spec.channel import Timeouts
from unigate.store.assets import AssetRow
from unigate.tasks.fetching import fetch, inline
from unigate.tasks.media import SNIFFED, fits, media_type
from unigate.upstream import Answer, Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that may be read once."""

    media_type: str
    pieces: AsyncIterator[bytes]
    #: Gives up what was not read; also while somebody else waits for a piece.
    close: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How fast a file has to come: so many bytes a second, over each so many seconds in which it was waited for."""

    bytes: int
    seconds: float


#: Slower than any line that a vendor serves by, and fast enough that whoever sends drop by drop holds no place for long.
LEAST = Rate(bytes=4096, seconds=60)


async def open_source(client: Client, row: AssetRow, settings: AssetSettings, least: Rate = LEAST) -> Opened:
    """The file as its provider has it. What comes more slowly than `least` is given up, while it is read too.

    Raises Refused and TooLarge where there is no use in trying again, UpstreamError where there may be.
    """
    if (found := inline(row.source)) is not None:
        kind = _checked(row, found.body[:SNIFFED], found.media_type)
        return Opened(media_type=kind, pieces=_whole(found.body), close=_nothing)
    limits = Timeouts(connect=10, first_byte=60, idle=30, total=settings.copy_seconds)
    answer = await fetch(client, row.source, limits, private=row.private)
    body = _Body(answer, least)
    try:
        _check_head(answer, settings.file_bytes)
        begin = b""
        while len(begin) < SNIFFED and (piece := await body.piece()) is not None:
            begin += piece
        kind = _checked(row, begin, (answer.header(b"content-type") or b"").decode("latin-1"))
    except BaseException:
        answer.abort()
        raise
    return Opened(media_type=kind, pieces=_rest(begin, body), close=answer.abort)


def _check_head(answer: Answer, most: int) -> None:
    if answer.status != 200:
        raise BadAnswer(detail=f"status {answer.status}")
    coding = (answer.header(b"content-encoding") or b"identity").decode("latin-1").lower()
    if coding != "identity":
        raise BadAnswer(detail=f"it is encoded ({coding[:40]}), which was not asked for")
    length = answer.header(b"content-length") or b""
    if length.isdigit() and int(length[:20]) > most:
        raise TooLarge(f"The file is larger than {most} bytes.")


def _checked(row: AssetRow, begin: bytes, content_type: str) -> str:
    if not begin:
        raise BadAnswer(detail="an empty file")
    kind = media_type(begin, content_type, told=row.media_type, url=row.source)
    if not fits(row.kind, kind):
        raise BadAnswer(detail=f"{kind} in place of {row.kind}")
    return kind


class _Body:
    """What comes of a file. Only waiting for it counts against its sender: where our storage is slow, that is not theirs."""

    def __init__(self, answer: Answer, least: Rate) -> None:
        self._answer = answer
        self._least = least
        self._waited = 0.0
        self._came = 0

    async def piece(self) -> bytes | None:
        """The next piece, None at the end. TookTooLong where it comes too slowly."""
        began = monotonic()
        piece = await self._answer.piece()
        self._waited += monotonic() - began
        if piece is None:
            return None
        self._came += len(piece)
        if self._waited >= self._least.seconds:
            if self._came < self._least.bytes * self._waited:
                raise TookTooLong(detail=f"it came at less than {self._least.bytes} bytes a second")
            self._waited, self._came = 0.0, 0
        return piece


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _rest(begin: bytes, body: "_Body") -> AsyncIterator[bytes]:
    yield begin
    while (piece := await body.piece()) is not None:
        if piece:
            yield piece


def _nothing() -> None:
    """There is nothing to give up."""
