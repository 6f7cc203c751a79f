"""Moving users' files to the storage that is configured now."""

from dataclasses import dataclass, replace

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.manage.desk import Desk
from unigate.store import own_files as rows
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow

#: Rows that are looked at together.
_TOGETHER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What moving did."""

    storage: str
    files: int
    bytes: int
    #: Files that are not where their rows say, and those that could not be copied; they stay as they are.
    missing: int
    failed: int


async def move_own_files(desk: Desk, at: Storages, so_far: Moved) -> Moved:
    """Move every user's file that lies elsewhere; `so_far`: what was moved before. StoreUnavailable (the database)."""
    done, after = so_far, ""
    while True:
        async with desk.db.reading() as tx:
            found = await rows.elsewhere(tx, at.name, after=after, most=_TOGETHER)
        if not found:
            return done
        after = found[-1].id
        for row in found:
            moved = await _move(desk, at, row)
            done = replace(
                done,
                files=done.files + (moved is True),
                bytes=done.bytes + (row.size if moved else 0),
                missing=done.missing + (moved is None),
                failed=done.failed + (moved is False),
            )


async def _move(desk: Desk, at: Storages, row: FileRow) -> bool | None:
    """Whether a file was moved; None where it is not there."""
    target = at.open()
    try:
        found = await at.open(row.store).get(row.path)
        if found is None:
            return None
        stored = await target.put(row.path, found.pieces, most=row.size, media_type=row.media_type)
    except StoreUnavailable:
        return False
    if stored.digest != row.digest:
        await target.delete(row.path)
        return False
    # What is left at the old place is a file of its own that is no more: it is removed now, or whenever that storage is back.
    left = replace(row, id=f"{row.id}.{now_ms()}", state="deleted", counted=0, expires_at=0, due_at=now_ms())
    async with desk.db.writing() as tx:
        moved = await rows.move(tx, row.id, before=row.store, store=at.name)
        if moved:
            await rows.add(tx, left)
    if not moved:  # deleted meanwhile, or moved by somebody else
        async with desk.db.reading() as tx:
            now = await rows.find(tx, row.id, now=now_ms())
        if now is None or now.store != at.name:
            await target.delete(row.path)
        return False
    try:
        await at.open(row.store).delete(row.path)
    except StoreUnavailable:
        return True
    async with desk.db.writing() as tx:
        await rows.forget(tx, left.id)
    return True
