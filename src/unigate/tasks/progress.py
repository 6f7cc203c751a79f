"""Notices of progress: kept in memory, sent once, for each task in order, and dropped where they are late.

What must arrive goes through the outbox; this is for what a later notice makes worthless.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from unigate.base.clock import monotonic
from unigate.store.outbox import OutboxRow

log: Any = structlog.get_logger("unigate.tasks")
#: Notices that wait for one task, and tasks that have some.
_WAITING, _TASKS = 4, 2000
#: Seconds after which a notice is not news any more.
_LATE = 10.0

Send = Callable[[OutboxRow], Awaitable[None]]


class Lane:
    """What is yet to be told of one task."""

    __slots__ = ("done", "rows")

    def __init__(self, done: asyncio.Event) -> None:
        self.rows: deque[tuple[float, OutboxRow]] = deque(maxlen=_WAITING)  # the oldest fall out
        self.done = done


class ProgressNotices:
    """The notices of one process. `send` tries once, and raises nothing."""

    def __init__(self, send: Send, at_once: Callable[[], tuple[int, int]]) -> None:
        """`at_once`: how many are sent at once in all, and to one host."""
        self._send = send
        self._at_once = at_once
        self._lanes: dict[str, Lane] = {}
        self._hosts: Counter[str] = Counter()
        self._freed = asyncio.Condition()
        #: Notices that were never sent.
        self.dropped = 0

    def add(self, rows: list[OutboxRow], group: asyncio.TaskGroup) -> None:
        """Send these behind what is yet to be told of their task."""
        for row in rows:
            lane = self._lanes.get(row.task_id)
            if lane is None:
                if len(self._lanes) >= _TASKS:
                    self.dropped += 1
                    continue
                lane = self._lanes[row.task_id] = Lane(asyncio.Event())
                lane.rows.append((monotonic(), row))
                group.create_task(self._run(row.task_id, lane))
                continue
            self.dropped += len(lane.rows) == _WAITING
            lane.rows.append((monotonic(), row))

    async def over(self, task_id: str, seconds: float) -> None:
        """Nothing of a task is told any more: what waits is dropped, what is on its way is waited for, but not longer."""
        lane = self._lanes.get(task_id)
        if lane is None:
            return
        self.drop(task_id)
        try:
            async with asyncio.timeout(seconds):
                await lane.done.wait()
        except TimeoutError:
            return

    def drop(self, task_id: str) -> None:
        """What waits of a task is not told."""
        if (lane := self._lanes.get(task_id)) is not None:
            self.dropped += len(lane.rows)
            lane.rows.clear()

    def stop(self) -> None:
        """Nothing that waits is told."""
        for task_id in self._lanes:
            self.drop(task_id)

    async def _run(self, task_id: str, lane: Lane) -> None:
        try:
            while lane.rows:
                host = lane.rows[0][1].host
                async with self._freed:
                    await self._freed.wait_for(partial(self._free, host))
                    self._hosts[host] += 1
                try:
                    if lane.rows:
                        await self._next(lane)
                finally:
                    self._hosts[host] -= 1
                    async with self._freed:
                        self._freed.notify_all()
        finally:
            del self._lanes[task_id]
            lane.done.set()

    async def _next(self, lane: Lane) -> None:
        at, row = lane.rows.popleft()
        if monotonic() - at > _LATE:
            self.dropped += 1
            return
        try:
            await self._send(row)
        except Exception:
            log.exception("a notice of progress failed", task=row.task_id)

    def _free(self, host: str) -> bool:
        most, per_host = self._at_once()
        return self._hosts.total() < most and self._hosts[host] < per_host
