"""Batches as callers meet them: made of a file of requests, found, listed, cancelled. They are worked on in `batch_house.py`.

A batch belongs to a user, whichever key made it; its lines are called by that key.
"""

from collections.abc import Callable
from dataclasses import replace

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadRequest, TooMany
from unigate.base.live_settings import BatchSettings
from unigate.dialects import openai_batches
from unigate.relay.call import Call
from unigate.relay.own_files import OwnFiles
from unigate.spec.batch import NewBatch
from unigate.store import batches as rows
from unigate.store.batches import BatchRow
from unigate.store.database import Database
from unigate.store.pages import Page


class Batches:
    """The batches of users. Every method raises StoreUnavailable."""

    def __init__(self, db: Database, files: OwnFiles, settings: Callable[[], BatchSettings]) -> None:
        self._db = db
        self._files = files
        self._settings = settings
        #: Told where something is to be done about a batch.
        self.on_change: Callable[[], None] = lambda: None

    async def create(self, call: Call, new: NewBatch, base: str) -> BatchRow:
        """Write a batch down. NotFound for a file that is not the user's, BadRequest for one that is not for batches, TooMany."""
        key, settings = call.key, self._settings()
        file = await self._files.find(new.input_file_id, key.user_id)
        if file is None:
            raise openai_batches.no_file(new.input_file_id)
        if file.purpose != "batch":
            raise openai_batches.wrong_purpose(file.id, file.purpose)
        now = now_ms()
        row = BatchRow(
            id=ids.new("batch"),
            user_id=key.user_id,
            key_id=key.id,
            client=call.x.client,
            base=base,
            endpoint=new.endpoint,
            input_file_id=file.id,
            completion_window=new.completion_window,
            metadata=new.metadata,
            lasts=new.lasts,
            discount=settings.discount_of(key.group.name),
            created_at=now,
            expires_at=now + int(settings.window_seconds * 1000),
            due_at=now,
        )
        async with self._db.writing() as tx:
            if await rows.open_of(tx, key.user_id) >= settings.open:
                raise TooMany(f"You may have {settings.open} batches that have not ended.", code="too_many_batches")
            await rows.add(tx, row)
        self.on_change()
        return row

    async def find(self, batch_id: str, user_id: str) -> BatchRow | None:
        """A user's batch; None where there is none, or it is another's."""
        if not openai_batches.is_id(batch_id):
            return None
        async with self._db.reading() as tx:
            return await rows.find(tx, batch_id, user_id=user_id)

    async def page(self, user_id: str, limit: int, after: str) -> tuple[list[BatchRow], bool]:
        """Some of a user's batches, newest first, and whether there are more. BadRequest where it begins behind none of theirs."""
        place = None
        if after:
            last = await self.find(after, user_id)
            if last is None:
                raise BadRequest("'after' names no batch of yours.", param="after")
            place = (last.created_at, last.id)
        async with self._db.reading() as tx:
            found = await rows.page(tx, Page(limit=limit, after=place), user_id)
        return found.rows, found.next is not None

    async def cancel(self, row: BatchRow) -> BatchRow:
        """End a batch early: lines under way are answered, others are not begun. Conflict where it is too late."""
        now = now_ms()
        async with self._db.writing() as tx:
            done = await rows.cancel(tx, row.id, now=now)
            seen = await rows.find(tx, row.id)
        seen = seen or replace(row, state="cancelled")
        if not done and seen.state not in ("cancelling", "cancelled"):
            raise openai_batches.not_cancelled(seen)
        self.on_change()
        return seen
