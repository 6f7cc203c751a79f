"""Copier: copies files that tasks made into our storage, since providers' addresses end; and deletes them in time.

Files are claimed by lease, so that processes and nodes share the work, and what a killed one was copying is copied again by
another: to the same place, and as a whole, so nobody ever sees half of it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from unigate.base import ids
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError, StoreUnavailable, TooLarge
from unigate.base.live_settings import AssetSettings
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database, Row
from unigate.store.objects import Storages
from unigate.tasks import retention
from unigate.tasks.claims import Claims
from unigate.tasks.fetching import Refused, shown
from unigate.tasks.places import place
from unigate.tasks.sources import LEAST, Rate, open_source
from unigate.upstream import Client

log: Any = structlog.get_logger("unigate.tasks")
#: Seconds between two looks for what is due, for what has come to its end, and for what killed writers left; and how old
#: that must be, since no copy takes so long.
LOOK, HOUSE, TIDY, LEFT = 1.0, 600.0, 86_400.0, 172_800.0
#: Seconds of a lease, which is extended three times as often; files that one process copies at once.
LEASE, PLACES = 60.0, 4
#: One user has at most one part in so many of the places.
SHARE = 2
_LONGEST_PAUSE = 3600.0


class Copier:
    """The copies of one process. Made and run in one event loop."""

    def __init__(
        self,
        db: Database,
        client: Client,
        storages: Storages,
        settings: Callable[[], AssetSettings] = AssetSettings,
        *,
        lease: float = LEASE,
        places: int = PLACES,
        look: float = LOOK,
        least: Rate = LEAST,
    ) -> None:
        """`places`: files copied at once; `least`: what comes more slowly is given up, and tried again later."""
        self._db = db
        self._storages = storages
        self._client = client
        self._settings = settings
        self._lease = lease
        #: Names this copier, and no other, ever.
        self.owner = ids.new("cop")
        self._queue = rows.CopyQueue(self._users, max(places // SHARE, 1))
        self._claims = Claims(db, self._queue, owner=self.owner, lease=lambda: lease, places=places, look=look)
        #: Files that are being copied, and whose.
        self._busy: dict[str, str] = {}
        self._least = least
        self._tidy_at = 0.0

    async def run(self) -> None:
        """Copy until cancelled; what is being copied then, others take up at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hold_on())
                group.create_task(self._keep_house())
                await self._claims.run(self._copy)
        finally:
            await self._claims.stop(0)

    def poke(self) -> None:
        """Look now: something is due."""
        self._claims.poke()

    def _users(self) -> Counter[str]:
        """How many files of each user are being copied."""
        return Counter(self._busy.values())

    async def _copy(self, claimed: Row) -> None:
        """One try."""
        row = rows.made(claimed)
        self._busy[row.id] = row.user_id
        try:
            async with asyncio.timeout(self._settings().copy_seconds):
                await self._store(row)
        except TimeoutError:
            await self._failed(row, "it took too long", final=False)
        except StoreUnavailable as error:
            await self._failed(row, error.detail, final=False, ours=True)
        except GatewayError as error:
            await self._failed(row, error.detail or error.message, final=isinstance(error, Refused | TooLarge))
        except Exception:
            log.exception("a file could not be copied", asset=row.id)
            await self._failed(row, "the gateway failed to copy it", final=False)
        finally:
            self._busy.pop(row.id, None)  # whoever claimed it anew may be this process

    async def _store(self, row: AssetRow) -> None:
        storage = self._storages.open()
        opened = await open_source(self._client, row, self._settings(), self._least)
        try:
            path = place(row, opened.media_type)
            most = self._settings().file_bytes
            stored = await storage.put(path, opened.pieces, most=most, media_type=opened.media_type)
        finally:
            opened.close()
        async with self._db.writing() as tx:
            kept = await rows.keep(
                tx,
                row,
                store=storage.name,
                path=path,
                size=stored.size,
                digest=stored.digest,
                media_type=opened.media_type,
            )
        if not kept:
            async with self._db.reading() as tx:
                now = await rows.find(tx, row.id)
            if now is None or (now.store, now.path) != (storage.name, path):  # deleted meanwhile; else another kept it
                await storage.delete(path)

    async def _failed(self, row: AssetRow, why: str, *, final: bool, ours: bool = False) -> None:
        """Note a failed try; one that failed because of `ours`, the storage, does not count."""
        settings, tries = self._settings(), row.tries + (not ours)
        lost = final or (tries >= settings.tries and not ours)
        pause = min(settings.retry_seconds * 4**row.tries, _LONGEST_PAUSE)
        said = "a file is lost" if lost else "a file could not be copied"
        log.warning(said, asset=row.id, task=row.task_id, source=shown(row.source), tries=tries, reason=why)
        async with self._db.writing() as tx:
            due_at = now_ms() + round(pause * 1000)
            await rows.put_off(tx, row.id, self.owner, tries=tries, due_at=due_at, lost=lost)

    async def _hold_on(self) -> None:
        """Extend the leases of what is being copied, for as long as it takes."""
        while True:
            await asyncio.sleep(self._lease / 3)
            if self._busy:
                until = now_ms() + round(self._lease * 1000)
                try:
                    async with self._db.writing() as tx:
                        await self._queue.prolong(tx, self.owner, sorted(self._busy), until=until)
                except Exception:  # the copies go on: at worst another process makes one of them too
                    log.exception("leases of copies could not be extended")

    async def _keep_house(self) -> None:
        """Now and then delete what has come to its end, and what killed writers left."""
        while True:
            try:
                await retention.delete_ended(self._db, self._storages)
                if monotonic() >= self._tidy_at:
                    self._tidy_at = monotonic() + TIDY
                    await self._storages.tidy(older=LEFT)
            except GatewayError as error:
                log.warning("could not delete files", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not delete files")
            await asyncio.sleep(HOUSE)
