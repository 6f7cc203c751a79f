"""Kept things that calls name: whose they are, where the call may go because of them, and by which ids they are known there.

Files are copied to whichever candidate is tried; other things lie in one place, to which the call goes. What is not the
user's is as unknown as what never was. In answers the provider's ids of copies become ours again.
"""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import msgspec

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadRequest, CallerError, NotFound, Unsupported, UpstreamError, UpstreamRefused
from unigate.dialects import openai_files, openai_references
from unigate.dialects.openai_references import Carried
from unigate.relay.call import Call, NamedFiles
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.binding import Binding
from unigate.spec.reference import Reference
from unigate.spec.task import Json, Task
from unigate.store.own_files import FileRow

#: Characters of an id; there are no longer ones.
LONGEST_ID = 200
#: A file that goes in a body itself has so many bytes at most: it is in memory then.
CARRIED = 8 << 20
#: All that go in one body together, each as often as it is named there.
CARRIED_ALL = 20 << 20
#: Dialects of tasks that may name files.
DIALECTS = frozenset({"openai_responses"})
#: By which a provider says that it does not know something.
_UNKNOWN = frozenset({400, 404})
T = TypeVar("T")


async def pinned(call: Call, svc: Services, references: Sequence[Reference]) -> Binding | None:
    """Where a call must go because of what it names; None where that may be anywhere.

    The files that it names are noted in the call. NotFound for what is not the user's; BadRequest for things that lie in
    different places.
    """
    place: Binding | None = None
    rows: dict[str, FileRow] = {}
    for one in references:
        if one.kind == "file":
            if one.id not in rows:
                rows[one.id] = await _file(call, svc, one)
            continue
        known = len(one.id) <= LONGEST_ID and "\0" not in one.id
        binding = await svc.bindings.of(one.kind, one.id, call.key.user_id) if known else None
        if binding is None:
            kind = one.kind.replace("_", " ").capitalize()
            raise NotFound(f"{kind} with id '{one.id[:100]}' not found.", param=one.param)
        place = same(place, binding, one.param)
    call.named = NamedFiles(rows=rows)
    return place


def same(one: Binding | None, other: Binding | None, param: str) -> Binding | None:
    """The place of both; BadRequest where they lie in different ones."""
    if one is None or other is None:
        return one or other
    if (one.channel_id, one.credential_id) != (other.channel_id, other.credential_id):
        kinds = " and a ".join(each.kind.replace("_", " ") for each in (one, other))
        raise BadRequest(f"A {kinds} that are kept in different places cannot be used together.", param=param)
    return one


async def best_first(svc: Services, named: NamedFiles, candidates: list[Candidate]) -> list[Candidate]:
    """The candidates, of those of one priority those first that have copies already."""
    if len(candidates) == 1 or not named.rows:
        return candidates
    places = await svc.copies.holders(named.rows)
    if not places:
        return candidates

    def rank(candidate: Candidate) -> tuple[int, bool]:
        channel = candidate.route.channel
        return -channel.priority, (channel.id, candidate.credential.id) not in places

    return Candidate.reordered(sorted(candidates, key=rank))


async def with_copies(call: Call, svc: Services, candidate: Candidate, attempt: Callable[[], Awaitable[T]]) -> T:
    """One try of a call that names files: they are copied before it; a copy that the provider lost is made anew, once."""
    named = call.named
    assert named is not None
    await _placed(call, svc, candidate, named)
    try:
        return await attempt()
    except UpstreamRefused as refused:
        unknown = refused.upstream_status in _UNKNOWN and b"file" in refused.body.lower()
        _own_words(refused, named)
        if not unknown or not await _lost(svc, candidate, named):
            raise
    await _placed(call, svc, candidate, named)
    try:
        return await attempt()
    except UpstreamRefused as refused:
        _own_words(refused, named)
        raise


def put(body: bytes, named: NamedFiles) -> bytes:
    """The body with what its files are called, or are, where it is sent. Unsupported where one can't be in the body."""
    try:
        return openai_references.put(body, named.ids, named.carried)
    except LookupError:
        raise Unsupported("No provider of this model takes files in this place.", param="file_id") from None


async def translated(body: bytes, references: Iterable[Reference], candidate: Candidate, svc: Services) -> bytes:
    """A body with the ids that its files have at a candidate. Whose they are was found out before. Raises as `ensure`."""
    kinds = {one.param: one.kind for one in references}
    ids: dict[str, str] = {}
    for one in references:
        if one.kind == "file" and one.id not in ids:
            row = await svc.own_files.anybodys(one.id)
            if row is None:
                raise openai_files.missing(one.id)
            ids[one.id] = await svc.copies.ensure(candidate, row)
    return openai_references.put(body, ids, kinds=kinds) if ids else body


