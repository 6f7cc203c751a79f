"""Tasks whose files take long to be copied: they stay their sender's, and are sent once or not at all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import Rig, rig
from unigate.relay import references
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Files of tasks are copied once it is set."""
    ready = asyncio.Event()

    async def in_order(task: Any, body: dict[str, Any], *rest: Any) -> dict[str, Any]:
        await ready.wait()
        return {**body, "copied": True}

    monkeypatch.setattr(references, "DIALECTS", frozenset({"test"}))
    monkeypatch.setattr(references, "in_order", in_order)
    return ready


async def submitting(house: Rig) -> dict[str, Any]:
    for _ in range(400):
        if rows := await house.rows():
            return rows[0]
        await asyncio.sleep(0.05)
    pytest.fail("no task was made")


async def test_a_task_stays_its_senders_while_its_files_are_copied(house: Rig, copied: asyncio.Event) -> None:
    node, other = await house.node(), await house.node()
    sending = asyncio.create_task(node.submit())
    first = await submitting(house)
    for _ in range(400):  # until well after the lease with which it began
        (row,) = await house.rows()
        if row["lease_until"] > first["lease_until"] + 2000:
            break
        await asyncio.sleep(0.05)
    assert (row["state"], row["owner"]) == ("submitting", node.tasks.engine.owner)
    copied.set()
    task = await sending
    house.vendor.end(task.id)
    assert (await other.ended(task.id)).state == "succeeded"
    assert house.vendor.orders == [task.id]
    await house.sound()


async def test_what_is_not_ours_any_more_is_not_sent(house: Rig, copied: asyncio.Event) -> None:
    node = await house.node(started=False)
    sending = asyncio.create_task(node.submit())
    row = await submitting(house)
    await house.set(row["id"], owner="another")
    copied.set()
    await sending
    assert house.vendor.orders == [], "whoever looks after it decides"
    assert node.svc.router.health["ch_1"].in_flight == 0
