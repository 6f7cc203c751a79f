"""What callers and providers ask of a task that is on its way: cancel, go on, answer a question, take a provider's word.

Money by the rules: a cancellation gives back what no provider has read, and what a provider says that it does not bill.
"""

import hmac
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import Conflict, GatewayError, NoChannel, NotFound, UpstreamError, UpstreamRefused
from unigate.relay.call import Call
from unigate.relay.task_engine import Engine, binding_of
from unigate.relay.task_finish import Ending, Finisher
from unigate.relay.task_send import Sender
from unigate.relay.task_track import Tracker
from unigate.relay.task_wire import Refused, ask, definite, message_of, unreadable
from unigate.routing.choice import Candidate
from unigate.routing.failures import final
from unigate.spec.channel import Channel
from unigate.spec.provider import Credential
from unigate.spec.task import Answered, Json, Progress, Task, TaskApi
from unigate.store import task_changes, tasks
from unigate.store.database import Tx
from unigate.store.tasks import TaskRow

log: Any = structlog.get_logger("unigate.tasks")
#: Seconds for which a cancellation or a callback waits for a submission that is under way.
_UNDER_WAY = 5.0
_NO_CANCEL = "This task cannot be canceled any more."


class Caller:
    """Serves what is asked of single tasks."""

    def __init__(self, engine: Engine, sender: Sender, finisher: Finisher, tracker: Tracker) -> None:
        self._engine = engine
        self._sender = sender
        self._finisher = finisher
        self._tracker = tracker

    async def cancel(self, task: Task) -> Task:
        """See TaskFace; one that has ended stays as it is."""
        row = await self._settled(task.id)
        state = row.task.state
        if row.task.ended:
            return row.task
        if state == "submitting":
            raise Conflict("This task is being submitted and cannot be canceled yet.", code="task_not_cancelable")
        if state == "paused" and (ended := await self._stopped_there(row)) is not None:
            return ended
        if state in {"waiting", "paused"}:
            ended = await self._finisher.finish(Ending(row=row, state="canceled", states=(state,)))
            if ended is not None:
                return ended
            row = await self._settled(task.id)
            if row.task.state != "running":
                return row.task
        return await self._cancel_there(row)

    async def resume(self, task: Task, body: Json) -> Task:
        """See TaskFace: what its provider refuses leaves the task paused."""
        engine = self._engine
        now = now_ms()
        until = engine.lease_until(now, sending=True)

        async def take(tx: Tx) -> TaskRow | None:
            if not await task_changes.take(tx, task.id, "paused", "submitting", engine.owner, now=now, until=until):
                return None
            return await tasks.find(tx, task.id)

        row = await engine.book.write(take, order=task.id)
        if row is None:
            raise Conflict("This task is not paused.", code="task_not_paused")
        try:
            candidate = engine.svc.router.bound(binding_of(row.task))
        except GatewayError:
            await self._stay_paused(row)
            raise
        try:
            if not candidate.take():
                raise NoChannel(retry_after=1.0)
            accepted = await self._sender.go_on(row, body, candidate)
        except UpstreamError as failure:
            told = failure.refusal if isinstance(failure, Refused) else failure
            if definite(failure) or isinstance(failure, Refused):
                await self._stay_paused(row)
                raise self._judged(candidate, told) from failure
            engine.svc.router.failed(candidate, told, delivered=True)
            return row.task  # it is asked after once the lease ends
        except GatewayError:
            await self._stay_paused(row)
            raise
        finally:
            candidate.done()
        return (await self._sender.took(row, candidate.route.channel, candidate.credential.id, accepted, ())).task

    async def _stay_paused(self, row: TaskRow) -> None:
        engine, task = self._engine, row.task
        await engine.book.write(
            lambda tx: task_changes.put_back(tx, task.id, engine.owner, "paused", due=task.deadline_at), order=task.id
        )

    async def ask(self, call: Call, task: Task, question: str) -> Answered:
        """See TaskFace."""
        channel, credential, api = self._known(task)
        asked = api.asks.get(question)
        if asked is None:
            raise NotFound(f"The provider of this task does not answer {call.operation.path}.")
        candidate = self._engine.svc.router.bound(binding_of(task))
        if not candidate.take():
            raise NoChannel(retry_after=1.0)
        try:
            return await ask(
                self._engine.svc,
                channel,
                credential,
                message_of(lambda: asked(task.handle, channel.options)),
                seconds=self._engine.svc.settings.tasks.send_seconds,
            )
        except UpstreamError as failure:
            raise self._judged(candidate, failure) from failure
        finally:
            candidate.done()

    async def called_back(self, task_id: str, secret: str, told: Answered) -> bool:
        """See TaskFace. Where the provider can be asked, its word is only a reason to ask."""
        engine = self._engine
        async with engine.db.reading() as tx:
            row = await tasks.find(tx, task_id)
        if row is None or not hmac.compare_digest(row.secret.encode(), secret.encode()):
            return False
        if row.task.state == "submitting":
            row = await self._settled(task_id)
        if row.task.state not in {"running", "paused"}:
            return True
        place = engine.place_of(row)
        api = engine.api_of(place[0], row.task.called) if place is not None else None
        if api is not None and api.poll is None and api.poll_many is None and api.called_back is not None:
            await self._take_word(row, api, told)
            return True
        await engine.book.write(lambda tx: task_changes.due_now(tx, task_id, now=now_ms()), order=task_id)
        engine.claims.poke()
        return True

    async def _settled(self, task_id: str) -> TaskRow:
        """A task's row, after a little patience with a submission that is under way."""
        engine = self._engine
        row = await self._row(task_id)
        if row.task.state == "submitting":
            await engine.changes.wait(task_id, beyond=row.task.version, seconds=_UNDER_WAY)
            row = await self._row(task_id)
        return row

    async def _row(self, task_id: str) -> TaskRow:
        async with self._engine.db.reading() as tx:
            row = await tasks.find(tx, task_id)
        if row is None:
            raise NotFound(f"There is no task '{task_id}'.")
        return row

    def _known(self, task: Task) -> tuple[Channel, Credential, TaskApi]:
        """Who knows a task; NoChannel where that is gone, Conflict for one that was never sent."""
        if not task.handle:
            raise Conflict("No provider knows this task yet.")
        health = self._engine.svc.router.health.get(task.channel_id)
        api = health.channel.provider.tasks.get(task.called) if health is not None else None
        if health is None or api is None:
            raise NoChannel(detail="the channel that knows a task is gone")
        return health.channel, self._engine.svc.router.bound(binding_of(task)).credential, api

    async def _cancel_there(self, row: TaskRow) -> Task:
        """Ask the provider to stop, and believe what it says of the bill."""
        engine, task = self._engine, row.task
        channel, credential, api = self._known(task)
        if api.cancel is None:
            raise Conflict(_NO_CANCEL, code="task_not_cancelable")
        stop, seconds = api.cancel, engine.svc.settings.tasks.lease_seconds
        try:
            message = message_of(lambda: stop(task.handle, channel.options))
            answered = await ask(engine.svc, channel, credential, message, seconds=seconds)
            said = _canceled(api, task, answered)
        except UpstreamRefused as refused:
            if 400 <= refused.upstream_status < 500 and refused.upstream_status != 429:
                await self._ask_soon(task.id)
                raise Conflict(_NO_CANCEL, code="task_not_cancelable") from refused
            raise final([refused]) from refused
        except UpstreamError as failure:
            await self._ask_soon(task.id)
            raise final([failure]) from failure
        if said is None or said.state in {"queued", "running", "paused"}:
            await self._ask_soon(task.id)
            return (await self._row(task.id)).task
        if said.state == "canceled":
            ending = Ending(row=row, state="canceled", progress=said, charged=said.billed)
            ended = await self._finisher.finish(ending)
        else:
            await self._tracker.told(row, said)
            ended = None
        return ended or (await self._row(task.id)).task

    async def _stopped_there(self, row: TaskRow) -> Task | None:
        """Have the provider of a paused task stop it too; None where it did not: for us it ends all the same."""
        try:
            task = await self._cancel_there(row)
        except GatewayError as error:
            log.info("a paused task was not stopped at its provider", task=row.task.id, detail=error.detail)
            return None
        return task if task.ended else None

    async def _ask_soon(self, task_id: str) -> None:
        await self._engine.book.write(lambda tx: task_changes.due_now(tx, task_id, now=now_ms()), order=task_id)
        self._engine.claims.poke()

    async def _take_word(self, row: TaskRow, api: TaskApi, told: Answered) -> None:
        """A provider that can't be asked says how a task stands."""
        assert api.called_back is not None
        try:
            progress = api.called_back(row.task.handle, told)
        except UpstreamError as error:
            log.warning("a callback could not be read", task=row.task.id, detail=error.detail)
            return
        except Exception:
            log.exception("a callback could not be read", task=row.task.id)
            return
        engine = self._engine
        now = now_ms()
        until = engine.lease_until(now, sending=False)
        task = row.task

        async def take(tx: Tx) -> TaskRow | None:
            if not await task_changes.take(tx, task.id, task.state, task.state, engine.owner, now=now, until=until):
                return None
            return await tasks.find(tx, task.id)

        mine = await engine.book.write(take, order=task.id)
        if mine is not None or progress.state in {"succeeded", "failed", "canceled"}:
            await self._tracker.told(mine or row, progress)

    def _judged(self, candidate: Candidate, failure: UpstreamError) -> Exception:
        """What a caller is told of a failure."""
        verdict = self._engine.svc.router.failed(candidate, failure)
        return failure if verdict.passes_through else final([failure])


def _canceled(api: TaskApi, task: Task, answered: Answered) -> Progress | None:
    """What the answer to a cancellation says; None where it says nothing."""
    if api.canceled is None:
        return None
    try:
        return api.canceled(task.handle, answered)
    except UpstreamError:
        raise
    except Exception as error:
        log.exception("a provider's answer could not be read", task=task.id)
        raise unreadable(error) from None
