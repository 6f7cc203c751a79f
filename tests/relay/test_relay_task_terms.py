"""What providers say beside a task's state: that it bills nothing, and how often it may be asked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Rig, channel, rig
from support.task_vendor import ONE, PROVIDER, Vendor
from support.waiting import until
from unigate.spec.channel import Channel
from unigate.store.database import Database
from unigate.tasks.pace import Rates

RATE = 40.0


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


@pytest.mark.parametrize("body", [{"steps": 2}, {"state": "succeeded"}])
async def test_what_a_provider_takes_for_nothing_costs_nothing(house: Rig, body: dict[str, Any]) -> None:
    """Such as what it had made before: whether it is done at once, or later."""
    node = await house.node()
    free, paid = await node.submit(free=True, **body), await node.submit(**body)
    assert (await node.ended(free.id)).cost == 0
    assert (await node.ended(paid.id)).cost == COST
    assert await house.spent() == (MILLION - COST, 0)
    assert sorted(row["cost"] for row in await house.usage()) == [0, COST]
    await house.sound()


class Noted(Rates):
    """Rates that remember what they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, float]] = []

    def wait(self, name: str, rate: float) -> float:
        self.asked.append((name, rate))
        return super().wait(name, rate)


async def test_a_provider_is_asked_as_often_as_it_allows_by_all_processes_together(
    database: Database, tmp_path: Path
) -> None:
    paced = replace(PROVIDER, tasks={"test.one": replace(ONE, pace=replace(ONE.pace, rate=RATE))})

    def only(vendor: Vendor) -> list[Channel]:
        return [replace(channel(vendor), provider=paced)]

    async with rig(database, tmp_path, channels=only) as house:
        node = await house.node()
        rates = node.tasks.engine.rates = Noted()
        task = await node.submit(steps=2)
        await node.ended(task.id)
        assert set(rates.asked) == {("ch_1", RATE)} and len(rates.asked) == house.vendor.polls
        await house.node(started=False)
        await until(lambda: node.svc.bank.alive == 2)
        rates.asked.clear()
        task = await node.submit(steps=2)
        await node.ended(task.id)
        assert set(rates.asked) == {("ch_1", RATE / 2)}
