"""Calls for pictures: by which model, where none is named, and whether by tasks, where no provider answers at once.

Calls for several may need several tasks: made together, waited for together, answered as one.

Each picture that was made is charged; what failed is not, and the answer has what there is. Nothing is held in memory of
pictures that are answered themselves: they pass through, from our storage or from where their provider has them.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol, cast

import msgspec

from unigate.base.errors import BadAnswer, BadRequest, CallerError, GatewayError, NotFound
from unigate.base.money import format_usd
from unigate.base.picture_size import picture_size
from unigate.dialects import TaskDialect, json_edit, openai_pictures, operations, task_dialect
from unigate.dialects.openai_images import Inlined, failed, pictures
from unigate.relay import task_uses
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_base import base_of
from unigate.relay.task_uses import submission, view, waited
from unigate.routing.plans import nearness
from unigate.spec.channel import Route
from unigate.spec.exchange import Header
from unigate.spec.operation import Operation
from unigate.spec.reply import Pieces, Reply
from unigate.spec.task import Asset, Draft, Fit, Task, View
from unigate.tasks.sources import Opened

_JSON_TYPE = (b"content-type", b"application/json")
#: What is told of it where it is not heeded: tasks do.
_UNHEEDED = (b"x-unigate-ignored", b"idempotency-key")
#: Of a picture's beginning, what is looked at for its size.
_BEGIN = 4096


class Parting(TaskDialect, Protocol):
    """A dialect whose calls may need several tasks."""

    def parts(self, draft: Draft, fits: Sequence[Fit]) -> list[Draft]:
        """The draft as orders of which each model makes all that it asks for."""
        ...

    def inlines(self, draft: Draft) -> bool:
        """Whether the pictures themselves are asked for."""
        ...

    def write_pictures(self, tasks: Sequence[Task], view: View) -> Reply:
        """The reply when all have ended, or the time is over."""
        ...

    def write_inline(self, tasks: Sequence[Task], made: Sequence[Inlined]) -> AsyncGenerator[bytes, None]:
        """The answer that holds the pictures."""
        ...


def by_tasks(call: Call, svc: Services) -> bool:
    """Name the model of a call that names none, and say whether its pictures are made by tasks.

    BadRequest where none is named and none that may be meant is served.
    """
    facts, group = call.facts, call.key.group.name
    if not facts.model:
        tasks = _within(call.operation.name)
        named = next((one for one in _meant(call, svc) if _may_mean(svc, one, group, call.operation, tasks)), "")
        if not named:
            told = "Missing required parameter: 'model'."
            raise BadRequest(told, param="model", code="missing_required_parameter")
        facts.model = named
        if call.form is not None:
            call.form = call.form.with_value("model", named.encode())
        else:
            call.body = json_edit.edited(call.body, {"model": msgspec.json.encode(named)})
    return tasks_rather(svc, facts.model, group, call.operation)


def tasks_rather(svc: Services, model: str, group: str, operation: Operation) -> bool:
    """Whether tasks make a model's pictures: where they alone do, or their channel names it more closely, or it is known so."""
    tasks = _within(operation.name)
    if tasks is None:
        return False
    at_once, later = served(svc, model, group, operation), served(svc, model, group, tasks)
    if not later or not at_once:
        return bool(later)
    near = [max(nearness(route.channel.models, model) for route in routes) for routes in (at_once, later)]
    if near[0] != near[1]:
        return near[0] < near[1]
    known = svc.models.get(model)
    return known is not None and any(route.channel.provider.name == known.family for route in later)


async def instead(call: Call, svc: Services) -> Reply | Pieces:
    """Have the pictures of a call made by tasks."""
    tasks = _within(call.operation.name)
    assert tasks is not None
    call.operation = tasks
    call.marks = [mark for mark in call.marks if mark != _UNHEEDED]
    tokens = call.facts.most_input
    admission = svc.limits.admit(call.key, tokens) or await svc.limits.take(call.key, tokens)
    try:
        call.marks += admission.headers()
        return await make(call, svc)
    finally:
        admission.done(tokens)


def _meant(call: Call, svc: Services) -> list[str]:
    """The models that a call without one may mean, the first best."""
    return [one for one in (*call.facts.models, svc.settings.default_image_model) if one]


def _may_mean(svc: Services, model: str, group: str, operation: Operation, tasks: Operation | None) -> bool:
    """Whether a model that nobody named is served. OpenAI's own are not what makers of tasks mean by any name."""
    own = model.startswith("dall-e-") or openai_pictures.counts_tokens(model)
    return _serves(svc, model, group, operation, None if own else tasks)


