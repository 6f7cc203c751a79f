"""Making tasks: one transaction writes the task, takes the money and gives the request its token; then it is sent.

A request that comes again, by its `Idempotency-Key` or as a client's own repetition, gets the task that the first one made.
Must not follow a task any further.
"""

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

import msgspec

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import (
    Conflict,
    GatewayError,
    NoChannel,
    NotFound,
    QueueFull,
    StoreUnavailable,
    UpstreamRefused,
)
from unigate.billing.bank import Taken
from unigate.billing.lease import Entry
from unigate.relay import tuned
from unigate.relay.call import Call
from unigate.relay.task_engine import Engine, binding_of, log
from unigate.relay.task_entry import TaskEntry, under_way
from unigate.relay.task_finish import Ending, Finisher, failing_as, plain
from unigate.relay.task_made import Made, new_id
from unigate.relay.task_send import Sender, Sent
from unigate.relay.task_token import token_of
from unigate.relay.task_uses import spoken_by
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.spec.caller import Key
from unigate.spec.channel import Channel
from unigate.spec.task import Draft, Failure, Json, Task, TaskState
from unigate.spec.usage import Usage
from unigate.store import idempotency, task_changes, tasks
from unigate.store.database import Tx
from unigate.store.idempotency import Token
from unigate.store.tasks import TaskRow

_encode = msgspec.json.Encoder().encode
_count = count()
Result = TypeVar("Result")
#: Where nothing was sent yet.
_UNSENT: Sequence[TaskState] = ("submitting", "waiting")
#: How often a dialect may be asked for another id.
ID_TRIES = 3
#: Seconds between two tries to take back what its caller was told is not there.
_AGAIN = 0.5
#: Seconds for which a request that comes again waits for the first.
_UNDER_WAY = 5.0
#: Seconds until a waiting task is looked at again without a reason.
WAIT_LOOK = 2.0


