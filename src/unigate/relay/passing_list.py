"""Lists of what a user has of a kind at providers: the bindings page by page, each thing as its provider tells it now.

A provider's own list shows what all users of its credential have, so it is never asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from unigate.base.clock import monotonic
from unigate.base.errors import BadRequest, GatewayError, NoChannel, TooMany, UpstreamError
from unigate.dialects import openai_passed, openai_passed_list, operations
from unigate.dialects.openai_passed_list import Listing
from unigate.relay import passing_asked, tuned
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.spec.operation import Operation
from unigate.spec.reply import Reply
from unigate.store.pages import Page

Look = Callable[[Call, Services, Operation, Binding, Candidate], Awaitable[bytes | None]]
Told = dict[str, Any] | GatewayError | None
#: Things that one call asks after at once, and in all: filters may leave out most of them.
AT_ONCE = 8
MOST = 400
#: Of those that could not be asked after, so many are named.
_NAMED = 20
#: How long a place is awaited at a channel whose places others have, and how often it is looked for; seconds.
_PATIENCE, _AGAIN = 2.0, 0.05


async def listed(call: Call, svc: Services, look: Look) -> Reply:
    """A page of the list; `look` asks after one thing.

    What could not be asked after is named in a header. BadRequest; what `look` raises where nothing could be told for it.
    """
    kind = call.operation.binds
    asked = openai_passed_list.read(call.x.query, kind)
    newest_first = asked.newest_first != bool(asked.before)
    after = await _place(call, svc, asked)
    things: list[dict[str, Any]] = []
    lost: dict[str, GatewayError] = {}
    looks = _Looks(call, svc, look)
    left, more = MOST, True
    while more and left > 0 and len(things) < asked.limit:
        page = Page(limit=min(asked.limit - len(things), left), after=after)
        found = await svc.bindings.page(kind, call.key.user_id, page, newest_first=newest_first)
        left -= len(found.rows)
        for binding, told in zip(found.rows, await looks.at(found.rows), strict=True):
            if isinstance(told, GatewayError):
                lost[binding.public_id] = told
            elif told is not None and asked.wants(told):
                things.append(told)
        after, more = found.next, found.next is not None
    await looks.forget()
    if asked.before:
        things.reverse()
    if lost:
        if looks.failure is not None and not looks.good:
            raise looks.failure
        call.marks.append((b"x-unigate-unreachable", ", ".join([*lost][:_NAMED]).encode()))
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


class _Looks:
    """The questions that one list asks: never more at once than a channel has places."""

    __slots__ = ("_call", "_full", "_gone", "_known", "_look", "_operation", "_places", "_svc", "failure", "good")

    def __init__(self, call: Call, svc: Services, look: Look) -> None:
        self._call = call
        self._svc = svc
        self._look = look
        self._operation = _of_one(call.operation.name)
        self._places: dict[str, asyncio.Semaphore] = {}
        #: Channels at which a place was awaited in vain.
        self._full: set[str] = set()
        #: What was not there, and the credentials that know others.
        self._gone: list[Binding] = []
        self._known: set[tuple[str, str]] = set()
        #: How many questions were answered, and what went wrong first.
        self.good = 0
        self.failure: GatewayError | None = None

    async def at(self, bindings: list[Binding]) -> list[Told]:
        """What is said of each: the thing, why it could not be asked after, or None where it is gone itself."""
        found: list[Told] = []
        for at in range(0, len(bindings), AT_ONCE):
            found += await asyncio.gather(*(self._one(binding) for binding in bindings[at : at + AT_ONCE]))
        return found

    async def _one(self, binding: Binding) -> Told:
        svc = self._svc
        try:
            candidate = svc.router.bound(binding)
        except NoChannel as error:
            return error
        places = self._places.setdefault(binding.channel_id, asyncio.Semaphore(min(candidate.places, AT_ONCE)))
        try:
            async with places:
                await self._take(candidate)
                body = await self._look(self._call, svc, self._operation, binding, candidate)
            told = None
            if body is not None:
                await tuned.keep(svc, self._operation, binding, body)
                told = openai_passed.read_answer(await passing_asked.shown(self._operation, svc, candidate, body))
        except (NoChannel, TooMany, UpstreamError) as error:
            self.failure = self.failure or error
            return error
        self.good += 1
        if told is not None:
            self._known.add((binding.channel_id, candidate.credential.id))
        elif candidate.credential.id == binding.credential_id:
            self._gone.append(binding)
        return told

    async def forget(self) -> None:
        """Forget what is gone, where the same credential knows others: else it may be of another account by now."""
        for binding in self._gone:
            if (binding.channel_id, binding.credential_id) in self._known:
                await self._svc.bindings.remove(binding)

    async def _take(self, candidate: Candidate) -> None:
        """Wait for a place; NoChannel where there is none for long, at once where it was so before."""
        channel, until = candidate.route.channel.id, monotonic() + _PATIENCE
        while not candidate.take():
            if channel in self._full or monotonic() >= until:
                self._full.add(channel)
                raise NoChannel(retry_after=1.0)
            await asyncio.sleep(_AGAIN)


@cache
def _of_one(name: str) -> Operation:
    """The operation that shows one of the things that another lists."""
    wanted = f"{name.removesuffix('.list')}.get"
    return next(row for row in operations() if row.name == wanted)
