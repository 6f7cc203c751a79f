"""A task's entry and its hold, where the answer to their commit is lost: it stands once, and money is held for it once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from billing_cases import Flaky
from sqlalchemy import func, select

from support.task_rig import COST, MILLION, TERMS, Rig, rig
from unigate.store.database import Database
from unigate.store.ledger_tables import holds


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(Flaky(database), tmp_path) as made:
        made.terms = replace(TERMS, beat=5.0, retry=0.01)  # no commit but the entry's comes in between
        yield made


async def open_holds(house: Rig) -> list[int]:
    """Their amounts."""
    async with house.db.reading() as tx:
        return [int(row[0]) for row in await tx.all(select(holds.c.amount).where(holds.c.state == "open"))]


@pytest.mark.parametrize("named", [True, False], ids=["named by its caller", "without a name"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kept", [True, False], ids=["committed", "not committed"])
async def test_the_answer_to_its_commit_is_lost(house: Rig, kept: bool, times: int, named: bool) -> None:
    assert isinstance(house.db, Flaky)
    headers = {"idempotency_key": "order-17"} if named else {}
    node = await house.node(started=False)
    if kept:
        house.db.lose = times
    else:
        house.db.fail = times
    task = await node.submit(headers=headers, steps=1)
    assert (house.db.lose, house.db.fail) == (0, 0), "it did happen"
    assert [row["id"] for row in await house.rows()] == [task.id]
    assert await open_holds(house) == [COST]
    assert await house.spent() == (MILLION, COST)
    if named:
        assert (await node.submit(headers=headers, steps=1)).id == task.id, "its name is its own"
    node.tasks.start()
    done = await node.ended(task.id, seconds=60)
    assert (done.state, done.cost) == ("succeeded", COST)
    assert house.vendor.orders == [task.id]
    assert await open_holds(house) == [] and await house.spent() == (MILLION - COST, 0)
    assert len(await house.usage()) <= 1
    async with house.db.reading() as tx:
        assert await tx.one(select(func.count()).select_from(holds)) == (1,), "money was held once"
    await house.sound()
