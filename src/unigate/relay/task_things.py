"""Things that tasks make and later calls name: a song to go on with, a film to lengthen.

Each is bound to its user, channel and credential when its task first tells of it, and never to anything else; a second
binding, of the kind MADE, says which task it is of. Ids that a dialect allots (`ALLOTTED`) lead to their task from its
submission on, and each to one thing from when its provider first names that, in whatever order things are named later.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog

from unigate.base.clock import now_ms
from unigate.spec.binding import Binding
from unigate.spec.task import ALLOTTED, Json, Made, Progress, Task
from unigate.store import bindings, task_changes
from unigate.store.database import Tx

log: Any = structlog.get_logger("unigate.tasks")
#: From a thing's public id to its task: the upstream id of such a binding is the task's.
MADE = "made"
#: Things of one task, and characters of an id, beyond which a provider is not believed: an index holds no row that long.
MOST, LONGEST = 100, 200


async def allot(tx: Tx, task: Task) -> None:
    """Let ids that a dialect has allotted lead to their task."""
    for id in _ids(task.input):
        await bindings.add(tx, _binding(task, MADE, id, task.id))


def steady(task: Task, progress: Progress) -> Progress:
    """What a provider says of a task, and in its detail which of its things has which of the allotted ids."""
    count = len(_ids(task.input))
    named = list(dict.fromkeys((*_ids(task.detail), *(made.id for made in progress.makes))))[:count]
    return replace(progress, detail={**(progress.detail or task.detail), ALLOTTED: named}) if named else progress


async def took(tx: Tx, task: Task, values: dict[str, Any], makes: Sequence[Made]) -> bool:
    """A provider has taken a task, and tells what it makes; as `task_changes.took`."""
    if not await task_changes.took(tx, task.id, values):
        return False
    await bind(tx, task, makes)
    return True


async def bind(tx: Tx, task: Task, makes: Sequence[Made]) -> None:
    """Bind what a task has made; what is bound already stays, and may be named again."""
    allotted = dict(zip(_ids(task.detail), _ids(task.input), strict=False))
    for made in makes[:MOST]:
        if "\0" in made.id or not 0 < len(made.id) <= LONGEST:
            continue
        # By its provider's id too where it has another: that is told in addresses and in what is said of other things.
        for public in dict.fromkeys((allotted.get(made.id, made.id), made.id)):
            if not await bindings.add(tx, _binding(task, made.kind, public, made.id)):
                log.error(
                    "a provider names what was made for somebody else", task=task.id, kind=made.kind, thing=made.id
                )
            elif public == made.id:
                await bindings.add(tx, _binding(task, MADE, public, task.id))


def _ids(value: Json) -> Sequence[str]:
    told = value.get(ALLOTTED)
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
