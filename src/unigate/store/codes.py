"""Redemption codes as rows. A code itself is kept nowhere, only its digest."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, func, insert, or_, select, update

from unigate.store.database import Tx
from unigate.store.gateway_tables import audit, codes
from unigate.store.pages import Listing, Page, Slice


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A row of `codes`; `state` is open, redeemed or withdrawn; an open one may have expired."""

    id: str
    digest: bytes
    last4: str
    batch: str
    amount: int
    expires_at: int | None
    state: str
    user_id: str
    redeemed_at: int | None
    created_by: str
    created_at: int


_ADD = insert(codes)
_BY_ID = select(codes).where(codes.c.id == bindparam("by"))
_BY_DIGEST = select(codes).where(codes.c.digest == bindparam("by"))
_LIVES = or_(codes.c.expires_at.is_(None), codes.c.expires_at > bindparam("now"))
_LIST = Listing(
    select(codes),
    (codes.c.created_at, codes.c.id),
    {
        "batch": codes.c.batch == bindparam("batch"),
        "user_id": codes.c.user_id == bindparam("user_id"),
        "state": codes.c.state == bindparam("state"),
        "now": _LIVES,
        "ended": codes.c.expires_at <= bindparam("ended"),
    },
)
_REDEEM = (
    update(codes)
    .where(codes.c.digest == bindparam("of"), codes.c.state == "open", _LIVES)
    .values(state="redeemed", user_id=bindparam("to_user"), redeemed_at=bindparam("to_redeemed"))
)
_WITHDRAW = update(codes).where(codes.c.id == bindparam("of"), codes.c.state == "open").values(state="withdrawn")
_WITHDRAW_ALL = update(codes).where(codes.c.batch == bindparam("of"), codes.c.state == "open").values(state="withdrawn")
_IN_BATCH = select(func.count()).select_from(codes).where(codes.c.batch == bindparam("of"))
_TRIES = (
    select(func.count(), func.min(audit.c.at))
    .select_from(audit)
    .where(audit.c.kind == "code", audit.c.subject_id == bindparam("user"), audit.c.at > bindparam("since"))
    .where(audit.c.action == bindparam("action"))
)


async def add(tx: Tx, rows: Sequence[CodeRow]) -> None:
    """Insert codes."""
    await tx.many(_ADD, [asdict(row) for row in rows])


async def by_id(tx: Tx, id: str) -> CodeRow | None:
    """The code of that id."""
    row = await tx.one(_BY_ID, {"by": id})
    return CodeRow(*row) if row else None


async def by_digest(tx: Tx, digest: bytes) -> CodeRow | None:
    """The code with that digest."""
    row = await tx.one(_BY_DIGEST, {"by": digest})
    return CodeRow(*row) if row else None


async def page(
    tx: Tx, page: Page, *, now: int, state: str | None = None, batch: str | None = None, user_id: str | None = None
) -> Slice[CodeRow]:
    """A page of codes, newest first; `state` may also be `expired`: open, but too late."""
    found = await _LIST.read(
        tx,
        page,
        state="open" if state == "expired" else state,
        now=now if state == "open" else None,
        ended=now if state == "expired" else None,
        batch=batch,
        user_id=user_id,
    )
    return found.map(lambda row: CodeRow(*row))


async def redeem(tx: Tx, digest: bytes, user_id: str, now: int) -> bool:
    """Make an open code that has not expired this user's; of several at once one is told True."""
    return await tx.run(_REDEEM, {"of": digest, "to_user": user_id, "to_redeemed": now, "now": now}) == 1


async def withdraw(tx: Tx, id: str) -> bool:
    """Take an open code out of use; False where it is not open."""
    return await tx.run(_WITHDRAW, {"of": id}) == 1


async def withdraw_batch(tx: Tx, batch: str) -> int:
    """Take all open codes of a batch out of use; how many there were."""
    return await tx.run(_WITHDRAW_ALL, {"of": batch})


async def count_batch(tx: Tx, batch: str) -> int:
    """How many codes a batch has, whatever became of them."""
    row = await tx.one(_IN_BATCH, {"of": batch})
    return int(row[0]) if row else 0


async def tries(tx: Tx, user_id: str, action: str, since: int) -> tuple[int, int]:
    """How often the audit log tells of a user's try that ended in `action` after `since`, and when the first was."""
    row = await tx.one(_TRIES, {"user": user_id, "action": action, "since": since})
    return (int(row[0]), int(row[1] or 0)) if row else (0, 0)
