"""Storage of files: whether it works, and moving to it what was kept elsewhere before."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from unigate.base import ids
from unigate.base.errors import StoreUnavailable
from unigate.base.settings import Settings
from unigate.manage.desk import Desk
from unigate.manage.storage_own import Moved, move_own_files
from unigate.store import assets as rows
from unigate.store import own_files
from unigate.store.assets import AssetRow
from unigate.store.objects import PART, Storages

#: Rows that are looked at together.
_TOGETHER = 100
_ALL = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A storage in which a file could be written, read and deleted."""

    storage: str
    #: Files are copied to it.
    keep: bool
    #: Other storages in which files of ours lie.
    others: list[str]


def storages(settings: Settings) -> Storages:
    """The storages that settings lead to."""
    aws = {name: value.reveal() for name, value in settings.aws.items()}
    return Storages(settings.storage.url, data=settings.data, aws=aws)


async def check_storage(desk: Desk, at: Storages, *, keep: bool) -> Checked:
    """Write, read and delete a probe; StoreUnavailable where any of it fails."""
    await probe(at)
    others = await elsewhere(desk, at)
    return Checked(storage=at.name, keep=keep, others=others)


async def elsewhere(desk: Desk, at: Storages) -> list[str]:
    """The names of other storages in which files of tasks or of users lie."""
    async with desk.db.reading() as tx:
        found = {*await rows.stores(tx), *await own_files.stores(tx)}
    return sorted(found - {at.name})


async def probe(at: Storages) -> None:
    """Write a file that takes several parts, read a range of it, delete it; StoreUnavailable."""
    storage, path = at.open(), f"probe/{ids.new('probe')}"
    body = bytes(range(256)) * (PART // 256 + 1)
    await storage.put(path, _pieces(body), most=_ALL)
    try:
        found = await storage.get(path, PART - 100, PART + 100)
        read = b"".join([piece async for piece in found.pieces]) if found is not None else b""
    finally:
        await storage.delete(path)
    if read != body[PART - 100 : PART + 100]:
        raise StoreUnavailable(detail=f"storage {at.name}: what was read is not what was written")
    if await storage.size(path) is not None:
        raise StoreUnavailable(detail=f"storage {at.name}: a deleted file is still there")


async def move_files(desk: Desk, at: Storages) -> Moved:
    """Move every file that is kept elsewhere to the storage configured now; may be stopped and begun again.

    StoreUnavailable where that storage, or the database, is not to be had.
    """
    await probe(at)
    await _clear(desk, at)
    files = size = missing = failed = 0
    after = ""
    while True:
        async with desk.db.reading() as tx:
            found = await rows.elsewhere(tx, at.name, after=after, most=_TOGETHER)
        if not found:
            return await move_own_files(
                desk, at, Moved(storage=at.name, files=files, bytes=size, missing=missing, failed=failed)
            )
        after = found[-1].id
        for row in found:
            moved = await _move(desk, at, row)
            files += moved is True
            size += row.size if moved else 0
            missing += moved is None
            failed += moved is False


async def _move(desk: Desk, at: Storages, row: AssetRow) -> bool | None:
    """Whether a file was moved; None where it is not there. The old copy goes when nobody is led to it any more."""
    if row.owner:  # of an earlier move: the storage from which it could not be removed is still away
        return False
    target = at.open()
    try:
        source = at.open(row.store)
        found = await source.get(row.path)
        if found is None:
            return None
        stored = await target.put(row.path, found.pieces, most=_ALL, media_type=row.media_type)
    except StoreUnavailable:
        return False
    if stored.digest != row.digest:
        await target.delete(row.path)
        return False
    async with desk.db.writing() as tx:
        moved = await rows.move(tx, row.id, before=row.store, store=at.name, path=row.path)
    if not moved:  # deleted meanwhile, or moved by somebody else
        async with desk.db.reading() as tx:
            now = await rows.find(tx, row.id)
        if now is None or now.store != at.name:
            await target.delete(row.path)
        return False
    await _remove_left(desk, at, row.id, row.store, row.path)
    return True


async def _clear(desk: Desk, at: Storages) -> None:
    """Remove what an earlier move left behind."""
    after = ""
    while True:
        async with desk.db.reading() as tx:
            found = await rows.left_behind(tx, after=after, most=_TOGETHER)
        if not found:
            return
        after = found[-1].id
        for row in found:
            await _remove_left(desk, at, row.id, row.owner, row.path)


async def _remove_left(desk: Desk, at: Storages, id: str, store: str, path: str) -> None:
    """Remove the copy that a moved file has at the storage where it was; where that is away, the next move does so."""
    with suppress(StoreUnavailable):
        await at.open(store).delete(path)
        async with desk.db.writing() as tx:
            await rows.cleared(tx, id, left=store)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 1 << 16):
        yield body[at : at + (1 << 16)]
