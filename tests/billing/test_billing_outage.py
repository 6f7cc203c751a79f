"""A real database that does not answer: calls are refused in time, nothing hangs, and service returns by itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from billing_cases import LARGE, QUICK, House, fund, key, queued, settle

from support.postgres import Cluster
from support.pulse import BOUND, Pulse
from support.waiting import until
from unigate.base.clock import boot_seconds
from unigate.base.errors import StoreUnavailable
from unigate.billing.bank import Bank
from unigate.spec.caller import Key
from unigate.store.ledger import lock_wallet
from unigate.store.migrate import migrate
from unigate.store.open import connect

#: S is a second; the waits for a hold are those of real life.
TERMS = replace(QUICK, silence=1.0, lease_holds=16, idle=60.0)


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[tuple[Bank, Pulse]]:
    """A bank with a lease, and a watch on the loop."""
    async with house.open(TERMS) as bank:
        (await bank.hold_slow(key(), 1000, 1000)).release()
        pulse = Pulse()
        watching = asyncio.ensure_future(pulse.watch())
        yield bank, pulse
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def without_database(bank: Bank, pulse: Pulse) -> None:
    """What calls see while the database is away."""
    loop = asyncio.get_running_loop()
    served = 0
    while (hold := bank.hold(key_of(bank), 1000)) is not None:
        assert await settle(hold, 1000)
        served += 1
    assert served >= 16, "the lease goes on serving"
    for _ in range(3):
        pulse.lap()
        start = loop.time()
        outcomes = await asyncio.gather(
            *(bank.hold_slow(key(f"key_{n}"), 1000, 1000) for n in range(30)), return_exceptions=True
        )
        assert loop.time() - start < 2.5
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}, "never that there is no money"
        lengths = queued(bank)
        assert lengths["waiters"] == lengths["exact"] == lengths["pending"] == 0, lengths
        assert lengths["statements"] <= 31, "one refill for each key, however many call"
    await until(lambda: boot_seconds() >= bank.until)
    pulse.lap()
    assert pulse.longest < BOUND, pulse.laps


def key_of(bank: Bank) -> Key:
    """The very key of the lease in use."""
    return next(iter(bank.leases.values())).key


async def back_again(house: House, bank: Bank) -> None:
    """Service returns, and the books agree."""
    await until(lambda: boot_seconds() < bank.until, seconds=20)
    assert await settle(await bank.hold_slow(key(), 1000, 1000), 500)


async def test_sqlite_that_somebody_keeps_locked(sqlite_url: str, tmp_path: Path) -> None:
    house = House(connect(sqlite_url, wait=1.0, statement=1.0), tmp_path / "journal")
    await fund(house.database, LARGE)
    async with serving(house) as (bank, pulse):
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await without_database(bank, pulse)
            other.execute("ROLLBACK")
        await back_again(house, bank)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    await house.database.close()


async def test_postgresql_that_is_stopped(postgres_cluster: Cluster, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    url = await loop.run_in_executor(None, postgres_cluster.create, "books")
    await loop.run_in_executor(None, migrate, url)
    house = House(connect(url, wait=1.0, statement=1.0), tmp_path / "journal")
    await fund(house.database, LARGE)
    async with serving(house) as (bank, pulse):
        await loop.run_in_executor(None, postgres_cluster.stop, "immediate")
        await without_database(bank, pulse)
        await loop.run_in_executor(None, postgres_cluster.start)
        await back_again(house, bank)
        await loop.run_in_executor(None, postgres_cluster.pause)
        await without_database(bank, pulse)
        await loop.run_in_executor(None, postgres_cluster.resume)
        await back_again(house, bank)
    report = await house.moved()
    assert report.findings == ()
    assert report.held == 0
    await house.database.close()


async def test_a_process_that_is_frozen_in_a_transaction_keeps_nobody_waiting_for_long(postgres_url: str) -> None:
    frozen, other = connect(postgres_url, statement=0.5), connect(postgres_url, statement=0.5)
    await fund(other, LARGE)

    async def freeze() -> None:
        async with frozen.writing() as tx:
            await lock_wallet(tx, "wal_1")
            for _ in range(20):
                try:
                    async with other.writing() as theirs:
                        assert await lock_wallet(theirs, "wal_1") is not None
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
            else:
                raise AssertionError("the lock was kept")
            await lock_wallet(tx, "wal_1")

    with pytest.raises(StoreUnavailable):
        await freeze()
    await frozen.close()
    await other.close()
