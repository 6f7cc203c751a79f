"""Lists of what a user has of a kind at providers: the bindings page by page, each thing as its provider tells it now.

A provider's own list shows what all users of its credential have, so it is never asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from unigate.base.errors import BadRequest, NoChannel
from unigate.dialects import openai_passed, openai_passed_list, operations
from unigate.dialects.openai_passed_list import Listing
from unigate.relay import passing_asked, tuned
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.spec.binding import Binding
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.store.pages import Page

Look = Callable[[Call, Services, Operation, Binding], Awaitable[bytes | None]]
#: Things that one call asks after at once, and in all: filters may leave out most of them.
AT_ONCE = 8
MOST = 400
#: Of those whose channel is gone, so many are named.
_NAMED = 20


async def listed(call: Call, svc: Services, look: Look) -> Reply:
    """A page of the list; `look` asks after one thing. BadRequest; whatever `look` raises but for channels that are gone."""
    kind = call.operation.binds
    asked = openai_passed_list.read(call.x.query, kind)
    newest_first = asked.newest_first != bool(asked.before)
    after = await _place(call, svc, asked)
    things: list[dict[str, Any]] = []
    lost: list[str] = []
    left, more = MOST, True
    while more and left > 0 and len(things) < asked.limit:
        page = Page(limit=min(asked.limit - len(things), left), after=after)
        found = await svc.bindings.page(kind, call.key.user_id, page, newest_first=newest_first)
        left -= len(found.rows)
        for binding, told in zip(found.rows, await _looked(call, svc, found.rows, look), strict=True):
            if isinstance(told, NoChannel):
                lost.append(binding.public_id)
            elif told is not None and asked.wants(told):
                things.append(told)
        after, more = found.next, found.next is not None
    if asked.before:
        things.reverse()
    if lost:
        call.marks.append((b"x-unigate-unreachable", ", ".join(lost[:_NAMED]).encode()))
    return Reply(openai_passed_list.write(things, more=more))


async def _place(call: Call, svc: Services, asked: Listing) -> tuple[int | str, ...] | None:
    """Where the page begins; BadRequest where that is nothing of the user's."""
    id = asked.after or asked.before
    if not id:
        return None
    binding = await svc.bindings.find(call, id)
    if binding is None:
        param = "after" if asked.after else "before"
        raise BadRequest(f"'{param}' names nothing of yours.", param=param)
    return binding.created_at, binding.public_id


async def _looked(
    call: Call, svc: Services, bindings: list[Binding], look: Look
) -> list[dict[str, Any] | NoChannel | None]:
    """What is said of each: the thing, that its channel is gone or away, or None where it is gone itself."""
    operation = _of_one(call.operation.name)
    found: list[dict[str, Any] | NoChannel | None] = []
    for at in range(0, len(bindings), AT_ONCE):
        some = bindings[at : at + AT_ONCE]
        found += await asyncio.gather(*(_one(call, svc, operation, binding, look) for binding in some))
    return found


async def _one(
    call: Call, svc: Services, operation: Operation, binding: Binding, look: Look
) -> dict[str, Any] | NoChannel | None:
    try:
        svc.router.bound(binding)
    except NoChannel as error:
        return error
    body = await look(call, svc, operation, binding)
    if body is None:
        return None
    await tuned.keep(svc, operation, binding, body)
    return openai_passed.read_answer(await passing_asked.shown(operation, svc, svc.router.bound(binding), body))


@cache
def _of_one(name: str) -> Operation:
    """The operation that shows one of the things that another lists."""
    wanted = f"{name.removesuffix('.list')}.get"
    return next(row for row in operations() if row.name == wanted)
