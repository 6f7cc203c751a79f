"""Kept prompts and answers: written for the workers, shown to who may see them, deleted when their term is over."""

from collections.abc import Sequence

from unigate.base.clock import now_ms
from unigate.base.errors import NotFound
from unigate.manage.desk import Desk
from unigate.spec.kept import Kept
from unigate.store import kept as rows
from unigate.store.database import Database

#: Rows that one transaction deletes.
_TOGETHER = 500


async def save(db: Database, kept: Sequence[Kept]) -> None:
    """Write bodies; StoreUnavailable."""
    async with db.writing() as tx:
        await rows.add(tx, kept)


async def show_kept(desk: Desk, id: str, user_id: str | None = None) -> Kept:
    """What is kept of a call, of one user's where `user_id` is given; NotFound where nothing is, or no longer."""
    async with desk.db.reading() as tx:
        found = await rows.find(tx, id)
    if found is None or found.ends_at <= now_ms() or user_id not in (None, found.user_id):
        raise NotFound(f"Nothing is kept of the call {id!r}.")
    return found


async def drop_ended(db: Database) -> int:
    """Delete what is past its term; how many calls it was. StoreUnavailable."""
    dropped = 0
    while True:
        async with db.writing() as tx:
            some = await rows.drop_ended(tx, now_ms(), _TOGETHER)
        dropped += some
        if some < _TOGETHER:
            return dropped
