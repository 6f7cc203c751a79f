"""Tasks that wait for their caller, and are cancelled: they end here and at their provider."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.task_rig import MILLION, Rig, rig
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


async def test_the_cancellation_of_a_paused_task_is_told_to_its_provider(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("many", state="paused")
    done = await node.tasks.cancel(task)
    assert (done.state, done.cost) == ("canceled", 0)
    assert house.vendor.canceled == [task.id]
    assert await house.spent() == (MILLION, 0)
    await house.sound()


@pytest.mark.parametrize("kind", ["many", "one", "deaf"])
async def test_a_paused_task_ends_where_its_provider_does_not_stop_it(house: Rig, kind: str) -> None:
    """One refuses, one says nothing of it, one knows no such call."""
    node = await house.node()
    task = await node.submit(kind, state="paused", no_cancel=True)
    done = await node.tasks.cancel(task)
    assert (done.state, done.cost) == ("canceled", 0)
    assert house.vendor.canceled == ([] if kind == "deaf" else [task.id])
    assert await house.spent() == (MILLION, 0)
    await house.sound()
