"""Sessions of people who signed in, as rows; a token is kept as its SHA-256 only."""

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from unigate.store.database import Tx
from unigate.store.gateway_tables import sessions
from unigate.store.pages import Listing, Page, Slice
from unigate.store.tables import users
from unigate.store.users import UserRow


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of `sessions`; times in ms since 1970."""

    id: str
    digest: bytes
    user_id: str
    created_at: int
    expires_at: int
    used_at: int
    address: str
    agent: str

    def __repr__(self) -> str:
        return f"SessionRow({self.id})"


_WIDTH = len(sessions.c)
_ADD = insert(sessions)
_BY_DIGEST = (
    select(sessions, users)
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.digest == bindparam("by"), sessions.c.expires_at > bindparam("now"), users.c.enabled == 1)
)
_LIST = Listing(
    select(sessions),
    (sessions.c.created_at, sessions.c.id),
    {"user_id": sessions.c.user_id == bindparam("user_id"), "now": sessions.c.expires_at > bindparam("now")},
)
_TOUCH = (
    update(sessions)
    .where(sessions.c.id == bindparam("of"))
    .values(used_at=bindparam("to_used_at"), expires_at=bindparam("to_expires_at"))
)
_DROP = delete(sessions).where(sessions.c.id == bindparam("of"), sessions.c.user_id == bindparam("user"))
_DROP_OTHERS = delete(sessions).where(sessions.c.user_id == bindparam("user"), sessions.c.id != bindparam("kept"))
_DROP_ENDED = delete(sessions).where(sessions.c.expires_at <= bindparam("now"))
_NEWEST = (
    select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user"))
    .order_by(sessions.c.used_at.desc(), sessions.c.id.desc())
    .limit(bindparam("most"))
)
_DROP_OLDEST = delete(sessions).where(sessions.c.user_id == bindparam("user"), sessions.c.id.not_in(_NEWEST))


async def add(tx: Tx, session: SessionRow) -> None:
    """Insert a session."""
    await tx.run(_ADD, asdict(session))


async def by_digest(tx: Tx, digest: bytes, now: int) -> tuple[SessionRow, UserRow] | None:
    """The session of that token with its user; None where it has ended or its user may not sign in."""
    row = await tx.one(_BY_DIGEST, {"by": digest, "now": now})
    return (SessionRow(*row[:_WIDTH]), UserRow(*row[_WIDTH:])) if row else None


async def page(tx: Tx, page: Page, user_id: str, now: int) -> Slice[SessionRow]:
    """A page of a user's sessions that have not ended, newest first."""
    found = await _LIST.read(tx, page, user_id=user_id, now=now)
    return found.map(lambda row: SessionRow(*row))


async def touch(tx: Tx, id: str, *, used_at: int, expires_at: int) -> None:
    """Note that a session was used, and when it ends now."""
    await tx.run(_TOUCH, {"of": id, "to_used_at": used_at, "to_expires_at": expires_at})


async def drop(tx: Tx, id: str, user_id: str) -> bool:
    """End a session of a user's; whether there was one."""
    return await tx.run(_DROP, {"of": id, "user": user_id}) == 1


async def drop_others(tx: Tx, user_id: str, kept: str = "") -> int:
    """End all sessions of a user but one; how many."""
    return await tx.run(_DROP_OTHERS, {"user": user_id, "kept": kept})


async def tidy(tx: Tx, user_id: str, now: int, most: int) -> None:
    """Remove sessions that have ended, and of one user's all but the `most` that were used last."""
    await tx.run(_DROP_ENDED, {"now": now})
    await tx.run(_DROP_OLDEST, {"user": user_id, "most": most})
