"""A gateway's inside with tasks, without its HTTP: nodes on one database, each with a bank, a router and an engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select, update

from support.task_vendor import OPERATIONS, PROVIDER, Vendor
from unigate.access.keys import Keys
from unigate.access.limits import Limits
from unigate.base import ids
from unigate.base.clock import monotonic_ns, now_ms
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.billing.bank import Bank
from unigate.billing.check import check
from unigate.billing.journal import Failpoint, no_failpoint
from unigate.billing.prices import Prices
from unigate.manage import kept
from unigate.mover import Mover
from unigate.relay.bindings import Bindings
from unigate.relay.call import Call
from unigate.relay.keeping import Keeper
from unigate.relay.metrics import Metrics
from unigate.relay.services import Services
from unigate.relay.tasks import Tasks
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Router
from unigate.spec.caller import Group, Key
from unigate.spec.channel import Channel, Timeouts
from unigate.spec.exchange import Exchange
from unigate.spec.price import Price, Rate
from unigate.spec.provider import Credential
from unigate.spec.task import Draft, Task
from unigate.spec.terms import Terms
from unigate.store import ledger
from unigate.store.database import Database
from unigate.store.ledger_tables import usage
from unigate.store.task_tables import tasks as task_rows
from unigate.upstream import Client

TERMS = Terms(beat=0.1, recall_poll=0.02, idle=0.3, refusal=0.05, scan=0.05, poll=0.005, torn=0.2, segment_bytes=65536)
#: A lease that ends soon: what takes a minute takes moments.
QUICK = TaskSettings(lease_seconds=0.6, send_seconds=0.5, vanish_seconds=0.1, poll_scale=1.0)
MILLION = 1_000_000
#: What one task costs, in nano-USD, by its mode.
COST, DEAR = 100, 250
PRICES = [
    Price(id="prc_1", model="film", rates={"call": Rate(COST, 1), "seconds": Rate(7, 1)}),
    Price(id="prc_2", model="film", when={"mode": "dear"}, rates={"call": Rate(DEAR, 1)}),
]
OPERATION = {operation.name: operation for operation in OPERATIONS}


def key(id: str = "key_1", *, user: str = "usr_1", budgets: Mapping[str, int] | None = None) -> Key:
    """A key; users have a wallet each."""
    return Key(
        id=id,
        name=id,
        last4="abcd",
        user_id=user,
        user_name=user,
        group=Group(id="grp_1", name="default"),
        wallet_id=user.replace("usr", "wal"),
        budgets=budgets or {},
    )


KEY = key()


class Asked:
    """As much of an exchange as making a task looks at."""

    def __init__(self, method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.query = b""
        self.client = "127.0.0.1"
        self.started = 0.0
        self.fields = headers

    def header(self, name: bytes) -> bytes | None:
        """The value of a header."""
        return self.fields.get(name)


def channel(vendor: Vendor, name: str = "ch_1", **more: Any) -> Channel:
    """A channel to the vendor."""
    return Channel(
        id=name,
        name=name,
        provider=PROVIDER,
        base_url=vendor.url,
        credentials=(Credential("crd_1", "secret"),),
        models={"film": "film-1"},
        timeouts=Timeouts(connect=2, first_byte=2, idle=2, total=4),
        **more,
    )


@dataclass
class Node:
    """One process's inside."""

    db: Database
    folder: Path
    name: str
    svc: Services
    tasks: Tasks
    client: Client
    alarms: list[tuple[str, str]] = field(default_factory=list)

    def call(self, kind: str, body: bytes = b"{}", *, by: Key = KEY, **headers: str) -> Call:
        """A caller's request."""
        operation = OPERATION[f"test.{kind}"]
        told = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        asked = Asked(b"POST", operation.path.encode(), told)
        call = Call(cast(Exchange, asked), ids.new("req"), operation, by, now_ms())
        call.body = body
        return call

    async def submit(
        self, kind: str = "one", *, by: Key = KEY, headers: Mapping[str, str] | None = None, **body: Any
    ) -> Task:
        """Submit an order; `draft_...` go to the draft, the rest is the vendor's order."""
        drafted = {name.removeprefix("draft_"): body.pop(name) for name in list(body) if name.startswith("draft_")}
        call = self.call(kind, repr(sorted(body.items())).encode(), by=by, **(headers or {}))
        draft = Draft(operation=drafted.pop("operation", "test.film"), model="film", body=body, **drafted)
        return await self.tasks.submit(call, draft, base="http://gateway.test")

    async def get(self, task_id: str, *, user: str = "usr_1") -> Task:
        """A task as it is."""
        task = await self.tasks.get(task_id, user)
        assert task is not None
        return task

    async def ended(self, task_id: str, *, seconds: float = 20.0) -> Task:
        """A task once it has ended."""
        loop = asyncio.get_running_loop()
        over = loop.time() + seconds
        task = await self.get(task_id)
        while not task.ended and loop.time() < over:
            found = await self.tasks.wait(task_id, task.user_id, beyond=task.version, seconds=1)
            assert found is not None
            task = found
        assert task.ended, f"{task_id} did not end within {seconds} s: {task}"
        return task

    async def stop(self) -> None:
        """End it in order."""
        await self.tasks.stop(5)
        await self.svc.bank.close()
        await self.client.close()

    async def kill(self) -> None:
        """End it as a kill would: whatever it was doing is left as it is."""
        tasks, bank = self.tasks, self.svc.bank
        tasks.engine.claims._stopping = True
        doing = {*tasks._loops, *tasks._submitter._running, *tasks.engine.claims._at_work.values()}
        doing |= {one for one in (bank.teller._task, *bank._tasks) if one is not None}
        for batches in (tasks.engine.book._batches, tasks.engine.steps, tasks.engine.snoozes, tasks.finisher._batches):
            if batches._task is not None:
                doing.add(batches._task)
        bank.closing = True
        tasks._submitter.spawn = lambda work: work.close()  # type: ignore[method-assign]  # the dead begin nothing
        for one in doing:
            one.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
        journal = bank.journal
        for segment in (journal._segment, journal._spare, *journal._old.values()):
            if segment is not None:
                segment.close()
        await self.client.close()


