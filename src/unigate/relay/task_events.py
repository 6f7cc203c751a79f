"""A task as server-sent events: as it is, then with each change, until it has ended.

An event is `task`, its id the task's version, so that a caller who comes back with `last-event-id` gets what is newer.
Changes that follow each other faster than they are looked at are one event. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from unigate.base.errors import TooMany
from unigate.relay.task_face import TaskFace
from unigate.spec.caller import Key
from unigate.spec.reply import Pieces, Reply
from unigate.spec.task import Task

#: Seconds after which a comment shows that the stream lives.
KEEP_ALIVE = 15.0
#: Streams of one key that one worker keeps open at most; a key's own limit of calls at once counts where it is lower.
STREAMS = 100
_BUSY = 1.0
_COMMENT = b": keep-alive\n\n"
_HEAD = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_NUMBER = re.compile(r"[0-9]{1,18}")


class Watchers:
    """How many streams each key has open at this worker. They take no place among its calls, since they may last for hours."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def __len__(self) -> int:
        """Streams that are open."""
        return self._open.total()

    def admit(self, key: Key) -> None:
        """TooMany where a key has enough."""
        most = min(key.concurrency or STREAMS, STREAMS)
        if self._open[key.id] >= most:
            raise TooMany(f"Rate limit of this key reached ({most} event streams at once).", retry_after=_BUSY)

    async def counted(self, key: Key, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The pieces of a stream, which counts from the first of them until whoever takes them leaves."""
        self._open[key.id] += 1
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
        finally:
            self._open[key.id] -= 1
            if not self._open[key.id]:
                del self._open[key.id]


def events(tasks: TaskFace, task: Task, last: str, write: Callable[[Task], bytes]) -> Pieces | Reply:
    """The stream, behind the event that the caller saw `last` (an event's id; "": none).

    204 for one who has seen the end already, which is how browsers are told to stay away.
    """
    seen = int(last) if _NUMBER.fullmatch(last) else -1
    if task.ended and task.version <= seen:
        return Reply(b"", 204, ())

    def event(before: Task | None, now: Task) -> bytes:
        if before is None and now.version <= seen:
            return _COMMENT
        return b"event: task\nid: %d\ndata: %b\n\n" % (now.version, write(now))

    return own_events(tasks, task, event)


def own_events(tasks: TaskFace, task: Task, write: Callable[[Task | None, Task], bytes]) -> Pieces:
    """The stream of what `write` makes of the task at first (before it: None) and of each change."""
    return Pieces(_pieces(tasks, task, write), _HEAD, endless=True)


async def _pieces(
    tasks: TaskFace, task: Task, write: Callable[[Task | None, Task], bytes]
) -> AsyncGenerator[bytes, None]:
    yield write(None, task)
    while not task.ended:
        now = await tasks.wait(task.id, task.user_id, beyond=task.version, seconds=KEEP_ALIVE)
        if now is None:
            return
        yield write(task, now) if now.version > task.version else _COMMENT
        task = now
