"""kill -9 at named points, and what the books say after it: the callers' own log is the judge."""

import asyncio
import signal
from typing import Any

import pytest
from billing_cases import House, fund
from billing_processes import Child, Nursery
from sqlalchemy import select

from unigate.billing.check import check
from unigate.store.ledger_tables import accounts, usage

COST = 1000
#: Enough for leases, and for single holds only.
RICH, POOR = 10**9, 120_000

BANK_POINTS = [
    "journal.before_write:5",
    "journal.after_write:5",
    "journal.after_reply:5",
    "journal.before_rename:2",
    "journal.after_rename:2",
    "teller.before_transaction:2",
    "teller.before_commit:1",
    "teller.before_commit:3",
    "teller.after_commit:1",
    "teller.after_commit:3",
    "beat.before:2",
    "beat.after:2",
]
MOVER_POINTS = [
    "mover.before_transaction:2",
    "mover.before_commit:2",
    "mover.after_commit:2",
    "mover.before_end_commit:1",
    "mover.before_delete:1",
    "mover.after_delete:1",
]


async def finish(house: House) -> None:
    """Move everything; nothing may be left of the dead."""
    mover = house.mover()
    for _ in range(200):
        moved = await mover.step(house.database, look=True)
        if not moved and not mover.journals:
            break
    mover.close()
    report = await check(house.database)
    assert report.findings == ()
    assert (report.open_holds, report.held) == (0, 0)
    assert list(house.folder.glob("*.journal")) == []


async def judge(house: House, money: int, children: list[Child]) -> None:
    """Each reply has one row, rows beyond that are calls in flight, and each row was charged once."""
    async with house.database.reading() as tx:
        rows = {str(r[0]): int(r[1]) for r in await tx.all(select(usage.c.id, usage.c.charged))}
        posted = await tx.one(select(accounts.c.posted))
    kept = {id for child in children for id in child.all("kept")}
    sent = {id for child in children for id in child.all("sent")}
    assert kept <= rows.keys(), "who was answered has a row"
    assert rows.keys() <= sent, "who never got as far has none"
    assert set(rows.values()) <= {COST}
    assert posted == (money - COST * len(rows),)
    assert not [what for child in children for what in child.all("alarm")]


@pytest.mark.parametrize("money", [RICH, POOR])
@pytest.mark.parametrize("place", BANK_POINTS)
async def test_a_worker_that_is_killed(
    nursery: Nursery, house: House, database_url: str, place: str, money: int
) -> None:
    await fund(house.database, money)
    terms: dict[str, Any] = {"segment_bytes": 4096, "beat": 0.05, "idle": 0.1}
    child = await nursery.start("bank", database_url, house.folder, failpoint=place, terms=terms)
    for number in range(4):
        child.tell(do="calls", cost=COST, count=20, at_once=5, name=f"a{number}", wait=0.01)
    assert await child.end() == -signal.SIGKILL, "it never came by"
    again = await nursery.start("bank", database_url, house.folder, terms=terms)
    again.tell(do="calls", cost=COST, count=10, name="b", wait=0)
    assert await again.end() == 0
    await finish(house)
    await judge(house, money, [child, again])


@pytest.mark.parametrize("place", MOVER_POINTS)
async def test_a_mover_that_is_killed(nursery: Nursery, house: House, database_url: str, place: str) -> None:
    await fund(house.database, RICH)
    terms: dict[str, Any] = {"segment_bytes": 4096, "batch": 7}
    bank = await nursery.start("bank", database_url, house.folder, terms=terms)
    mover = await nursery.start("mover", database_url, house.folder, failpoint=place, terms=terms)
    bank.tell(do="calls", cost=COST, count=60, at_once=20, name="a", wait=0.01)
    assert await bank.end() == 0
    assert await mover.end() == -signal.SIGKILL, "it never came by"
    again = await nursery.start("mover", database_url, house.folder, terms=terms)
    other = await nursery.start("mover", database_url, house.folder, terms=terms)
    async with asyncio.timeout(30):
        while list(house.folder.glob("*.journal")):  # noqa: ASYNC110 - other processes delete them
            await asyncio.sleep(0.02)
    for one in (again, other):
        one.send(signal.SIGTERM)
    assert max(await again.end(), await other.end()) == 0
    await finish(house)
    await judge(house, RICH, [bank])
    assert len(bank.all("kept")) == 60


async def test_everybody_is_killed_again_and_again(nursery: Nursery, house: House, database_url: str) -> None:
    """Two workers and a mover, killed at any moment, started anew under new ids, fewer of them in the end."""
    await fund(house.database, RICH)
    terms: dict[str, Any] = {"segment_bytes": 4096, "beat": 0.05, "idle": 0.1, "batch": 20}
    every: list[Child] = []
    for number in range(3):
        workers = [await nursery.start("bank", database_url, house.folder, terms=terms) for _ in range(2)]
        mover = await nursery.start("mover", database_url, house.folder, terms=terms)
        for place, worker in enumerate(workers):
            await worker.hear("ready")
            worker.tell(do="calls", cost=COST, count=5000, at_once=10, name=f"w{number}{place}", wait=0.001)
            await worker.hear("kept")
        await asyncio.sleep(0.1 + 0.13 * number)
        for one in (*workers, mover):
            one.send(signal.SIGKILL)
        for one in (*workers, mover):
            await one.end()
        every += workers
    last = await nursery.start("bank", database_url, house.folder, terms=terms)
    last.tell(do="calls", cost=COST, count=10, name="last")
    assert await last.end() == 0
    await finish(house)
    await judge(house, RICH, [*every, last])
    assert sum(len(child.all("kept")) for child in every) > 30