class Submitter:
    """Makes tasks of drafts."""

    def __init__(self, engine: Engine, sender: Sender, finisher: Finisher) -> None:
        self._engine = engine
        self._sender = sender
        self._finisher = finisher
        #: Submissions on their way: they go on when their callers leave.
        self._running: set[asyncio.Task[Any]] = set()
        #: Tasks that are being taken back.
        self._abandoned: set[str] = set()

    async def submit(self, call: Call, draft: Draft, *, base: str) -> Task:
        """See TaskFace; the caller may leave meanwhile."""
        return await self.detached(self._submit(call, draft, base))

    async def detached(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What comes of some work, which goes on if nobody waits for it any more."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def rest(self, seconds: float) -> None:
        """Wait until what is on its way has ended."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)

    def spawn(self, work: Coroutine[Any, Any, Task]) -> None:
        """Do something about a task that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(task.exception(), Exception):
            error = task.exception()
            if not isinstance(error, GatewayError):
                log.error("a submission failed", error=repr(error))

    async def _submit(self, call: Call, draft: Draft, base: str) -> Task:
        token = token_of(call)
        if token is not None and not token.renews:
            known = await self._known(token, call.key)
            if known is not None:
                return known
        made = await self._make(call, draft, base, token)
        await self._refuse_if_full(draft, made)
        for _ in range(ID_TRIES):
            try:
                made = await self._enter(call, made)
                break
            except Taken:
                if token is not None and (known := await self._known(token, call.key)) is not None:
                    return known
                made = replace(
                    made, row=replace(made.row, task=replace(made.row.task, id=new_id(call, self._engine.svc, draft)))
                )
        else:
            raise StoreUnavailable(retry_after=1, detail="no free id was found for a task")
        return await self._send(made, draft)

    async def _known(self, token: Token, key: Key) -> Task | None:
        """The task that this request made before; Conflict where its token belongs to another request.

        One that is on its way may come to nothing, and then its request made none: it is waited for a little.
        """
        known = await self._holder(token, key)
        if known is not None and under_way(known):
            await self._engine.changes.wait(known.task.id, beyond=known.task.version, seconds=_UNDER_WAY)
            known = await self._holder(token, key)
        if known is None:
            return None
        if known.task.id in self._abandoned:
            raise StoreUnavailable(retry_after=1, detail="the task of this request is being taken back")
        return known.task

    async def _holder(self, token: Token, key: Key) -> TaskRow | None:
        async with self._engine.db.reading() as tx:
            found = await idempotency.find(tx, token, now=now_ms())
            if found is None:
                return None
            row = await tasks.find(tx, found[0])
        if found[1] != token.digest:
            raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
        if row is None:
            raise Conflict("The task of this Idempotency-Key has been deleted.", code="idempotency_key_reused")
        if not key.user_view and row.task.key_id != key.id:
            raise Conflict("This Idempotency-Key was used with another key.", code="idempotency_key_reused")
        return row

    async def _make(self, call: Call, draft: Draft, base: str, token: Token | None) -> Made:
        """Everything that can be known before anything is written."""
        engine, svc, key = self._engine, self._engine.svc, call.key
        now = call.at
        place, parent = await self._place(call, draft)
        group, operation = key.group.name, call.operation
        svc.keys.check(key, draft.model, call.x.client, call.at, operation)
        candidates = self._candidates(call, draft, place)
        quote = svc.prices.quote(draft.operation, draft.model, key.group, now, call.discount)
        amount, _ = quote.cost(Usage(dict(draft.units)), draft.conditions)
        first = candidates[0] if candidates else None
        at_once = first is not None and not first.route.channel.concurrency
        api = self._engine.api_of(first.route.channel, operation.name) if first is not None else None
        row = TaskRow(
            task=Task(
                id=draft.task_id or ids.new("task"),
                called=operation.name,
                operation=draft.operation,
                dialect=operation.dialect,
                user_id=key.user_id,
                key_id=key.id,
                model=plain(draft.model),
                state="submitting" if at_once else "waiting",
                input=draft.input,
                conditions=draft.conditions,
                parent_id=draft.parent_id,
                channel_id=first.route.channel.id if at_once and first else place.channel_id if place else "",
                credential_id=first.credential.id if at_once and first else place.credential_id if place else "",
                held=amount,
                notify=draft.notify,
                base=base,
                request_id=call.id,
                created_at=now,
                submitted_at=now if at_once else 0,
                deadline_at=now + int((draft.deadline or (api.deadline if api else 3600.0)) * 1000),
                version=1,
            ),
            number=now * 1000 + next(_count) % 1000,
            group_name=group,
            units=draft.units,
            upstream_model=first.route.model if at_once and first else "",
            body=_encode(draft.body) if not at_once or (api is not None and api.recover is not None) else b"",
            secret=secrets.token_urlsafe(18),
            hold_id=ids.new("hld") if quote.rows else "",
            quote={**quote.frozen(), "day": 0, **failing_as(call.failed_id, call.id)},
            attempts="",
            owner=engine.owner,
        )
        return Made(
            row=row,
            candidates=candidates,
            parent=parent,
            token=token,
            room=self._room(
                [candidate.route.channel for candidate in candidates] or svc.router.busy(draft.model, group, operation)
            ),
            pinned=place is not None,
            shows_full=hasattr(spoken_by(call), "shown_id"),
        )

    def _candidates(self, call: Call, draft: Draft, place: Binding | None) -> list[Candidate]:
        """Where it may go, best first; none where it has to wait for a place."""
        router, group, operation = self._engine.svc.router, call.key.group.name, call.operation
        try:
            if place is not None:
                return tuned.candidates(call, self._engine.svc, place, draft.model)
            return router.routes(draft.model, group, operation)
        except NoChannel:
            if not router.busy(draft.model, group, operation):
                raise
        return []  # a draft that may not wait is refused as one too many

    async def _place(self, call: Call, draft: Draft) -> tuple[Binding | None, Json | None]:
        """The one channel that a draft may go to, where there is such, and the handle of what it goes on from."""
        if not draft.parent_id:
            return draft.pinned, None
        async with self._engine.db.reading() as tx:
            row = await tasks.find(tx, draft.parent_id)
        if row is None or row.task.user_id != call.key.user_id:
            raise NotFound(f"There is no task '{draft.parent_id}'.")
        if not row.task.channel_id:
            raise Conflict("The task that this one goes on from was never sent.")
        return binding_of(row.task), row.task.handle

    def _room(self, channels: Sequence[Channel]) -> int:
        """How many tasks may wait for a place at these channels."""
        told = [channel.options.get("queue") for channel in channels]
        rooms = [one for one in told if type(one) is int and one >= 0]
        return max(rooms) if rooms else self._engine.svc.settings.tasks.wait_queue

    async def _refuse_if_full(self, draft: Draft, made: Made) -> None:
        """QueueFull, before anything is written, where no channel has a place and nobody more may wait."""
        task = made.row.task
        if task.state != "waiting":
            return
        async with self._engine.db.reading() as tx:
            for candidate in made.candidates:
                channel = candidate.route.channel
                if not channel.concurrency or await task_changes.has_place(
                    tx, made.row, channel.id, channel.concurrency
                ):
                    return
            ahead = await tasks.ahead(tx, made.row)
        if draft.may_wait and ahead < made.room:
            return
        if not draft.task_id:
            raise QueueFull(retry_after=WAIT_LOOK)
        error = Failure(code="queue_full", message="The queue is full.")
        now = now_ms()
        failed = replace(task, state="failed", error=error, held=0, finished_at=now)
        row = replace(made.row, task=failed, hold_id="", body=b"", owner="")

        async def keep(tx: Tx) -> bool:
            added = await tasks.add(tx, row)
            if added and made.shows_full:
                await self._engine.notices.add(tx, [(task, failed)])
            return added

        kept = await self._engine.book.write(keep, order=task.id)
        self._engine.notices.added()
        raise QueueFull(task_id=task.id if kept else "", retry_after=WAIT_LOOK)

    async def _enter(self, call: Call, made: Made) -> Made:
        """Write the task and take its money. Raises Taken, NoFunds, StoreUnavailable."""
        made, entry = self._entry(made)
        await self._enter_with(call, entry, made, made.row.task.held)
        return made

    def _entry(self, made: Made, *, behind: bool = False) -> tuple[Made, TaskEntry]:
        """A task as it is written now, and what is written of it; `behind`: another one is sent before it."""
        engine, row, settings = self._engine, made.row, self._engine.svc.settings
        now = now_ms()
        until = engine.lease_until(now, sending=True)
        if behind:  # for as long as all tries of that one may take
            tries = settings.relay.attempts * settings.tasks.send_seconds + settings.relay.backoff_seconds
            until += int(tries * 1000)
        # From here on others count for how long it may be on its way: its body may have taken long to come.
        task = replace(row.task, submitted_at=now if row.task.submitted_at else 0)
        quote = {**row.quote, "day": engine.svc.bank.today}
        row = replace(row, task=task, due_at=until, lease_until=until, quote=quote)
        ends_at = now + settings.tasks.idempotency_hours * 3_600_000
        entry = TaskEntry(row, made.token, now, ends_at, lambda: self.spawn(self._abandon(row)))
        return replace(made, row=row), entry

    async def _enter_with(self, call: Call, entry: Entry, made: Made, amount: int) -> None:
        """Write an entry and take its money, under the hold and as of the day of a task."""
        engine, row = self._engine, made.row
        engine.failpoint("task.before_enter")
        await engine.svc.bank.enter(call.key, amount, entry, row.hold_id, day=int(str(row.quote["day"])))
        engine.failpoint("task.after_enter")

    async def _send(self, made: Made, draft: Draft, *, known: bool = False) -> Task:
        """Send it, or let it wait; `known`: its caller has its id whatever comes of it."""
        row, states = made.row, _UNSENT
        try:
            sent = await self._sender.send(row, draft.body, made.candidates, made.parent, fresh=True)
            if sent.outcome == "full" and draft.may_wait:
                states = ("waiting",)  # where nobody knows whether it waits, others may be sending it
                if await self._wait(made):
                    self._engine.claims.poke()
                    return replace(row.task, state="waiting")
                states = _UNSENT
            if sent.outcome in {"full", "refused"}:
                error = sent.error or QueueFull(task_id=row.task.id, retry_after=WAIT_LOOK)
                unseen = not known and not (made.shows_full and isinstance(error, QueueFull) and error.task_id)
                await self._fail(row, error, sent, known=known, unseen=unseen)
                raise error
        except StoreUnavailable:
            self.spawn(self._abandon(row, states, known=known))
            raise
        return await self._as_it_is(row) if sent.outcome == "lost" else sent.task

    async def _as_it_is(self, row: TaskRow) -> Task:
        """A task that somebody else looks after by now."""
        async with self._engine.db.reading() as tx:
            found = await tasks.find(tx, row.task.id)
        return row.task if found is None else found.task

    async def _wait(self, made: Made) -> bool:
        """Let it wait for a place; False where too many wait before it."""
        engine, row = self._engine, made.row
        channel = row.task.channel_id if made.pinned else ""
        credential = row.task.credential_id if made.pinned else ""

        async def wait(tx: Tx) -> bool:
            if await tasks.ahead(tx, row) >= made.room:
                return False
            due = now_ms() + int(WAIT_LOOK * 1000 * engine.svc.settings.tasks.poll_scale)
            return await task_changes.wait(
                tx, row.task.id, engine.owner, channel=channel, credential=credential, due=due
            )

        return await engine.book.write(wait, order=row.task.id)

    async def _fail(
        self,
        row: TaskRow,
        error: GatewayError,
        sent: Sent,
        *,
        known: bool = False,
        unseen: bool = True,
        states: Sequence[TaskState] = _UNSENT,
    ) -> None:
        """It came to nothing: the money goes back, and the same request may be made again."""
        status = error.upstream_status if isinstance(error, UpstreamRefused) else error.status
        await self._finisher.finish(
            Ending(
                row=row,
                state="failed",
                error=Failure(code=error.code, message=error.message),
                states=states,
                forgotten=not known,
                unseen=unseen,
                attempts=sent.attempts,
                status=status,
            )
        )

    async def _abandon(self, row: TaskRow, states: Sequence[TaskState] = _UNSENT, *, known: bool = False) -> Task:
        """Its caller was refused although it stands written; nothing of it was sent in these states."""
        error = StoreUnavailable()
        self._abandoned.add(row.task.id)
        try:
            while now_ms() < row.lease_until:  # as long as nobody else looks after it
                try:
                    await self._fail(
                        row, error, Sent("refused", row.task), known=known, unseen=not known, states=states
                    )
                    return row.task
                except StoreUnavailable:
                    await asyncio.sleep(_AGAIN)
        finally:
            self._abandoned.discard(row.task.id)
        log.warning("a task that was never sent is left to its lease", task=row.task.id)
        return row.task
