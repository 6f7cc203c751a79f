"""Assets as rows: the files that tasks made, where each is to be had, and who copies it now."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import Integer, and_, bindparam, delete, exists, or_, select, update

from unigate.spec.data_url import short
from unigate.spec.task import Asset
from unigate.store.claims import Queue, one_of
from unigate.store.database import Row, Tx
from unigate.store.metadata import insert
from unigate.store.task_tables import assets, tasks

#: `remote`: at the provider only. `waiting`: to be copied. `lost`: it could not be copied. `deleted`: its term is over; as
#: long as such a row names a path, what lies there is yet to be removed.
State = Literal["remote", "waiting", "kept", "lost", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRow:
    """A row as it is. Times are milliseconds since 1970."""

    id: str
    task_id: str
    user_id: str
    kind: str
    media_type: str
    #: The provider's address; a `data:` URL holds the file itself, until it is kept.
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
    #: Who copies it; of one that was copied, the storage where another copy is yet to be removed.
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
            source=short(self.source),
            size=self.size,
            kept=self.state == "kept",
        )


_NAMES = tuple(column.name for column in assets.c)
_ID, _USER = _NAMES.index("id"), _NAMES.index("user_id")
_ADD = insert(assets).on_conflict_do_nothing()
_ONE = select(assets).where(assets.c.id == bindparam("of"))
_SEVERAL = select(assets).where(assets.c.id.in_(bindparam("ids", expanding=True)))
_OF_TASKS = (
    select(assets)
    .where(assets.c.task_id.in_(bindparam("tasks", expanding=True)))
    .order_by(assets.c.task_id, assets.c.place)
)
_TO_COPY = one_of(assets.c.state, "waiting")
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
        source=bindparam("now_source"),
        owner="",
        lease_until=0,
    )
)
_WRITTEN = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "deleted", assets.c.path == bindparam("at_path"))
    .values(state="kept", ends_at=bindparam("until", type_=Integer()))
)
_PUT_OFF = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "waiting", assets.c.owner == bindparam("by"))
    .values(state=bindparam("now"), tries=bindparam("to_tries"), due_at=bindparam("due"), owner="", lease_until=0)
)
_MOVED = (
    update(assets)
    .where(
        assets.c.id == bindparam("of"),
        assets.c.state == "kept",
        assets.c.store == bindparam("from_store"),
        assets.c.owner == "",
    )
    .values(store=bindparam("at_store"), path=bindparam("at_path"), owner=bindparam("from_store"))
)
_LEFT_BEHIND = (
    select(assets)
    .where(assets.c.state == "kept", assets.c.owner != "", assets.c.id > bindparam("after"))
    .order_by(assets.c.id)
    .limit(bindparam("most"))
)
_CLEARED = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "kept", assets.c.owner == bindparam("left"))
    .values(owner="")
)
_ENDED = (
    select(assets)
    .where(assets.c.ends_at > 0, assets.c.ends_at <= bindparam("now"))
    .order_by(assets.c.ends_at)
    .limit(bindparam("most"))
)
#: As it was read, and copied by nobody now.
_AS_IT_WAS = (
    assets.c.id == bindparam("of"),
    assets.c.state == bindparam("was"),
    assets.c.store == bindparam("was_store"),
    assets.c.path == bindparam("was_path"),
    assets.c.lease_until <= bindparam("now", type_=Integer()),
)
_TERM_OVER = (
    update(assets)
    .where(*_AS_IT_WAS)
    .values(
        state="deleted",
        store=bindparam("to_store"),
        path=bindparam("to_path"),
        owner=bindparam("to_owner"),
        source=bindparam("now_source"),
        lease_until=0,
        ends_at=bindparam("again", type_=Integer()),
    )
)
_REMOVED = (
    update(assets)
    .where(assets.c.id == bindparam("of"), assets.c.state == "deleted")
    .values(store="", path="", owner="", ends_at=bindparam("again", type_=Integer()))
)
_LATER = update(assets).where(assets.c.id == bindparam("of")).values(ends_at=bindparam("at"))
_OF_A_TASK = exists(select(tasks.c.id).where(tasks.c.id == assets.c.task_id))
_FORGET = delete(assets).where(
    assets.c.id == bindparam("of"), assets.c.state == "deleted", assets.c.path == "", ~_OF_A_TASK
)
_KEEPS_NOTHING = or_(
    one_of(assets.c.state, "remote", "waiting", "lost"), and_(assets.c.state == "deleted", assets.c.path == "")
)
_END_OF_TASKS = (
    update(assets)
    .where(assets.c.task_id.in_(bindparam("tasks", expanding=True)), assets.c.state == "kept")
    .values(ends_at=bindparam("now", type_=Integer()))
)
_FORGET_OF_TASKS = delete(assets).where(assets.c.task_id.in_(bindparam("tasks", expanding=True)), _KEEPS_NOTHING)
_ELSEWHERE = (
    select(assets)
    .where(assets.c.state == "kept", assets.c.store != bindparam("here"), assets.c.id > bindparam("after"))
    .order_by(assets.c.id)
    .limit(bindparam("most"))
)
_STORES = select(assets.c.store, assets.c.owner).where(assets.c.state == "kept").distinct()


class CopyQueue(Queue):
    """Files to be copied, so that one user's keep nobody else's waiting."""

    def __init__(self, copied: Callable[[], Mapping[str, int]], share: int) -> None:
        """`copied`: how many files of each user are being copied here now; `share`: how many may be."""
        super().__init__(assets, _TO_COPY)
        self._others = _Others(assets, and_(_TO_COPY, assets.c.user_id.not_in(bindparam("users", expanding=True))))
        self._copied = copied
        self._share = share

    async def claim(self, tx: Tx, owner: str, *, now: int, until: int, most: int) -> list[Row]:
        """See Queue; none of users who have their share, and what is beyond a share is given back at once."""
        counts = Counter(self._copied())
        full = sorted(user for user, count in counts.items() if count >= self._share)
        found = await self._others.of_others(tx, {"by": owner, "now": now, "until": until, "most": most, "users": full})
        taken: list[Row] = []
        left = []
        for row in sorted(found, key=lambda row: str(row[_ID])):
            counts[row[_USER]] += 1
            if counts[row[_USER]] <= self._share:
                taken.append(row)
            else:
                left.append(str(row[_ID]))
        await self.give_back(tx, owner, left, now=now)
        return taken


class _Others(Queue):
    """The same without some users' rows."""

    async def of_others(self, tx: Tx, values: Mapping[str, object]) -> Sequence[Row]:
        """What a claim takes."""
        return await tx.all(self._claim, values)


