"""A worker: the composition root. It builds every part from settings, serves, and takes everything down again.

The only file that knows all rooms.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from unigate.access.keys import Keys
from unigate.access.limiter import SharedLimits
from unigate.access.limits import Limits
from unigate.access.secrets import Vault
from unigate.base import log as logging
from unigate.base.clock import boot_seconds, monotonic, monotonic_ns, now_ms
from unigate.base.errors import GatewayError
from unigate.base.settings import Secret, Storage, Telemetry
from unigate.billing.bank import Bank
from unigate.billing.prices import Prices
from unigate.dialects import operations
from unigate.http import system, tuning
from unigate.http.app import Gateway, render_wire
from unigate.http.asgi import AsgiApp
from unigate.http.assets import with_files
from unigate.http.openapi import Documented
from unigate.http.proxies import Network, behind
from unigate.http.serving import Server
from unigate.http.table import Table
from unigate.manage import figures, kept, load, shipped
from unigate.manage.desk import Desk
from unigate.providers import catalogue
from unigate.relay.alerts import Alerts
from unigate.relay.bindings import Bindings
from unigate.relay.keeping import Keeper
from unigate.relay.metrics import Metrics
from unigate.relay.services import Services
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.relay.traces import Traces, over_http
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Router
from unigate.routing.health import Rules
from unigate.routing.judging import Event
from unigate.routing.snapshot import snapshot
from unigate.spec.terms import Terms
from unigate.store.database import Database
from unigate.store.open import connect
from unigate.store.spool import Spool
from unigate.upstream import Client, keep_freed_memory

log: Any = structlog.get_logger("unigate.server")
#: Seconds between publishing figures and retrying what could not be loaded.
PERIOD = 1.0
#: Seconds between two looks for what was kept long enough.
FORGET = 60.0
#: Seconds that calls in flight get to end when the worker is told to stop.
DRAIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is started with; plain values, so that they reach another process."""

    database: str
    data: Path
    secret: str = field(repr=False)
    node: str
    #: Secrets that may also have sealed something.
    others: tuple[str, ...] = field(default=(), repr=False)
    allow_private: bool = False
    #: Where files of tasks are kept, and how S3-compatible storage is reached.
    storage: Storage = field(default_factory=Storage)
    aws: Mapping[str, Secret] = field(default_factory=dict)
    trusted_proxies: tuple[Network, ...] = ()
    workers: int = 1
    #: The limiter's socket, None where there is one worker only.
    limiter: str | None = None
    terms: Terms = field(default_factory=Terms)
    telemetry: Telemetry = field(default_factory=Telemetry)
    drain: float = DRAIN
    log_level: str = "info"


def main(settings: WorkerSettings, sock: socket.socket, ready: Callable[[], None]) -> None:
    """Run a worker until SIGTERM; `ready` is called once it serves."""
    logging.configure(settings.log_level)
    keep_freed_memory()
    tuning.many_descriptors()
    with asyncio.Runner(loop_factory=tuning.new_event_loop) as runner:
        runner.run(Worker(settings).run(sock, ready))


