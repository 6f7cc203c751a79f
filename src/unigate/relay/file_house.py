"""Looks after users' files: removes those that expired, what dead writers left, and the parts of uploads that ended."""

import asyncio
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.relay.own_files import OwnFiles
from unigate.relay.own_uploads import OwnUploads
from unigate.store import own_files, uploads
from unigate.store.database import Database
from unigate.store.own_files import FileRow
from unigate.store.uploads import UploadRow

log: Any = structlog.get_logger("unigate.files")
#: Seconds between two looks.
LOOK = 30.0
#: Rows that are seen to together.
TOGETHER = 100
#: What could not be removed is tried again after so long; an upload that ended is forgotten after so long.
_LATER_MS, _KEPT_MS = 600_000, 86_400_000


class FileHouse:
    """Several may run, in as many processes: each step is done by one of them, and may be done again."""

    def __init__(self, db: Database, files: OwnFiles, parts: OwnUploads, *, look: float = LOOK) -> None:
        self._db = db
        self._files = files
        self._uploads = parts
        self._look = look

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.tidy()
            except GatewayError as error:
                log.warning("could not tidy files", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not tidy files")
            await asyncio.sleep(self._look)

    async def tidy(self) -> None:
        """See to all that is due. StoreUnavailable (the database)."""
        while True:
            async with self._db.reading() as tx:
                files = await own_files.due(tx, now_ms(), TOGETHER)
                ended = await uploads.due(tx, now_ms(), TOGETHER)
            for file in files:
                await self._file(file)
            for upload in ended:
                await self._upload(upload)
            if max(len(files), len(ended)) < TOGETHER:
                return

    async def _file(self, row: FileRow) -> None:
        """It expired, was never written whole, or is to be removed."""
        again = now_ms() + _LATER_MS
        async with self._db.writing() as tx:
            if row.state == "deleted":
                await own_files.later(tx, row.id, due_at=again)
            elif not await own_files.gone(tx, row, due_at=again):
                return  # it changed meanwhile, or another process sees to it
        await self._files.remove(row)

    async def _upload(self, row: UploadRow) -> None:
        """Its time is over, its parts are to be removed, or nobody needs to know of it any more."""
        now = now_ms()
        if row.state == "pending":
            async with self._db.writing() as tx:
                if not await uploads.ended(tx, row.id, "expired", due_at=now + _LATER_MS):
                    return
                await own_files.give(tx, row.user_id, row.size)
        left = await self._uploads.sweep(row.id)
        async with self._db.writing() as tx:
            if not left and row.created_at <= now - _KEPT_MS:
                await uploads.forget(tx, row.id)
            else:
                await uploads.later(tx, row.id, due_at=now + _LATER_MS if left else row.created_at + _KEPT_MS)
