"""Things that tasks make and later calls name: a song to go on with, a film to lengthen.

Each is bound to its user, channel and credential when its task first tells of it, and never to anything else; a second
binding, of the kind MADE, says which task it is of. Ids that a dialect allots (`ALLOTTED`) lead to their task from its
submission on, and to the thing itself once its provider has named it.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.spec.binding import Binding
from unigate.spec.task import ALLOTTED, Made, Task
from unigate.store import bindings, task_changes
from unigate.store.database import Tx

log: Any = structlog.get_logger("unigate.tasks")
#: From a thing's public id to its task: the upstream id of such a binding is the task's.
MADE = "made"


async def allot(tx: Tx, task: Task) -> None:
    """Let ids that a dialect has allotted lead to their task."""
    for id in _allotted(task):
        await bindings.add(tx, _binding(task, MADE, id, task.id))


async def took(tx: Tx, task: Task, values: dict[str, Any], makes: Sequence[Made]) -> bool:
    """A provider has taken a task, and tells what it makes; as `task_changes.took`."""
    if not await task_changes.took(tx, task.id, values):
        return False
    await bind(tx, task, makes)
    return True


async def bind(tx: Tx, task: Task, makes: Sequence[Made]) -> None:
    """Bind what a task has made; what is bound already stays, and may be named again."""
    allotted = _allotted(task)
    for place, made in enumerate(makes):
        if "\0" in made.id or not made.id:
            continue
        public = allotted[place] if place < len(allotted) else made.id
        if not await bindings.add(tx, _binding(task, made.kind, public, made.id)):
            log.error("a provider names what was made for somebody else", task=task.id, kind=made.kind, thing=made.id)
        elif place >= len(allotted):
            await bindings.add(tx, _binding(task, MADE, public, task.id))


def _allotted(task: Task) -> Sequence[str]:
    told = task.input.get(ALLOTTED)
    return [str(one) for one in told] if isinstance(told, list | tuple) else ()


def _binding(task: Task, kind: str, public_id: str, upstream_id: str) -> Binding:
    return Binding(
        kind=kind,
        public_id=public_id,
        upstream_id=upstream_id,
        channel_id=task.channel_id,
        credential_id=task.credential_id,
        user_id=task.user_id,
        model=task.model,
        created_at=now_ms(),
    )
