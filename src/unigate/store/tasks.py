"""Tasks as rows: made, found, listed, deleted. How they change stands in `task_changes.py`.

Must not decide anything about a task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any, cast

import msgspec
from sqlalchemy import Integer, Text, and_, bindparam, delete, func, literal_column, select

from unigate.spec.task import Failure, Json, Notify, Task, TaskState
from unigate.store.claims import Queue, one_of
from unigate.store.database import Row, Tx
from unigate.store.metadata import insert
from unigate.store.pages import Listing
from unigate.store.task_tables import idempotency, tasks

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode
_notify = msgspec.json.Decoder(Notify)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task with what only the engine needs to know of it. Times in milliseconds since 1970."""

    task: Task
    number: int
    group_name: str
    #: What it consumes at most, by unit.
    units: Mapping[str, int]
    upstream_model: str
    #: JSON of what is to be sent; empty where that will not be needed any more.
    body: bytes
    secret: str
    #: "": nothing was held.
    hold_id: str
    #: The price as it stood when it was submitted, and the day that it counts in.
    quote: Json
    #: JSON list of tries.
    attempts: str
    polls: int = 0
    errors: int = 0
    missing_since: int = 0
    due_at: int = 0
    owner: str = ""
    lease_until: int = 0
    #: Characters of its detail and previews, as they were stored when it was read; 0: not known.
    size: int = 0


OPEN = one_of(tasks.c.state, "waiting", "submitting", "running", "paused")
#: One that is being sent belongs to its sender until its lease ends, whatever happens.
QUEUE = Queue(
    tasks,
    OPEN,
    returned=tasks.c.state != literal_column("'submitting'", Text()),
    moved=one_of(tasks.c.state, "running"),
)
_NAMES = tuple(tasks.c.keys())
_ADD = insert(tasks).on_conflict_do_nothing(index_elements=["id"])
_ONE = select(tasks).where(tasks.c.id == bindparam("of"))
_SEVERAL = select(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True)))
_VERSIONS = select(tasks.c.id, tasks.c.version).where(tasks.c.id.in_(bindparam("ids", expanding=True)))
_KEPT = select(tasks.c.id, tasks.c.version).where(
    tasks.c.id.in_(bindparam("ids", expanding=True)),
    tasks.c.owner == bindparam("by"),
    one_of(tasks.c.state, "running"),
)
_AHEAD = select(func.count()).where(
    one_of(tasks.c.state, "waiting"),
    OPEN,
    tasks.c.channel_id == bindparam("at"),
    tasks.c.model == bindparam("named"),
    tasks.c.group_name == bindparam("of_group"),
    tasks.c.number < bindparam("behind"),
)
LISTING = Listing(
    select(tasks),
    (tasks.c.number, tasks.c.id),
    {
        "user_id": tasks.c.user_id == bindparam("user_id"),
        "key_id": tasks.c.key_id == bindparam("key_id"),
        "called": tasks.c.called == bindparam("called"),
        "operation": tasks.c.operation == bindparam("operation"),
        "dialect": tasks.c.dialect == bindparam("dialect"),
        "model": tasks.c.model == bindparam("model"),
        "states": tasks.c.state.in_(bindparam("states", expanding=True)),
        "queued": and_(one_of(tasks.c.state, "running"), tasks.c.queued == bindparam("queued", type_=Integer())),
        "since": tasks.c.created_at >= bindparam("since", type_=Integer()),
        "until": tasks.c.created_at < bindparam("until", type_=Integer()),
    },
)
_OLD = (
    select(tasks.c.id)
    .where(tasks.c.number < bindparam("before"), tasks.c.finished_at < bindparam("ended"), tasks.c.finished_at > 0)
    .order_by(tasks.c.number)
    .limit(bindparam("most", type_=Integer()))
)
_DROP = delete(tasks).where(tasks.c.id.in_(bindparam("ids", expanding=True)))
_DROP_ENDED = delete(tasks).where(tasks.c.id == bindparam("of"), tasks.c.finished_at > 0)
_DROP_TOKENS = delete(idempotency).where(
    and_(idempotency.c.ends_at <= bindparam("now"), idempotency.c.task_id.in_(bindparam("ids", expanding=True)))
)


async def add(tx: Tx, row: TaskRow) -> bool:
    """Insert a task; False where its id is taken."""
    return await tx.run(_ADD, _values(row)) == 1


async def find(tx: Tx, task_id: str) -> TaskRow | None:
    """A task, whoever's it is."""
    row = await tx.one(_ONE, {"of": task_id})
    return None if row is None else read(row)


