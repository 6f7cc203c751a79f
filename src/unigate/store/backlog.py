"""What is left lying, and what will soon end: the oldest work that is overdue, and keys that are about to expire."""

from sqlalchemy import bindparam, func, select

from unigate.store.claims import one_of
from unigate.store.database import Tx
from unigate.store.tables import keys
from unigate.store.task_tables import OPEN_STATES, outbox, tasks

_MESSAGES = select(func.min(outbox.c.due_at)).where(one_of(outbox.c.state, "waiting"))
_TASKS = select(func.min(tasks.c.due_at)).where(one_of(tasks.c.state, *OPEN_STATES), tasks.c.due_at > 0)
_KEYS = (
    select(keys.c.id, keys.c.user_id, keys.c.expires_at, keys.c.created_at)
    .where(keys.c.expires_at > bindparam("now"), keys.c.expires_at <= bindparam("until"), keys.c.enabled == 1)
    .order_by(keys.c.id)
)


async def oldest(tx: Tx, now: int) -> dict[str, int]:
    """Since when work of a kind (`messages`, `tasks`) is due, in ms since 1970; only of kinds that have overdue work."""
    found = {}
    for name, statement in (("messages", _MESSAGES), ("tasks", _TASKS)):
        row = await tx.one(statement)
        if row is not None and row[0] is not None and row[0] < now:
            found[name] = int(row[0])
    return found


async def expiring(tx: Tx, now: int, until: int) -> list[tuple[str, str, int, int]]:
    """Keys in use that expire until then: key, user, when, and when they were made."""
    return [(str(k), str(u), int(e), int(c)) for k, u, e, c in await tx.all(_KEYS, {"now": now, "until": until})]
