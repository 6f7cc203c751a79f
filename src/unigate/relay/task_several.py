"""Several tasks of one request: written and paid for in one transaction before any of them is sent; each ends by itself.

Each is a task like any other, with a hold, a price and an end of its own, so that what was made is charged and what failed is
not. The request's token belongs to the first; the others are named after it, so that whoever finds it finds all. Must not
know what they make.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError, StoreUnavailable
from unigate.billing.bank import Taken
from unigate.relay.call import Call
from unigate.relay.task_entry import TaskEntry
from unigate.relay.task_finish import failing_as
from unigate.relay.task_made import Made, new_id
from unigate.relay.task_send import Sent
from unigate.relay.task_submit import ID_TRIES, Submitter
from unigate.relay.task_token import token_of
from unigate.spec.caller import Key
from unigate.spec.task import Draft, Failure, Task
from unigate.store import tasks
from unigate.store.database import Tx
from unigate.store.idempotency import Token

#: Tasks of one request at most.
MOST = 16


class SeveralSubmitter(Submitter):
    """Makes tasks of drafts, of several at a time too."""

    async def submit_several(self, call: Call, drafts: Sequence[Draft], *, base: str) -> list[Task]:
        """See TaskFace; the caller may leave meanwhile."""
        if not 1 <= len(drafts) <= MOST:
            raise ValueError(f"{len(drafts)} tasks of one request")
        return await self.detached(self._submit_several(call, drafts, base))

    async def _submit(self, call: Call, draft: Draft, base: str) -> Task:
        """The first of the tasks that a draft names: its dialect knows the others by it."""
        if not draft.also:
            return await super()._submit(call, draft, base)
        return (await self._submit_several(call, (draft, *draft.also), base, tries=1))[0]

    async def _submit_several(
        self, call: Call, drafts: Sequence[Draft], base: str, *, tries: int = ID_TRIES
    ) -> list[Task]:
        """`tries`: with so many sets of ids; one where the drafts name each other."""
        token = token_of(call)
        if token is not None and not token.renews and (known := await self._all_of(token, call.key)):
            return known
        every = await self._make_all(call, drafts, base, token)
        await self._refuse_if_full(drafts[0], every[0])
        for left in reversed(range(tries)):
            try:
                every = await self._enter_all(call, every)
                break
            except Taken:
                if token is not None and (known := await self._all_of(token, call.key)):
                    return known
            if not left:
                raise StoreUnavailable(retry_after=1, detail="no free ids were found for several tasks")
            every = _named([draft.task_id and new_id(call, self._engine.svc, draft) for draft in drafts], every)
        try:
            first = await self._send(every[0], drafts[0])
        except GatewayError as error:
            await asyncio.gather(*(self._take_back(made, error) for made in every[1:]))
            raise
        others = zip(every[1:], drafts[1:], strict=True)
        return [first, *await asyncio.gather(*(self._send_other(made, draft) for made, draft in others))]

    async def _make_all(self, call: Call, drafts: Sequence[Draft], base: str, token: Token | None) -> list[Made]:
        """All tasks as they are to be written."""
        every = []
        for place, draft in enumerate(drafts):
            made = await self._make(call, draft, base, token if place == 0 else None)
            part = f"-{place + 1}" if place else ""
            task = replace(made.row.task, request_id=call.id + part)
            quote = {**made.row.quote, **failing_as(call.failed_id + part, task.request_id)}
            every.append(replace(made, row=replace(made.row, task=task, quote=quote)))
        return _named([draft.task_id for draft in drafts], every)

    async def _enter_all(self, call: Call, every: Sequence[Made]) -> list[Made]:
        """Write them all, with the money of each, or none. Raises Taken, NoFunds, StoreUnavailable."""
        ready, entries = zip(*(self._entry(made, behind=place > 0) for place, made in enumerate(every)), strict=True)
        entry = _Entries(entries, lambda: [one.orphaned() for one in entries])
        paid = next((made for made in ready if made.row.hold_id), ready[0])
        await self._enter_with(call, entry, paid, sum(made.row.task.held for made in ready))
        return list(ready)

    async def _take_back(self, made: Made, error: GatewayError, *, known: bool = False) -> None:
        """Nothing of it was sent, and nothing will be: its money goes back before the caller hears of it."""
        try:
            await self._fail(made.row, error, Sent("refused", made.row.task), known=known, unseen=not known)
        except StoreUnavailable:
            self.spawn(self._abandon(made.row, known=known))

    async def _send_other(self, made: Made, draft: Draft) -> Task:
        """One that is not the first: its caller gets it, though nobody takes it.

        It is not sent where its lease may end before its provider has answered: others would take it for left behind.
        """
        left = made.row.lease_until - now_ms()
        try:
            if left <= 0:
                return await self._as_it_is(made.row)
            if left <= self._engine.svc.settings.tasks.send_seconds * 1000:
                late = StoreUnavailable(detail="the first of several tasks took too long")
                await self._take_back(made, late, known=True)
                raise late
            return await self._send(made, draft, known=True)
        except GatewayError as error:
            failure = Failure(code=error.code, message=error.message)
            return replace(made.row.task, state="failed", error=failure, held=0, finished_at=now_ms())

    async def _all_of(self, token: Token, key: Key) -> list[Task]:
        """The tasks that this request made before; Conflict where its token belongs to another request."""
        first = await self._known(token, key)
        if first is None:
            return []
        names = [f"{first.id}-{place}" for place in range(2, MOST + 1)]
        async with self._engine.db.reading() as tx:
            rows = await tasks.find_several(tx, names)
        found = {row.task.id: row.task for row in rows if row.task.user_id == first.user_id}
        return [first, *(found[name] for name in names if name in found)]


class _Entries:
    """The rows of several tasks, and the token of their request, as billing writes them beside the holds."""

    def __init__(self, entries: Sequence[TaskEntry], orphaned: Callable[[], object]) -> None:
        self._entries = entries
        self._orphaned = orphaned
        self.parts = [(one.row.hold_id, one.row.task.held) for one in entries if one.row.hold_id]

    async def enter(self, tx: Tx) -> bool:
        """See Entry."""
        if await tasks.find_several(tx, [one.row.task.id for one in self._entries[1:]]):
            return False
        if not await self._entries[0].enter(tx):
            return False
        for one in self._entries[1:]:
            if not await one.enter(tx):
                raise RuntimeError("an id was taken while its transaction ran")
        return True

    async def entered(self, tx: Tx) -> bool:
        """See Entry."""
        return await self._entries[0].entered(tx)

    async def taken(self, tx: Tx) -> bool:
        """See Entry."""
        return await self._entries[0].taken(tx)

    def orphaned(self) -> None:
        """See Entry."""
        self._orphaned()


def _named(names: Sequence[str], every: Sequence[Made]) -> list[Made]:
    """Tasks with these ids; where there is none, one of ours, and the others' after the first one's."""
    first = names[0] or ids.new("task")
    told = [name or (f"{first}-{place + 1}" if place else first) for place, name in enumerate(names)]
    return [
        replace(made, row=replace(made.row, task=replace(made.row.task, id=name)))
        for made, name in zip(every, told, strict=True)
    ]
