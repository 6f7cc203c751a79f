"""Uploads in parts: each part lies in our storage by itself until all of them become a file.

What an upload is to have counts among what its user has from the beginning. Several calls may complete one at a time: each
writes a file of its own, and that of the first one stays.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from unigate.base import ids
from unigate.base.clock import now_ms, utc
from unigate.base.errors import BadRequest, StoreUnavailable, TooLarge
from unigate.base.live_settings import FileSettings
from unigate.dialects.openai_uploads import MOST_PARTS, PART
from unigate.relay.own_files import ABANDONED_MS, OwnFiles
from unigate.spec.caller import Key
from unigate.spec.form import FilePart
from unigate.spec.own_file import Completion, NewUpload
from unigate.store import own_files, uploads
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow
from unigate.store.uploads import PartRow, UploadRow
from unigate.tasks.media import plain

log: Any = structlog.get_logger("unigate.files")
#: For so long an upload may be completed.
LASTS_MS = 3_600_000
#: Parts that were not removed when their upload ended are removed after so long.
SWEEP_MS = 60_000
_ID_CHARACTERS = 100


class Ended(Exception):
    """The upload is not pending any more."""


class OwnUploads:
    """Uploads of users."""

    def __init__(self, db: Database, storages: Storages, files: OwnFiles, settings: Callable[[], FileSettings]) -> None:
        self._db = db
        self._storages = storages
        self._files = files
        self._settings = settings

    async def create(self, key: Key, new: NewUpload) -> UploadRow:
        """Begin one. TooLarge for one of its own, or beyond what its user may have."""
        most = self._settings().upload_bytes
        if new.size > most:
            raise TooLarge(f"An upload has at most {most} bytes.", param="bytes")
        now = now_ms()
        row = UploadRow(
            id=ids.new("upload"),
            user_id=key.user_id,
            purpose=new.purpose,
            filename=new.filename,
            media_type=plain(new.media_type),
            size=new.size,
            lasts=new.lasts,
            created_at=now,
            expires_at=now + LASTS_MS,
            due_at=now + LASTS_MS,
        )
        async with self._db.writing() as tx:
            await self._files.take(tx, key, row.size)
            await uploads.add(tx, row)
        return row

    async def find(self, upload_id: str, user_id: str) -> UploadRow | None:
        """A user's upload, `expired` once its time is over; None where there is none, or it is another's."""
        if len(upload_id) > _ID_CHARACTERS or "\0" in upload_id:
            return None
        async with self._db.reading() as tx:
            row = await uploads.find(tx, upload_id, user_id)
        if row is not None and row.state == "pending" and row.expires_at <= now_ms():
            return replace(row, state="expired")
        return row

    async def add_part(self, row: UploadRow, part: FilePart) -> PartRow:
        """Keep a part. Ended; TooLarge where all parts are more than twice what the upload is to have; StoreUnavailable."""
        now, id = now_ms(), ids.new("part")
        path = f"users/{utc(row.created_at):%Y/%m}/{row.id}/{id}"
        added = PartRow(id=id, upload_id=row.id, size=part.size, store=self._storages.name, path=path, created_at=now)
        async with self._db.writing() as tx:
            taken = await uploads.add_part(tx, added, now=now, most=2 * row.size + PART, most_parts=MOST_PARTS)
        if not taken:
            seen = await self.find(row.id, row.user_id)
            if seen is None or seen.state != "pending":
                raise Ended
            raise TooLarge("The parts of this upload are far more than it is to have.", param="data")
        storage = self._storages.open(added.store)
        try:
            await storage.put(path, self._files.pieces(part), most=part.size)
            async with self._db.writing() as tx:
                ready = await uploads.part_ready(tx, id)
            if not ready:
                raise Ended
        except BaseException:
            await self._drop(added)
            raise
        return added

    async def complete(self, row: UploadRow, asked: Completion) -> tuple[UploadRow, FileRow]:
        """Make the parts a file. Ended; BadRequest where they are not what was announced; StoreUnavailable."""
        async with self._db.reading() as tx:
            there = {part.id: part for part in await uploads.parts(tx, row.id) if part.state == "ready"}
        parts = [there[id] for id in asked.part_ids if id in there]
        if len(parts) != len(asked.part_ids):
            unknown = next(id for id in asked.part_ids if id not in there)
            raise BadRequest(f"No such part of {row.id}: {unknown[:100]}", param="part_ids")
        size = sum(part.size for part in parts)
        if size != row.size:
            raise BadRequest(
                f"The parts have {size} bytes together, and the upload is to have {row.size}.", param="part_ids"
            )
        file = self._files.begun(row.user_id, row.purpose, row.filename, row.media_type, size, counted=False)
        async with self._db.writing() as tx:
            await own_files.add(tx, file)
        try:
            kept = await self._joined_file(row, file, parts, asked.md5)
        except StoreUnavailable:
            seen = await self.find(row.id, row.user_id)
            if seen is None or seen.state != "pending":
                raise Ended from None  # its parts were removed meanwhile
            raise
        await self.sweep(row.id)
        return replace(row, state="completed", file_id=file.id), kept

    async def cancel(self, row: UploadRow) -> UploadRow:
        """Give one up. Ended."""
        async with self._db.writing() as tx:
            if not await uploads.ended(tx, row.id, "cancelled", due_at=now_ms() + SWEEP_MS):
                raise Ended
            await own_files.give(tx, row.user_id, row.size)
        await self.sweep(row.id)
        return replace(row, state="cancelled")

    async def sweep(self, upload_id: str) -> int:
        """Remove the parts of an upload that ended; how many are left, since they are being written or a storage is away."""
        async with self._db.reading() as tx:
            parts = await uploads.parts(tx, upload_id)
        dead = now_ms() - 2 * ABANDONED_MS
        removed = []
        try:
            for part in parts:
                await self._storages.open(part.store).delete(part.path)
                # Whoever still writes one removes it, unless they die: its row stays until nobody can be at it.
                if part.state == "ready" or part.created_at <= dead:
                    removed.append(part.id)
        except StoreUnavailable as error:
            log.warning("parts could not be removed", upload=upload_id, detail=error.detail)
        async with self._db.writing() as tx:
            for id in removed:
                await uploads.forget_part(tx, id)
        return len(parts) - len(removed)

    async def _joined_file(self, row: UploadRow, file: FileRow, parts: Sequence[PartRow], md5: str) -> FileRow:
        async with self._files.writing(file):
            summed = hashlib.md5(usedforsecurity=False)
            stored = await self._files.put(file, self._joined(parts, summed.update))
            if stored.size != file.size:
                raise StoreUnavailable(detail=f"parts of {row.id} are shorter than they were")
            if md5 and summed.hexdigest() != md5:
                raise BadRequest("The MD5 of the parts is not the one that was given.", param="md5")
            async with self._db.writing() as tx:
                if not await uploads.ended(tx, row.id, "completed", due_at=now_ms() + SWEEP_MS, file_id=file.id):
                    raise Ended
                return await self._files.settle(tx, file, stored, row.lasts)

    async def _joined(self, parts: Sequence[PartRow], seen: Callable[[bytes], None]) -> AsyncGenerator[bytes, None]:
        for part in parts:
            found = await self._storages.open(part.store).get(part.path)
            if found is None:
                raise StoreUnavailable(detail=f"{part.id} is not where its row says")
            async for piece in found.pieces:
                seen(piece)
                yield piece

    async def _drop(self, part: PartRow) -> None:
        """Remove a part that did not become one; its row goes with its upload's others."""
        try:
            await self._storages.open(part.store).delete(part.path)
        except StoreUnavailable:
            return
