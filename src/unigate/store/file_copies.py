"""Copies of users' files at providers, as rows: one for each file, channel and credential.

A row is `writing` while one process uploads the file, which claims it again and again until then; `ready` once the
provider's id is known; `deleted` from when the file is gone until the provider was told.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Integer, and_, bindparam, delete, select, update

from unigate.store.database import Tx
from unigate.store.file_tables import file_copies
from unigate.store.metadata import insert

State = Literal["writing", "ready", "deleted"]
#: Due from the beginning of time on.
AT_ONCE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRow:
    """A row as it is. Times are milliseconds since 1970."""

    file_id: str
    channel_id: str
    credential_id: str
    upstream_id: str = ""
    state: State = "writing"
    created_at: int
    #: As the provider was told; 0: never.
    expires_at: int = 0
    due_at: int

    @property
    def place(self) -> dict[str, str]:
        """What names the row."""
        return {"file": self.file_id, "channel": self.channel_id, "credential": self.credential_id}


_NAMES = tuple(column.name for column in file_copies.c)
_HERE = and_(
    file_copies.c.file_id == bindparam("file"),
    file_copies.c.channel_id == bindparam("channel"),
    file_copies.c.credential_id == bindparam("credential"),
)
#: As it was read.
_SAME = and_(
    _HERE,
    file_copies.c.state == bindparam("was"),
    file_copies.c.created_at == bindparam("made"),
    file_copies.c.upstream_id == bindparam("theirs"),
)
_ADD = insert(file_copies).on_conflict_do_nothing(index_elements=["file_id", "channel_id", "credential_id"])
_FIND = select(file_copies).where(_HERE)
_FORGET = delete(file_copies).where(_SAME)
_LATER = (
    update(file_copies)
    .where(_SAME, file_copies.c.due_at == bindparam("was_due", type_=Integer()))
    .values(due_at=bindparam("due", type_=Integer()))
)
_KEEP = (
    update(file_copies)
    .where(_HERE, file_copies.c.state == "writing", file_copies.c.created_at == bindparam("made"))
    .values(due_at=bindparam("due", type_=Integer()))
)
_READY = (
    update(file_copies)
    .where(_HERE, file_copies.c.state == "writing", file_copies.c.created_at == bindparam("made"))
    .values(
        state=bindparam("to"),
        upstream_id=bindparam("id"),
        expires_at=bindparam("ends", type_=Integer()),
        due_at=bindparam("due", type_=Integer()),
    )
)
_ORPHAN = (
    update(file_copies)
    .where(file_copies.c.file_id == bindparam("file"), file_copies.c.state == "ready")
    .values(state="deleted", due_at=AT_ONCE)
)
_DUE = (
    select(file_copies)
    .where(file_copies.c.due_at > 0, file_copies.c.due_at <= bindparam("now", type_=Integer()))
    .order_by(file_copies.c.due_at)
    .limit(bindparam("most", type_=Integer()))
)
_HOLDERS = select(file_copies.c.file_id, file_copies.c.channel_id, file_copies.c.credential_id).where(
    file_copies.c.file_id.in_(bindparam("ids", expanding=True)), file_copies.c.state == "ready"
)
_THEIRS = and_(file_copies.c.channel_id == bindparam("channel"), file_copies.c.credential_id == bindparam("credential"))
_OURS = select(file_copies.c.upstream_id, file_copies.c.file_id).where(
    _THEIRS, file_copies.c.upstream_id.in_(bindparam("ids", expanding=True))
)


async def begin(tx: Tx, row: CopyRow) -> CopyRow | None:
    """Claim a copy that nobody has made; else what is there."""
    if await tx.run(_ADD, asdict(row)):
        return None
    return await find(tx, row)


async def find(tx: Tx, row: CopyRow) -> CopyRow | None:
    """The row of the same file, channel and credential."""
    found = await tx.one(_FIND, row.place)
    return _made(found) if found is not None else None


async def keep(tx: Tx, row: CopyRow, *, due_at: int) -> bool:
    """Claim for longer what is being written; False where it is claimed no more."""
    return bool(await tx.run(_KEEP, {**row.place, "made": row.created_at, "due": due_at}))


async def ready(tx: Tx, row: CopyRow, upstream_id: str, *, state: State, expires_at: int, due_at: int) -> bool:
    """Note the provider's id of what was being written; False where it is claimed no more."""
    values = {"made": row.created_at, "to": state, "id": upstream_id, "ends": expires_at, "due": due_at}
    return bool(await tx.run(_READY, {**row.place, **values}))


async def forget(tx: Tx, row: CopyRow) -> bool:
    """Remove a row that is as it was read; False where it is not."""
    return bool(await tx.run(_FORGET, {**row.place, **_as_read(row)}))


async def later(tx: Tx, row: CopyRow, *, due_at: int) -> bool:
    """See to a row later; False where it is not as it was read, so that another process sees to it."""
    return bool(await tx.run(_LATER, {**row.place, **_as_read(row), "was_due": row.due_at, "due": due_at}))


async def orphan(tx: Tx, file_id: str) -> None:
    """The file is gone: its copies are to be deleted."""
    await tx.run(_ORPHAN, {"file": file_id})


async def due(tx: Tx, now: int, most: int) -> list[CopyRow]:
    """Rows about which something is to be done, the oldest first."""
    return [_made(row) for row in await tx.all(_DUE, {"now": now, "most": most})]


async def holders(tx: Tx, file_ids: Collection[str]) -> set[tuple[str, str, str]]:
    """Which channels and credentials have copies of these files: (file, channel, credential)."""
    return {(row[0], row[1], row[2]) for row in await tx.all(_HOLDERS, {"ids": [*file_ids]})}


async def ours(tx: Tx, channel_id: str, credential_id: str, upstream_ids: Collection[str]) -> dict[str, str]:
    """Those of a provider's ids that are copies: its id -> ours."""
    values = {"channel": channel_id, "credential": credential_id, "ids": [*upstream_ids]}
    return {row[0]: row[1] for row in await tx.all(_OURS, values)}


def _as_read(row: CopyRow) -> dict[str, object]:
    return {"was": row.state, "made": row.created_at, "theirs": row.upstream_id}


def _made(row: Sequence[object]) -> CopyRow:
    return CopyRow(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]
