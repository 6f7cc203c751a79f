"""Uploads in parts, as rows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Integer, bindparam, delete, select, update

from unigate.store.database import Tx
from unigate.store.file_tables import upload_parts, uploads
from unigate.store.metadata import insert

State = Literal["pending", "completed", "cancelled", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """A row as it is. Times are milliseconds since 1970."""

    id: str
    user_id: str
    purpose: str
    filename: str
    media_type: str
    #: Bytes that it is to have; they are in its user's totals while it is pending.
    size: int
    #: Seconds after which its file expires; 0: never.
    lasts: int
    state: State = "pending"
    file_id: str = ""
    #: How many parts came, and their bytes.
    parts: int = 0
    stored: int = 0
    created_at: int
    expires_at: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """A part."""

    id: str
    upload_id: str
    size: int
    state: Literal["writing", "ready"] = "writing"
    store: str
    path: str
    created_at: int


_NAMES = tuple(column.name for column in uploads.c)
_PART_NAMES = tuple(column.name for column in upload_parts.c)
_PENDING = (uploads.c.id == bindparam("of"), uploads.c.state == "pending")
_ADD = insert(uploads)
_FIND = select(uploads).where(uploads.c.id == bindparam("of"), uploads.c.user_id == bindparam("user"))
_ADD_PART = insert(upload_parts)
_TAKE = (
    update(uploads)
    .where(
        *_PENDING,
        uploads.c.expires_at > bindparam("now", type_=Integer()),
        uploads.c.parts < bindparam("most_parts", type_=Integer()),
        uploads.c.stored + bindparam("more", type_=Integer()) <= bindparam("most", type_=Integer()),
    )
    .values(parts=uploads.c.parts + 1, stored=uploads.c.stored + bindparam("more", type_=Integer()))
)
_PART_READY = (
    update(upload_parts)
    .where(upload_parts.c.id == bindparam("of"), upload_parts.c.state == "writing")
    .values(state="ready")
)
_PARTS = select(upload_parts).where(upload_parts.c.upload_id == bindparam("of"))
_ENDED = (
    update(uploads)
    .where(*_PENDING)
    .values(state=bindparam("to"), file_id=bindparam("file"), due_at=bindparam("due", type_=Integer()))
)
_DUE = (
    select(uploads)
    .where(uploads.c.due_at > 0, uploads.c.due_at <= bindparam("now", type_=Integer()))
    .order_by(uploads.c.due_at)
    .limit(bindparam("most", type_=Integer()))
)
_LATER = update(uploads).where(uploads.c.id == bindparam("of")).values(due_at=bindparam("due", type_=Integer()))
_FORGET = delete(uploads).where(uploads.c.id == bindparam("of"), uploads.c.state != "pending")
_FORGET_PART = delete(upload_parts).where(upload_parts.c.id == bindparam("of"))


async def add(tx: Tx, row: UploadRow) -> None:
    """Insert an upload."""
    await tx.run(_ADD, asdict(row))


async def find(tx: Tx, id: str, user_id: str) -> UploadRow | None:
    """A user's upload; None where there is none."""
    row = await tx.one(_FIND, {"of": id, "user": user_id})
    return _made(row) if row is not None else None


async def add_part(tx: Tx, row: PartRow, *, now: int, most: int, most_parts: int) -> bool:
    """Insert a part that is to be written.

    False where the upload is not pending any more, or has so many parts, or its parts together more than `most` bytes.
    """
    values = {"of": row.upload_id, "now": now, "more": row.size, "most": most, "most_parts": most_parts}
    if not await tx.run(_TAKE, values):
        return False
    await tx.run(_ADD_PART, asdict(row))
    return True


async def part_ready(tx: Tx, id: str) -> bool:
    """Note that a part was written whole; False where nobody waits for it any more."""
    return bool(await tx.run(_PART_READY, {"of": id}))


async def parts(tx: Tx, upload_id: str) -> list[PartRow]:
    """All parts of an upload, in no order, those included that are being written."""
    return [_part(row) for row in await tx.all(_PARTS, {"of": upload_id})]


async def ended(tx: Tx, id: str, state: State, *, due_at: int, file_id: str = "") -> bool:
    """Note how an upload ended; False where it had ended before. Its parts are to be removed then."""
    return bool(await tx.run(_ENDED, {"of": id, "to": state, "file": file_id, "due": due_at}))


async def due(tx: Tx, now: int, most: int) -> list[UploadRow]:
    """Uploads about which something is to be done, the oldest first."""
    return [_made(row) for row in await tx.all(_DUE, {"now": now, "most": most})]


async def later(tx: Tx, id: str, *, due_at: int) -> None:
    """See to an upload later."""
    await tx.run(_LATER, {"of": id, "due": due_at})


async def forget(tx: Tx, id: str) -> None:
    """Remove the row of an upload that ended."""
    await tx.run(_FORGET, {"of": id})


async def forget_part(tx: Tx, id: str) -> None:
    """Remove the row of a part of which nothing is left."""
    await tx.run(_FORGET_PART, {"of": id})


def _made(row: Sequence[object]) -> UploadRow:
    return UploadRow(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]


def _part(row: Sequence[object]) -> PartRow:
    return PartRow(**dict(zip(_PART_NAMES, row, strict=True)))  # type: ignore[arg-type]
