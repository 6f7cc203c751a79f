"""Tasks of a channel whose server tells of one task at a time are asked after one by one, of any other together."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support.task_rig import Rig, channel, rig
from support.task_vendor import MANY, ONE, PROVIDER, Vendor
from unigate.base.errors import BadAnswer
from unigate.spec.channel import Channel
from unigate.spec.task import Answered, Json, Progress
from unigate.store.database import Database


def _never(handles: Sequence[Json], answered: Answered) -> Sequence[Progress | None]:
    raise BadAnswer(detail="this server knows no lists")


BOTH = replace(MANY, poll=ONE.poll, progress=ONE.progress, progress_many=_never, singly="one_by_one")
PICKY = replace(PROVIDER, name="picky", tasks={"test.many": BOTH})


def channels(vendor: Vendor) -> Sequence[Channel]:
    return [replace(channel(vendor, options={"one_by_one": True}), provider=PICKY)]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, channels=channels) as made:
        yield made


async def test_they_are_asked_after_one_by_one(house: Rig) -> None:
    node = await house.node()
    ids = [(await node.submit("many", steps=2)).id for _ in range(3)]
    assert [(await node.ended(id)).state for id in ids] == ["succeeded"] * 3
    await house.sound()
