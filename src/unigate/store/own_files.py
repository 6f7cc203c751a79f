"""Files that users upload, as rows, and what each user has of them. Knows no storage: where a file lies is told here only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Integer, and_, bindparam, delete, or_, select, update

from unigate.store import file_copies
from unigate.store.database import Tx
from unigate.store.file_tables import file_totals, files
from unigate.store.metadata import insert
from unigate.store.pages import Listing, Page, Slice

State = Literal["writing", "ready", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A row as it is. Times are milliseconds since 1970."""

    id: str
    user_id: str
    purpose: str
    filename: str
    media_type: str
    #: Bytes.
    size: int
    #: SHA-256; empty while it is written.
    digest: bytes = b""
    #: `writing`: not there yet. `deleted`: nobody finds it, its bytes are yet to be removed.
    state: State = "writing"
    #: Where it lies: the storage's name, and the path in it.
    store: str
    path: str
    #: It is in its user's totals: 1, or 0.
    counted: int
    created_at: int
    #: 0: never.
    expires_at: int = 0
    #: From when on something is to be done about it; 0: never.
    due_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a user has of files, those included that are being written."""

    files: int = 0
    bytes: int = 0


_NAMES = tuple(column.name for column in files.c)
_HERE = and_(
    files.c.state == "ready", or_(files.c.expires_at == 0, files.c.expires_at > bindparam("now", type_=Integer()))
)
_ADD = insert(files)
_FIND = select(files).where(files.c.id == bindparam("of"), _HERE)
_LOCK = _FIND.with_for_update(key_share=True)
_FIND_OWNED = select(files).where(files.c.id == bindparam("of"), files.c.user_id == bindparam("user"), _HERE)
_READY = (
    update(files)
    .where(files.c.id == bindparam("of"), files.c.state == "writing")
    .values(
        state="ready",
        digest=bindparam("sha256"),
        media_type=bindparam("type"),
        due_at=bindparam("due"),
        expires_at=bindparam("ends"),
        counted=bindparam("counts"),
    )
)
_GONE = (
    update(files)
    .where(
        files.c.id == bindparam("of"),
        files.c.state == bindparam("was"),
        files.c.state != "deleted",
        files.c.store == bindparam("was_at"),
    )
    .values(state="deleted", counted=0, due_at=bindparam("due"))
)
_FORGET = delete(files).where(files.c.id == bindparam("of"), files.c.state == "deleted")
_LATER = update(files).where(files.c.id == bindparam("of")).values(due_at=bindparam("due"))
_DUE = (
    select(files)
    .where(files.c.due_at > 0, files.c.due_at <= bindparam("now", type_=Integer()))
    .order_by(files.c.due_at)
    .limit(bindparam("most", type_=Integer()))
)
_ELSEWHERE = (
    select(files)
    .where(files.c.state == "ready", files.c.store != bindparam("here"), files.c.id > bindparam("after"))
    .order_by(files.c.id)
    .limit(bindparam("most", type_=Integer()))
)
_MOVED = (
    update(files)
    .where(files.c.id == bindparam("of"), files.c.state == "ready", files.c.store == bindparam("before"))
    .values(store=bindparam("now_at"))
)
_STORES = select(files.c.store).distinct()
_FILTERS = {
    "user_id": files.c.user_id == bindparam("user_id"),
    "purpose": files.c.purpose == bindparam("purpose"),
    "now": _HERE,
}
_ORDER = (files.c.created_at, files.c.id)
_NEWEST = Listing(select(files), _ORDER, _FILTERS)
_OLDEST = Listing(select(files), _ORDER, _FILTERS, newest_first=False)

_FIRST = (
    insert(file_totals)
    .values(user_id=bindparam("user"), files=0, bytes=0)
    .on_conflict_do_nothing(index_elements=["user_id"])
)
_MORE = {"files": file_totals.c.files + bindparam("count"), "bytes": file_totals.c.bytes + bindparam("size")}
_TAKE = (
    update(file_totals)
    .where(
        file_totals.c.user_id == bindparam("user"),
        _MORE["files"] <= bindparam("most_files", type_=Integer()),
        _MORE["bytes"] <= bindparam("most_bytes", type_=Integer()),
    )
    .values(_MORE)
)
_GIVE = (
    update(file_totals)
    .where(file_totals.c.user_id == bindparam("user"))
    .values(files=file_totals.c.files - 1, bytes=file_totals.c.bytes - bindparam("size"))
)
_TOTALS = select(file_totals.c.files, file_totals.c.bytes).where(file_totals.c.user_id == bindparam("user"))


async def take(tx: Tx, user_id: str, size: int, *, most_files: int, most_bytes: int) -> bool:
    """Count one more file of so many bytes; False where that is more than the user may have."""
    await tx.run(_FIRST, {"user": user_id})
    values = {"user": user_id, "count": 1, "size": size, "most_files": most_files, "most_bytes": most_bytes}
    return bool(await tx.run(_TAKE, values))


async def give(tx: Tx, user_id: str, size: int) -> None:
    """Count one file less."""
    await tx.run(_GIVE, {"user": user_id, "size": size})


async def totals(tx: Tx, user_id: str) -> Totals:
    """What a user has."""
    row = await tx.one(_TOTALS, {"user": user_id})
    return Totals(files=row[0], bytes=row[1]) if row is not None else Totals()


async def add(tx: Tx, row: FileRow) -> None:
    """Insert a row."""
    await tx.run(_ADD, asdict(row))


async def find(tx: Tx, id: str, *, now: int, user_id: str = "") -> FileRow | None:
    """A file that is there, of this user unless anybody's may be found; None where there is none."""
    if user_id:
        row = await tx.one(_FIND_OWNED, {"of": id, "user": user_id, "now": now})
    else:
        row = await tx.one(_FIND, {"of": id, "now": now})
    return _made(row) if row is not None else None


