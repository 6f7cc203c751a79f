"""Files that users upload: written to our storage, found, listed, deleted. They belong to a user, whichever key sent them.

A row says first what is to be written, and counts it among what its user has; once it lies there whole, the row says so. In
this order whoever dies between leaves a row that says what to remove (`file_house.py`), and nobody ever sees half a file.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import structlog

from unigate.base import ids
from unigate.base.clock import now_ms, utc
from unigate.base.errors import BadRequest, StoreUnavailable, TooLarge
from unigate.base.live_settings import FileSettings
from unigate.relay.outgoing import PIECE
from unigate.relay.served import OF_USERS, harmless
from unigate.spec.caller import Key
from unigate.spec.form import FilePart
from unigate.spec.own_file import Listed, NewFile, OwnFile
from unigate.store import own_files as rows
from unigate.store.database import Database, Tx
from unigate.store.objects import Storages, Stored
from unigate.store.own_files import FileRow
from unigate.store.pages import Page
from unigate.store.spool import Spool
from unigate.tasks.assets import Links
from unigate.tasks.media import SNIFFED, ending, media_type

log: Any = structlog.get_logger("unigate.files")
#: After so long whatever is still being written is removed: whoever wrote it has died. Nobody writes longer than SECONDS.
ABANDONED_MS = 3_600_000
SECONDS = 3000.0
_DAY_S = 86_400
_ID_CHARACTERS = 100


class OwnFiles:
    """The files of users."""

    def __init__(
        self, db: Database, storages: Storages, links: Links, spool: Spool, settings: Callable[[], FileSettings]
    ) -> None:
        self._db = db
        self._storages = storages
        self._links = links
        self._spool = spool
        self._settings = settings

    async def create(self, key: Key, new: NewFile) -> FileRow:
        """Keep a file. TooLarge for one of its own, or beyond what its user may have; StoreUnavailable."""
        part, most = new.part, self._settings().file_bytes
        if part.size > most:
            raise TooLarge(f"The file is larger than {most} bytes.", param="file")
        begin = await self.spooled(part, 0, SNIFFED)
        kind = media_type(begin, part.media_type, url=quote(new.filename))
        row = self.begun(key.user_id, new.purpose, new.filename, kind, part.size)
        async with self._db.writing() as tx:
            await self.take(tx, key, part.size)
            await rows.add(tx, row)
        async with self.writing(row):
            stored = await self.put(row, self.pieces(part))
            async with self._db.writing() as tx:
                return await self.settle(tx, row, stored, new.lasts)

    def begun(
        self, user_id: str, purpose: str, filename: str, kind: str, size: int, *, counted: bool = True
    ) -> FileRow:
        """The row of a file that is to be written; `counted`: among what its user has already."""
        now = now_ms()
        id = OF_USERS + ids.new("").removeprefix("_")
        return FileRow(
            id=id,
            user_id=user_id,
            purpose=purpose,
            filename=filename,
            media_type=kind,
            size=size,
            store=self._storages.name,
            path=f"users/{utc(now):%Y/%m}/{id}",
            counted=int(counted),
            created_at=now,
            due_at=now + ABANDONED_MS,
        )

    async def take(self, tx: Tx, key: Key, size: int) -> None:
        """Count one more file of a user; TooLarge where that is more than they may have."""
        quota = self._settings().quota(key.group.name)
        most_files, most_bytes = quota.total_files, quota.total_bytes
        if not await rows.take(tx, key.user_id, size, most_files=most_files, most_bytes=most_bytes):
            raise TooLarge(
                f"You may have {most_files} files of {most_bytes} bytes together. Delete some first.", param="file"
            )

    @asynccontextmanager
    async def writing(self, row: FileRow) -> AsyncGenerator[None, None]:
        """While a file is being written: whatever goes wrong, or whoever leaves, nothing is left of it."""
        try:
            async with asyncio.timeout(SECONDS):
                yield
        except BaseException as error:
            with suppress(StoreUnavailable):
                async with self._db.writing() as tx:
                    gone = await rows.gone(tx, row, due_at=now_ms())
                if gone:
                    await self.remove(row)
            if isinstance(error, TimeoutError):
                raise StoreUnavailable(detail=f"{row.id} could not be written in {SECONDS} s") from None
            raise

    async def put(self, row: FileRow, pieces: AsyncIterator[bytes]) -> Stored:
        """Write the bytes that a row announces. TooLarge where there are more, StoreUnavailable; what `pieces` raises."""
        storage = self._storages.open(row.store)
        return await storage.put(row.path, pieces, most=row.size, media_type=harmless(row.media_type))

    async def settle(self, tx: Tx, row: FileRow, stored: Stored, lasts: int, *, counted: bool = True) -> FileRow:
        """Say that a file is there, as a part of a transaction. StoreUnavailable where it took so long that it was removed.

        `counted`: it is among what its user has.
        """
        expires_at = row.created_at + lasts * 1000 if lasts else 0
        if not await rows.ready(
            tx,
            row.id,
            digest=stored.digest,
            media_type=row.media_type,
            expires_at=expires_at,
            counted=counted,
        ):
            raise StoreUnavailable(detail=f"{row.id} was given up while it was written")
        return replace(
            row, state="ready", digest=stored.digest, counted=int(counted), expires_at=expires_at, due_at=expires_at
        )

    async def find(self, file_id: str, user_id: str) -> FileRow | None:
        """A user's file; None where there is none, or it is another's."""
        if not is_id(file_id):
            return None
        async with self._db.reading() as tx:
            return await rows.find(tx, file_id, now=now_ms(), user_id=user_id)

    async def anybodys(self, file_id: str) -> FileRow | None:
        """A file, whoever's it is; None where there is none."""
        async with self._db.reading() as tx:
            return await rows.find(tx, file_id, now=now_ms())

    async def opened(self, row: FileRow) -> AsyncIterator[bytes] | None:
        """The bytes of a file in pieces, None where they are gone; StoreUnavailable, from the pieces too."""
        found = await self._storages.open(row.store).get(row.path)
        return None if found is None else found.pieces

    async def page(self, user_id: str, asked: Listed) -> tuple[list[FileRow], bool]:
        """Some of a user's files, and whether there are more. BadRequest where the page begins behind no file of theirs."""
        now = now_ms()
        async with self._db.reading() as tx:
            after = None
            if asked.after:
                last = await rows.find(tx, asked.after, now=now, user_id=user_id) if is_id(asked.after) else None
                if last is None:
                    raise BadRequest("'after' names no file of yours.", param="after")
                after = (last.created_at, last.id)
            found = await rows.page(
                tx,
                Page(limit=asked.limit, after=after),
                user_id,
                now=now,
                purpose=asked.purpose,
                newest_first=asked.newest_first,
            )
        return found.rows, found.next is not None

    async def delete(self, row: FileRow) -> bool:
        """Delete a file; False where it was deleted meanwhile. What a storage does not remove now is removed later."""
        async with self._db.writing() as tx:
            now = await rows.find(tx, row.id, now=now_ms())  # it may have been moved to another storage meanwhile
            if now is None or not await rows.gone(tx, now, due_at=now_ms()):
                return False
        await self.remove(now)
        return True

    async def remove(self, row: FileRow) -> None:
        """Remove what is left of a file that is no more; where its storage is away, that is done later."""
        try:
            await self._storages.open(row.store).delete(row.path)
        except StoreUnavailable as error:
            log.warning("a file could not be removed", file=row.id, detail=error.detail)
            return
        async with self._db.writing() as tx:
            await rows.forget(tx, row.id)

    async def pieces(self, part: FilePart) -> AsyncGenerator[bytes, None]:
        """The bytes of a file that came with a form."""
        at = 0
        while at < part.size:
            piece = await self.spooled(part, at, PIECE)
            if not piece:
                raise StoreUnavailable(detail="spool: a file is shorter than it was")
            at += len(piece)
            yield piece

    async def spooled(self, part: FilePart, at: int, size: int) -> bytes:
        """Some bytes of a file that came with a form."""
        if part.source.at_hand:
            return part.source.read(at, size)
        return await self._spool.run(part.source.read, at, size)

    def shown(self, row: FileRow, base: str) -> OwnFile:
        """A file as dialects show it, with a link below `base` that works as long as the file, up to a bound."""
        seconds = self._settings().link_days * _DAY_S
        if row.expires_at:
            seconds = max(min(seconds, (row.expires_at - now_ms()) // 1000), 0)
        name = f"{row.id}.{ending(row.media_type, quote(row.filename))}"
        return OwnFile(
            id=row.id,
            purpose=row.purpose,
            filename=row.filename,
            media_type=row.media_type,
            size=row.size,
            created_at=row.created_at,
            expires_at=row.expires_at,
            url=f"{base}/files/{name}?{self._links.query(row.id, seconds)}",
        )


def is_id(text: str) -> bool:
    """Whether a file can be called so."""
    return text.startswith(OF_USERS) and len(text) < _ID_CHARACTERS and "\0" not in text