def _serves(svc: Services, model: str, group: str, *operations: Operation | None) -> bool:
    """Whether a channel of the group serves the model by one of the operations, whatever its state."""
    return any(served(svc, model, group, operation) for operation in operations if operation is not None)


def served(svc: Services, model: str, group: str, operation: Operation) -> list[Route]:
    """By which routes a model is served, whatever the state of their channels."""
    try:
        return svc.router.served(model, group, operation)
    except NotFound:
        return []


@cache
def _within(name: str) -> Operation | None:
    """The operation by which tasks make the pictures of another; None where none do."""
    return next((row for row in operations() if row.within == name), None)


async def make(call: Call, svc: Services) -> Reply | Pieces:
    """`task`: as `task_uses.make`, or with as many tasks as the call needs."""
    if not hasattr(task_dialect(call.operation.dialect), "parts"):
        return await task_uses.make(call, svc)
    spoken = cast(Parting, task_dialect(call.operation.dialect))
    draft = spoken.read_task(submission(call, svc))
    svc.keys.check(call.key, draft.model, call.x.client, call.at, call.operation)
    fits = _fits(call, svc, draft)
    ignored = list(dict.fromkeys(name for fit in fits for name in fit.ignored))
    if ignored:
        call.marks.append((b"x-unigate-ignored", ", ".join(ignored).encode()))
    drafts = spoken.parts(draft, fits)
    made = await svc.tasks.submit_several(call, drafts, base=base_of(call.x, svc.settings))
    tasks = await asyncio.gather(*(waited(svc, task, draft.wait) for task in made))
    done = all(task.ended for task in tasks)
    cost = ((b"x-unigate-cost", format_usd(sum(task.cost for task in tasks)).encode()),) if done else ()
    if done and spoken.inlines(draft) and (assets := pictures(tasks)):
        return await _inline(svc, spoken, tasks, assets, cost)
    reply = spoken.write_pictures(tasks, view(call, svc))
    return replace(reply, headers=(*reply.headers, *cost))


def _fits(call: Call, svc: Services, draft: Draft) -> list[Fit]:
    """How the call fits the models that may serve it; BadRequest where none of them can."""
    found: list[Fit] = []
    refused: CallerError | None = None
    for route in svc.router.served(draft.model, call.key.group.name, call.operation):
        fits = route.channel.provider.tasks[call.operation.name].fits
        try:
            found.append(fits(route.model, draft.body) if fits is not None else Fit())
        except CallerError as error:
            refused = refused or error
    if refused is not None and not found:
        raise refused
    return found


async def _inline(
    svc: Services, spoken: Parting, tasks: Sequence[Task], assets: Sequence[Asset], cost: tuple[Header, ...]
) -> Pieces:
    """The pictures themselves. BadAnswer, before anything was answered, where one of them is not to be had."""
    most = svc.settings.relay.answer_bytes
    there: list[Opened] = []

    async def opened(asset: Asset) -> Opened:
        there.append(one := await svc.files.open(asset.id, most=most))
        return one

    try:
        found = await asyncio.gather(*map(opened, assets), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        made = await asyncio.gather(*(_inlined(one) for one in found if isinstance(one, Opened)))
    except GatewayError as error:
        _close(there)
        at = ", ".join(f"/v1/tasks/{task.id}" for task in tasks if task.state == "succeeded")
        words = f"The pictures were made, but not all of them could be fetched. They stand at GET {at}."
        raise BadAnswer(words, detail=error.detail or error.message) from None
    except BaseException:
        _close(there)
        raise
    return Pieces(_closing(spoken.write_inline(tasks, made), there), (_JSON_TYPE, *failed(tasks), *cost))


async def _inlined(opened: Opened) -> Inlined:
    """A picture with what its beginning tells."""
    begin = b""
    pieces = opened.pieces
    while len(begin) < _BEGIN and (piece := await anext(pieces, b"")):
        begin += piece
    kind = opened.media_type.partition("/")[2].partition("+")[0]
    return Inlined(format=kind, sides=picture_size(begin), pieces=_after(begin, pieces))


async def _after(begin: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begin
    async for piece in pieces:
        yield piece


async def _closing(pieces: AsyncGenerator[bytes, None], there: Sequence[Opened]) -> AsyncGenerator[bytes, None]:
    """Pieces, after which nothing stays open, however they end."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        _close(there)


def _close(there: Sequence[Opened]) -> None:
    for one in there:
        one.close()
