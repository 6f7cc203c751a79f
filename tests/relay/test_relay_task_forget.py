"""Tasks that their users delete: nothing is left of them but what they cost, and nothing that runs is deleted."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.task_rig import COST, MILLION, Rig, rig
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
