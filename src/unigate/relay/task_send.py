"""Sending a task to the first channel that takes it.

Another channel is tried only while it is certain that no provider has the task: no connection came about, or it was
refused. Once a byte was sent, everything else leaves the task `submitting`: it is found out later what came of it, and
nobody sends it again meanwhile. Must not decide what the caller is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import msgspec
import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import Conflict, GatewayError, StoreUnavailable, Unsupported, UpstreamError, UpstreamRefused
from unigate.dialects import task_writer
from unigate.relay import references, task_pictures, task_things
from unigate.relay.task_engine import Engine
from unigate.relay.task_finish import Ending, Finisher, plain
from unigate.relay.task_taken import attempt_of, known, quote, taken
from unigate.relay.task_wire import Refused, accepted_of, ask, definite, written
from unigate.routing.choice import Candidate, Verdict
from unigate.routing.failures import final
from unigate.spec.channel import Channel
from unigate.spec.record import Attempt, Note
from unigate.spec.task import Accepted, Failure, Json, Order, Progress, Task, TaskApi
from unigate.store import task_changes
from unigate.store.database import Tx
from unigate.store.tasks import TaskRow, text
from unigate.tasks.pace import interval

log: Any = structlog.get_logger("unigate.tasks")
_attempts = msgspec.json.Decoder(list[Attempt])


@dataclass(slots=True)
class Sent:
    """What came of sending a task."""

    #: `taken`: a provider has it. `full`: nothing was sent, there is no place. `unknown`: nobody knows. `refused`: no
    #: provider has it. `lost`: it is not ours to send any more.
    outcome: Literal["taken", "full", "unknown", "refused", "lost"]
    task: Task
    error: GatewayError | None = None
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(slots=True)
class _Tries:
    """What is known while a task is being sent."""

    row: TaskRow
    body: Json
    parent: Json | None
    attempts: list[Attempt]
    #: Tries that are left.
    left: int
    #: Nothing has happened since its row was made.
    fresh: bool
    #: A channel had no place.
    full: bool = False
    failures: list[UpstreamError] = field(default_factory=list)
    #: A provider has no way to say what is asked for.
    unsupported: Unsupported | None = None


class Sender:
    """Sends tasks whose rows are this process's to send."""

    def __init__(self, engine: Engine, finisher: Finisher) -> None:
        self._engine = engine
        self._finisher = finisher

    async def send(
        self, row: TaskRow, body: Json, candidates: Sequence[Candidate], parent: Json | None, *, fresh: bool = False
    ) -> Sent:
        """Send a task that is `submitting` or `waiting` to the first of the candidates that takes it.

        `fresh`: its row was made just now, with the first candidate's channel in it. Raises StoreUnavailable where what
        is to be noted before cannot be noted: nothing was sent then.
        """
        svc = self._engine.svc
        attempts = tries_of(row)
        tries = _Tries(row, body, parent, attempts, left=svc.settings.relay.attempts, fresh=fresh)
        patience = svc.settings.relay.backoff_seconds
        for candidate in candidates:
            if not tries.left or not candidate.take():
                tries.full = tries.full or bool(tries.left)
                continue
            sent, verdict = await self._try(tries, candidate)
            if sent is not None:
                return sent
            if verdict is None:
                continue
            if not verdict.try_next:
                break
            if verdict.pause and patience > 0:
                pause = min(verdict.pause, patience)
                patience -= pause
                await asyncio.sleep(pause)
        if (tries.full or not candidates) and not tries.failures:
            return Sent("full", row.task, None, attempts)
        if tries.unsupported is not None and not tries.failures:
            return Sent("refused", row.task, tries.unsupported, attempts)
        return Sent("refused", row.task, _refusal(row, tries.failures) or final(tries.failures), attempts)

    async def _try(self, tries: "_Tries", candidate: Candidate) -> tuple[Sent | None, Verdict | None]:
        """One candidate: what came of it if that is all, else what its failure means; neither where it has no place."""
        svc, row, attempts = self._engine.svc, tries.row, tries.attempts
        began = monotonic()
        try:
            entered = await self._enter(tries, candidate)
            if entered != "yes":
                candidate.done()
                tries.full = tries.full or entered == "full"
                return (Sent("lost", row.task) if entered == "lost" else None), None
            tries.left -= 1
            accepted = await self._submit(tries, candidate)
        except Unsupported as error:  # nothing was sent: another provider may be able to
            candidate.done()
            tries.left += 1
            tries.unsupported = error
            return None, None
        except UpstreamError as failure:
            unknown = not definite(failure) and not isinstance(failure, Refused)
            told = failure.refusal if isinstance(failure, Refused) else failure
            verdict = svc.router.failed(candidate, told, delivered=unknown)
            status = told.upstream_status if isinstance(told, UpstreamRefused) else 0
            svc.metrics.failed(candidate.route.channel.name, str(status or told.code))
            attempts.append(attempt_of(candidate, status, told.code, began))
            if unknown:
                return await self._unknown(row, candidate, told, attempts), None
            if verdict.passes_through:
                return Sent("refused", row.task, told, attempts), None
            tries.failures.append(told)
            return None, verdict
        except BaseException as error:
            candidate.done()
            if isinstance(error, _Lost):
                return Sent("lost", row.task), None
            raise
        candidate.done()
        svc.router.worked(candidate, monotonic() - began)
        return await self.took(row, candidate.route.channel, candidate.credential.id, accepted, attempts), None

    async def took(
        self, row: TaskRow, channel: Channel, credential_id: str, accepted: Accepted, attempts: Sequence[Attempt]
    ) -> Sent:
        """A provider has the task: its handle goes to the journal before anything else, then to the row."""
        accepted = replace(accepted, progress=task_things.steady(row.task, accepted.progress))
        engine, progress = self._engine, accepted.progress
        handle, detail, previews = map(text, (accepted.handle, progress.detail, progress.previews))
        engine.failpoint("task.before_note")
        await self._note(Note(row.task.id, channel.id, credential_id, handle))
        engine.failpoint("task.after_note")
        now = now_ms()
        api = engine.api_of(channel, row.task.called)
        paused = progress.state == "paused"
        ended = progress.state in {"succeeded", "failed", "canceled"}
        first = interval(api.pace, 0, engine.svc.settings.tasks.poll_scale) if api is not None else 1.0
        deadline = now + row.task.deadline_at - row.task.created_at
        due = deadline if paused else min(now + int(first * 1000), deadline)
        until = self._kept_until(api, now, len(detail) + len(previews)) if not paused and not ended else 0
        percent = -1 if progress.percent is None else max(0, min(progress.percent, 100))
        values = {
            "to_state": "paused" if paused else "running",
            "to_handle": handle,
            "to_channel": channel.id,
            "to_credential": credential_id,
            "to_queued": int(progress.state == "queued"),
            "to_percent": percent,
            "to_detail": detail,
            "to_previews": previews,
            "to_quote": text(quote(row, accepted)),
            "started": now if progress.state == "running" else 0,
            "deadline": deadline,
            "due": until or due,
            "until": until,
            "to_owner": engine.owner if until else "",
        }
        task = known(row.task, accepted, now)
        task = replace(task, percent=percent, channel_id=channel.id, credential_id=credential_id, deadline_at=deadline)
        try:
            kept = await engine.book.write(lambda tx: task_things.took(tx, task, values, progress.makes), order=task.id)
        except StoreUnavailable as error:  # the journal has it
            log.warning("a task's handle is in the journal only", task=task.id, detail=error.detail)
            return Sent("taken", task, None, list(attempts))
        if not kept:
            log.error("a provider took a task that had ended", task=task.id, channel=channel.name, handle=handle)
            engine.svc.metrics.failed(channel.name, "task_taken_late")
            return Sent("lost", row.task)
        engine.failpoint("task.after_taken")
        engine.changes.tell(task.id)
        if ended:
            return Sent("taken", await self._ended(row, task, accepted), None, list(attempts))
        engine.notices.progress(row.task, task)
        if until:
            engine.claims.adopt(taken(row, task, accepted, attempts), due, until)
        else:
            engine.claims.poke()
        return Sent("taken", task, None, list(attempts))

    def _kept_until(self, api: TaskApi | None, now: int, size: int) -> int:
        """Until when a task that was taken just now is this process's to ask after; 0: it is whoever's is first."""
        if api is None or (api.poll is None and api.poll_many is None) or not self._engine.claims.takes(size):
            return 0
        return self._engine.lease_until(now, sending=False)

    async def _ended(self, row: TaskRow, task: Task, accepted: Accepted) -> Task:
        """A task that its provider has done by taking it."""
        now_row = replace(row, task=task, quote=quote(row, accepted))
        try:
            return await self._finisher.finish(ending_of(now_row, accepted.progress)) or task
        except StoreUnavailable as error:  # it is running, and is asked after
            log.warning("a task could not be ended at once", task=task.id, detail=error.detail)
            return task

    def order(self, row: TaskRow, body: Json, model: str, channel: Channel, parent: Json | None) -> Order:
        """What a channel is asked to do."""
        task = row.task
        api = self._engine.api_of(channel, task.called)
        base = self._engine.svc.settings.public_url.rstrip("/")
        return Order(
            task_id=task.id,
            called=task.called,
            operation=task.operation,
            model=model,
            body=body,
            conditions=task.conditions,
            callback=f"{base}/callbacks/{task.id}/{row.secret}" if base and api is not None and api.calls_back else "",
            parent=parent,
            submitted_at=task.submitted_at,
        )

    async def _enter(self, tries: "_Tries", candidate: Candidate) -> Literal["yes", "full", "lost"]:
        """Note where the task is about to be sent, if there is a place for it."""
        engine, channel, row = self._engine, candidate.route.channel, tries.row
        task = row.task
        here = (task.channel_id, task.credential_id) == (channel.id, candidate.credential.id)
        fresh, tries.fresh = tries.fresh, False
        if here and fresh and task.state == "submitting":
            return "yes"
        note = self._going_to(tries, candidate)
        if not channel.concurrency:
            return "yes" if await engine.book.write(note, order=task.id) else "lost"
        async with engine.db.writing() as tx:
            if not await task_changes.place(tx, row, channel.id, channel.concurrency):
                return "full"
            kept = await note(tx)
        return "yes" if kept else "lost"

    def _going_to(self, tries: "_Tries", candidate: Candidate) -> Callable[[Tx], Awaitable[bool]]:
        """What notes where the task is about to be sent, and that it is ours from now on for as long as that may take."""
        engine, now = self._engine, now_ms()
        return partial(
            task_changes.to_channel,
            task_id=tries.row.task.id,
            owner=engine.owner,
            channel=candidate.route.channel.id,
            credential=candidate.credential.id,
            model=candidate.route.model,
            attempts=text(tries.attempts) if tries.attempts else "",
            now=now,
            until=engine.lease_until(now, sending=True),
        )

    async def _with_copies(self, tries: "_Tries", candidate: Candidate, api: TaskApi) -> Json:
        """What a task asks for, once its files are where its provider finds them: however long that takes, it stays ours.

        Raises _Lost where it is not: nothing was sent, and nothing may be. StoreUnavailable.
        """
        engine, task, svc = self._engine, tries.row.task, self._engine.svc
        if task.dialect in references.DIALECTS:
            work = references.in_order(task, tries.body, candidate, svc)
        elif task_pictures.held(tries.body, api.addressed):
            work = task_pictures.addressed(task, tries.body, api.addressed, svc)
        else:
            return tries.body
        copying = asyncio.get_running_loop().create_task(work)
        try:
            while True:
                await asyncio.wait((copying,), timeout=engine.svc.settings.tasks.lease_seconds / 3)
                done = copying.done()
                if done and copying.result() is tries.body:
                    return tries.body  # it names none
                if not await engine.book.write(self._going_to(tries, candidate), order=task.id):
                    raise _Lost
                if done:
                    return copying.result()
        finally:
            copying.cancel()

    async def go_on(self, row: TaskRow, body: Json, candidate: Candidate) -> Accepted:
        """Tell the provider with what a paused task goes on. Raises UpstreamError."""
        channel = candidate.route.channel
        api = channel.provider.tasks[row.task.called]
        if api.resume is None:
            raise Conflict("This task cannot go on.", code="task_not_paused")
        order = self.order(row, body, row.upstream_model, channel, row.task.handle)
        message, seconds = written(api.resume, order, channel), self._engine.svc.settings.tasks.send_seconds
        answered = await ask(self._engine.svc, channel, candidate.credential, message, seconds=seconds, submits=True)
        return accepted_of(api, order, answered)

    async def _submit(self, tries: "_Tries", candidate: Candidate) -> Accepted:
        """Send it, and read what the provider says to it."""
        svc, channel, row = self._engine.svc, candidate.route.channel, tries.row
        api = channel.provider.tasks[row.task.called]
        body = await self._with_copies(tries, candidate, api)
        order = self.order(row, body, candidate.route.model, channel, tries.parent)
        message, seconds = written(api.submit, order, channel), svc.settings.tasks.send_seconds
        answered = await ask(svc, channel, candidate.credential, message, seconds=seconds, submits=True)
        return accepted_of(api, order, answered)

    async def _unknown(
        self, row: TaskRow, candidate: Candidate, failure: UpstreamError, attempts: list[Attempt]
    ) -> Sent:
        """Nobody knows whether it was taken: it stays `submitting`, and is looked at soon where its provider can be asked."""
        engine, channel = self._engine, candidate.route.channel
        log.warning("a submission has no answer", task=row.task.id, channel=channel.name, detail=failure.detail)
        api = engine.api_of(channel, row.task.called)
        due = engine.lease_until(now_ms(), sending=True)
        if api is not None and api.recover is not None:
            due = now_ms() + int(interval(api.pace, 0, engine.svc.settings.tasks.poll_scale) * 1000)
        try:
            await engine.book.write(
                lambda tx: task_changes.let_go(tx, row.task.id, engine.owner, due=due, attempts=text(attempts)),
                order=row.task.id,
            )
        except StoreUnavailable as error:
            log.warning("the lease of a submission ends by itself", task=row.task.id, detail=error.detail)
        engine.claims.poke()
        return Sent("unknown", replace(row.task, state="submitting"), None, attempts)

    async def _note(self, note: Note) -> None:
        """Have a handle in the journal, if the journal takes it."""
        noted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._engine.svc.bank.journal.append(note, lambda kept: None if noted.done() else noted.set_result(kept))
        await noted


class _Lost(Exception):
    """Another process looks after the task by now."""


def _refusal(row: TaskRow, failures: Sequence[UpstreamError]) -> GatewayError | None:
    """The last channel's refusal as the row's dialect has a word of its own for it; None: as the failure table says."""
    told: Callable[[Task, UpstreamError], GatewayError | None] | None = None
    with suppress(LookupError):
        told = getattr(task_writer(row.task.dialect), "own_refusal", None)
    return told(row.task, failures[-1]) if told is not None and failures else None


def tries_of(row: TaskRow) -> list[Attempt]:
    """The tries that a task has behind it."""
    return _attempts.decode(row.attempts) if row.attempts else []


def ending_of(row: TaskRow, progress: Progress) -> Ending:
    """How a task ends whose provider says that it has."""
    if progress.state == "succeeded":
        return Ending(row=row, state="succeeded", progress=progress, charged=True)
    if progress.state == "canceled":
        return Ending(row=row, state="canceled", progress=progress, charged=progress.billed, error=progress.error)
    error = progress.error or Failure(code="task_failed", message="The provider could not complete the task.")
    return Ending(
        row=row, state="failed", progress=progress, error=Failure(code=plain(error.code), message=plain(error.message))
    )
