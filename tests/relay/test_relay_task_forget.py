"""Tasks that their users delete: nothing is left of them but what they cost, and nothing that runs is deleted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.task_rig import COST, MILLION, Rig, channel, rig
from unigate.base.clock import now_ms
from unigate.store import assets
from unigate.store.assets import AssetRow
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


def file(id: str, task_id: str, state: assets.State) -> AssetRow:
    return AssetRow(
        id=id,
        task_id=task_id,
        user_id="usr_1",
        kind="video",
        media_type="video/mp4",
        source="",
        private=False,
        place=0,
        state=state,
        store="here",
        path=f"{id}.mp4" if state == "kept" else "",
        ends_at=now_ms() + 3_600_000,
    )


async def test_one_that_has_ended_is_deleted_with_its_files(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1)
    done = await node.ended(task.id)
    async with house.db.writing() as tx:
        await assets.add(tx, [file("ast_kept", task.id, "kept"), file("ast_there", task.id, "remote")])
    await node.tasks.forget(done)
    assert await node.tasks.get(task.id, "usr_1") is None
    async with house.db.reading() as tx:
        (left,) = await assets.several(tx, ["ast_kept", "ast_there"])
    assert left.id == "ast_kept" and left.ends_at <= now_ms()
    assert await house.spent() == (MILLION - COST, 0), "what it cost stays"
    await house.sound()


async def test_one_that_runs_is_not_deleted(house: Rig) -> None:
    node = await house.node()
    task = await node.submit()
    async with house.db.writing() as tx:
        await assets.add(tx, [file("ast_kept", task.id, "kept")])
    await node.tasks.forget(task)
    assert (await node.get(task.id)).state == "running"
    async with house.db.reading() as tx:
        (left,) = await assets.several(tx, ["ast_kept"])
    assert left.ends_at > now_ms()


async def test_what_waits_to_go_on_from_it_is_not_made_from_nothing(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, channels=lambda vendor: [channel(vendor, concurrency=1)]) as house:
        node = await house.node()
        parent = await node.ended((await node.submit(steps=1)).id)
        holder = await node.submit()
        waiting = await node.submit(draft_parent_id=parent.id, draft_may_wait=True)
        assert waiting.state == "waiting"
        await node.tasks.forget(parent)
        await node.tasks.cancel(holder)
        ended = await node.ended(waiting.id)
        assert (ended.state, ended.cost) == ("failed", 0)
        assert ended.error is not None and ended.error.code == "task_parent_deleted"
        assert len(house.vendor.orders) == 2
        await house.sound()
