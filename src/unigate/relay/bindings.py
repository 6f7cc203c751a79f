"""Bindings as the relay uses them: a thing that a caller may come back to is bound before they hear the end of its reply.

A public id is the vendor's own, since bytes pass untouched. What is another user's is answered as if it were not there.
"""

from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, BadRequest
from unigate.relay.call import Call
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.store import bindings as rows
from unigate.store.database import Database


class Bindings:
    """All bindings of the database. Every method raises StoreUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, call: Call, candidate: Candidate, upstream_id: str) -> None:
        """Bind what the answer names; BadAnswer where that id is bound to something else: it would not be the caller's."""
        binding = Binding(
            kind=call.operation.binds,
            public_id=upstream_id,
            upstream_id=upstream_id,
            channel_id=candidate.route.channel.id,
            credential_id=candidate.credential.id,
            user_id=call.key.user_id,
            model=call.facts.model,
            created_at=now_ms(),
        )
        async with self._db.writing() as tx:
            kept = await rows.add(tx, binding)
        if not kept:
            raise BadAnswer(detail=f"the provider gave a {binding.kind} the id of another one")

    async def find(self, call: Call, public_id: str) -> Binding | None:
        """What the caller's user has under an id; None for nothing."""
        async with self._db.reading() as tx:
            return await rows.find(tx, call.operation.binds, public_id, call.key.user_id)

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
