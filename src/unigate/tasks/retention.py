"""Deleting files whose term is over: the file first, then its row says so; rows go when their tasks have gone."""

from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Storages

log: Any = structlog.get_logger("unigate.tasks")
#: Rows that one transaction changes.
TOGETHER = 100
#: After so long the row of a deleted file is looked at again, to see whether its task is still there.
_AGAIN_MS = 30 * 86_400_000
#: A file that could not be deleted is tried again after so long.
_LATER_MS = 3_600_000


async def delete_ended(db: Database, storages: Storages) -> int:
    """Delete all files whose term is over, in portions; how many it were. StoreUnavailable (the database)."""
    deleted = 0
    while True:
        now = now_ms()
        async with db.reading() as tx:
            due = await rows.ended(tx, now, TOGETHER)
        gone = {row.id: row.state == "deleted" or await _delete(row, storages) for row in due}
        async with db.writing() as tx:
            for row in due:
                if gone[row.id]:
                    await rows.note_deleted(tx, row.id, again=now + _AGAIN_MS)
                    await rows.forget(tx, row.id)
                else:
                    await rows.delete_later(tx, row.id, at=now + _LATER_MS)
        deleted += sum(gone[row.id] and row.state != "deleted" for row in due)
        if len(due) < TOGETHER:
            return deleted


async def _delete(row: AssetRow, storages: Storages) -> bool:
    """Delete the file of a row, if we keep it; False where its storage is away."""
    if row.state != "kept":
        return True
    try:
        await storages.open(row.store).delete(row.path)
    except StoreUnavailable as error:
        log.warning("a file could not be deleted", asset=row.id, detail=error.detail)
        return False
    return True
