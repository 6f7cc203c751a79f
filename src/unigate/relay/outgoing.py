"""Forms on their way to a provider: written from their parts for each try, files straight from where they lie."""

import secrets
from collections.abc import AsyncGenerator

from unigate.base.errors import StoreUnavailable
from unigate.dialects import multipart
from unigate.spec.form import FilePart, Form, Source
from unigate.store.spool import Spool

#: Bytes of a file that are read at a time.
PIECE = 128 << 10


class FormBody:
    """A form as a body. Fulfils `upstream.Outgoing`."""

    __slots__ = ("_segments", "_spool", "content_type", "length")

    def __init__(self, form: Form, spool: Spool) -> None:
        boundary = secrets.token_hex(16).encode()  # who could guess it could write fields that we don't see
        self._spool = spool
        self._segments = multipart.segments(form, boundary)
        self.content_type = multipart.content_type(boundary)
        self.length = sum(each.size if isinstance(each, FilePart) else len(each) for each in self._segments)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """See Outgoing. StoreUnavailable where a file can't be read."""
        for segment in self._segments:
            if isinstance(segment, bytes):
                yield segment
                continue
            at = 0
            while at < segment.size:
                piece = await self._read(segment.source, at)
                if not piece:
                    raise StoreUnavailable(detail="spool: a file is shorter than it was")
                at += len(piece)
                yield piece

    async def _read(self, source: Source, at: int) -> bytes:
        if source.at_hand:
            return source.read(at, PIECE)
        return await self._spool.run(source.read, at, PIECE)
