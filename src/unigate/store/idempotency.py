"""Tokens by which a request that comes again is known: one per user and token, for as long as it is kept."""

from dataclasses import dataclass

from sqlalchemy import Integer, bindparam, delete, select

from unigate.store.database import Tx
from unigate.store.metadata import insert
from unigate.store.task_tables import idempotency

_new = insert(idempotency)
_ADD = _new.on_conflict_do_update(
    index_elements=["user_id", "token"],
    set_={name: _new.excluded[name] for name in ("task_id", "digest", "ends_at")},
    where=idempotency.c.ends_at <= bindparam("now", type_=Integer()),
).returning(idempotency.c.task_id)
_RENEW = _new.on_conflict_do_update(
    index_elements=["user_id", "token"],
    set_={name: _new.excluded[name] for name in ("task_id", "digest", "ends_at")},
)
_OF = (idempotency.c.user_id == bindparam("user"), idempotency.c.token == bindparam("by"))
_FIND = select(idempotency.c.task_id, idempotency.c.digest).where(*_OF, idempotency.c.ends_at > bindparam("now"))
_REMOVE = delete(idempotency).where(
    idempotency.c.user_id == bindparam("user"), idempotency.c.task_id == bindparam("task")
)
_GIVE_UP = delete(idempotency).where(*_OF)
_ENDED = (
    select(idempotency.c.user_id, idempotency.c.token)
    .where(idempotency.c.ends_at <= bindparam("now"))
    .order_by(idempotency.c.ends_at)
    .limit(bindparam("most", type_=Integer()))
)
_DROP = delete(idempotency).where(*_OF, idempotency.c.ends_at <= bindparam("now"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What makes a request the same as an earlier one of the same user."""

    user_id: str
    token: str
    #: SHA-256 of method, path and body.
    digest: bytes
    #: It is a first try without a key of its own: it takes the token from an earlier request.
    renews: bool = False


async def add(tx: Tx, token: Token, task_id: str, *, now: int, ends_at: int) -> bool:
    """Give a token to a task; False where it is another's, and stays so until its time is over."""
    row = {"user_id": token.user_id, "token": token.token, "task_id": task_id, "digest": token.digest}
    if token.renews:
        return await tx.run(_RENEW, {**row, "ends_at": ends_at}) == 1
    return await tx.one(_ADD, {**row, "ends_at": ends_at, "now": now}) is not None


async def find(tx: Tx, token: Token, *, now: int) -> tuple[str, bytes] | None:
    """The task and the digest that a token belongs to."""
    row = await tx.one(_FIND, {"user": token.user_id, "by": token.token, "now": now})
    return None if row is None else (str(row[0]), bytes(row[1]))


async def remove(tx: Tx, user_id: str, task_id: str) -> None:
    """The task came to nothing: its request may be made again."""
    await tx.run(_REMOVE, {"user": user_id, "task": task_id})


async def drop(tx: Tx, token: Token) -> None:
    """Give a token up again in the transaction that took it."""
    await tx.run(_GIVE_UP, {"user": token.user_id, "by": token.token})


async def drop_ended(tx: Tx, *, now: int, most: int) -> int:
    """Delete at most so many tokens whose time is over; how many it were."""
    rows = await tx.all(_ENDED, {"now": now, "most": most})
    await tx.many(_DROP, [{"user": user, "by": token, "now": now} for user, token in rows])
    return len(rows)
