"""How tasks change: each change says from which state, and by whose lease, so that what comes late changes nothing.

Must not touch money: an end is one statement here, and its money is the caller's business in the same transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, and_, bindparam, case, func, or_, select, update

from unigate.store.claims import one_of
from unigate.store.database import Tx
from unigate.store.tables import channels
from unigate.store.task_tables import tasks
from unigate.store.tasks import OPEN, TaskRow, read

_ID = tasks.c.id == bindparam("of")
_MINE = tasks.c.owner == bindparam("by")
_UNSENT = one_of(tasks.c.state, "waiting", "submitting")
_SENDING = one_of(tasks.c.state, "submitting")
_RUNNING = one_of(tasks.c.state, "running")
_NEXT = tasks.c.version + 1

_CHANNEL = select(channels.c.id).where(channels.c.id == bindparam("at")).with_for_update(key_share=True)
_IN_FLIGHT = select(func.count()).where(
    OPEN,
    one_of(tasks.c.state, "submitting", "running"),
    tasks.c.channel_id == bindparam("at"),
    tasks.c.id != bindparam("of"),
)
_EARLIER = (
    select(tasks.c.id)
    .where(
        OPEN,
        one_of(tasks.c.state, "waiting"),
        or_(tasks.c.channel_id == "", tasks.c.channel_id == bindparam("at")),
        tasks.c.model == bindparam("named"),
        tasks.c.group_name == bindparam("of_group"),
        tasks.c.number < bindparam("behind"),
        tasks.c.id != bindparam("of"),
    )
    .limit(1)
)
_TO_CHANNEL = (
    update(tasks)
    .where(_ID, _MINE, _UNSENT, tasks.c.handle == "")
    .values(
        state="submitting",
        channel_id=bindparam("to_channel"),
        credential_id=bindparam("to_credential"),
        upstream_model=bindparam("to_model"),
        attempts=bindparam("to_attempts"),
        submitted_at=bindparam("now", type_=Integer()),
        lease_until=bindparam("until", type_=Integer()),
        due_at=bindparam("until", type_=Integer()),
        version=_NEXT,
    )
)
_BACK_TO_WAIT = (
    update(tasks)
    .where(_ID, _MINE, _UNSENT, tasks.c.handle == "")
    .values(
        state="waiting",
        channel_id=bindparam("to_channel"),
        credential_id=bindparam("to_credential"),
        submitted_at=0,
        due_at=bindparam("due", type_=Integer()),
        lease_until=0,
        owner="",
        version=_NEXT,
    )
)
_NOTE = (
    update(tasks)
    .where(_ID, _SENDING, tasks.c.handle == "")
    .values(
        state="running",
        handle=bindparam("to_handle"),
        channel_id=bindparam("to_channel"),
        credential_id=bindparam("to_credential"),
        body=b"",
        due_at=bindparam("now", type_=Integer()),
        lease_until=0,
        owner="",
        version=_NEXT,
    )
)
_TOOK = (
    update(tasks)
    .where(
        _ID,
        or_(
            _SENDING,  # with a handle already: it was paused, and goes on
            and_(_RUNNING, tasks.c.handle == bindparam("to_handle")),  # the journal was quicker
        ),
    )
    .values(
        state=bindparam("to_state"),
        handle=bindparam("to_handle"),
        channel_id=bindparam("to_channel"),
        credential_id=bindparam("to_credential"),
        queued=bindparam("to_queued"),
        percent=bindparam("to_percent"),
        detail=bindparam("to_detail"),
        previews=bindparam("to_previews"),
        body=b"",
        started_at=bindparam("started", type_=Integer()),
        deadline_at=bindparam("deadline", type_=Integer()),
        due_at=bindparam("due", type_=Integer()),
        quote=bindparam("to_quote"),
        lease_until=bindparam("until", type_=Integer()),
        owner=bindparam("to_owner"),
        polls=0,
        errors=0,
        version=_NEXT,
    )
)
_LET_GO = (
    update(tasks)
    .where(_ID, _MINE, OPEN)
    .values(
        due_at=bindparam("due", type_=Integer()),
        lease_until=0,
        owner="",
        errors=tasks.c.errors + 1,
        attempts=bindparam("to_attempts"),
    )
)
_PUT_BACK = (
    update(tasks)
    .where(_ID, _MINE, _SENDING)
    .values(
        state=bindparam("to_state"), due_at=bindparam("due", type_=Integer()), lease_until=0, owner="", version=_NEXT
    )
)
#: A callback that came while we asked has put `due_at` before the lease's end: then it is asked again at once.
_DUE = case((tasks.c.due_at < tasks.c.lease_until, tasks.c.due_at), else_=bindparam("due"))
_FREE: dict[str, Any] = {"lease_until": 0, "owner": "", "due_at": _DUE}
_SNOOZE = (
    update(tasks)
    .where(_ID, _MINE, OPEN)
    .values(polls=bindparam("to_polls"), errors=bindparam("to_errors"), missing_since=bindparam("to_missing"), **_FREE)
)
_PROGRESS = (
    update(tasks)
    .where(_ID, _MINE, one_of(tasks.c.state, "running", "paused"))
    .values(
        state=bindparam("to_state"),
        queued=bindparam("to_queued"),
        percent=bindparam("to_percent"),
        detail=bindparam("to_detail"),
        previews=bindparam("to_previews"),
        started_at=bindparam("started", type_=Integer()),
        polls=bindparam("to_polls"),
        errors=0,
        missing_since=0,
        version=_NEXT,
        **_FREE,
    )
)
#: It has gone on, and stays its owner's: neither its lease nor any index is touched.
_STEP = {
    "queued": bindparam("to_queued"),
    "percent": bindparam("to_percent"),
    "started_at": bindparam("started", type_=Integer()),
    "polls": bindparam("to_polls"),
    "errors": 0,
    "missing_since": 0,
    "version": _NEXT,
}
#: Nothing has changed, but that its provider knows it again.
_WELL = update(tasks).where(_ID, _MINE, _RUNNING).values(polls=bindparam("to_polls"), errors=0, missing_since=0)
_STEPS = update(tasks).where(_ID, _MINE, _RUNNING).values(**_STEP)
_STEPS_TOLD = (
    update(tasks)
    .where(_ID, _MINE, _RUNNING)
    .values(detail=bindparam("to_detail"), previews=bindparam("to_previews"), **_STEP)
)
_END = (
    update(tasks)
    .where(_ID, tasks.c.state.in_(bindparam("states", expanding=True)))
    .values(
        state=bindparam("to_state"),
        queued=0,
        percent=bindparam("to_percent"),
        detail=bindparam("to_detail"),
        previews=bindparam("to_previews"),
        error_code=bindparam("to_error_code"),
        error_message=bindparam("to_error_message"),
        cost=bindparam("to_cost"),
        request_id=bindparam("to_request"),
        attempts=bindparam("to_attempts"),
        body=b"",
        started_at=bindparam("started", type_=Integer()),
        finished_at=bindparam("now", type_=Integer()),
        due_at=0,
        lease_until=0,
        owner="",
        version=_NEXT,
    )
    .returning(*tasks.c)
)
_DUE_NOW = (
    update(tasks)
    .where(_ID, _RUNNING, tasks.c.due_at > bindparam("now", type_=Integer()))
    .values(due_at=bindparam("now", type_=Integer()))
)
_TAKE = (
    update(tasks)
    .where(_ID, tasks.c.state == bindparam("in_state"), tasks.c.lease_until <= bindparam("now", type_=Integer()))
    .values(
        state=bindparam("to_state"),
        owner=bindparam("by"),
        lease_until=bindparam("until", type_=Integer()),
        due_at=bindparam("until", type_=Integer()),
        version=_NEXT,
    )
)
_WAKE = (
    update(tasks)
    .where(
        tasks.c.id.in_(
            select(tasks.c.id)
            .where(
                OPEN,
                one_of(tasks.c.state, "waiting"),
                or_(tasks.c.channel_id == "", tasks.c.channel_id == bindparam("at")),
                tasks.c.lease_until <= bindparam("now", type_=Integer()),
            )
            .order_by(tasks.c.number)
            .limit(bindparam("most", type_=Integer()))
        )
    )
    .values(due_at=bindparam("now", type_=Integer()))
)


async def place(tx: Tx, row: TaskRow, channel_id: str, most: int) -> bool:
    """Whether a channel that carries at most so many tasks has room for this one, and none waits before it.

    The channel's row stays locked, so that of two processes only one gets the last place.
    """
    await tx.one(_CHANNEL, {"at": channel_id})
    return await has_place(tx, row, channel_id, most)


async def has_place(tx: Tx, row: TaskRow, channel_id: str, most: int) -> bool:
    """The same as far as can be seen, for a transaction that only reads."""
    count = await tx.one(_IN_FLIGHT, {"at": channel_id, "of": row.task.id})
    if count is not None and int(count[0]) >= most:
        return False
    values = {"at": channel_id, "named": row.task.model, "of_group": row.group_name, "behind": row.number}
    return await tx.one(_EARLIER, {**values, "of": row.task.id}) is None


async def to_channel(
    tx: Tx, task_id: str, owner: str, *, channel: str, credential: str, model: str, attempts: str, now: int, until: int
) -> bool:
    """It is about to be sent there; False where it is not this owner's to send any more."""
    values = {"of": task_id, "by": owner, "to_channel": channel, "to_credential": credential, "to_model": model}
    return await tx.run(_TO_CHANNEL, {**values, "to_attempts": attempts, "now": now, "until": until}) == 1


