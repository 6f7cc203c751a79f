"""Following tasks: whatever is claimed is looked after by its state, and those that run are asked after.

Asking is a snooze, never a retry: it fails without consequence until the task's patience is over. Must not submit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError, StoreUnavailable, UpstreamError, UpstreamRefused
from unigate.relay import task_things
from unigate.relay.task_engine import Engine, binding_of
from unigate.relay.task_finish import Ending, Finisher
from unigate.relay.task_send import ending_of
from unigate.relay.task_wire import ask, unreadable
from unigate.routing.failures import row_of
from unigate.spec.channel import Channel
from unigate.spec.provider import Credential
from unigate.spec.task import Failure, Pace, Progress, Task, TaskApi, TaskState
from unigate.store.tasks import TaskRow, text
from unigate.tasks.pace import after_change, after_failure, interval

log: Any = structlog.get_logger("unigate.tasks")
#: A provider that knows nothing of a task is believed once it has said so this often.
VANISHED = 3
#: Seconds until a task is looked at again whose channel is gone or disabled.
_GONE = 30.0
_ENDED = frozenset({"succeeded", "failed", "canceled"})
_NOT_FOUND = frozenset({404, 410})
#: A request that would have to wait for longer than this for its turn is put off instead.
_TURN = 5.0
Look = Callable[[TaskRow], Awaitable[None]]
Found = TypeVar("Found")


class Tracker:
    """Looks after what is due."""

    def __init__(self, engine: Engine, finisher: Finisher, others: Mapping[str, Look]) -> None:
        """`others`: who looks after tasks in states that are not asked after."""
        self._engine = engine
        self._finisher = finisher
        self._others = others

    async def look(self, claimed: Sequence[TaskRow]) -> None:
        """Look after rows that were claimed together."""
        work: list[Awaitable[None]] = []
        together: dict[tuple[str, str, str], list[TaskRow]] = {}
        for row in sorted(claimed, key=lambda one: one.number):
            task = row.task
            if task.state == "running":
                together.setdefault((task.channel_id, task.credential_id, task.called), []).append(row)
            elif task.state == "paused":
                work.append(self._one(row, self._timed_out))
            else:
                work.append(self._one(row, self._others[task.state]))
        for rows in together.values():
            work += self._asked(rows)
        await asyncio.gather(*work)

    async def told(self, row: TaskRow, progress: Progress, *, kept: bool = False) -> None:
        """Take in what a provider says of a task that this process has claimed; `kept`: it is asked after here."""
        progress = task_things.steady(row.task, progress)
        if progress.state in _ENDED:
            await self._finisher.finish(ending_of(row, progress))
            return
        task, now = row.task, now_ms()
        if now >= task.deadline_at:
            await self._timed_out(row)
            return
        paused = progress.state == "paused"
        after = _after(task, progress, now)
        if after is None:
            await self._looked(row)
            return
        polls = after_change(row.polls + 1)
        due = task.deadline_at if paused else self._due(row, now, polls)
        changed = after.detail != task.detail or after.previews != tuple(task.previews)
        told = (text(after.detail), text(after.previews)) if changed else None
        size = sum(map(len, told)) if told is not None else row.size
        kept = kept and not paused and self._engine.claims.takes(size)
        step = self._step(after, told, polls, None if kept else due)
        if changed and progress.makes:
            step["makes"] = (after, progress.makes)
        await self._engine.steps.put(step)
        if kept:
            rested = replace(row, task=after, size=size, polls=polls, errors=0, missing_since=0)
            self._engine.claims.keep(rested, due)
        else:
            self._engine.claims.drop(task.id)
        self._engine.changes.tell(task.id)
        self._engine.notices.progress(task, after)

    def _step(self, after: Task, told: tuple[str, str] | None, polls: int, due: int | None) -> dict[str, Any]:
        """What is written of progress; `told`: its detail and previews, where they changed; `due`: let go of it until then."""
        values = {
            "of": after.id,
            "by": self._engine.owner,
            "to_queued": int(after.queued),
            "to_percent": after.percent,
            "started": after.started_at,
            "to_polls": polls,
        }
        if due is None and told is None:
            return values
        detail, previews = told or (text(after.detail), text(after.previews))
        values |= {"to_detail": detail, "to_previews": previews}
        return values if due is None else {**values, "to_state": after.state, "due": due}

    async def _one(self, row: TaskRow, look: Look) -> None:
        try:
            await look(row)
        except StoreUnavailable as error:
            log.warning("a task could not be looked after", task=row.task.id, detail=error.detail)
        except Exception:
            log.exception("a task could not be looked after", task=row.task.id)

    def _asked(self, rows: Sequence[TaskRow]) -> list[Awaitable[None]]:
        """How tasks of one channel, credential and operation are asked after: together, if the provider lets us."""
        place = self._engine.place_of(rows[0])
        api = self._engine.api_of(place[0], rows[0].task.called) if place is not None else None
        if place is None or api is None:
            return [self._one(row, self._nowhere) for row in rows]
        singly = bool(api.singly) and place[0].options.get(api.singly) is True
        if api.poll_many is not None and api.progress_many is not None and not singly:
            return [
                self._ask_many(rows[start : start + api.many], *place, api) for start in range(0, len(rows), api.many)
            ]
        if api.poll is not None and api.progress is not None:
            return [self._ask_one(row, *place, api) for row in rows]
        return [self._one(row, self._waits_for_callback) for row in rows]

    async def _ask_one(self, row: TaskRow, channel: Channel, credential: Credential, api: TaskApi) -> None:
        assert api.poll is not None
        assert api.progress is not None
        poll, progress = api.poll, api.progress

        async def asked() -> Progress | None:
            try:
                answered = await ask(
                    self._engine.svc,
                    channel,
                    credential,
                    poll(row.task.handle, channel.options),
                    seconds=self._seconds(),
                )
            except UpstreamRefused as refused:
                if refused.upstream_status in _NOT_FOUND:
                    return None
                raise
            return _read(lambda: progress(row.task.handle, answered))

        await self._take_in([row], channel, api, lambda: _listed(asked()))

    async def _ask_many(self, rows: Sequence[TaskRow], channel: Channel, credential: Credential, api: TaskApi) -> None:
        assert api.poll_many is not None
        assert api.progress_many is not None
        poll_many, progress_many = api.poll_many, api.progress_many
        handles = [row.task.handle for row in rows]

        async def asked() -> Sequence[Progress | None]:
            message = poll_many(handles, channel.options)
            answered = await ask(self._engine.svc, channel, credential, message, seconds=self._seconds())
            found = _read(lambda: progress_many(handles, answered))
            if len(found) != len(rows):
                raise unreadable(ValueError(f"{len(found)} answers for {len(rows)} tasks"))
            return found

        await self._take_in(rows, channel, api, asked)

    async def _take_in(
        self,
        rows: Sequence[TaskRow],
        channel: Channel,
        api: TaskApi,
        asked: Callable[[], Awaitable[Sequence[Progress | None]]],
    ) -> None:
        """Ask when it is these tasks' turn, and take in what is said of each."""
        engine = self._engine
        rate = api.pace.rate / max(engine.svc.bank.alive, 1)
        if engine.rates.full(channel.id, _TURN):
            await asyncio.gather(*(self._one(row, self._put_off) for row in rows))
            return
        if wait := engine.rates.wait(channel.id, rate):
            await asyncio.sleep(wait)
        try:
            found = await asked()
        except UpstreamError as failure:
            self._failed(rows[0], channel, failure)
            wait = failure.retry_after or 0.0
            await asyncio.gather(*(self._one(row, lambda one: self._unanswered(one, wait)) for row in rows))
            return
        except Exception:
            log.exception("a provider's code failed", channel=channel.name)
            await asyncio.gather(*(self._one(row, self._unanswered) for row in rows))
            return
        now = now_ms()
        news: list[Awaitable[None]] = []
        for row, told in zip(rows, found, strict=True):
            one = None if told is None else task_things.steady(row.task, told)
            if one is None:
                news.append(self._one(row, self._missing))
            elif one.state in _ENDED or now >= row.task.deadline_at or _after(row.task, one, now) is not None:
                news.append(self._one(row, _told(self, one)))
            elif row.errors or row.missing_since or not self._engine.claims.takes(row.size):
                news.append(self._one(row, self._looked))
            else:  # what most answers say
                self._rest(row, now, polls=row.polls + 1)
        await asyncio.gather(*news)

    async def _looked(self, row: TaskRow) -> None:
        """Nothing has changed; what went wrong before is over, also for whoever takes it over."""
        if (row.errors or row.missing_since) and row.task.state == "running" and self._engine.claims.takes(row.size):
            await self._engine.steps.put({"of": row.task.id, "by": self._engine.owner, "to_polls": row.polls + 1})
        await self._later(row, polls=row.polls + 1)

    async def _unanswered(self, row: TaskRow, least: float = 0.0) -> None:
        """Nothing was learnt: later, and later each time; at least so many seconds."""
        if now_ms() >= row.task.deadline_at:
            await self._timed_out(row)
            return
        settings = self._engine.svc.settings.tasks
        seconds = after_failure(self._pace(row), row.errors, settings.poll_scale)
        seconds = max(seconds, least)
        await self._later(row, polls=row.polls, errors=row.errors + 1, missing=row.missing_since, seconds=seconds)

    async def _missing(self, row: TaskRow) -> None:
        """The provider knows no such task; it is believed when it says so again and again."""
        now = now_ms()
        since = row.missing_since or now
        if now >= row.task.deadline_at:
            await self._timed_out(row)
        elif row.errors + 1 >= VANISHED and now - since >= self._engine.svc.settings.tasks.vanish_seconds * 1000:
            error = Failure(code="task_vanished", message="The provider does not know this task any more.")
            await self._finisher.finish(Ending(row=row, state="failed", error=error))
        else:
            await self._later(row, polls=row.polls + 1, errors=row.errors + 1, missing=since)

    async def _timed_out(self, row: TaskRow) -> None:
        """Its patience is over: it fails and is refunded; the provider is asked to stop."""
        if now_ms() < row.task.deadline_at:
            await self._later(row, polls=row.polls)
            return
        error = Failure(code="task_timeout", message="The task took longer than is allowed.")
        ended = await self._finisher.finish(Ending(row=row, state="failed", error=error))
        place = self._engine.place_of(row)
        api = self._engine.api_of(place[0], row.task.called) if place is not None else None
        if ended is None or place is None or api is None or api.cancel is None:
            return
        try:
            message = api.cancel(row.task.handle, place[0].options)
            await ask(self._engine.svc, *place, message, seconds=self._seconds())
        except GatewayError as failure:
            log.info("a task that took too long could not be stopped", task=row.task.id, detail=failure.detail)

    async def _nowhere(self, row: TaskRow) -> None:
        """Its channel is gone: perhaps it comes back."""
        if now_ms() >= row.task.deadline_at:
            await self._timed_out(row)
        else:
            await self._later(row, polls=row.polls, errors=row.errors + 1, seconds=_GONE)

    async def _waits_for_callback(self, row: TaskRow) -> None:
        """It can't be asked after: its callback or the end of patience decides."""
        if now_ms() >= row.task.deadline_at:
            await self._timed_out(row)
        else:
            await self._later(row, polls=row.polls, seconds=(row.task.deadline_at - now_ms()) / 1000)

    async def _put_off(self, row: TaskRow) -> None:
        """It is not its turn yet."""
        await self._later(row, polls=row.polls, errors=row.errors, missing=row.missing_since)

    async def _later(
        self, row: TaskRow, *, polls: int, errors: int = 0, missing: int = 0, seconds: float | None = None
    ) -> None:
        """Look again later: in memory where it is asked after here, else whoever is first."""
        now = now_ms()
        if row.task.state == "running" and self._asks(row) and self._engine.claims.takes(row.size):
            self._rest(row, now, polls=polls, errors=errors, missing=missing, seconds=seconds)
            return
        due = self._then(row, now, polls, seconds)
        values = {"of": row.task.id, "by": self._engine.owner, "to_polls": polls}
        await self._engine.snoozes.put({**values, "to_errors": errors, "to_missing": missing, "due": due})
        self._engine.claims.drop(row.task.id)

    def _rest(
        self, row: TaskRow, now: int, *, polls: int, errors: int = 0, missing: int = 0, seconds: float | None = None
    ) -> None:
        """Nothing has changed: nothing is written."""
        after = replace(row, polls=polls, errors=errors, missing_since=missing)
        self._engine.claims.keep(after, self._then(row, now, polls, seconds))

    def _then(self, row: TaskRow, now: int, polls: int, seconds: float | None) -> int:
        due = self._due(row, now, polls) if seconds is None else now + int(seconds * 1000)
        return max(min(due, row.task.deadline_at), now)

    def _asks(self, row: TaskRow) -> bool:
        """Whether its provider can be asked, as far as is known."""
        place = self._engine.place_of(row)
        api = self._engine.api_of(place[0], row.task.called) if place is not None else None
        return api is None or api.poll is not None or api.poll_many is not None

    def _due(self, row: TaskRow, now: int, polls: int) -> int:
        seconds = interval(self._pace(row), polls, self._engine.svc.settings.tasks.poll_scale)
        return max(min(now + int(seconds * 1000), row.task.deadline_at), now)

    def _pace(self, row: TaskRow) -> Pace:
        place = self._engine.place_of(row)
        api = self._engine.api_of(place[0], row.task.called) if place is not None else None
        return api.pace if api is not None else Pace()

    def _seconds(self) -> float:
        """For how long a provider may take to answer: the lease must not end meanwhile."""
        return self._engine.svc.settings.tasks.lease_seconds * 0.6

    def _failed(self, row: TaskRow, channel: Channel, failure: UpstreamError) -> None:
        """Asking failed: the router hears of it only where the credential was refused; a provider may ask for silence."""
        engine = self._engine
        engine.svc.metrics.failed(channel.name, "task_poll")
        told = row_of(failure)
        if told.kind == "rate":
            engine.rates.hold(channel.id, min(failure.retry_after or 1.0, _TURN))
        if told.kind != "credential":
            return
        try:
            candidate = engine.svc.router.bound(binding_of(row.task))
        except GatewayError:  # disabled meanwhile: nobody is to be told
            return
        if candidate.take():
            engine.svc.router.failed(candidate, failure)


