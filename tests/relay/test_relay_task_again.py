"""A request that is made again under its id, as lines of batches are: what failed takes nothing from the try that goes well."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Node, Rig, rig
from unigate.base import ids
from unigate.base.errors import UpstreamRefused
from unigate.spec.task import Draft, Task
from unigate.store.captures import recorded
from unigate.store.database import Database

ID = "req_01X_7"


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


async def tried(node: Node, *bodies: dict[str, Any]) -> list[Task]:
    call = node.call("one", idempotency_key=ID)
    call.id, call.failed_id = ID, ids.new("req")
    drafts = [Draft(operation="test.film", model="film", body=body) for body in bodies]
    return await node.tasks.submit_several(call, drafts, base="http://gateway.test")


async def charged(house: Rig) -> set[str]:
    async with house.db.reading() as tx:
        return await recorded(tx, [ID])


@pytest.mark.parametrize("parts", [1, 2])
async def test_the_try_that_goes_well_is_charged(house: Rig, parts: int) -> None:
    node = await house.node()
    for _ in range(2):
        with pytest.raises(UpstreamRefused):
            await tried(node, {"fault": "refuse"}, *[{"steps": 1}] * (parts - 1))
    assert await charged(house) == set()
    for task in await tried(node, *[{"steps": 1}] * parts):
        assert (await node.ended(task.id)).cost == COST
    assert await house.spent() == (MILLION - parts * COST, 0)
    rows = {row["id"]: row["cost"] for row in await house.usage()}
    assert {id: cost for id, cost in rows.items() if cost} == dict.fromkeys([ID, f"{ID}-2"][:parts], COST)
    assert await charged(house) == {ID}
    await house.sound()


async def test_one_that_failed_later_does_not_count_as_charged(house: Rig) -> None:
    node = await house.node()
    (task,) = await tried(node, {"steps": 1, "ends": "failed"})
    assert (await node.ended(task.id)).state == "failed"
    assert len(await house.usage()) == 1
    assert await charged(house) == set()
    await house.sound()
