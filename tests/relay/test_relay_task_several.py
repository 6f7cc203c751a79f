"""Several tasks of one request: all are paid for or none, each ends by itself, and a repeat finds them all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, KEY, MILLION, Node, Rig, rig
from unigate.base.clock import now_ms
from unigate.base.errors import Conflict, NoFunds, UpstreamRefused
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.relay import task_several
from unigate.spec.task import Draft, Task
from unigate.store.database import Database

#: Leases that do not end while a test runs.
LONG = LiveSettings(tasks=TaskSettings(lease_seconds=600, send_seconds=600, vanish_seconds=0.1))


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


async def several(node: Node, bodies: Sequence[dict[str, Any]], *, body: bytes = b"{}", **headers: str) -> list[Task]:
    drafts = [Draft(operation="test.film", model="film", body=one) for one in bodies]
    return await node.tasks.submit_several(
        node.call("one", body, by=KEY, **headers), drafts, base="http://gateway.test"
    )


async def test_each_is_made_paid_and_named(house: Rig) -> None:
    node = await house.node()
    made = await several(node, [{"steps": 2}, {"steps": 1, "ends": "failed"}, {"steps": 3}])
    assert await house.spent() == (MILLION, 3 * COST)
    first = made[0].id
    assert [task.id for task in made] == [first, f"{first}-2", f"{first}-3"]
    ended = [await node.ended(task.id) for task in made]
    assert [(task.state, task.cost) for task in ended] == [("succeeded", COST), ("failed", 0), ("succeeded", COST)]
    assert await house.spent() == (MILLION - 2 * COST, 0)
    rows = {row["id"]: row["cost"] for row in await house.usage()}
    assert rows == {task.request_id: task.cost for task in ended} and len(rows) == 3
    assert house.vendor.orders[0] == first and sorted(house.vendor.orders) == sorted(task.id for task in made)
    await house.sound()


async def test_money_for_some_is_none(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, credit=3 * COST - 1) as house:
        node = await house.node()
        with pytest.raises(NoFunds):
            await several(node, [{}, {}, {}])
        assert house.vendor.orders == []
        assert await house.spent() == (3 * COST - 1, 0)
        assert {row["state"] for row in await house.rows()} <= {"failed"}
        await house.sound()
        assert len(await several(node, [{}, {}])) == 2


async def test_where_the_first_is_refused_no_other_is_sent(house: Rig) -> None:
    node = await house.node()
    with pytest.raises(UpstreamRefused):
        await several(node, [{"fault": "refuse"}, {}, {}])
    assert house.vendor.orders == []
    assert {row["state"] for row in await house.rows()} == {"failed"}
    assert await house.spent() == (MILLION, 0)
    await house.sound()


async def test_one_of_the_others_that_is_refused_has_failed(house: Rig) -> None:
    node = await house.node()
    made = await several(node, [{"steps": 1}, {"fault": "refuse"}, {"steps": 1}])
    assert [task.state for task in made] == ["running", "failed", "running"]
    assert made[1].error is not None and (await node.get(made[1].id)).state == "failed"
    for task in made:
        await node.ended(task.id)
    assert await house.spent() == (MILLION - 2 * COST, 0)
    await house.sound()


@pytest.mark.parametrize("left", [300, -300], ids=["its lease is about to end", "its lease has ended"])
async def test_one_whose_lease_the_first_used_up_is_not_sent(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    relay = LONG.relay
    lasts = 600 + 600 + relay.attempts * 600 + relay.backoff_seconds
    async with rig(database, tmp_path, settings=LONG) as house:
        node = await house.node(started=False)
        monkeypatch.setattr(task_several, "now_ms", lambda: now_ms() + int((lasts - left) * 1000))
        made = await several(node, [{}, {}])
        (other,) = (await house.rows())[1:]
        assert house.vendor.orders == [made[0].id]
        assert other["state"] == made[1].state == ("failed" if left > 0 else "submitting")
        assert (await house.spent())[1] == (COST if left > 0 else 2 * COST)
        await house.sound()


async def test_a_repeat_finds_them_all(house: Rig) -> None:
    node = await house.node()
    made = await several(node, [{}, {}, {}], idempotency_key="a")
    again = await several(node, [{}, {}, {}], idempotency_key="a")
    assert [task.id for task in again] == [task.id for task in made]
    assert len(house.vendor.orders) == 3
    with pytest.raises(Conflict):
        await several(node, [{}, {}], body=b"other", idempotency_key="a")
    assert await house.spent() == (MILLION, 3 * COST)


async def test_repeats_at_once_make_them_once(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, credit=3 * COST) as house:
        node = await house.node()
        found = await asyncio.gather(
            *(several(node, [{}, {}, {}], idempotency_key="a") for _ in range(4)), return_exceptions=True
        )
        made = [one for one in found if isinstance(one, list)]
        assert made and {tuple(task.id for task in one) for one in made} == {tuple(task.id for task in made[0])}
        assert all(isinstance(one, list | NoFunds) for one in found)
        assert len(house.vendor.orders) == 3
        assert (await house.spent())[1] == 3 * COST
        await house.sound()


async def test_what_never_was_sent_is_given_back_after_a_crash(house: Rig) -> None:
    node = await house.node()
    house.vendor.gate.clear()
    under_way = asyncio.create_task(several(node, [{}, {}, {}]))
    for _ in range(400):
        if len(await house.rows()) == 3 and (await house.spent())[1] == 3 * COST:
            break
        await asyncio.sleep(0.02)
    await node.kill()
    await asyncio.gather(under_way, return_exceptions=True)
    house.vendor.gate.set()
    await house.node()
    await house.settled()
    assert {row["state"] for row in await house.rows()} <= {"unknown", "failed"}
    assert await house.spent() == (MILLION, 0)
    await house.sound()
