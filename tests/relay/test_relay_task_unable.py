"""An order that a provider can't do goes to another channel; where none can, the caller is told, and nothing is paid."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support.task_rig import COST, MILLION, QUICK, Rig, channel, rig
from support.task_vendor import ONE, PROVIDER, Vendor
from unigate.base.errors import Unsupported
from unigate.base.live_settings import LiveSettings, RelaySettings
from unigate.spec.channel import Channel
from unigate.spec.task import Json, Message, Order
from unigate.store.database import Database


def _submit(order: Order, options: Json) -> Message:
    if order.body.get("colour"):
        raise Unsupported("This server knows no colours.")
    return ONE.submit(order, options)


NARROW = replace(PROVIDER, name="narrow", tasks={"test.one": replace(ONE, submit=_submit)})


def channels(*, wide: bool, places: int = 0) -> Callable[[Vendor], Sequence[Channel]]:
    def made(vendor: Vendor) -> Sequence[Channel]:
        narrow = replace(channel(vendor, priority=5, concurrency=places), provider=NARROW)
        return [narrow, channel(vendor, "ch_2", concurrency=places)] if wide else [narrow]

    return made


@pytest.fixture
async def house(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    settings = LiveSettings(tasks=QUICK, relay=RelaySettings(attempts=1))  # what was not sent is no try
    async with rig(database, tmp_path, channels=request.param, settings=settings) as made:
        yield made


@pytest.mark.parametrize("house", [channels(wide=True), channels(wide=True, places=1)], indirect=True)
async def test_another_channel_does_it(house: Rig) -> None:
    node = await house.node()
    assert (await node.ended((await node.submit(steps=1)).id)).channel_id == "ch_1"
    for _ in range(8):  # nor is the channel blamed for it
        task = await node.submit(steps=1, colour="red")
        assert (await node.ended(task.id)).channel_id == "ch_2"
    assert (await node.ended((await node.submit(steps=1)).id)).channel_id == "ch_1"
    assert await house.spent() == (MILLION - 10 * COST, 0)
    await house.sound()


@pytest.mark.parametrize("house", [channels(wide=False), channels(wide=False, places=1)], indirect=True)
async def test_nobody_does_it(house: Rig) -> None:
    node = await house.node()
    for _ in range(3):
        with pytest.raises(Unsupported, match="knows no colours"):
            await node.submit(steps=1, colour="red")
    assert house.vendor.orders == []
    assert (await node.ended((await node.submit(steps=1)).id)).channel_id == "ch_1"
    assert await house.spent() == (MILLION - COST, 0)
    await house.sound()
