"""The end of tasks: state, money, files and notices in one transaction, and several ends in one where they come together.

The first statement of an end says from which states; where the task is in none of them, nothing else happens: it had ended,
and neither a late result nor a second callback is ever charged. Must not decide why a task ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.base.money import MAX_AMOUNT
from unigate.billing.prices import Quote
from unigate.relay import task_things
from unigate.relay.task_engine import Engine, log
from unigate.spec.channel import Channel
from unigate.spec.data_url import without_data
from unigate.spec.record import Attempt, End, Record
from unigate.spec.task import Asset, Failure, Progress, Task, TaskState
from unigate.spec.usage import MAX_COUNT, Usage
from unigate.store import idempotency, task_changes
from unigate.store.captures import capture
from unigate.store.database import Tx
from unigate.store.tasks import TaskRow, text
from unigate.tasks.book import Batches

_attempts = msgspec.json.Decoder(list[Attempt])
_ENDS: Mapping[str, End] = {"succeeded": "completed", "canceled": "canceled", "failed": "failed", "unknown": "failed"}
#: What the row of usage shows as the call's status where no provider's own is known.
_STATUS = {"succeeded": 200, "canceled": 200, "failed": 500, "unknown": 504}
_FAILED_ID = "failed_id"
OPEN_STATES: tuple[TaskState, ...] = ("submitting", "running", "paused", "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a task is to end, and from which states."""

    #: As it was read last.
    row: TaskRow
    state: TaskState
    error: Failure | None = None
    #: What the provider says in the end; None: nothing new.
    progress: Progress | None = None
    #: Its price is due.
    charged: bool = False
    states: Sequence[TaskState] = OPEN_STATES
    #: It came to nothing before any provider took it: its request may be made again.
    forgotten: bool = False
    #: Its caller was answered with an error that does not name it: nobody is told of its end.
    unseen: bool = False
    #: The tries so far, where the row does not have them yet.
    attempts: Sequence[Attempt] | None = None
    status: int = 0


@dataclass(slots=True)
class _Ended:
    """What one ending did."""

    ending: Ending
    row: TaskRow
    record: Record
    outputs: Sequence[Asset] = field(default_factory=tuple)

    @property
    def task(self) -> Task:
        """The task as it is now."""
        return replace(self.row.task, outputs=self.outputs)


