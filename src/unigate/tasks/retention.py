"""Deleting files whose term is over: their rows say so first, then the files go; rows go when their tasks have gone.

In this order nobody is led to a file that is not there, and whoever dies between leaves a row that says what to remove. A row
that is not as it was read any more, since its file was moved or kept meanwhile, is left to the next look.
"""

from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database, Tx
from unigate.store.objects import Storages
from unigate.tasks.places import beginning

log: Any = structlog.get_logger("unigate.tasks")
#: Rows that one transaction changes.
TOGETHER = 100
#: After so long the row of a deleted file is looked at again, to see whether its task is still there.
_AGAIN_MS = 30 * 86_400_000
#: A file that could not be deleted is tried again after so long; a row that changed meanwhile is looked at after so long.
_LATER_MS, _SOON_MS = 3_600_000, 60_000


async def delete_ended(db: Database, storages: Storages) -> int:
    """Delete all files whose term is over, in portions; how many it were. StoreUnavailable (the database)."""
    deleted = 0
    while True:
        now = now_ms()
        async with db.reading() as tx:
            due = await rows.ended(tx, now, TOGETHER)
        async with db.writing() as tx:
            over = {row.id for row in due if row.state != "deleted" and await _over(tx, row, storages, now)}
            dead = [row for row in await rows.several(tx, [row.id for row in due]) if row.state == "deleted"]
        gone = [row for row in dead if await _removed(row, storages)]
        async with db.writing() as tx:
            for row in gone:
                await rows.note_removed(tx, row.id, again=now + _AGAIN_MS)
                await rows.forget(tx, row.id)
            left = {row.id for row in dead} - {row.id for row in gone}
            for id in sorted(left):  # or the next portion would be the same
                await rows.delete_later(tx, id, at=now + _LATER_MS)
        deleted += sum(row.id in over for row in gone)
        if len(due) < TOGETHER:
            return deleted


async def _over(tx: Tx, row: AssetRow, storages: Storages, now: int) -> bool:
    """Note that a term is over; False where the row has changed meanwhile, or its file is being copied now."""
    store, path = row.store, row.path
    if row.state in {"waiting", "lost"}:  # whoever copied it may have died before the row said so
        store, path = storages.name, beginning(row)
    if await rows.term_over(tx, row, store=store, path=path, now=now, again=now + _LATER_MS):
        return True
    await rows.delete_later(tx, row.id, at=now + _SOON_MS)
    return False


async def _removed(row: AssetRow, storages: Storages) -> bool:
    """Remove what there is of a file, wherever that may be; False where a storage is away."""
    if not row.path:
        return True
    try:
        for store in sorted({row.store, row.owner, storages.name} - {""}):
            if row.path.endswith("."):
                await storages.open(store).delete_all(row.path)
            else:  # in the storage of now as well: whoever was moving it may have died before the row said so
                await storages.open(store).delete(row.path)
    except StoreUnavailable as error:
        log.warning("a file could not be deleted", asset=row.id, detail=error.detail)
        return False
    return True
