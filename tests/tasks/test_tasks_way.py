"""The way of a task: submitted, followed, ended and paid, on SQLite and on PostgreSQL, against a vendor over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.task_rig import COST, DEAR, MILLION, Rig, rig
from unigate.base.errors import NoFunds, UpstreamRefused
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


@pytest.mark.parametrize("kind", ["one", "many"])
async def test_a_task_is_made_followed_and_paid_once(house: Rig, kind: str) -> None:
    node = await house.node()
    task = await node.submit(kind, steps=3)
    assert task.state == "running"
    assert await house.spent() == (MILLION, COST)
    done = await node.ended(task.id)
    assert (done.state, done.percent, done.cost) == ("succeeded", 100, COST)
    assert done.detail == {"job": "j0", "percent": 100}
    assert await house.spent() == (MILLION - COST, 0)
    (row,) = await house.usage()
    assert (row["id"], row["cost"], row["ended"], row["operation"]) == (task.request_id, COST, "completed", "test.film")
    assert house.vendor.orders == [task.id]
    await house.sound()


async def test_a_failure_is_refunded(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=2, ends="failed")
    done = await node.ended(task.id)
    assert done.state == "failed" and done.error is not None
    assert (done.error.code, done.cost) == ("vendor_failed", 0)
    assert await house.spent() == (MILLION, 0)
    await house.sound()


async def test_what_a_provider_counts_is_charged(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1, units={"call": 1, "seconds": 3})
    done = await node.ended(task.id)
    assert done.cost == COST + 3 * 7
    assert await house.spent() == (MILLION - COST - 21, 0)
    await house.sound()


async def test_the_price_is_that_of_the_submission(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=2, draft_conditions={"mode": "dear"})
    assert task.held == DEAR
    assert (await node.ended(task.id)).cost == DEAR
    await house.sound()


async def test_no_money_no_task(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, credit=COST - 1) as house:
        node = await house.node()
        with pytest.raises(NoFunds):
            await node.submit()
        assert await house.rows() == []
        assert house.vendor.orders == []
        await house.sound()


async def test_a_refusal_passes_through_and_costs_nothing(house: Rig) -> None:
    node = await house.node()
    with pytest.raises(UpstreamRefused):
        await node.submit(fault="refuse")
    (row,) = await house.rows()
    assert (row["state"], row["cost"]) == ("failed", 0)
    assert await house.spent() == (MILLION, 0)
    await house.sound()
