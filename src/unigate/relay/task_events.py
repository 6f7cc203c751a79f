"""A task as server-sent events: as it is, then with each change, until it has ended.

An event is `task`, its id the task's version, so that a caller who comes back with `last-event-id` gets what is newer.
Changes that follow each other faster than they are looked at are one event. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import AsyncGenerator, Callable

from unigate.relay.call import Call
from unigate.relay.task_face import TaskFace
from unigate.spec.reply import Pieces, Reply
from unigate.spec.task import Task

#: Seconds after which a comment shows that the stream lives.
KEEP_ALIVE = 15.0
_COMMENT = b": keep-alive\n\n"
_HEAD = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_DIGITS = 18


def events(call: Call, tasks: TaskFace, task: Task, write: Callable[[Task], bytes]) -> Pieces | Reply:
    """The stream; 204 for a caller who has seen the end already, which is how browsers are told to stay away."""
    seen = _last_seen(call.x.header(b"last-event-id"))
    if task.ended and task.version <= seen:
        return Reply(b"", 204, ())
    return Pieces(_pieces(tasks, task, seen, write), _HEAD)


async def _pieces(
    tasks: TaskFace, task: Task, seen: int, write: Callable[[Task], bytes]
) -> AsyncGenerator[bytes, None]:
    """Begins with something in any case, so that the reply begins."""
    yield _event(task, write) if task.version > seen else _COMMENT
    while not task.ended:
        now = await tasks.wait(task.id, task.user_id, beyond=task.version, seconds=KEEP_ALIVE)
        if now is None:
            return
        yield _event(now, write) if now.version > task.version else _COMMENT
        task = now


def _event(task: Task, write: Callable[[Task], bytes]) -> bytes:
    return b"event: task\nid: %d\ndata: %b\n\n" % (task.version, write(task))


def _last_seen(text: bytes | None) -> int:
    """The version that a caller has seen; -1: none."""
    return int(text) if text and text.isdigit() and len(text) <= _DIGITS else -1