def _read(read: Callable[[], Found]) -> Found:
    """What a provider's reader makes of an answer; BadAnswer where it fails."""
    try:
        return read()
    except UpstreamError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a provider sent, it must not end more than this
        raise unreadable(error) from None


async def _listed(one: Awaitable[Progress | None]) -> Sequence[Progress | None]:
    return [await one]


def _told(tracker: Tracker, progress: Progress) -> Look:
    return lambda row: tracker.told(row, progress, kept=True)


def _after(task: Task, progress: Progress, now: int) -> Task | None:
    """A task that goes on, after what its provider says; None where that is nothing new."""
    state: TaskState = "paused" if progress.state == "paused" else "running"
    queued = progress.state == "queued"
    percent = task.percent if progress.percent is None else max(0, min(progress.percent, 100))
    detail = progress.detail or task.detail
    previews = progress.previews or task.previews
    started = task.started_at or (now if progress.state == "running" else 0)
    if (state, queued, percent, started) == (task.state, task.queued, task.percent, task.started_at) and (
        detail == task.detail and tuple(previews) == tuple(task.previews)
    ):
        return None
    return replace(
        task,
        state=state,
        queued=queued,
        percent=percent,
        detail=detail,
        previews=tuple(previews),
        started_at=started,
        version=task.version + 1,
    )
