"""Batches as rows, and the answers to their lines. A batch is worked on by whoever has claimed it, and by nobody else.

Every change of a batch that is being worked on names its owner, so that one who was given up for dead changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Integer, Update, bindparam, case, delete, func, select, update

from unigate.spec.batch import Batch, State
from unigate.store.batch_tables import batch_results, batches
from unigate.store.claims import Queue, one_of
from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.pages import Listing, Page, Slice

#: States of batches that have not ended.
OPEN: tuple[State, ...] = ("validating", "in_progress", "finalizing", "cancelling")
#: Rows in one statement.
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow(Batch):
    """A row as it is. Times are milliseconds since 1970; 0: not yet."""

    user_id: str
    key_id: str
    #: From where it was made, and the address by which its maker reached us.
    client: str
    base: str
    #: Seconds after which its files expire.
    lasts: int
    #: Millionths that are taken off its lines' prices.
    discount: int = 0
    #: The state that it is to end in, once that is known.
    ending: str = ""
    #: Where its provider runs it, by which credential, as what, and the hold that pays; "": it is run here.
    channel_id: str = ""
    credential_id: str = ""
    upstream_id: str = ""
    hold_id: str = ""
    due_at: int
    owner: str = ""
    lease_until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to a line: a line of the output file, or of the error file."""

    line: int
    failed: bool
    body: bytes


class Size(NamedTuple):
    """Of some answers: how many lines they are, and their bytes, each with a line's end."""

    lines: int
    bytes: int


_NONE = Size(0, 0)
_NAMES = tuple(column.name for column in batches.c)
_OPEN = one_of(batches.c.state, *OPEN)
QUEUE = Queue(batches, batches.c.due_at > 0)

_ADD = insert(batches)
_FIND = select(batches).where(batches.c.id == bindparam("of"))
_FIND_OWNED = _FIND.where(batches.c.user_id == bindparam("user"))
_LIST = Listing(
    select(batches), (batches.c.created_at, batches.c.id), {"user_id": batches.c.user_id == bindparam("user_id")}
)
_COUNT_OPEN = select(func.count()).where(batches.c.user_id == bindparam("user"), _OPEN)
_LOCK_OPEN = (
    select(batches.c.id, batches.c.state, batches.c.in_progress_at, batches.c.created_at)
    .where(batches.c.user_id == bindparam("user"), _OPEN)
    .order_by(batches.c.id)
    .with_for_update()
)
_CANCEL = (
    update(batches)
    .where(batches.c.id == bindparam("of"), one_of(batches.c.state, "validating", "in_progress"))
    .values(
        state="cancelling",
        cancelling_at=bindparam("now", type_=Integer()),
        due_at=case(
            (batches.c.lease_until <= bindparam("now", type_=Integer()), bindparam("now", type_=Integer())),
            else_=batches.c.due_at,
        ),
    )
)
_MINE = (batches.c.id == bindparam("of"), batches.c.owner == bindparam("by"))
_WAKE = (
    update(batches)
    .where(
        batches.c.user_id == bindparam("user"),
        batches.c.state == "validating",
        batches.c.lease_until <= bindparam("now", type_=Integer()),
    )
    .values(due_at=bindparam("now", type_=Integer()))
)
_KEPT = insert(batch_results).on_conflict_do_nothing(index_elements=["batch_id", "line"])
_KEEP = _KEPT.returning(batch_results.c.line, batch_results.c.failed)
_DONE = select(batch_results.c.line).where(batch_results.c.batch_id == bindparam("of"))
_SIZES = (
    select(batch_results.c.failed, func.count(), func.sum(func.length(batch_results.c.body)))
    .where(batch_results.c.batch_id == bindparam("of"))
    .group_by(batch_results.c.failed)
)
_BEHIND = (
    batch_results.c.batch_id == bindparam("of"),
    batch_results.c.failed == bindparam("which", type_=Integer()),
    batch_results.c.line > bindparam("after", type_=Integer()),
)
_LENGTHS = (
    select(batch_results.c.line, func.length(batch_results.c.body))
    .where(*_BEHIND)
    .order_by(batch_results.c.line)
    .limit(AT_ONCE)
)
_RESULTS = (
    select(batch_results.c.line, batch_results.c.failed, batch_results.c.body)
    .where(*_BEHIND, batch_results.c.line <= bindparam("until", type_=Integer()))
    .order_by(batch_results.c.line)
)
_SOME = select(batch_results.c.line).where(batch_results.c.batch_id == bindparam("of")).limit(AT_ONCE)
_DROP = delete(batch_results).where(
    batch_results.c.batch_id == bindparam("of"), batch_results.c.line.in_(bindparam("lines", expanding=True))
)
_FORGET = delete(batches).where(*_MINE)


@lru_cache(maxsize=64)
def _changing(names: tuple[str, ...], in_state: bool) -> Update:
    """The statement that changes these columns; kept, so that it is compiled once."""
    changed = update(batches).where(*_MINE)
    if in_state:
        changed = changed.where(batches.c.state == bindparam("was"))
    return changed.values({name: bindparam(f"to_{name}", type_=batches.c[name].type) for name in names})


