"""Forms on their way to a provider: written from their parts for each try, files straight from where they lie."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from unigate.base.errors import StoreUnavailable
from unigate.dialects import multipart
from unigate.spec.form import FilePart, Form
from unigate.store.spool import Spool

#: Bytes of a file that are read at a time.
PIECE = 128 << 10


#: The bytes of a file in pieces.
Read = Callable[[FilePart], AsyncIterator[bytes]]


class FormBody:
    """A form as a body. Fulfils `upstream.Outgoing`."""

    __slots__ = ("_read", "_segments", "content_type", "length")

    def __init__(self, form: Form, read: Read) -> None:
        boundary = secrets.token_hex(16).encode()  # who could guess it could write fields that we don't see
        self._read = read
        self._segments = multipart.segments(form, boundary)
        self.content_type = multipart.content_type(boundary)
        self.length = sum(each.size if isinstance(each, FilePart) else len(each) for each in self._segments)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """See Outgoing. StoreUnavailable where a file can't be read, or has another length than it had."""
        for segment in self._segments:
            if isinstance(segment, bytes):
                yield segment
                continue
            left = segment.size
            async for piece in self._read(segment):
                left -= len(piece)
                yield piece
            if left:
                raise StoreUnavailable(detail="a file has another length than it had")


def spooled(spool: Spool) -> Read:
    """Files that came with a form, from where they wait."""

    async def read(part: FilePart) -> AsyncGenerator[bytes, None]:
        at, source = 0, part.source
        while at < part.size:
            piece = source.read(at, PIECE) if source.at_hand else await spool.run(source.read, at, PIECE)
            if not piece:
                return
            at += len(piece)
            yield piece

    return read
