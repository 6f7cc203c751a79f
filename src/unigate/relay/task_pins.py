"""What a draft names and a provider keeps, such as an uploaded file: looked up, so that the task goes to whoever knows it.

A dialect with such things has two functions: `kept_things(draft)`, kind and id of each, and `with_kept(draft, found)`,
the draft with what was found under these ids, pinned; it refuses what is not there. Where a draft goes on from something
that a task made, `goes_on_from(draft)` names that thing ("": none), and the draft goes on from its task, if that is still there.
GUARDED: kinds of things of which none may be named, anywhere in the body, that is another user's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

from unigate.base.errors import BadRequest
from unigate.dialects import TaskDialect
from unigate.relay import strangers
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_things import MADE
from unigate.spec.binding import Binding
from unigate.spec.task import Draft, Task

#: Things that one draft may name: each is looked up by itself.
MOST = 50


class Pinner(Protocol):
    """A dialect whose drafts may name what a provider keeps."""

    def kept_things(self, draft: Draft) -> Sequence[tuple[str, str]]:
        """Kind and id of each thing."""
        ...

    def with_kept(self, draft: Draft, found: Mapping[str, Binding]) -> Draft:
        """The draft, pinned to where the things are; a CallerError where one is not there."""
        ...


async def pinned(call: Call, svc: Services, spoken: TaskDialect, draft: Draft) -> Draft:
    """The draft with what it names resolved; as it is where it names nothing. BadRequest where it names too much."""
    if not hasattr(spoken, "kept_things"):
        return draft
    pinner = cast(Pinner, spoken)
    if await strangers.named(svc, getattr(spoken, "GUARDED", ()), draft.body, call.key.user_id):
        raise getattr(spoken, "missing_parent", spoken.missing)("")
    things = pinner.kept_things(draft)
    if not things:
        return draft
    if len(things) > MOST:
        raise BadRequest(f"At most {MOST} uploaded files can be named.", param="input", code="too_many_files")
    if any("\0" in id for _, id in things):
        return pinner.with_kept(draft, {})
    found = {id: await svc.bindings.of(kind, id, call.key.user_id) for kind, id in things}
    made = pinner.with_kept(draft, {id: binding for id, binding in found.items() if binding is not None})
    names: Callable[[Draft], str] | None = getattr(spoken, "goes_on_from", None)
    if names is None or draft.parent_id or not (thing := names(draft)):
        return made
    task = (await makers(call, svc, [thing])).get(thing)
    return made if task is None else replace(made, parent_id=task.id)


async def makers(call: Call, svc: Services, things: Sequence[str]) -> Mapping[str, Task]:
    """The tasks of the calling user that made things, by these; none where no task did, or it has been deleted."""
    user = call.key.user_id
    found = await svc.bindings.several(MADE, [thing for thing in things if "\0" not in thing], user)
    made = await svc.tasks.several(list(dict.fromkeys(one.upstream_id for one in found)), user) if found else ()
    tasks = {task.id: task for task in made}
    return {one.public_id: tasks[one.upstream_id] for one in found if one.upstream_id in tasks}
