"""Several processes on one wallet: exactly what the money pays, and 402 only on proof."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from billing_cases import QUICK, House, fund
from billing_processes import Child, Nursery
from billing_seen import shown
from sqlalchemy import update

from unigate.base.errors import StoreUnavailable
from unigate.spec.balance import Balance
from unigate.store.database import Database
from unigate.store.ledger_tables import processes

COST = 1000


@asynccontextmanager
async def banks(nursery: Nursery, house: House, url: str, count: int, **terms: float) -> AsyncIterator[list[Child]]:
    """So many processes with a bank each, which are ended whatever happens."""
    started = [
        await nursery.start("bank", url, house.folder, terms={"idle": 60, "hold_wait": 15, "recall_wait": 10, **terms})
        for _ in range(count)
    ]
    try:
        for child in started:
            await child.hear("ready")
        yield started
    finally:
        for child in started:
            await child.kill()


async def all_spent(house: House, children: list[Child]) -> None:
    """Everything ends well: all used, nothing in use, the books agree."""
    for child in children:
        assert await child.end() == 0
        assert child.all("alarm") == []
    report = await house.moved()
    assert report.findings == ()
    assert (report.open_holds, report.held) == (0, 0)
    balance = await shown(house.database)
    assert (balance.left, balance.in_use) == (0, 0)


@pytest.mark.parametrize("how", ["one worker", "split", "idle lease"])
async def test_three_hundred_callers_on_money_for_a_hundred(
    nursery: Nursery, house: House, database_url: str, how: str
) -> None:
    await fund(house.database, 100 * COST)
    mover = house.mover()
    moving = asyncio.ensure_future(_move(house, mover.step))
    async with banks(nursery, house, database_url, 2) as children:
        first, second = children
        if how == "idle lease":
            second.tell(do="lease", cost=COST)
            assert await second.hear("leased") > 8 * COST
        counts = [150, 150] if how == "split" else [300]
        for child, count in zip(children, counts, strict=False):
            child.tell(do="calls", cost=COST, count=count, name=str(child.pid))
        ended = [await child.hear("ended") for child, _ in zip(children, counts, strict=False)]
        assert sum(e.get("ok", 0) for e in ended) == 100
        assert sum(e.get("402", 0) for e in ended) == 200
        await _until_shown(house.database, Balance(granted=100 * COST, used=100 * COST, in_use=0))
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        mover.close()
        await all_spent(house, [first, second])


async def test_with_the_other_worker_stopped_nobody_is_told_that_there_is_no_money(
    nursery: Nursery, house: House, database_url: str
) -> None:
    await fund(house.database, 100 * COST)
    mover = house.mover()
    async with banks(nursery, house, database_url, 2, hold_wait=1.0, recall_wait=0.5) as children:
        first, second = children
        second.tell(do="lease", cost=COST)
        leased = await second.hear("leased")
        second.send(signal.SIGSTOP)
        first.tell(do="calls", cost=COST, count=150, name="a", wait=0.05)
        ended = await first.hear("ended")
        assert ended == {"ok": 100 - leased // COST, "503": 50 + leased // COST}
        second.send(signal.SIGCONT)
        first.tell(do="calls", cost=COST, count=150, name="b", wait=0.05)
        ended = await first.hear("ended")
        assert ended == {"ok": leased // COST, "402": 150 - leased // COST}
        mover.close()
        await all_spent(house, children)


async def test_a_killed_workers_lease_comes_back_to_the_others(
    nursery: Nursery, house: House, database_url: str
) -> None:
    await fund(house.database, 100 * COST)
    mover = house.mover()
    async with banks(nursery, house, database_url, 2, hold_wait=5.0, recall_wait=5.0) as children:
        first, second = children
        second.tell(do="lease", cost=COST)
        await second.hear("leased")
        await second.kill()
        moving = asyncio.ensure_future(_move(house, mover.step))
        first.tell(do="calls", cost=COST, count=150, name="a")
        assert await first.hear("ended") == {"ok": 100, "402": 50}
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        mover.close()
        await all_spent(house, [first])


async def test_a_worker_that_was_stopped_for_longer_than_s_admits_nothing_before_it_has_beaten(
    nursery: Nursery, house: House, database_url: str
) -> None:
    await fund(house.database, 10_000 * COST)
    async with banks(nursery, house, database_url, 1, silence=1.5, beat=0.1) as (child,):
        child.tell(do="lease", cost=COST)
        await child.hear("leased")
        await _stop_between_transactions(house, child)
        await asyncio.sleep(1.8)
        async with house.database.writing() as tx:
            await tx.run(update(processes).values(state="dead"))
        child.tell(do="calls", cost=COST, count=20, name="late")
        child.send(signal.SIGCONT)
        ended = await child.hear("ended")
        assert set(ended) <= {"503", "ok"}
        child.tell(do="calls", cost=COST, count=5, name="later")
        while (await child.hear("ended")).get("ok", 0) < 5:
            child.tell(do="calls", cost=COST, count=5, name="later")
        assert child.all("alarm") == ["process"], "it began again under a new id"
        assert await child.end() == 0
    report = await house.moved()
    assert [f for f in report.findings if f.rule != "an open hold has an owner"] == []


@pytest.mark.parametrize("declared", [False, True])
async def test_a_worker_that_is_stopped_in_its_calls(
    nursery: Nursery, house: House, database_url: str, declared: bool
) -> None:
    """Shorter or longer than R: the calls in flight end, and each is charged once."""
    await fund(house.database, 10_000 * COST)
    terms = replace(QUICK, silence=2.0, longest_call=0.1, grace=0.1)
    watcher = house.mover(terms, node="node-2")
    async with banks(nursery, house, database_url, 1, silence=2.0, beat=0.05) as (child,):
        child.tell(do="calls", cost=COST, count=20, name="a", wait=0.3)
        for _ in range(20):
            await child.hear("sent")
        await _stop_between_transactions(house, child)
        loop = asyncio.get_running_loop()
        end = loop.time() + (20 if declared else 0.7)
        while loop.time() < end and not (declared and house.alarms):
            if declared:
                await watcher.step(house.database, look=True)
            await asyncio.sleep(0.02)
        assert [kind for kind, _ in house.alarms] == (["process"] if declared else [])
        child.send(signal.SIGCONT)
        assert await child.hear("ended") == {"ok": 20}
        child.tell(do="calls", cost=COST, count=5, name="b")
        assert set(await child.hear("ended")) <= {"ok", "503"}
        assert await child.end() == 0
    watcher.close()
    report = await house.moved()
    assert report.findings == ()
    assert (report.open_holds, report.held) == (0, 0)
    kept = len(child.all("kept"))
    assert await shown(house.database) == Balance(granted=10_000 * COST, used=kept * COST, in_use=0)


async def _stop_between_transactions(house: House, child: Child) -> None:
    """Stop a process where it keeps nobody else from the database: SQLite would wait for it."""
    for _ in range(50):
        child.send(signal.SIGSTOP)
        try:
            async with house.database.writing() as tx:
                await tx.run(update(processes).values(turn=processes.c.turn))
        except StoreUnavailable:
            child.send(signal.SIGCONT)
            await asyncio.sleep(0.03)
        else:
            return
    raise AssertionError("it is always in a transaction")


async def _move(house: House, step: object) -> None:
    assert callable(step)
    while True:
        await step(house.database)
        await asyncio.sleep(0.01)


async def _until_shown(database: Database, balance: Balance) -> None:
    for _ in range(1000):
        if await shown(database) == balance:
            return
        await asyncio.sleep(0.01)
    assert await shown(database) == balance