async def in_order(task: Task, body: Json, candidate: Candidate, svc: Services) -> Json:
    """The same of what a task asks for. All failures are UpstreamErrors of what was never sent."""
    if task.dialect not in DIALECTS:
        return body
    text = msgspec.json.encode(body)
    try:
        found = await asyncio.to_thread(openai_references.find, text)
        if all(one.kind != "file" for one in found):
            return body
        changed: Json = msgspec.json.decode(await translated(text, found, candidate, svc))
    except UpstreamError as failure:
        failure.sent = False
        raise
    except CallerError as error:
        raise UpstreamRefused(error.status, openai_files.write_error(error, "")) from None
    return changed


async def answered(body: bytes, place: Candidate | Binding, svc: Services) -> bytes:
    """An answer, or whole events of one, with our ids of files in place of those that copies have where it comes from."""
    found = openai_references.named_files(body)
    if not found:
        return body
    if isinstance(place, Candidate):
        ours = await svc.copies.ours(place, found)
    else:
        ours = await svc.copies.ours_at(place.channel_id, place.credential_id, found)
    if not ours:
        return body
    return openai_references.names(body, {theirs.encode(): id.encode() for theirs, id in ours.items()})


async def told(call: Call, svc: Services, candidate: Candidate, answer: bytes) -> bytes:
    """The answer of a call, or whole events of one, as its caller may have it; containers that were made for it are theirs."""
    if call.facts.containers:
        owner = _Owner(call.key.user_id, candidate.route.channel.id, candidate.credential.id, call.facts.model)
        await _bind(svc, owner, answer)
    return await answered(answer, candidate, svc)


async def told_later(svc: Services, task: Task, place: Binding, answer: bytes) -> bytes:
    """The same of what a task came to."""
    await _bind(svc, _Owner(task.user_id, place.channel_id, place.credential_id, task.model), answer)
    return await answered(answer, place, svc)


class _Owner(NamedTuple):
    """Whose a thing is, and where it is known."""

    user_id: str
    channel_id: str
    credential_id: str
    model: str


async def _bind(svc: Services, owner: _Owner, answer: bytes) -> None:
    """Have the containers that an answer tells of belong to its user."""
    for id in openai_references.made_containers(answer):
        if await svc.bindings.of("container", id, owner.user_id) is None:
            made = {**owner._asdict(), "kind": "container", "public_id": id, "upstream_id": id}
            await svc.bindings.put(Binding(**made, created_at=now_ms()))


async def _file(call: Call, svc: Services, reference: Reference) -> FileRow:
    row = await svc.own_files.find(reference.id, call.key.user_id)
    if row is None:
        raise NotFound(f"No such File object: {reference.id[:100]}", param=reference.param)
    return row


async def _placed(call: Call, svc: Services, candidate: Candidate, named: NamedFiles) -> None:
    """Have all files of a call where it is about to be sent."""
    began = monotonic()
    named.ids, named.carried, named.growth = {}, {}, 0
    carried: list[FileRow] = []
    try:
        for id, row in named.rows.items():
            try:
                named.ids[id] = await svc.copies.ensure(candidate, row)
            except Unsupported:
                if call.operation.name not in candidate.route.channel.provider.carries_files:
                    raise
                carried.append(row)
        if carried:
            await _carry(call, svc, named, carried)
    finally:
        call.upstream_seconds += monotonic() - began


async def _lost(svc: Services, candidate: Candidate, named: NamedFiles) -> bool:
    """Whether the provider lost some of the copies that it was told of."""
    found = False
    for id, theirs in named.ids.items():
        with suppress(UpstreamError):
            found = await svc.copies.lost(candidate, named.rows[id], theirs) or found
    return found


async def _carry(call: Call, svc: Services, named: NamedFiles, rows: Sequence[FileRow]) -> None:
    """Have files ready to go in a body. Unsupported, before any is read, where they are too large for that."""
    if any(row.size > CARRIED for row in rows):
        raise Unsupported(f"No provider of this model takes a file of more than {CARRIED} bytes.", param="file_id")
    times = await asyncio.to_thread(openai_references.times, call.body)
    size = sum(row.size * times[row.id] for row in rows)
    if size > CARRIED_ALL:
        told = f"No provider of this model takes files of more than {CARRIED_ALL} bytes together."
        raise Unsupported(told, param="file_id")
    for row in rows:
        named.carried[row.id] = await _carried(svc, row)
    named.growth = 2 * size


async def _carried(svc: Services, row: FileRow) -> Carried:
    """A file as it goes in a body."""
    data = b"".join([piece async for piece in await svc.copies.content(row)])
    text = await asyncio.to_thread(b64encode, data)
    return Carried(
        filename=row.filename, url=f"data:{row.media_type or 'application/octet-stream'};base64,{text.decode()}"
    )


def _own_words(refused: UpstreamRefused, named: NamedFiles) -> None:
    """Have a refusal name our ids."""
    for ours, theirs in named.ids.items():
        refused.body = refused.body.replace(theirs.encode(), ours.encode())