async def add(tx: Tx, rows: Sequence[AssetRow]) -> None:
    """Insert rows; one that is there already stays."""
    await tx.many(_ADD, [{**asdict(row), "private": int(row.private)} for row in rows])


async def find(tx: Tx, id: str) -> AssetRow | None:
    """One of them."""
    row = await tx.one(_ONE, {"of": id})
    return made(row) if row is not None else None


async def several(tx: Tx, ids: Sequence[str]) -> list[AssetRow]:
    """Those of these files that there are, in no order."""
    return [made(row) for row in await tx.all(_SEVERAL, {"ids": list(ids)})] if ids else []


async def of_tasks(tx: Tx, task_ids: Sequence[str]) -> dict[str, list[Asset]]:
    """The files of several tasks, each task's in order; tasks without any are left out."""
    found: dict[str, list[Asset]] = {}
    for row in await tx.all(_OF_TASKS, {"tasks": list(task_ids)}) if task_ids else ():
        found.setdefault((asset := made(row).asset).task_id, []).append(asset)
    return found


async def keep(tx: Tx, row: AssetRow, *, store: str, path: str, size: int, digest: bytes, media_type: str) -> bool:
    """Note that a file was copied, and forget its bytes where the row held them; False where it is not waited for."""
    values = {"of": row.id, "at_store": store, "at_path": path, "bytes": size, "sha256": digest, "type": media_type}
    return bool(await tx.run(_KEEP, {**values, "now_source": short(row.source)}))