async def add(tx: Tx, row: BatchRow) -> None:
    """Insert a row."""
    await tx.run(_ADD, asdict(row))


async def find(tx: Tx, id: str, *, user_id: str = "") -> BatchRow | None:
    """A batch, of this user unless anybody's may be found; None where there is none."""
    if user_id:
        row = await tx.one(_FIND_OWNED, {"of": id, "user": user_id})
    else:
        row = await tx.one(_FIND, {"of": id})
    return made(row) if row is not None else None


async def page(tx: Tx, page: Page, user_id: str) -> Slice[BatchRow]:
    """A user's batches, newest first."""
    return (await _LIST.read(tx, page, user_id=user_id)).map(made)


async def open_of(tx: Tx, user_id: str) -> int:
    """How many batches a user has that have not ended."""
    row = await tx.one(_COUNT_OPEN, {"user": user_id})
    return int(row[0]) if row is not None else 0


async def cancel(tx: Tx, id: str, *, now: int) -> bool:
    """Note that a batch is to end early; False where it is ending or has ended."""
    return bool(await tx.run(_CANCEL, {"of": id, "now": now}))


async def change(tx: Tx, row: BatchRow, values: Mapping[str, str | int], *, state: str = "") -> bool:
    """Change columns of a batch that its owner works on; False where it is another's by now, or not in `state`."""
    bound = {f"to_{name}": value for name, value in values.items()}
    if state:
        bound["was"] = state
    return bool(await tx.run(_changing(tuple(values), bool(state)), {**bound, "of": row.id, "by": row.owner}))


async def begin(tx: Tx, row: BatchRow, *, most: int, now: int) -> bool:
    """Let a batch run, if its user has fewer than `most` that do or wait for longer; False where they have not, or it is to end.

    Others of the same user that begin at the same time wait for the lock, so that one of them sees the other.
    """
    others = await tx.all(_LOCK_OPEN, {"user": row.user_id})
    place = (row.created_at, row.id)
    before = sum(1 for id, state, since, at in others if since or (state == "validating" and (at, id) < place))
    if before >= most:
        return False
    return await change(tx, row, {"state": "in_progress", "in_progress_at": now}, state="validating")


async def lock(tx: Tx, user_id: str) -> None:
    """Lock a user's open batches in the order in which whoever begins one does, before one of them ends and others are woken."""
    await tx.all(_LOCK_OPEN, {"user": user_id})


async def wake(tx: Tx, user_id: str, *, now: int) -> None:
    """One of a user's batches has ended: look again at those that wait."""
    await tx.run(_WAKE, {"user": user_id, "now": now})


async def keep(tx: Tx, batch_id: str, results: Sequence[Result]) -> tuple[int, int]:
    """Keep answers; how many of them were new, of lines that went well and of others."""
    rows: list[dict[str, Any]] = [
        {"batch_id": batch_id, "line": one.line, "failed": int(one.failed), "body": one.body} for one in results
    ]
    new: list[Any] = []
    for at in range(0, len(rows), AT_ONCE):
        new += await tx.insert_new(_KEEP, rows[at : at + AT_ONCE])
    failed = sum(1 for row in new if row[1])
    return len(new) - failed, failed


async def done(tx: Tx, batch_id: str) -> set[int]:
    """The numbers of the lines that have an answer."""
    return {int(row[0]) for row in await tx.all(_DONE, {"of": batch_id})}


async def sizes(tx: Tx, batch_id: str) -> tuple[Size, Size]:
    """How many answers there are: of lines that went well, and of the others."""
    found = {
        int(row[0]): Size(int(row[1]), int(row[1]) + int(row[2])) for row in await tx.all(_SIZES, {"of": batch_id})
    }
    return found.get(0, _NONE), found.get(1, _NONE)


async def results(tx: Tx, batch_id: str, *, failed: bool, after: int, most: int) -> list[Result]:
    """Answers in the order of their lines, behind a line: of so many bytes at most together, but one at least, if there is one."""
    values = {"of": batch_id, "which": int(failed), "after": after}
    until, size = 0, 0
    for line, length in await tx.all(_LENGTHS, values):
        size += length
        if until and size > most:
            break
        until = line
    found = await tx.all(_RESULTS, {**values, "until": until}) if until else ()
    return [Result(line=row[0], failed=bool(row[1]), body=bytes(row[2])) for row in found]


async def drop(tx: Tx, batch_id: str) -> bool:
    """Remove some answers of a batch; whether there may be more."""
    lines = [int(row[0]) for row in await tx.all(_SOME, {"of": batch_id})]
    if lines:
        await tx.run(_DROP, {"of": batch_id, "lines": lines})
    return len(lines) == AT_ONCE


async def forget(tx: Tx, row: BatchRow) -> None:
    """Remove a batch that ended long ago."""
    await tx.run(_FORGET, {"of": row.id, "by": row.owner})


def made(row: Sequence[object]) -> BatchRow:
    """A row as it was read."""
    return BatchRow(**dict(zip(_NAMES, row, strict=True)))  # type: ignore[arg-type]
