"""Copies of users' files at providers: made when a call first needs one, remembered, and deleted with the file.

However many calls need one at once, in however many processes, one of them uploads it: its row is claimed first, and says
at the end by which id the provider knows the file. Whoever dies between leaves a claim that runs out. Must not know what
a body looks like.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import (
    GatewayError,
    NoChannel,
    StoreUnavailable,
    TookTooLong,
    Unsupported,
    UpstreamError,
    UpstreamRefused,
)
from unigate.dialects import openai_files
from unigate.relay import copy_wire
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Candidate, Router
from unigate.spec.binding import Binding
from unigate.spec.channel import Channel
from unigate.store import file_copies as rows
from unigate.store import own_files
from unigate.store.database import Database
from unigate.store.file_copies import AT_ONCE, CopyRow, State
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow

log: Any = structlog.get_logger("unigate.files")
#: Whoever uploads claims the copy for so long, again and again; what nobody claims any more, another makes.
CLAIMED_MS = 20_000
_RENEWED = 5.0
#: Seconds between two looks for what another process is making.
_LOOK = 0.2
#: A copy that expires sooner is made anew: the provider has yet to read it.
_FRESH_MS = 60_000
#: Seconds between two looks for copies to be deleted; what a provider did not delete is tried again after so long.
LOOK = 30.0
AGAIN_MS = 300_000
_TOGETHER = 100
#: By which a provider refuses the file, and by which it says that it takes none.
_REFUSALS = frozenset({400, 413, 415, 422})
_NO_FILES = frozenset({404, 405, 501})
#: By which it says so of a credential, which may be good for models all the same.
_NOT_ALLOWED = frozenset({401, 403})
#: Seconds until it is asked again.
_WITHOUT = 600.0
_GONE = 404

_Place = tuple[str, str, str]


@dataclass(slots=True)
class _Making:
    """A copy that is being made, and how many wait for it."""

    task: "asyncio.Task[str]"
    waiting: int = 0


class Copies:
    """The copies of all users' files, for one event loop."""

    def __init__(self, db: Database, storages: Storages, upstreams: Upstreams, router: Router) -> None:
        self._db = db
        self._storages = storages
        self._upstreams = upstreams
        self._router = router
        self._making: dict[_Place, _Making] = {}
        #: Channels, and credentials of them, that turned out to take no files: as the channel was then, and until when.
        self._without: dict[tuple[str, str], tuple[Channel, float]] = {}
        self._wake = asyncio.Event()

    def taken_by(self, candidate: Candidate) -> bool:
        """Whether a candidate's provider takes files by its credential, as far as we know."""
        channel = candidate.route.channel
        for credential in ("", candidate.credential.id):
            then, until = self._without.get((channel.id, credential), (None, 0.0))
            if then is channel and self._router.now() < until:
                return False
        return channel.provider.serves(copy_wire.CREATE)

    async def ensure(self, candidate: Candidate, row: FileRow) -> str:
        """The id of a file at a candidate's channel and credential, where it is uploaded unless it was before.

        Raises UpstreamError as a failed try of the call does, UpstreamRefused with 400 where the provider refuses the file;
        Unsupported where it takes no files; StoreUnavailable.
        """
        if not self.taken_by(candidate):
            raise Unsupported("No provider of this model takes files.", param="file_id")
        wanted = _claim(candidate, row)
        place = (wanted.file_id, wanted.channel_id, wanted.credential_id)
        making = self._under_way(place)
        if making is None:
            async with self._db.reading() as tx:
                known = await rows.find(tx, wanted)
            if known is not None and _fresh(known):
                return known.upstream_id
            making = self._under_way(place)
        if making is None:
            task = asyncio.get_running_loop().create_task(self._make(candidate, row, wanted))
            task.add_done_callback(partial(self._made, place))
            making = self._making[place] = _Making(task)
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if not making.waiting:
                making.task.cancel()

    async def ours(self, candidate: Candidate, ids: Collection[str]) -> Mapping[str, str]:
        """Those of the provider's ids that are copies at the candidate's channel and credential: its id -> ours."""
        return await self.ours_at(candidate.route.channel.id, candidate.credential.id, ids)

    async def ours_at(self, channel_id: str, credential_id: str, ids: Collection[str]) -> Mapping[str, str]:
        """The same of a channel and credential."""
        found: dict[str, str] = {}
        wanted = [*ids]
        for at in range(0, len(wanted), _TOGETHER):
            async with self._db.reading() as tx:
                found |= await rows.ours(tx, channel_id, credential_id, wanted[at : at + _TOGETHER])
        return found

    async def holders(self, file_ids: Collection[str]) -> set[tuple[str, str]]:
        """The channels and credentials that have copies of all these files."""
        async with self._db.reading() as tx:
            found = await rows.holders(tx, file_ids)
        places = {(channel, credential) for _, channel, credential in found}
        return {place for place in places if all((id, *place) in found for id in file_ids)}

    async def lost(self, candidate: Candidate, row: FileRow, upstream_id: str) -> bool:
        """Whether the provider does not know a copy any more, which is forgotten then. UpstreamError, StoreUnavailable."""
        try:
            await copy_wire.ask(self._upstreams, candidate, copy_wire.GET, upstream_id)
        except UpstreamRefused as refused:
            if refused.upstream_status != _GONE:
                return False
        else:
            return False
        async with self._db.writing() as tx:
            there = await rows.find(tx, _claim(candidate, row))
            if there is not None and there.state == "ready" and there.upstream_id == upstream_id:
                await rows.forget(tx, there)
        log.warning("a provider lost a copy", file=row.id, channel=candidate.route.channel.name)
        return True

    async def content(self, row: FileRow) -> AsyncIterator[bytes]:
        """The bytes of a file. StoreUnavailable, from the pieces too."""
        found = await self._storages.open(row.store).get(row.path)
        if found is None:  # it may have been moved meanwhile
            async with self._db.reading() as tx:
                now = await own_files.find(tx, row.id, now=now_ms())
            found = await self._storages.open(now.store).get(now.path) if now is not None else None
        if found is None:
            raise StoreUnavailable(detail=f"storage: {row.id} is not where it should be")
        return found.pieces

    def soon(self) -> None:
        """A file was deleted: see to its copies at once."""
        self._wake.set()

    async def run(self) -> None:
        """Delete what is to be deleted, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.tidy()
            except GatewayError as error:
                log.warning("could not tidy copies", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not tidy copies")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._wake.wait()

    async def tidy(self) -> None:
        """See to all copies that are due. StoreUnavailable."""
        while True:
            async with self._db.reading() as tx:
                due = await rows.due(tx, now_ms(), _TOGETHER)
            for row in due:
                await self._see_to(row)
            if len(due) < _TOGETHER:
                return

    async def _make(self, candidate: Candidate, file: FileRow, wanted: CopyRow) -> str:
        """Upload a file, or wait for another process that does."""
        until = monotonic() + candidate.route.channel.timeouts.total
        while (there := await self._begin(wanted)) is not None:
            if _fresh(there):
                return there.upstream_id
            if there.state == "deleted":
                raise openai_files.missing(file.id)
            if there.state == "ready" or there.due_at <= now_ms():
                await self._give_up(there)
            elif monotonic() > until:
                raise TookTooLong(detail="another process did not upload a file in time")
            else:
                await asyncio.sleep(_LOOK)
            wanted = _claim(candidate, file)
        async with self._claimed(wanted):
            opened = partial(self.content, file)
            try:
                upstream_id, expires_at = await copy_wire.upload(self._upstreams, candidate, file, opened)
            except UpstreamRefused as refused:
                raise self._refusal(refused, candidate) from None
            async with self._db.writing() as tx:
                here = await own_files.locked(tx, file.id, now=now_ms())
                state: State = "ready" if here else "deleted"
                due_at = expires_at if here else AT_ONCE
                kept = await rows.ready(tx, wanted, upstream_id, state=state, expires_at=expires_at, due_at=due_at)
        if not kept:
            log.error("a copy was made twice", file=file.id, channel=candidate.route.channel.name, id=upstream_id)
            await copy_wire.ask(self._upstreams, candidate, copy_wire.DELETE, upstream_id)
            return await self._make(candidate, file, _claim(candidate, file))
        if not here:
            self.soon()
            raise openai_files.missing(file.id)
        return upstream_id

    async def _begin(self, wanted: CopyRow) -> CopyRow | None:
        async with self._db.writing() as tx:
            return await rows.begin(tx, wanted)

    async def _give_up(self, row: CopyRow) -> None:
        """Forget a copy that expired at its provider, or whose maker died: nobody can say what is left of that one."""
        async with self._db.writing() as tx:
            if await rows.forget(tx, row) and row.state == "writing":
                told = {"file": row.file_id, "channel": row.channel_id, "credential": row.credential_id}
                log.warning("an upload was never finished: a copy may be left at the provider", **told)

    @asynccontextmanager
    async def _claimed(self, row: CopyRow) -> AsyncGenerator[None, None]:
        """While a copy is being made; whatever goes wrong, others may make it then."""
        renewing = asyncio.get_running_loop().create_task(self._renew(row))
        try:
            yield
        except BaseException:
            with suppress(StoreUnavailable):
                async with self._db.writing() as tx:
                    await rows.forget(tx, row)
            raise
        finally:
            renewing.cancel()

    async def _renew(self, row: CopyRow) -> None:
        while True:
            await asyncio.sleep(_RENEWED)
            with suppress(StoreUnavailable):
                async with self._db.writing() as tx:
                    await rows.keep(tx, row, due_at=now_ms() + CLAIMED_MS)

    def _refusal(self, refused: UpstreamRefused, candidate: Candidate) -> GatewayError:
        """What a refused upload means for the call that needs it."""
        status, channel = refused.upstream_status, candidate.route.channel
        if status in _NO_FILES | _NOT_ALLOWED:
            credential = candidate.credential.id if status in _NOT_ALLOWED else ""
            self._without[channel.id, credential] = (channel, self._router.now() + _WITHOUT)
            log.warning("a provider takes no files", channel=channel.name, credential=credential, status=status)
            return Unsupported("No provider of this model takes files.", param="file_id")
        if refused.upstream_status in _REFUSALS:
            refused.upstream_status = 400
        return refused

    def _under_way(self, place: _Place) -> _Making | None:
        making = self._making.get(place)
        return making if making is not None and not making.task.cancelling() else None

    def _made(self, place: _Place, task: "asyncio.Task[str]") -> None:
        making = self._making.get(place)
        if making is not None and making.task is task:
            del self._making[place]
        if not task.cancelled():
            task.exception()  # whoever waits for it has it

    async def _see_to(self, row: CopyRow) -> None:
        """A copy is to be deleted at its provider, expired there, or was never finished."""
        if row.state != "deleted":
            await self._give_up(row)
            return
        async with self._db.writing() as tx:
            if not await rows.later(tx, row, due_at=now_ms() + AGAIN_MS):
                return  # another process sees to it
        if await self._deleted(row):
            async with self._db.writing() as tx:
                await rows.forget(tx, row)

    async def _deleted(self, row: CopyRow) -> bool:
        """Delete a copy at its provider; False where that is to be tried again."""
        health = self._router.health
        if health and row.channel_id not in health:
            log.warning("a copy is left at a provider whose channel is gone", id=row.upstream_id)
            return True
        try:
            candidate = self._router.bound(_place_of(row))
        except NoChannel:
            return False
        if not candidate.take():
            return False
        began = monotonic()
        try:
            await copy_wire.ask(self._upstreams, candidate, copy_wire.DELETE, row.upstream_id)
        except UpstreamError as failure:
            self._router.failed(candidate, failure)
            gone = isinstance(failure, UpstreamRefused) and failure.upstream_status == _GONE
            if not gone:
                log.warning("a copy could not be deleted", channel=candidate.route.channel.name, error=failure.code)
            return gone
        finally:
            candidate.done()
        self._router.worked(candidate, monotonic() - began)
        return True


def _claim(candidate: Candidate, row: FileRow) -> CopyRow:
    now = now_ms()
    return CopyRow(
        file_id=row.id,
        channel_id=candidate.route.channel.id,
        credential_id=candidate.credential.id,
        created_at=now,
        due_at=now + CLAIMED_MS,
    )


def _fresh(row: CopyRow) -> bool:
    """Whether a copy is there, and for a while."""
    return row.state == "ready" and (not row.expires_at or row.expires_at > now_ms() + _FRESH_MS)


def _place_of(row: CopyRow) -> Binding:
    return Binding(
        kind="file",
        public_id=row.file_id,
        upstream_id=row.upstream_id,
        channel_id=row.channel_id,
        credential_id=row.credential_id,
        user_id="",
        model="",
        created_at=row.created_at,
    )