async def written(tx: Tx, row: AssetRow, *, until: int) -> bool:
    """Note that a file is there which its row announced as one to be removed; False where it was given up meanwhile.

    `until`: from when on it is to be removed indeed; 0: never.
    """
    return bool(await tx.run(_WRITTEN, {"of": row.id, "at_path": row.path, "until": until}))


async def put_off(tx: Tx, id: str, owner: str, *, tries: int, due_at: int, lost: bool) -> None:
    """Note a failed try of whoever has claimed it: it is tried again later, or counts as lost."""
    values = {"of": id, "by": owner, "to_tries": tries, "due": due_at, "now": "lost" if lost else "waiting"}
    await tx.run(_PUT_OFF, values)


async def move(tx: Tx, id: str, *, before: str, store: str, path: str) -> bool:
    """Note that a kept file lies elsewhere now; False where it is not kept at `before` any more.

    The copy at `before` is to be removed then, and `cleared`.
    """
    return bool(await tx.run(_MOVED, {"of": id, "from_store": before, "at_store": store, "at_path": path}))


async def left_behind(tx: Tx, *, after: str, most: int) -> list[AssetRow]:
    """Files that were moved, and whose copy at `owner` is yet to be removed, in the order of their ids."""
    return [made(row) for row in await tx.all(_LEFT_BEHIND, {"after": after, "most": most})]


async def cleared(tx: Tx, id: str, *, left: str) -> None:
    """Note that a moved file is not at that storage any more."""
    await tx.run(_CLEARED, {"of": id, "left": left})


async def ended(tx: Tx, now: int, most: int) -> list[AssetRow]:
    """Files whose term is over, the oldest first."""
    return [made(row) for row in await tx.all(_ENDED, {"now": now, "most": most})]


async def term_over(tx: Tx, row: AssetRow, *, store: str, path: str, now: int, again: int) -> bool:
    """Note that a file's term is over, so that nobody is led to it, and what is to be removed: `path` at `store`.

    False where the row is not as it was read, or is being copied: nothing may be removed then. The row comes up again at
    `again`.
    """
    values = {
        "of": row.id,
        "was": row.state,
        "was_store": row.store,
        "was_path": row.path,
        "to_store": store,
        "to_path": path,
        "to_owner": row.owner if row.state == "kept" else "",
        "now_source": short(row.source),
        "now": now,
        "again": again,
    }
    return bool(await tx.run(_TERM_OVER, values))


async def note_removed(tx: Tx, id: str, *, again: int) -> None:
    """Note that nothing is left of a file whose term is over; its row comes up once more at `again`."""
    await tx.run(_REMOVED, {"of": id, "again": again})


async def delete_later(tx: Tx, id: str, *, at: int) -> None:
    """Let a file's term end later."""
    await tx.run(_LATER, {"of": id, "at": at})


async def forget(tx: Tx, id: str) -> None:
    """Remove the row of a deleted file, where its task is not there any more."""
    await tx.run(_FORGET, {"of": id})


async def forget_of_tasks(tx: Tx, task_ids: Sequence[str]) -> None:
    """Remove the rows of tasks that are being deleted, but for those that name a file of ours: they go with their files."""
    if task_ids:
        await tx.run(_FORGET_OF_TASKS, {"tasks": list(task_ids)})


async def end_of_tasks(tx: Tx, task_ids: Sequence[str], *, now: int) -> None:
    """Have the term of what is kept of tasks be over: it is deleted with whatever else has come to its end."""
    await tx.run(_END_OF_TASKS, {"tasks": list(task_ids), "now": now})


async def elsewhere(tx: Tx, here: str, *, after: str, most: int) -> list[AssetRow]:
    """Kept files that lie in other storages than `here`, in the order of their ids."""
    return [made(row) for row in await tx.all(_ELSEWHERE, {"here": here, "after": after, "most": most})]


async def stores(tx: Tx) -> list[str]:
    """The names of all storages in which there are files of ours, or copies that are yet to be removed."""
    return sorted({str(name) for row in await tx.all(_STORES) for name in row if name})


def made(row: Sequence[object]) -> AssetRow:
    """A row of the table."""
    values = dict(zip(_NAMES, row, strict=True))
    return AssetRow(**{**values, "private": bool(values["private"])})  # type: ignore[arg-type]