async def wait(tx: Tx, task_id: str, owner: str, *, channel: str, credential: str, due: int) -> bool:
    """It waits for a place (at that channel alone, if one is named)."""
    values = {"of": task_id, "by": owner, "to_channel": channel, "to_credential": credential, "due": due}
    return await tx.run(_BACK_TO_WAIT, values) == 1


async def note_handles(tx: Tx, notes: Sequence[tuple[str, str, str, str]], *, now: int) -> None:
    """Handles (task, channel, credential, JSON) that a journal has kept: for tasks that do not have theirs yet."""
    rows = [{"of": t, "to_channel": c, "to_credential": k, "to_handle": handle} for t, c, k, handle in notes]
    await tx.many(_NOTE, [{**row, "now": now} for row in rows])


async def took(tx: Tx, task_id: str, values: dict[str, Any]) -> bool:
    """The provider has taken it, and `to_owner` asks after it; False where it has ended meanwhile."""
    return await tx.run(_TOOK, {"of": task_id, **values}) == 1


async def snooze(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Nothing has changed: look again later."""
    await tx.many(_SNOOZE, rows)


async def progress(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Something has changed, but it has not ended."""
    await tx.many(_PROGRESS, rows)


async def step(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Tasks that their owner keeps have gone on; those with `to_detail` have another detail or other previews too.

    Those without `to_queued` have not: what is written is that their provider answers for them again.
    """
    await tx.many(_WELL, [row for row in rows if "to_queued" not in row])
    await tx.many(_STEPS, [row for row in rows if "to_queued" in row and "to_detail" not in row])
    await tx.many(_STEPS_TOLD, [row for row in rows if "to_detail" in row])


async def end(tx: Tx, task_id: str, states: Sequence[str], values: dict[str, Any]) -> TaskRow | None:
    """It ends, from one of these states; the row as it is then, None where it was in none of them."""
    row = await tx.one(_END, {"of": task_id, "states": list(states), **values})
    return None if row is None else read(row)


async def let_go(tx: Tx, task_id: str, owner: str, *, due: int, attempts: str) -> None:
    """Whoever looks next does so then: something about it failed."""
    await tx.run(_LET_GO, {"of": task_id, "by": owner, "due": due, "to_attempts": attempts})


async def put_back(tx: Tx, task_id: str, owner: str, state: str, *, due: int) -> bool:
    """One that was to go on is what it was before, or is asked after; False where it is not this owner's."""
    return await tx.run(_PUT_BACK, {"of": task_id, "by": owner, "to_state": state, "due": due}) == 1


async def due_now(tx: Tx, task_id: str, *, now: int) -> None:
    """There is a reason to ask the provider now."""
    await tx.run(_DUE_NOW, {"of": task_id, "now": now})


async def take(tx: Tx, task_id: str, state: str, to_state: str, owner: str, *, now: int, until: int) -> bool:
    """Claim one task in a state that nobody else works on; it goes to another state, or stays."""
    values = {"of": task_id, "in_state": state, "to_state": to_state, "by": owner, "now": now, "until": until}
    return await tx.run(_TAKE, values) == 1


async def wake(tx: Tx, channel_id: str, *, now: int, most: int) -> int:
    """A place at a channel is free: the oldest that wait for one are looked at now; how many."""
    return await tx.run(_WAKE, {"at": channel_id, "now": now, "most": most})
