"""All that one worker does for tasks, built and started together: the engine, the copies of files, the deliveries; and for users' files and batches.

The composition root says with what; nothing here decides anything.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from unigate.access.secrets import Vault
from unigate.base.clock import now_ms
from unigate.relay.batch_files import BatchFiles
from unigate.relay.batch_house import BatchHouse
from unigate.relay.batches import Batches
from unigate.relay.file_copies import Copies
from unigate.relay.file_house import FileHouse
from unigate.relay.files import Files
from unigate.relay.own_files import OwnFiles
from unigate.relay.own_uploads import OwnUploads
from unigate.relay.services import Services
from unigate.relay.task_files import TaskFiles
from unigate.relay.task_notices import TaskNotices
from unigate.relay.tasks import Tasks, TaskView
from unigate.spec.task import Asset, Task, View
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.tasks.assets import Links
from unigate.tasks.copying import Copier
from unigate.tasks.herald import Herald
from unigate.tasks.outbox import Outbox, lasts
from unigate.tasks.sending import LIMITS
from unigate.tasks.signing import Secrets
from unigate.upstream import Client

#: Seconds for calls that are seen to their end without their callers.
_REST = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlaces:
    """Where things are kept, and by what they are signed."""

    data: Path
    #: The storage's address, and whether files are copied there.
    storage: str
    keep: bool
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str = field(repr=False)
    #: Secrets that may also have signed something.
    others: tuple[str, ...] = field(default=(), repr=False)
    allow_private: bool = False


class TaskParts:
    """Made in the event loop in which it runs; `start` once calls are served, `stop` when the last has ended."""

    def __init__(self, db: Database, svc: Services, client: Client, places: TaskPlaces) -> None:
        storages = Storages(places.storage, data=places.data, aws=places.aws)
        self._svc = svc
        self._copier = Copier(db, client, storages, lambda: svc.settings.assets)
        vault = Vault(places.secret, *places.others)
        self._secrets = Secrets(gateway=(places.secret, *places.others), unseal=vault.open)
        #: Sends messages to callers' addresses, and nothing else.
        self.letters = Client(LIMITS)
        self._outbox = Outbox(
            db, self.letters, self._secrets, lambda: svc.settings.notify, mail=lambda: svc.settings.mail
        )
        self._herald = Herald(db, lambda: svc.settings, self._outbox.poke)
        #: Serves files below `/files/`, by links that `links` signs.
        self.files = svc.files = Files(db, client, storages, lambda: svc.settings.assets, keep=places.keep)
        self.links = Links(places.secret, keep=places.keep, settings=lambda: svc.settings.assets, others=places.others)
        own = svc.own_files = OwnFiles(db, storages, self.links, svc.spool, lambda: svc.settings.files)
        svc.own_uploads = OwnUploads(db, storages, own, lambda: svc.settings.files)
        svc.copies = Copies(db, storages, svc.upstreams, svc.router)
        self._house = FileHouse(db, own, svc.own_uploads)
        svc.batches = Batches(db, own, lambda: svc.settings.batches)
        self._batches = BatchHouse(db, svc, BatchFiles(db, own))
        svc.batches.on_change = self._batches.poke
        self.tasks = svc.tasks = Tasks(
            db,
            svc,
            files=TaskFiles(
                self._copier, lambda: svc.settings.assets, keep=places.keep, allow_private=places.allow_private
            ),
            notices=TaskNotices(self._outbox, self._view),
            link=self._link,
            secrets=self._secrets.of_user,
        )
        self._delivering: asyncio.Task[None]
        self._copying: asyncio.Task[None]
        self._tidying: asyncio.Task[None]
        self._deleting: asyncio.Task[None]
        self._batching: asyncio.Task[None]
        self._telling: asyncio.Task[None]

    def start(self) -> None:
        """Begin to work."""
        loop = asyncio.get_running_loop()
        self._delivering = loop.create_task(self._outbox.run())
        self._copying = loop.create_task(self._copier.run())
        self._tidying = loop.create_task(self._house.run())
        self._deleting = loop.create_task(self._svc.copies.run())
        self._batching = loop.create_task(self._batches.run())
        self._telling = loop.create_task(self._herald.run())
        self.tasks.start()

    async def stop(self) -> None:
        """Take up nothing more, and let others have what is left."""
        await self._batches.stop()
        self._copying.cancel()
        self._tidying.cancel()
        self._deleting.cancel()
        self._telling.cancel()
        await self._svc.detached.rest(_REST)
        await self.tasks.stop()
        self._outbox.stop()
        await self._delivering
        await self._batching
        for ending in (self._copying, self._tidying, self._deleting, self._telling):
            with suppress(asyncio.CancelledError):
                await ending
        await self.letters.close()

    def _view(self, task: Task) -> View:
        """What a notice shows: its links work for as long as it is tried."""
        settings = self._svc.settings
        seconds = lasts(settings.notify)
        return TaskView(
            base=settings.public_url.rstrip("/") or task.base,
            now=now_ms(),
            links=lambda asset, base, _now: self.links.link(asset, base, seconds=seconds),
            secrets=self._secrets.of_user,
        )

    def _link(self, asset: Asset, base: str, _now: int) -> str:
        return self.links.link(asset, base)