async def locked(tx: Tx, id: str, *, now: int) -> bool:
    """Whether anybody's file is there; it stays so until the transaction ends."""
    return await tx.one(_LOCK, {"of": id, "now": now}) is not None


async def page(
    tx: Tx, page: Page, user_id: str, *, now: int, purpose: str | None = None, newest_first: bool = True
) -> Slice[FileRow]:
    """A user's files that are there, by the time at which they came."""
    listing = _NEWEST if newest_first else _OLDEST
    return (await listing.read(tx, page, user_id=user_id, purpose=purpose, now=now)).map(_made)


async def ready(tx: Tx, id: str, *, digest: bytes, media_type: str, expires_at: int, counted: bool = True) -> bool:
    """Note that a file was written whole, and is in its user's totals unless told; False where nobody waits for it any more."""
    values: dict[str, object] = {"of": id, "sha256": digest, "type": media_type, "counts": int(counted)}
    values |= {"due": expires_at, "ends": expires_at}
    return bool(await tx.run(_READY, values))


async def gone(tx: Tx, row: FileRow, *, due_at: int) -> bool:
    """Note that a file and its copies are no more, so that nobody is led to it, and give its bytes back to its user's totals.

    False where it is not as it was read, or that was noted before. Its bytes are to be removed then, and the row `forgotten`; at `due_at` it is seen to.
    """
    if not await tx.run(_GONE, {"of": row.id, "was": row.state, "was_at": row.store, "due": due_at}):
        return False
    await file_copies.orphan(tx, row.id)
    if row.counted:
        await give(tx, row.user_id, row.size)
    return True


async def forget(tx: Tx, id: str) -> None:
    """Remove the row of a file of which nothing is left."""
    await tx.run(_FORGET, {"of": id})


async def later(tx: Tx, id: str, *, due_at: int) -> None:
    """See to a file later."""
    await tx.run(_LATER, {"of": id, "due": due_at})


async def due(tx: Tx, now: int, most: int) -> list[FileRow]:
    """Files about which something is to be done, the oldest first."""
    return [_made(row) for row in await tx.all(_DUE, {"now": now, "most": most})]


async def elsewhere(tx: Tx, here: str, *, after: str, most: int) -> list[FileRow]:
    """Files that lie in other storages than `here`, in the order of their ids."""
    return [_made(row) for row in await tx.all(_ELSEWHERE, {"here": here, "after": after, "most": most})]


async def move(tx: Tx, id: str, *, before: str, store: str) -> bool:
    """Note that a file lies in another storage now; False where it is not at `before` any more."""
    return bool(await tx.run(_MOVED, {"of": id, "before": before, "now_at": store}))


async def stores(tx: Tx) -> list[str]:
    """The names of all storages in which there are such files."""
    return sorted(str(row[0]) for row in await tx.all(_STORES))


def _made(row: Sequence[object]) -> FileRow:
    return FileRow(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]