class Finisher:
    """Ends tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batches: Batches[Ending, _Ended | None] = Batches(engine.db, self._apply)

    async def finish(self, ending: Ending) -> Task | None:
        """End a task; as it is then, None where it was in none of the states. Raises StoreUnavailable."""
        engine = self._engine
        engine.failpoint("task.before_finish")
        ended = await self._batches.put(ending)
        engine.failpoint("task.after_finish")
        if ended is not None or "running" in ending.states:  # else it may be running here
            engine.claims.drop(ending.row.task.id)
        if ended is None:
            if ending.state == "succeeded":
                log.warning(
                    "a result came after the end of its task", task=ending.row.task.id, handle=ending.row.task.handle
                )
            return None
        task = ended.task
        channel = engine.svc.router.health.get(task.channel_id)
        engine.svc.metrics.ended(ended.record, channel.channel.name if channel is not None else "")
        engine.changes.tell(task.id)
        engine.notices.added()
        if ended.outputs:
            engine.files.added()
        if ending.state == "unknown":
            name = channel.channel.name if channel is not None else ""
            engine.svc.metrics.failed(name, "task_unknown")
            log.error("nobody knows what became of a submission", task=task.id, channel=name, model=task.model)
        if channel is not None and channel.channel.concurrency:
            await self.free_place(channel.channel)
        return task

    async def free_place(self, channel: Channel) -> None:
        """A place at a channel is free: look at those that wait for one."""
        engine = self._engine
        try:
            woken = await engine.book.write(
                lambda tx: task_changes.wake(tx, channel.id, now=now_ms(), most=max(channel.concurrency, 1)),
                order="~" + channel.id,
            )
        except StoreUnavailable as error:  # they are looked at again in any case
            log.warning("tasks that wait could not be woken", channel=channel.name, detail=error.detail)
            return
        if woken:
            engine.claims.poke()

    async def _apply(self, tx: Tx, endings: Sequence[Ending]) -> list[_Ended | None]:
        now = now_ms()
        made: dict[int, _Ended] = {}
        for place in sorted(range(len(endings)), key=lambda n: endings[n].row.task.id):
            ending = endings[place]
            cost, units = _cost(ending)
            row = await task_changes.end(tx, ending.row.task.id, ending.states, _values(ending, cost, now))
            if row is not None:
                if ending.progress is not None:
                    await task_things.bind(tx, row.task, ending.progress.makes)
                made[place] = _Ended(ending, row, _record(ending, row, cost, units))
        await self._settle(tx, list(made.values()), now)
        self._engine.failpoint("task.before_finish_commit")
        return [made.get(place) for place in range(len(endings))]

    async def _settle(self, tx: Tx, ended: Sequence[_Ended], now: int) -> None:
        """Money, tokens, files and notices of what has just ended."""
        if not ended:
            return
        told = [one for one in ended if not (one.ending.forgotten and not one.row.hold_id and not one.record.attempts)]
        done = await capture(tx, [one.record for one in told], at=now)
        for hold in done.unknown:
            log.error("a task's hold does not exist", hold=hold)
        for one in ended:
            if one.ending.forgotten:
                await idempotency.remove(tx, one.row.task.user_id, one.row.task.id)
        files = [
            (one.row.task, one.ending.progress.outputs, self._channel(one.row.task))
            for one in ended
            if one.ending.state == "succeeded" and one.ending.progress is not None and one.ending.progress.outputs
        ]
        if files:
            assets = await self._engine.files.add(tx, files)
            for one in ended:
                one.outputs = assets.get(one.row.task.id, ())
        seen = [(one.ending.row.task, one.task) for one in ended if not one.ending.unseen]
        await self._engine.notices.add(tx, seen)

    def _channel(self, task: Task) -> Channel | None:
        health = self._engine.svc.router.health.get(task.channel_id)
        return health.channel if health is not None else None


def units_of(told: Mapping[str, int] | None) -> dict[str, int] | None:
    """Units that a provider may have meant: whole numbers in 0..2^40; None where it told none."""
    if told is None:
        return None
    return {unit: count for unit, count in told.items() if type(count) is int and 0 <= count <= MAX_COUNT} or None


def _cost(ending: Ending) -> tuple[int, dict[str, int]]:
    """What a task costs in the end, and for which units."""
    row = ending.row
    if not ending.charged or not row.hold_id or row.quote.get("free"):
        return 0, {}
    units = units_of(ending.progress.units if ending.progress is not None else None) or dict(row.units)
    cost, _ = Quote.thawed(row.quote).cost(Usage(units), _conditions(ending))
    return min(cost, MAX_AMOUNT), units


def _conditions(ending: Ending) -> Mapping[str, str | int]:
    """What price conditions may ask for, as the provider told it in the end."""
    told = ending.progress.conditions if ending.progress is not None else {}
    return {**ending.row.task.conditions, **told}


def _values(ending: Ending, cost: int, now: int) -> dict[str, Any]:
    """The columns of the end."""
    row, progress, error = ending.row, ending.progress, ending.error
    task = row.task
    percent = progress.percent if progress is not None and progress.percent is not None else task.percent
    if ending.state == "succeeded":
        percent = 100
    detail = progress.detail if progress is not None and progress.detail else task.detail
    if progress is not None and ending.state == "succeeded":
        detail = without_data(detail, (output.url for output in progress.outputs))
    previews = progress.previews if progress is not None and progress.previews else task.previews
    return {
        "to_state": ending.state,
        "to_percent": max(-1, min(percent, 100)),
        "to_detail": text(detail),
        "to_previews": text(previews),
        "to_error_code": plain(error.code) if error is not None else "",
        "to_error_message": plain(error.message) if error is not None else "",
        "to_cost": cost,
        "to_request": task.request_id if ending.charged else row.quote.get(_FAILED_ID, task.request_id),
        "to_attempts": row.attempts if ending.attempts is None else text(ending.attempts),
        "started": task.started_at or (now if ending.state == "succeeded" else 0),
        "now": now,
    }


def failing_as(failed_id: str, id: str) -> dict[str, object]:
    """What a task's terms say of the id that its request has once nothing is charged; nothing where that stays as it is.

    A request that is made again under its id (a batch's line) would otherwise find that id taken by the try that failed.
    """
    return {_FAILED_ID: failed_id} if failed_id != id else {}


def _record(ending: Ending, row: TaskRow, cost: int, units: dict[str, int]) -> Record:
    """The row of usage of a task that has just ended."""
    task, quote = row.task, row.quote
    price = ""
    if cost:
        _, price = Quote.thawed(quote).cost(Usage(units), _conditions(ending))
    lasted = max(task.finished_at - task.created_at, 0) * 1000
    multiplier, day = quote.get("multiplier", 0), quote.get("day", 0)
    return Record(
        task.request_id,
        task.created_at,
        task.user_id,
        task.key_id,
        row.group_name,
        task.operation,
        task.model,
        task.channel_id,
        row.upstream_model,
        ending.status or _STATUS[ending.state],
        _ENDS[ending.state],
        False,
        False,
        units,
        cost,
        lasted,
        lasted,
        0,
        price,
        multiplier if isinstance(multiplier, int) else 0,
        _attempts.decode(row.attempts) if row.attempts else [],
        hold=row.hold_id,
        single=bool(row.hold_id),
        over=max(cost - task.held, 0),
        day=day if isinstance(day, int) else 0,
        error=task.error.code if task.error is not None else "",
    )


def plain(value: str) -> str:
    """Text from outside as both databases take it."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