@dataclass
class Rig:
    """Nodes, their vendor and their money."""

    db: Database
    folder: Path
    vendor: Vendor
    settings: LiveSettings = field(default_factory=lambda: LiveSettings(tasks=QUICK))
    channels: Sequence[Channel] = ()
    nodes: list[Node] = field(default_factory=list)
    terms: Terms = TERMS

    async def node(
        self, *, started: bool = True, failpoint: Failpoint = no_failpoint, look: float = 0.05, rest: float = 0.005
    ) -> Node:
        """A further process on the database."""
        name = f"node-{len(self.nodes)}"
        client = Client()
        alarms: list[tuple[str, str]] = []
        bank = Bank(
            self.db,
            self.folder / name,
            name,
            alarm=lambda kind, told: alarms.append((kind, told)),
            terms=self.terms,
            failpoint=failpoint,
        )
        await bank.start()
        svc = Services(
            keys=Keys(self.db, "s" * 32),
            limits=Limits(monotonic_ns),
            router=Router(self.channels or [channel(self.vendor)]),
            prices=Prices(PRICES),
            bank=bank,
            upstreams=Upstreams(client, allow_private=True),
            bindings=Bindings(self.db),
            models={},
            metrics=Metrics(),
            settings=self.settings,
            keeper=Keeper(partial(kept.save, self.db)),
        )
        tasks = Tasks(self.db, svc, operations=OPERATIONS, failpoint=failpoint)
        svc.tasks = tasks
        tasks.engine.claims._look = look
        tasks.engine.claims._rest = rest
        if started:
            tasks.start()
        node = Node(self.db, self.folder / name, name, svc, tasks, client, alarms)
        self.nodes.append(node)
        return node

    async def fund(self, amount: int, wallet: str = "wal_1") -> None:
        """Give credit."""
        async with self.db.writing() as tx:
            await ledger.open_account(tx, wallet, now_ms())
            await ledger.grant(tx, id=ids.new("tr"), wallet_id=wallet, amount=amount, at=now_ms())

    async def spent(self, wallet: str = "wal_1") -> tuple[int, int]:
        """What is left of a wallet, and what of it is held."""
        async with self.db.reading() as tx:
            found = await ledger.lock_wallet(tx, wallet) if self.db.kind == "sqlite" else None
        if found is None:
            async with self.db.writing() as tx:
                found = await ledger.lock_wallet(tx, wallet)
        assert found is not None
        return found.posted, found.held

    async def rows(self) -> list[dict[str, Any]]:
        """All tasks' rows."""
        async with self.db.reading() as tx:
            found = await tx.all(select(task_rows).order_by(task_rows.c.number))
        return [dict(zip(task_rows.c.keys(), row, strict=True)) for row in found]

    async def usage(self) -> list[dict[str, Any]]:
        """All rows of usage."""
        async with self.db.reading() as tx:
            found = await tx.all(select(usage).order_by(usage.c.at, usage.c.id))
        return [dict(zip(usage.c.keys(), row, strict=True)) for row in found]

    async def set(self, task_id: str, **columns: Any) -> None:
        """Change a row as no code would: the test's own hand on the clock."""
        async with self.db.writing() as tx:
            await tx.run(update(task_rows).where(task_rows.c.id == task_id).values(**columns))

    async def moved(self) -> None:
        """Move all journals of nodes that are gone or alive."""
        for node in self.nodes:
            mover = Mover(node.folder, node.name, terms=self.terms, alarm=lambda kind, told: None)
            await mover.drain(self.db)
            while await mover.step(self.db):
                pass
            mover.close()

    async def sound(self) -> None:
        """The books agree."""
        await self.moved()
        report = await check(self.db)
        assert not report.findings, report.findings

    async def settled(self) -> None:
        """Every task has ended."""

        async def left() -> int:
            return sum(row["finished_at"] == 0 for row in await self.rows())

        count = 1
        for _ in range(400):
            count = await left()
            if not count:
                break
            await asyncio.sleep(0.05)
        assert not count, f"{count} tasks did not end: {[r['state'] for r in await self.rows()]}"


@asynccontextmanager
async def rig(db: Database, folder: Path, *, credit: int = MILLION, **more: Any) -> AsyncIterator[Rig]:
    """A vendor and a funded wallet; nodes are taken down in the end."""
    vendor = Vendor()
    await vendor.start()
    made = Rig(db, folder, vendor, **more)
    if callable(made.channels):
        made.channels = made.channels(vendor)
    await made.fund(credit)
    try:
        yield made
    finally:
        for node in made.nodes:
            if not node.client._closed:
                await node.stop()
        await vendor.stop()
