"""Assets as rows: the files that tasks made, where each is to be had, and who copies it now."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import bindparam, delete, exists, select, update

from unigate.spec.task import Asset
from unigate.store.claims import Queue, one_of
from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.task_tables import assets, tasks

#: `remote`: at the provider only. `waiting`: to be copied. `lost`: it could not be copied. `deleted`: its term is over.
State = Literal["remote", "waiting", "kept", "lost", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRow:
    """A row as it is. Times are milliseconds since 1970."""

    id: str
    task_id: str
    user_id: str
    kind: str
    media_type: str
    #: The provider's address; a `data:` URL holds the file itself.
    source: str
    #: That may be a private address.
    private: bool
    #: Its number among its task's files, from 0.
    place: int
    state: State
    #: Where it is kept: the storage's name, and the path in it.
    store: str = ""
    path: str = ""
    #: Bytes, -1 while not known.
    size: int = -1
    digest: bytes = b""
    tries: int = 0
    created_at: int = 0
    due_at: int = 0
    owner: str = ""
    lease_until: int = 0
    #: From when on it is deleted; 0: never.
    ends_at: int = 0

    @property
    def asset(self) -> Asset:
        """What others know of it."""
        return Asset(
            id=self.id,
            task_id=self.task_id,
            kind=self.kind,
            media_type=self.media_type,
            source=self.source,
            size=self.size,
            kept=self.state == "kept",
        )


_NAMES = tuple(column.name for column in assets.c)
_ADD = insert(assets).on_conflict_do_nothing()
_ONE = select(assets).where(assets.c.id == bindparam("of"))
_AT = select(assets).where(assets.c.task_id == bindparam("task"), assets.c.place == bindparam("at"))
_OF_TASKS = (
    select(assets)
    .where(assets.c.task_id.in_(bindparam("tasks", expanding=True)))
    .order_by(assets.c.task_id, assets.c.place)
)
#: Files to be copied.
QUEUE = Queue(assets, one_of(assets.c.state, "waiting"))
_KEEP = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "waiting")
    .values(
        state="kept",
        store=bindparam("at_store"),
        path=bindparam("at_path"),
        size=bindparam("bytes"),
        digest=bindparam("sha256"),
        media_type=bindparam("type"),
        owner="",
        lease_until=0,
    )
)
_PUT_OFF = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "waiting", assets.c.owner == bindparam("by"))
    .values(state=bindparam("now"), tries=bindparam("to_tries"), due_at=bindparam("due"), owner="", lease_until=0)
)
_MOVED = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "kept", assets.c.store == bindparam("from_store"))
    .values(store=bindparam("at_store"), path=bindparam("at_path"))
)
_ENDED = (
    select(assets)
    .where(assets.c.ends_at > 0, assets.c.ends_at <= bindparam("now"))
    .order_by(assets.c.ends_at)
    .limit(bindparam("most"))
)
_DELETED = (
    update(assets)
    .where(assets.c.id == bindparam("of"))
    .values(state="deleted", store="", path="", owner="", lease_until=0, ends_at=bindparam("again"))
)
_LATER = update(assets).where(assets.c.id == bindparam("of")).values(ends_at=bindparam("at"))
_OF_A_TASK = exists(select(tasks.c.id).where(tasks.c.id == assets.c.task_id))
_FORGET = delete(assets).where(assets.c.id == bindparam("of"), assets.c.state == "deleted", ~_OF_A_TASK)
_ELSEWHERE = (
    select(assets)
    .where(assets.c.state == "kept", assets.c.store != bindparam("here"), assets.c.id > bindparam("after"))
    .order_by(assets.c.id)
    .limit(bindparam("most"))
)
_STORES = select(assets.c.store).where(assets.c.state == "kept").distinct()


async def add(tx: Tx, rows: Sequence[AssetRow]) -> None:
    """Insert rows; one that is there already stays."""
    await tx.many(_ADD, [{**asdict(row), "private": int(row.private)} for row in rows])


async def find(tx: Tx, id: str) -> AssetRow | None:
    """One of them."""
    row = await tx.one(_ONE, {"of": id})
    return made(row) if row is not None else None


async def of_task(tx: Tx, task_id: str, place: int) -> AssetRow | None:
    """A task's file by its number."""
    row = await tx.one(_AT, {"task": task_id, "at": place})
    return made(row) if row is not None else None


async def of_tasks(tx: Tx, task_ids: Sequence[str]) -> dict[str, list[Asset]]:
    """The files of several tasks, each task's in order; tasks without any are left out."""
    found: dict[str, list[Asset]] = {}
    for row in await tx.all(_OF_TASKS, {"tasks": list(task_ids)}) if task_ids else ():
        found.setdefault((asset := made(row).asset).task_id, []).append(asset)
    return found


async def keep(tx: Tx, id: str, *, store: str, path: str, size: int, digest: bytes, media_type: str) -> bool:
    """Note that a file was copied; False where it is no longer waited for."""
    values = {"of": id, "at_store": store, "at_path": path, "bytes": size, "sha256": digest, "type": media_type}
    return bool(await tx.run(_KEEP, values))


async def put_off(tx: Tx, id: str, owner: str, *, tries: int, due_at: int, lost: bool) -> None:
    """Note a failed try of whoever has claimed it: it is tried again later, or counts as lost."""
    values = {"of": id, "by": owner, "to_tries": tries, "due": due_at, "now": "lost" if lost else "waiting"}
    await tx.run(_PUT_OFF, values)


async def move(tx: Tx, id: str, *, before: str, store: str, path: str) -> bool:
    """Note that a kept file lies elsewhere now; False where it is not kept at `before` any more."""
    return bool(await tx.run(_MOVED, {"of": id, "from_store": before, "at_store": store, "at_path": path}))


async def ended(tx: Tx, now: int, most: int) -> list[AssetRow]:
    """Files whose term is over, the oldest first."""
    return [made(row) for row in await tx.all(_ENDED, {"now": now, "most": most})]


async def note_deleted(tx: Tx, id: str, *, again: int) -> None:
    """Note that a file is gone, and forget where it was; its row comes up once more at `again`."""
    await tx.run(_DELETED, {"of": id, "again": again})


async def delete_later(tx: Tx, id: str, *, at: int) -> None:
    """Let a file's term end later."""
    await tx.run(_LATER, {"of": id, "at": at})


async def forget(tx: Tx, id: str) -> None:
    """Remove the row of a deleted file, where its task is not there any more."""
    await tx.run(_FORGET, {"of": id})


async def elsewhere(tx: Tx, here: str, *, after: str, most: int) -> list[AssetRow]:
    """Kept files that lie in other storages than `here`, in the order of their ids."""
    return [made(row) for row in await tx.all(_ELSEWHERE, {"here": here, "after": after, "most": most})]


async def stores(tx: Tx) -> list[str]:
    """The names of all storages in which files are kept."""
    return sorted(str(row[0]) for row in await tx.all(_STORES))


def made(row: Sequence[object]) -> AssetRow:
    """A row of the table."""
    values = dict(zip(_NAMES, row, strict=True))
    return AssetRow(**{**values, "private": bool(values["private"])})  # type: ignore[arg-type]
