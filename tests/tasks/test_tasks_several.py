"""Several tasks of one request: all of them are paid or none is made, the first decides whether any is sent, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, DEAR, KEY, MILLION, Rig, rig
from unigate.base.errors import NoFunds, StoreUnavailable, UpstreamRefused
from unigate.spec.task import Draft
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


def further(count: int, **body: Any) -> list[Draft]:
    """Drafts beside the first, the last of them dear."""
    return [
        Draft(operation="test.film", model="film", body=body, conditions={"mode": "dear"} if at == count else {})
        for at in range(1, count + 1)
    ]


async def test_each_has_its_own_row_hold_and_charge(house: Rig) -> None:
    node = await house.node()
    first = await node.submit(steps=2, draft_also=further(3, steps=2))
    rows = await house.rows()
    assert rows[0]["id"] == first.id and len({row["id"] for row in rows}) == 4
    assert len({row["hold_id"] for row in rows}) == 4 and sorted(house.vendor.orders) == sorted(r["id"] for r in rows)
    assert house.vendor.orders[0] == first.id
    ended = [await node.ended(row["id"]) for row in rows]
    assert [(task.state, task.cost) for task in ended] == [("succeeded", COST)] * 3 + [("succeeded", DEAR)]
    assert await house.spent() == (MILLION - 3 * COST - DEAR, 0)
    usage = await house.usage()
    assert sorted(row["cost"] for row in usage) == [COST, COST, COST, DEAR] and len({row["id"] for row in usage}) == 4
    assert first.request_id in {row["id"] for row in usage}
    await house.sound()


@pytest.mark.parametrize("short", [1, COST, 3 * COST])
async def test_money_for_some_of_them_makes_none(database: Database, tmp_path: Path, short: int) -> None:
    async with rig(database, tmp_path, credit=3 * COST + DEAR - short) as house:
        node = await house.node()
        with pytest.raises(NoFunds):
            await node.submit(steps=1, draft_also=further(3, steps=1))
        assert await house.rows() == [] and house.vendor.orders == []
        assert await house.spent() == (3 * COST + DEAR - short, 0)
        await house.sound()


async def test_money_that_others_hold_without_need_is_asked_for(database: Database, tmp_path: Path) -> None:
    """Where the wallet seems short, the exact way writes the same rows and holds."""
    async with rig(database, tmp_path, credit=3 * COST + DEAR) as house:
        node, other = await house.node(), await house.node()
        held = await other.svc.bank.hold_slow(KEY, 10, 10)
        held.release()
        first = await node.submit(steps=1, draft_also=further(3, steps=1))
        ended = [await node.ended(row["id"]) for row in await house.rows()]
        assert first.id == ended[0].id and [task.state for task in ended] == ["succeeded"] * 4
        assert await house.spent() == (0, 0)
        await house.sound()


async def test_none_is_sent_where_the_first_is_refused(house: Rig) -> None:
    node = await house.node()
    with pytest.raises(UpstreamRefused):
        await node.submit(fault="refuse", draft_also=further(3))
    rows = await house.rows()
    assert [row["state"] for row in rows] == ["failed"] * 4
    assert house.vendor.orders == [] and await house.spent() == (MILLION, 0)
    await house.sound()


async def test_one_of_the_others_fails_alone(house: Rig) -> None:
    node = await house.node()
    also = [*further(1, steps=1), *further(1, fault="refuse")]
    first = await node.submit(steps=1, draft_also=also)
    ended = [await node.ended(row["id"]) for row in await house.rows()]
    assert [task.state for task in ended] == ["succeeded", "succeeded", "failed"] and ended[0].id == first.id
    assert await house.spent() == (MILLION - COST - DEAR, 0)
    await house.sound()


async def test_the_same_request_again_makes_none_more(house: Rig) -> None:
    node = await house.node()
    told = {"idempotency_key": "four-at-once"}
    both = await asyncio.gather(
        *(node.submit(steps=1, draft_also=further(3, steps=1), headers=told) for _ in range(2)), return_exceptions=True
    )
    again = await node.submit(steps=1, draft_also=further(3, steps=1), headers=told)
    assert {getattr(one, "id", one) for one in both} == {again.id}
    rows = await house.rows()
    assert len(rows) == 4
    for row in rows:
        await node.ended(row["id"])
    assert len(house.vendor.orders) == 4
    await house.sound()


async def test_an_id_that_is_taken_leaves_nothing(house: Rig) -> None:
    node = await house.node()
    known = await node.submit(steps=1, draft_task_id="17")
    taken = Draft(operation="test.film", model="film", body={"steps": 1}, task_id="17")
    with pytest.raises(StoreUnavailable):
        await node.submit(steps=1, draft_also=[*further(2, steps=1), taken])
    assert [row["id"] for row in await house.rows()] == [known.id]
    await node.ended(known.id)
    assert await house.spent() == (MILLION - COST, 0) and house.vendor.orders == [known.id]
    await house.sound()
