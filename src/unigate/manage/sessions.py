"""Signing in with a password, and the sessions that come of it.

A token is random, shown once and kept as its SHA-256. A session ends when nobody uses it for a while, at the latest after
its longest time, at once when its user is disabled or it is revoked, and with a change of the password in all other
places. Who asks is not told whether a name exists: not by words and not by time.
"""

import asyncio
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256

from unigate.access.passwords import hash_password, outdated, verify_password
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, InvalidKey, NotFound, TooMany
from unigate.manage.audit import noted
from unigate.manage.desk import Actor, Desk, check_editable, check_rank
from unigate.manage.users import checked_password, user_named, write_user
from unigate.store import sessions as rows
from unigate.store import users as user_rows
from unigate.store.database import Tx
from unigate.store.pages import Page, Slice
from unigate.store.sessions import SessionRow
from unigate.store.users import UserRow

#: What a token begins with, so that it is told from an API key, and found by scanners of leaked secrets.
PREFIX = "ses_"
#: Sessions that one user has at once; the one that was not used for the longest time makes room.
MOST = 50
MAX_AGENT = 300
_DAY = 86_400_000
#: One check of a password takes 64 MiB for a moment: this many at once, the others wait.
_CHECKS = 2
#: So many are checked or wait; more are turned away, to come again after some seconds.
_QUEUE = 100
_BUSY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """How long sessions last, in milliseconds."""

    #: Without being used.
    idle: int = 7 * _DAY
    #: However much they are used.
    longest: int = 30 * _DAY
    #: A use is written down when the last that was is this old.
    noted_after: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as it is shown; times in ms since 1970."""

    id: str
    created_at: int
    expires_at: int
    used_at: int
    address: str
    agent: str


class WrongPassword(BadRequest):
    """This is not your password."""


class Doorkeeper:
    """Checks passwords of those who sign in, a few at a time; one for each process."""

    def __init__(self, desk: Desk, terms: SessionTerms | None = None) -> None:
        self._desk = desk
        self._terms = terms or SessionTerms()
        self._checks = asyncio.Semaphore(_CHECKS)
        self._waiting = 0

    @property
    def longest_seconds(self) -> int:
        """How long a session lasts at most."""
        return self._terms.longest // 1000

    async def sign_in(
        self, login: str, password: str, *, agent: str, address: str, request_id: str
    ) -> tuple[SessionView, UserRow, str]:
        """A new session, its user, and the token. InvalidKey whatever is wrong: name, password, or user disabled."""
        desk = self._desk
        async with desk.db.reading() as tx:
            user = await _user(tx, login)
        kept = user.password if user is not None and user.enabled else None
        if not await self.verify(kept, password) or user is None or kept is None:
            raise InvalidKey("The name or the password is wrong.", code="invalid_login")
        renewed = await hash_password(password) if outdated(kept) else kept
        token = PREFIX + secrets.token_urlsafe(32)
        now = now_ms()
        row = SessionRow(
            id=ids.new("sid"),
            digest=digest(token),
            user_id=user.id,
            created_at=now,
            expires_at=now + min(self._terms.idle, self._terms.longest),
            used_at=now,
            address=address,
            agent=agent[:MAX_AGENT],
        )
        actor = Actor(id=user.id, name=user.name, role=user.role, address=address, request_id=request_id)
        async with desk.db.writing() as tx:
            found = await user_rows.user_by_id(tx, user.id)
            if found is None or not found.enabled or found.password != kept:
                raise InvalidKey("The name or the password is wrong.", code="invalid_login")
            if renewed != kept:
                await user_rows.set_user(tx, replace(found, password=renewed))
            await rows.add(tx, row)
            await rows.tidy(tx, user.id, now, MOST)
            await noted(tx, actor, "sign_in", "session", row.id, user.name)
        return _view(row), found, token

    async def change_password(self, old: str, new: str, *, kept_session: str, actor: Actor) -> None:
        """Another password for the actor, whose other sessions end. WrongPassword, BadRequest, Conflict (file's)."""
        desk = self._desk
        async with desk.db.reading() as tx:
            user = await user_named(tx, actor.id)
        check_editable(user.owned_by, "user", user.name)
        hashed = await hash_password(checked_password(new, "new"))
        if not await self.verify(user.password, old):
            raise WrongPassword(param="current")
        async with desk.db.writing() as tx:
            found = await user_named(tx, actor.id)
            if found.password != user.password:
                raise WrongPassword(param="current")
            await write_user(tx, actor, found, replace(found, password=hashed), kept_session=kept_session)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; takes as long where there is none to compare with. TooMany."""
        if self._waiting >= _QUEUE:
            raise TooMany("Too many people sign in at the moment.", retry_after=_BUSY)
        self._waiting += 1
        try:
            async with self._checks:
                return await verify_password(kept, password)
        finally:
            self._waiting -= 1

    async def signed_in(self, token: str) -> tuple[SessionView, UserRow] | None:
        """The session of a token and its user, who has just used it; None where there is none (any more)."""
        desk, now = self._desk, now_ms()
        async with desk.db.reading() as tx:
            found = await rows.by_digest(tx, digest(token), now)
        if found is None:
            return None
        row, user = found
        if now - row.used_at >= self._terms.noted_after:
            until = min(now + self._terms.idle, row.created_at + self._terms.longest)
            async with desk.db.writing() as tx:
                await rows.touch(tx, row.id, used_at=now, expires_at=max(until, row.expires_at))
        return _view(row), user


async def list_sessions(desk: Desk, user_id: str, page: Page) -> Slice[SessionView]:
    """A page of a user's sessions, newest first."""
    async with desk.db.reading() as tx:
        found = await rows.page(tx, page, user_id, now_ms())
    return found.map(_view)


async def end_sessions(desk: Desk, name: str, *, kept: str = "", actor: Actor) -> int:
    """End all sessions of a user but the one with the id `kept`; how many. Forbidden (role), NotFound."""
    async with desk.db.writing() as tx:
        user = await user_named(tx, name)
        check_rank(actor, user.role)
        count = await rows.drop_others(tx, user.id, kept)
        if count:
            await noted(tx, actor, "sign_out", "session", "", user.name, after={"sessions": count})
    return count


async def end_session(desk: Desk, user_id: str, id: str, *, actor: Actor) -> None:
    """End a session of a user's; NotFound."""
    async with desk.db.writing() as tx:
        user = await user_rows.user_by_id(tx, user_id)
        if user is None or not await rows.drop(tx, id, user_id):
            raise NotFound("There is no such session.")
        await noted(tx, actor, "sign_out", "session", id, user.name)


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


async def _user(tx: Tx, login: str) -> UserRow | None:
    """The user by e-mail address or name."""
    found = await user_rows.user_by_email(tx, login)
    return found or await user_rows.user_by_name(tx, login)


def _view(row: SessionRow) -> SessionView:
    return SessionView(
        id=row.id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        address=row.address,
        agent=row.agent,
    )
