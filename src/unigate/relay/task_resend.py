"""Tasks that no provider is known to have: those that wait for a place, and those whose sender was never heard of again.

What was never sent is sent when there is a place. What may have been sent is sent again only on the provider's word that it
has no such order; where it can't be asked, the task ends as `unknown`, refunded, and the operator is told.
"""

from typing import Any

import msgspec
import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError, NoChannel, TooMany, UpstreamError
from unigate.relay.task_engine import Engine, binding_of
from unigate.relay.task_finish import Ending, Finisher
from unigate.relay.task_send import Sender, Sent, tries_of
from unigate.relay.task_submit import WAIT_LOOK
from unigate.relay.task_wire import ask, unreadable
from unigate.routing.choice import Candidate
from unigate.spec.channel import Channel
from unigate.spec.provider import Credential
from unigate.spec.task import Accepted, Failure, Json, Message, Order, TaskApi
from unigate.store import task_changes, tasks
from unigate.store.tasks import TaskRow
from unigate.tasks.pace import after_failure

log: Any = structlog.get_logger("unigate.tasks")
_decode = msgspec.json.decode
#: Seconds until a task is tried again that no channel could take.
_NO_CHANNEL = 5.0


class Resender:
    """Looks after tasks that are `waiting` or `submitting` and were claimed by this process."""

    def __init__(self, engine: Engine, sender: Sender, finisher: Finisher) -> None:
        self._engine = engine
        self._sender = sender
        self._finisher = finisher

    async def waiting(self, row: TaskRow) -> None:
        """Send it if there is a place."""
        if now_ms() >= row.task.deadline_at:
            await self._fail(row, Failure(code="task_timeout", message="The task waited too long for a place."))
            return
        await self._send(row)

    async def submitting(self, row: TaskRow) -> None:
        """Its sender is gone, or had no answer: find out what came of it."""
        engine = self._engine
        if row.task.handle:  # it was to go on: its provider tells how it stands
            now, id = now_ms(), row.task.id
            await engine.book.write(
                lambda tx: task_changes.put_back(tx, id, engine.owner, "running", due=now), order=id
            )
            return
        place = engine.place_of(row)
        api = engine.api_of(place[0], row.task.called) if place is not None else None
        patience = engine.lease_until(row.task.submitted_at, sending=True)
        asked = await self._question(row, place[0], api) if place is not None and api is not None else None
        if place is None or api is None or asked is None:
            if now_ms() >= patience:
                await self._unknown(row)
            else:
                await self._look_again(row, patience)
            return
        try:
            accepted = await self._recovered(api, *place, *asked)
        except UpstreamError as failure:
            log.warning("a submission could not be asked after", task=row.task.id, detail=failure.detail)
            if now_ms() >= row.task.deadline_at:
                await self._unknown(row)
                return
            seconds = after_failure(api.pace, row.errors, engine.svc.settings.tasks.poll_scale)
            await self._look_again(row, min(now_ms() + int(seconds * 1000), row.task.deadline_at))
            return
        if accepted is not None:
            await self._sender.took(row, place[0], place[1].id, accepted, ())
        elif now_ms() < patience:  # it may still be on its way
            seconds = after_failure(api.pace, row.errors, engine.svc.settings.tasks.poll_scale)
            await self._look_again(row, min(now_ms() + int(seconds * 1000), patience))
        elif row.body and len(tries_of(row)) < engine.svc.settings.relay.attempts:
            await self._send(row)
        else:
            await self._fail(row, Failure(code="task_not_taken", message="The provider did not take the task."))

    async def _question(self, row: TaskRow, channel: Channel, api: TaskApi) -> tuple[Order, Message] | None:
        """The order, and what asks its provider for it; None where that can't be asked."""
        if api.recover is None or api.recovered is None:
            return None
        body = _decode(row.body) if row.body else {}
        order = self._sender.order(row, body, row.upstream_model, channel, await self._parent(row))
        message = api.recover(order, channel.options)
        return (order, message) if message is not None else None

    async def _recovered(
        self, api: TaskApi, channel: Channel, credential: Credential, order: Order, message: Message
    ) -> Accepted | None:
        assert api.recovered is not None
        seconds = self._engine.svc.settings.tasks.lease_seconds * 0.6
        answered = await ask(self._engine.svc, channel, credential, message, seconds=seconds)
        try:
            return api.recovered(order, answered)
        except UpstreamError:
            raise
        except Exception as error:
            log.exception("a provider's answer could not be read", task=order.task_id)
            raise unreadable(error) from None

    async def _send(self, row: TaskRow) -> None:
        """Send it; what can't be sent for good ends."""
        engine = self._engine
        try:
            candidates = self._candidates(row)
        except (NoChannel, TooMany) as error:
            await self._wait(row, error.retry_after or _NO_CHANNEL)
            return
        except (GatewayError, LookupError) as error:
            log.warning("a task that waited can't be sent", task=row.task.id, error=repr(error))
            await self._fail(row, Failure(code="no_channel_available", message="No channel is left for this task."))
            return
        body: Json = _decode(row.body) if row.body else {}
        parent = await self._parent(row)
        if row.task.parent_id and parent is None:  # it would be made as if it went on from nothing
            deleted = Failure(code="task_parent_deleted", message="The task that this one goes on from was deleted.")
            await self._fail(row, deleted)
            return
        sent = await self._sender.send(row, body, candidates, parent)
        if sent.outcome == "full":
            await self._wait(row, WAIT_LOOK)
        elif sent.outcome == "refused":
            refusal = sent.error or NoChannel()
            await self._fail(row, Failure(code=refusal.code, message=refusal.message), sent)
        elif sent.outcome == "taken":
            health = engine.svc.router.health.get(sent.task.channel_id)
            if health is not None and health.channel.concurrency:
                await self._finisher.free_place(health.channel)  # there may be another place

    def _candidates(self, row: TaskRow) -> list[Candidate]:
        task, router = row.task, self._engine.svc.router
        operation = self._engine.operation(task.called)
        if task.channel_id:  # it belongs there, or may be known there
            return router.pinned(binding_of(task), task.model, row.group_name, operation)
        return router.routes(task.model, row.group_name, operation)

    async def _parent(self, row: TaskRow) -> Json | None:
        if not row.task.parent_id:
            return None
        async with self._engine.db.reading() as tx:
            parent = await tasks.find(tx, row.task.parent_id)
        return parent.task.handle if parent is not None else None

    async def _wait(self, row: TaskRow, seconds: float) -> None:
        engine, task = self._engine, row.task
        due = min(now_ms() + int(seconds * 1000 * engine.svc.settings.tasks.poll_scale), task.deadline_at)
        await engine.book.write(
            lambda tx: task_changes.wait(
                tx, task.id, engine.owner, channel=task.channel_id, credential=task.credential_id, due=due
            ),
            order=task.id,
        )

    async def _look_again(self, row: TaskRow, due: int) -> None:
        engine = self._engine
        await engine.book.write(
            lambda tx: task_changes.let_go(tx, row.task.id, engine.owner, due=due, attempts=row.attempts),
            order=row.task.id,
        )

    async def _unknown(self, row: TaskRow) -> None:
        error = Failure(code="task_unknown", message="It is not known whether the provider took the task.")
        await self._finisher.finish(Ending(row=row, state="unknown", error=error, states=("submitting",)))

    async def _fail(self, row: TaskRow, error: Failure, sent: Sent | None = None) -> None:
        attempts = sent.attempts if sent is not None else None
        await self._finisher.finish(
            Ending(row=row, state="failed", error=error, states=("waiting", "submitting"), attempts=attempts)
        )