class Worker:
    """One serving process: parts, configuration, housekeeping."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._db: Database
        self._svc: Services
        self._tasks: TaskParts
        self._alerts: Alerts
        self._providers = catalogue()
        self._vault = Vault(settings.secret, *settings.others)
        #: Kinds of things that changed and are not loaded yet.
        self._stale: set[str] = set()
        #: How often something changed.
        self._changes = 0
        self._changed = asyncio.Event()
        self._forgetting_at = 0.0

    async def run(self, sock: socket.socket, ready: Callable[[], None]) -> None:
        """Build, serve, drain."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        settings = self._settings
        self._db = connect(settings.database)
        client = Client()
        limits = await self._limits()
        bank = Bank(
            self._db,
            settings.data / "journal",
            settings.node,
            alarm=_alarm,
            terms=settings.terms,
            on_change=self._on_change,
        )
        await bank.start()
        self._svc = self._services(client, limits, bank)
        self._alerts = Alerts(self._db, self._svc)
        bank.on_refused = self._alerts.refused
        tasks = self._tasks = TaskParts(self._db, self._svc, client, self._places())
        traces = self._traces()
        keeping = asyncio.create_task(self._svc.keeper.run())  # noqa: TID251 - kept until the end of this function
        self._stale = {"channels", "prices", "settings"}
        await self._load()
        gateway = Gateway(Table(operations()), self._svc, self._management(), system.is_management)
        handler = with_files(tasks.files, tasks.links, gateway)
        server = Server(behind(settings.trusted_proxies, handler), render_wire)
        await server.start([sock])
        tasks.start()
        tuning.settle_heap()
        keeper = asyncio.create_task(self._keep_house())  # noqa: TID251 - kept until the end of this function
        alerting = asyncio.create_task(self._alerts.run())  # noqa: TID251 - kept until the end of this function
        ready()
        await self._stopping.wait()
        log.info("draining")
        if not await server.drain(settings.drain):
            log.warning("calls were cut off after the time for draining")
        for beside in (keeper, alerting):
            beside.cancel()
            with suppress(asyncio.CancelledError):
                await beside
        await tasks.stop()
        await bank.close()
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await self._svc.keeper.write()
        if traces is not None:
            await asyncio.to_thread(traces.close)
        if isinstance(limits, SharedLimits):
            await limits.close()
        await client.close()
        await self._db.close()
        figures.withdraw(settings.data)

    def _services(self, client: Client, limits: Limits | SharedLimits, bank: Bank) -> Services:
        """What calls pass through, before anything is loaded."""
        settings = self._settings
        return Services(
            keys=Keys(self._db, settings.secret, settings.others),
            limits=limits,
            router=Router(rules=Rules(workers=settings.workers), notify=self._tell),
            prices=Prices(()),
            bank=bank,
            upstreams=Upstreams(client, allow_private=settings.allow_private),
            bindings=Bindings(self._db),
            models={},
            metrics=Metrics(),
            keeper=Keeper(partial(kept.save, self._db)),
            spool=Spool(settings.data / "spool"),
        )

    def _places(self) -> TaskPlaces:
        """Where files of tasks are kept, and by what links and messages are signed."""
        settings = self._settings
        return TaskPlaces(
            data=settings.data,
            storage=settings.storage.url,
            keep=settings.storage.keep,
            aws={name: value.reveal() for name, value in settings.aws.items()},
            secret=settings.secret,
            others=settings.others,
            allow_private=settings.allow_private,
        )

    async def _limits(self) -> Limits | SharedLimits:
        settings = self._settings
        if settings.limiter is None:
            return Limits(monotonic_ns)
        shared = SharedLimits(settings.limiter, workers=settings.workers, clock_ns=monotonic_ns)
        await shared.start()
        return shared

    def _traces(self) -> Traces | None:
        """Begin to trace calls, where the operator named a collector."""
        told = self._settings.telemetry
        if told.endpoint is None:
            return None
        headers = {name: secret.reveal() for name, secret in told.headers.items()}
        traces = over_http(told.endpoint, headers, service=told.service, sample=told.sample)
        self._svc.listener = traces
        return traces

    def _management(self) -> AsgiApp:
        from unigate.http.api.app import create  # noqa: PLC0415 - the parent of workers imports this module too

        settings = self._settings
        desk = Desk(db=self._db, secret=settings.secret, others=settings.others, providers=self._providers)
        return Documented(create(desk, self), operations(), lambda: self._svc.settings.operations)

    @property
    def services(self) -> Services:
        """What serves calls."""
        return self._svc

    @property
    def allow_private(self) -> bool:
        """Whether channels may lead to private networks."""
        return self._settings.allow_private

    @property
    def letters(self) -> Client:
        """What sends messages to callers' addresses."""
        return self._tasks.letters

    def _on_change(self, kinds: set[str]) -> None:
        """Somebody changed keys, channels, prices or settings: forget, and load anew."""
        if "keys" in kinds:
            self._svc.keys.forget()
        self._changes += 1
        self._stale |= kinds - {"keys"}
        if "settings" in kinds:
            self._stale.add("prices")  # whether calls without a price are served is a setting
        self._changed.set()

    async def _load(self) -> None:
        """Load what is stale; what fails stays stale and is tried again."""
        for kind, load_kind in (
            ("settings", self._load_settings),
            ("channels", self._load_channels),
            ("prices", self._load_prices),
        ):
            if kind in self._stale:
                before = self._changes
                await load_kind()
                if self._changes == before:  # else it may have changed after it was read
                    self._stale.discard(kind)

    async def _load_settings(self) -> None:
        self._svc.settings = await load.load_settings(self._db)

    async def _load_channels(self) -> None:
        self._svc.router.replace(await load.load_channels(self._db, self._vault, self._providers))
        self._svc.upstreams.forget()

    async def _load_prices(self) -> None:
        svc = self._svc
        found = await load.load_prices(self._db, shipped.prices())
        svc.prices = Prices(found, allow_unpriced=svc.settings.allow_unpriced, missing=self._alerts.unpriced)
        svc.models = await load.load_models(self._db, shipped.models())

    async def _keep_house(self) -> None:
        """Load changes at once, and every second publish figures."""
        while True:
            self._changed.clear()
            try:
                await self._load()
            except GatewayError as error:
                log.warning("could not load changes", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not load changes")
            await self._forget_kept()
            try:
                self._publish()
            except OSError as error:
                log.warning("could not publish figures", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._changed.wait()

    def _tell(self, event: Event) -> None:
        """Something happened to a channel or a credential."""
        log.warning(event.kind, channel=event.channel.name, credential=event.credential, reason=event.reason)
        self._alerts.channel(event)

    async def _forget_kept(self) -> None:
        """Now and then delete prompts and answers whose term is over."""
        if monotonic() < self._forgetting_at:
            return
        self._forgetting_at = monotonic() + FORGET
        try:
            if count := await kept.drop_ended(self._db):
                log.info("kept calls deleted after their term", count=count)
        except GatewayError as error:
            log.warning("could not delete kept calls", error=error.code, detail=error.detail)

    def _publish(self) -> None:
        """Leave this process's figures where the other processes of the node find them."""
        svc = self._svc
        if isinstance(svc.limits, SharedLimits):
            svc.metrics.limiter_down = svc.limits.served_locally
        svc.metrics.kept_dropped = svc.keeper.dropped
        figures.publish(self._settings.data, svc.metrics.export(), snapshot(svc.router, now_ms()))

    def counters(self) -> Metrics:
        """The counters of all workers of this node: this one's as they are, the others' as of a second ago."""
        all_of = Metrics()
        all_of.merge(self._svc.metrics.export())
        for counters in figures.counters_of_others(self._settings.data):
            all_of.merge(counters)
        return all_of

    def health(self) -> Mapping[str, object] | None:
        """What the workers of this node have learnt of channels, as of a second ago; None: nothing yet."""
        return figures.health(self._settings.data)

    async def readiness(self) -> dict[str, str | None]:
        """What `/readyz` tells: name -> why it is not ready, or None."""
        bank = self._svc.bank
        return {
            "store": None if boot_seconds() < bank.until else "no beat of this process was confirmed for too long",
            "journal": None if bank.journal.ready else "the journal cannot be extended, or waits to be moved",
            "configuration": f"could not load {', '.join(sorted(self._stale))}" if self._stale else None,
            "draining": "the gateway is shutting down" if self._stopping.is_set() else None,
        }


def _alarm(what: str, detail: str) -> None:
    log.error("alarm", what=what, detail=detail)
