"""Calls that their caller does not wait for, in a dialect whose other calls are answered at once: each becomes a task.

Such a dialect is a `TaskDialect` too. It tells ids of ours from its vendor's (`own_id`), and the provider's handle of
such a task has the vendor's id under `id`: what only the vendor knows of it is asked there. See docs/tasks.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import cache
from typing import Protocol, cast

from unigate.base.errors import BadRequest, Conflict, NotFound, UpstreamRefused
from unigate.dialects import Dialect, TaskDialect, operations
from unigate.relay import chat_pictures, references, task_uses, tuned
from unigate.relay.attempts import beside
from unigate.relay.call import Call, NamedFiles
from unigate.relay.holding import most_tokens
from unigate.relay.services import Services
from unigate.spec.binding import Binding
from unigate.spec.facts import TUNED
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.spec.task import Submission, Task


class BackgroundDialect(TaskDialect, Dialect, Protocol):
    """A dialect whose facts may say `background`."""

    def own_id(self, id: str) -> bool:
        """Whether an id has the shape of ours."""
        ...

    def check_get(self, asked: Submission) -> None:
        """BadRequest where something of ours is asked for in a way that only the vendor's can be."""
        ...

    def go_on_from(self, body: bytes, previous: str) -> bytes:
        """The body with another id of the thing that it goes on from."""
        ...


async def begin(call: Call, svc: Services) -> None:
    """Make a task of a call and reply; what a call is held for at most, a task is held for too.

    Raises what `TaskFace.submit` does.
    """
    spoken, facts, key = cast(BackgroundDialect, call.dialect), call.facts, call.key
    operation = call.operation = _within(call.operation.name)
    if svc.settings.operations.get(operation.name) == "off":
        raise BadRequest("This is not offered in the background here.", param="background")
    svc.keys.check(key, facts.model, call.x.client, call.at, operation)
    tokens = call.input_tokens = spoken.input_bound(call.body, facts)
    admission = svc.limits.admit(key, tokens) or await svc.limits.take(key, tokens)
    try:
        call.marks += admission.headers()
        draft, before = await beside(len(call.body), spoken.read_task, task_uses.submission(call, svc)), None
        if facts.kept:
            before = await place(call, svc)
            again = await beside(len(call.body), spoken.read_task, task_uses.submission(call, svc))
            draft = replace(draft, body=again.body)
        given, made = most_tokens(call, svc.models.get(facts.model), svc.settings.hold.output_tokens)
        chat_pictures.expect(call)
        draft = replace(
            draft,
            units={**facts.units, "input": given, "output": made * facts.count},
            conditions={**draft.conditions, **facts.conditions},
            pinned=before,
        )
        reply = await task_uses.submit(call, svc, spoken, draft)
    finally:
        admission.done(tokens)  # what comes out is not known yet, and is not counted
    call.x.reply(reply.status, [*reply.headers, (b"x-request-id", call.id.encode()), *call.marks], reply.body)


async def place(call: Call, svc: Services) -> Binding | None:
    """Where a call must go because of its model, of what it goes on from, and what else it names.

    Raises as `tuned.place`, `previous` and `pinned`.
    """
    facts = call.facts
    before = await tuned.place(call, svc, facts.model) if facts.model.startswith(TUNED) else None
    if facts.previous:
        before = references.same(before, await previous(call, svc), f"previous_{call.operation.binds}_id")
    if facts.references:
        named = await references.pinned(call, svc, facts.references)
        return references.same(before, named, facts.references[0].param)
    call.named = NamedFiles(rows={})
    return before


async def previous(call: Call, svc: Services) -> Binding:
    """What the call goes on from; BadRequest where the caller's user has no such thing, or it is not there yet.

    What was made in the background is named to the vendor by the vendor's id.
    """
    spoken = cast(BackgroundDialect, call.dialect)
    public_id = call.facts.previous
    if not _may_be_ours(spoken, public_id):
        return await svc.bindings.previous(call)
    task = await _find(call, svc, public_id)
    if task is None:
        return await svc.bindings.previous(call)
    binding = _binding(call.operation, task)
    if binding is None or task.state != "succeeded":
        kind = call.operation.binds
        told = f"Previous {kind} with id '{public_id}' is not completed."
        raise BadRequest(told, param=f"previous_{kind}_id", code=f"previous_{kind}_not_completed")
    call.body = spoken.go_on_from(call.body, binding.upstream_id)
    return binding


async def made_here(call: Call, svc: Services, public_id: str) -> Task | None:
    """The task behind an id; None where the thing is the vendor's alone. NotFound where it was deleted."""
    spoken = task_uses.spoken_by(call)
    if spoken is None or not _may_be_ours(cast(BackgroundDialect, spoken), public_id):
        return None
    return await _find(call, svc, public_id)


async def about(call: Call, svc: Services, task: Task, ask: Callable[[Binding], Awaitable[Reply]]) -> Reply:
    """A question about a task: answered by us, or by `ask` where the provider is to be asked; deleting it forgets both."""
    operation = call.operation
    if operation.task_use == "task_cancel":
        return await task_uses.cancel(call, svc)
    if operation.task_use == "task_get":
        cast(BackgroundDialect, task_uses.spoken_by(call)).check_get(task_uses.submission(call, svc))
        return await _named(call, svc, task, await task_uses.get(call, svc))
    binding = _binding(operation, task)
    deletes = operation.method == "DELETE"
    if binding is None or (deletes and not task.ended):
        raise Conflict(f"This {operation.binds} is still in progress.")
    theirs, ours = binding.upstream_id.encode(), binding.public_id.encode()
    try:
        reply = await ask(binding)
    except UpstreamRefused as refused:
        refused.body = refused.body.replace(theirs, ours)
        raise
    if deletes:
        await svc.bindings.put(replace(binding, kind=_deleted(operation)))
    return replace(reply, body=reply.body.replace(theirs, ours))


async def _named(call: Call, svc: Services, task: Task, reply: Reply) -> Reply:
    """A reply about a task, which names files by our ids."""
    place = _binding(call.operation, task)
    return reply if place is None else replace(reply, body=await references.told_later(svc, task, place, reply.body))


async def _find(call: Call, svc: Services, public_id: str) -> Task | None:
    """The caller's task of that id in this dialect."""
    task = await svc.tasks.get(public_id, call.key.user_id)
    if task is None or task.dialect != call.operation.dialect:
        return None
    if not call.key.user_view and task.key_id != call.key.id:
        return None
    if await svc.bindings.of(_deleted(call.operation), public_id, call.key.user_id) is not None:
        raise NotFound(f"{call.operation.binds.capitalize()} with id '{public_id}' not found.")
    return task


def _may_be_ours(spoken: BackgroundDialect, public_id: str) -> bool:
    own: Callable[[str], bool] | None = getattr(spoken, "own_id", None)
    return own is not None and own(public_id)


def _binding(operation: Operation, task: Task) -> Binding | None:
    """Where the vendor knows the thing; None where it does not yet, or never did."""
    upstream_id = task.handle.get("id")
    if not isinstance(upstream_id, str) or not task.channel_id:
        return None
    return Binding(
        kind=operation.binds,
        public_id=task.id,
        upstream_id=upstream_id,
        channel_id=task.channel_id,
        credential_id=task.credential_id,
        user_id=task.user_id,
        model=task.model,
        created_at=task.created_at,
    )


def _deleted(operation: Operation) -> str:
    """The kind of binding that remembers what was deleted."""
    return f"deleted {operation.binds}"


@cache
def _within(name: str) -> Operation:
    """The operation that serves those calls of another that nobody waits for."""
    return next(row for row in operations() if row.within == name)
