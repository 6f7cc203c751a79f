"""Tasks whose term is over are deleted, with what belongs to them, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Rig, rig
from unigate.base.clock import now_ms
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.relay import tasks as use
from unigate.store import assets
from unigate.store.assets import AssetRow
from unigate.store.database import Database

DAY_MS = 86_400_000


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    settings = LiveSettings(tasks=TaskSettings(keep_days=2, lease_seconds=30, idempotency_hours=24))
    async with rig(database, tmp_path, settings=settings) as made:
        yield made


async def aged(house: Rig, task_id: str, days: float) -> None:
    """A task that was made, and ended if it has, so many days ago."""
    (row,) = [one for one in await house.rows() if one["id"] == task_id]
    at = now_ms() - round(days * DAY_MS)
    ended: dict[str, Any] = {"finished_at": at} if row["finished_at"] else {}
    await house.set(task_id, number=at * 1000 + row["number"] % 1000, created_at=at, **ended)


async def test_only_what_ended_long_ago_is_deleted(house: Rig) -> None:
    node = await house.node()
    old, young, failed, running = [
        await node.submit(**body) for body in ({"steps": 1}, {"steps": 2}, {"steps": 1, "ends": "failed"}, {"step": 0})
    ]
    for one in (old, young, failed):
        await node.ended(one.id)
    for one, days in ((old, 2.1), (young, 1.9), (failed, 30), (running, 30)):
        await aged(house, one.id, days)
    assert await node.tasks.tidy() == 2
    assert {row["id"] for row in await house.rows()} == {young.id, running.id}
    assert await node.tasks.get(old.id, "usr_1") is None
    assert len(await house.usage()) == 3  # what it cost is kept
    assert await house.spent() == (MILLION - 2 * COST, COST)
    house.vendor.end(running.id)
    await node.ended(running.id)
    await house.sound()


async def test_a_task_that_ended_just_now_is_kept_however_old_it_is(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1)
    await node.ended(task.id)
    long_ago = now_ms() - 30 * DAY_MS
    await house.set(task.id, number=long_ago * 1000, created_at=long_ago)
    assert await node.tasks.tidy() == 0
    assert len(await house.rows()) == 1


async def test_it_goes_on_in_portions_until_nothing_is_left(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "TOGETHER", 2)
    node = await house.node()
    made = [await node.submit(steps=1) for _ in range(5)]
    for task in made:
        await node.ended(task.id)
        await aged(house, task.id, 3)
    assert await node.tasks.tidy() == 5
    assert await house.rows() == []


async def test_the_word_of_a_request_goes_with_its_task_once_its_own_term_is_over(house: Rig) -> None:
    node = await house.node()
    headers = {"idempotency_key": "once"}
    first = await node.submit(headers=headers, steps=1)
    await node.ended(first.id)
    assert (await node.submit(headers=headers, steps=1)).id == first.id
    await aged(house, first.id, 3)
    await node.tasks.tidy()
    with pytest.raises(Exception, match="has been deleted"):  # it is not made a second time
        await node.submit(headers=headers, steps=1)


async def test_rows_of_files_go_with_their_task(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1)
    await node.ended(task.id)
    given: dict[str, Any] = {"user_id": "usr_1", "kind": "image", "media_type": "", "source": "http://v.example/a"}
    states: list[tuple[assets.State, str]] = [("remote", ""), ("lost", ""), ("kept", "2026/11/t/ast_2.png")]
    files = [
        AssetRow(id=f"ast_{n}", task_id=task.id, private=False, place=n, state=state, path=path, **given)
        for n, (state, path) in enumerate(states)
    ]
    async with house.db.writing() as tx:
        await assets.add(tx, files)
    await aged(house, task.id, 3)
    assert await node.tasks.tidy() == 1
    async with house.db.reading() as tx:
        left = await assets.several(tx, [one.id for one in files])
    assert [one.id for one in left] == ["ast_2"]
