"""Bindings as the relay uses them: a thing that a caller may come back to is bound before they hear the end of its reply.

A public id is the vendor's own, since bytes pass untouched. What is another user's is answered as if it were not there.
What comes while the database writes is written together in the next transaction, so that many calls cost few commits.
"""

import asyncio
from collections.abc import Sequence

from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, BadRequest, GatewayError
from unigate.relay.call import Call
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.store import bindings as rows
from unigate.store.database import Database
from unigate.store.pages import Page, Slice

#: Bindings in one transaction.
BATCH = 100
#: Bytes of an id: an index holds no row that is much longer, and what is written with it would be lost.
LONGEST = 1000


class Bindings:
    """All bindings of the database, for one event loop. Every method raises StoreUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        #: What waits to be written, each with whoever waits: whether it stands as it was given.
        self._waiting: list[tuple[Binding, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(
        self, call: Call, candidate: Candidate, upstream_id: str, *, public_id: str = "", kind: str = ""
    ) -> None:
        """Bind what the answer names; BadAnswer where that id is bound to something else: it would not be the caller's.

        `public_id`: by which callers know it, where that is another; `kind`: where it is not the operation's.
        """
        binding = Binding(
            kind=kind or call.operation.binds,
            public_id=public_id or upstream_id,
            upstream_id=upstream_id,
            channel_id=candidate.route.channel.id,
            credential_id=candidate.credential.id,
            user_id=call.key.user_id,
            model=call.facts.model,
            created_at=now_ms(),
        )
        if "\0" in binding.public_id or not 0 < len(binding.public_id.encode("utf-8", "replace")) <= LONGEST:
            raise BadAnswer(detail=f"the provider gave a {binding.kind} an id that cannot be one")
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((binding, kept))
        if self._writing is None:
            self._writing = loop.create_task(self._write())
        if not await kept:
            raise BadAnswer(detail=f"the provider gave a {binding.kind} the id of another one")

    async def find(self, call: Call, public_id: str) -> Binding | None:
        """What the caller's user has under an id; None for nothing."""
        return await self.of(call.operation.binds, public_id, call.key.user_id)

    async def of(self, kind: str, public_id: str, user_id: str) -> Binding | None:
        """A user's thing of a kind; None for nothing."""
        async with self._db.reading() as tx:
            return await rows.find(tx, kind, public_id, user_id)

    async def several(self, kind: str, public_ids: Sequence[str], user_id: str) -> list[Binding]:
        """Which of these things of a kind a user has, in any order."""
        async with self._db.reading() as tx:
            return await rows.several(tx, kind, public_ids, user_id)

    async def anybodys(self, kind: str, public_id: str) -> Binding | None:
        """A thing of a kind, whosever it is; None for nothing."""
        if "\0" in public_id:
            return None
        async with self._db.reading() as tx:
            return await rows.anybodys(tx, kind, public_id)

    async def strangers(self, kinds: Sequence[str], ids: Sequence[str], user_id: str) -> bool:
        """Whether one of these ids is another user's thing of one of these kinds."""
        async with self._db.reading() as tx:
            return await rows.strangers(tx, kinds, ids, user_id)

    async def put(self, binding: Binding) -> None:
        """Remember where a thing is known; what is bound already stays."""
        async with self._db.writing() as tx:
            await rows.add(tx, binding)

    async def page(self, kind: str, user_id: str, page: Page, *, newest_first: bool = True) -> Slice[Binding]:
        """Some of what a user has of a kind. BadRequest for a place that is not in this list."""
        async with self._db.reading() as tx:
            return await rows.page(tx, page, kind, user_id, newest_first=newest_first)

    async def previous(self, call: Call) -> Binding:
        """What the call goes on from; BadRequest where the caller's user has no such thing."""
        kind, public_id = call.operation.binds, call.facts.previous
        binding = await self.find(call, public_id)
        if binding is None:
            raise BadRequest(
                f"Previous {kind} with id '{public_id}' not found.",
                param=f"previous_{kind}_id",
                code=f"previous_{kind}_not_found",
            )
        return binding

    async def remove(self, binding: Binding) -> None:
        """The thing is gone."""
        async with self._db.writing() as tx:
            await rows.remove(tx, binding.kind, binding.public_id, binding.user_id)

    async def _write(self) -> None:
        """Write until nothing waits any more; whoever waits learns what came of it."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    async with self._db.writing() as tx:
                        stands = [await rows.add(tx, binding) for binding, _ in batch]
                except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
                    _tell(batch, error)
                else:
                    for (_, waiter), kept in zip(batch, stands, strict=True):
                        if not waiter.done():
                            waiter.set_result(kept)
        finally:
            self._writing = None


def _tell(batch: list[tuple[Binding, "asyncio.Future[bool]"]], error: Exception) -> None:
    """Each waiter gets an error of its own: one that is raised twice would carry both callers' traces."""
    for _, waiter in batch:
        if not waiter.done():
            waiter.set_exception(type(error)(detail=error.detail) if isinstance(error, GatewayError) else error)