async def find_several(tx: Tx, task_ids: Sequence[str]) -> list[TaskRow]:
    """Those of these tasks that exist, in no order."""
    return [read(row) for row in await tx.all(_SEVERAL, {"ids": list(task_ids)})]


async def versions(tx: Tx, task_ids: Sequence[str]) -> dict[str, int]:
    """How often each of these tasks has changed; those that exist."""
    return {str(id): int(version) for id, version in await tx.all(_VERSIONS, {"ids": list(task_ids)})}


async def kept(tx: Tx, task_ids: Sequence[str], owner: str) -> dict[str, int]:
    """How often each of these tasks has changed; those that run and are this owner's."""
    return {str(id): int(version) for id, version in await tx.all(_KEPT, {"ids": list(task_ids), "by": owner})}


async def ahead(tx: Tx, row: TaskRow) -> int:
    """How many wait before a task that waits."""
    task = row.task
    values = {"at": task.channel_id, "named": task.model, "of_group": row.group_name, "behind": row.number}
    found = await tx.one(_AHEAD, values)
    return int(found[0]) if found is not None else 0


async def drop_old(tx: Tx, *, made_before: int, ended_before: int, now: int, most: int) -> list[str]:
    """Delete at most so many tasks that ended long ago; their ids. `made_before`: a number of the order of lists."""
    values = {"before": made_before, "ended": ended_before, "most": most}
    ids = [str(row[0]) for row in await tx.all(_OLD, values)]
    if ids:
        await tx.run(_DROP_TOKENS, {"ids": ids, "now": now})
        await tx.run(_DROP, {"ids": ids})
    return ids


async def drop(tx: Tx, task_id: str, *, now: int) -> bool:
    """Delete a task that has ended; False where there is none."""
    await tx.run(_DROP_TOKENS, {"ids": [task_id], "now": now})
    return bool(await tx.run(_DROP_ENDED, {"of": task_id}))


def read(row: Row) -> TaskRow:
    """A row of the table, all columns."""
    at = dict(zip(_NAMES, row, strict=True))
    failed = at["error_code"] or at["error_message"]
    return TaskRow(
        task=Task(
            **{name: at[name] for name in _SAME},
            state=cast(TaskState, at["state"]),
            queued=bool(at["queued"]),
            input=json(at["input"]),
            detail=json(at["detail"]),
            previews=_decode(at["previews"]) if at["previews"] else (),
            error=Failure(code=at["error_code"], message=at["error_message"]) if failed else None,
            conditions=json(at["conditions"]),
            handle=json(at["handle"]),
            notify=_notify.decode(at["notify"]) if at["notify"] else None,
        ),
        **{name: at[name] for name in _OURS},
        units=json(at["units"]),
        quote=json(at["quote"]),
        size=len(at["detail"]) + len(at["previews"]),
    )


def text(value: object) -> str:
    """A structure as JSON text; what is no Unicode in it becomes a question mark."""
    try:
        told: bytes = _encode(value)
    except UnicodeEncodeError:
        told = dumps(msgspec.to_builtins(value), ensure_ascii=False).encode("utf-8", "replace")
    return told.decode()


def json(value: str) -> dict[str, Any]:
    """What `text` wrote; "" for nothing."""
    found: dict[str, Any] = _decode(value) if value else {}
    return found


#: Columns whose values are taken as they are.
_SAME = (
    "id",
    "called",
    "operation",
    "dialect",
    "user_id",
    "key_id",
    "model",
    "percent",
    "parent_id",
    "channel_id",
    "credential_id",
    "held",
    "cost",
    "base",
    "request_id",
    "created_at",
    "submitted_at",
    "started_at",
    "finished_at",
    "deadline_at",
    "version",
)
_OURS = (
    "number",
    "group_name",
    "upstream_model",
    "body",
    "secret",
    "hold_id",
    "attempts",
    "polls",
    "errors",
    "missing_since",
    "due_at",
    "owner",
    "lease_until",
)


def _values(row: TaskRow) -> dict[str, Any]:
    task = row.task
    error = task.error
    return {
        **{name: getattr(task, name) for name in _SAME},
        **{name: getattr(row, name) for name in _OURS},
        "state": task.state,
        "queued": int(task.queued),
        "input": text(task.input),
        "detail": text(task.detail),
        "previews": text(task.previews),
        "conditions": text(task.conditions),
        "units": text(row.units),
        "error_code": error.code if error is not None else "",
        "error_message": error.message if error is not None else "",
        "handle": text(task.handle) if task.handle else "",
        "notify": text(task.notify) if task.notify is not None else "",
        "quote": text(row.quote),
    }
