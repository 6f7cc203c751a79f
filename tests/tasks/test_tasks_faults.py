"""What goes wrong with a submission: nothing is lost, nothing is sent twice, nothing is charged for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Rig, channel, rig
from support.task_vendor import MANY, PROVIDER, Vendor
from unigate.base.errors import Conflict, GatewayError, NoChannel, QueueFull, UpstreamError, UpstreamRefused
from unigate.store.database import Database


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


def two(vendor: Vendor) -> list[Any]:
    return [channel(vendor, "ch_1", priority=2), channel(vendor, "ch_2", priority=1)]


async def test_a_vendor_that_hangs_up_gets_one_order_and_the_task_ends_unknown(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(fault="hang_up")
    assert task.state == "submitting"
    done = await node.ended(task.id)
    assert (done.state, done.cost) == ("unknown", 0)
    assert house.vendor.orders == [task.id]
    assert await house.spent() == (MILLION, 0)
    assert node.svc.metrics.attempts["ch_1", "task_unknown"] == 1
    await house.sound()


@pytest.mark.parametrize(("fault", "error"), [("cannot_send", UpstreamRefused), ("broken_code", UpstreamError)])
async def test_what_no_provider_can_send_leaves_nothing_behind(house: Rig, fault: str, error: type[Exception]) -> None:
    node = await house.node()
    with pytest.raises(error):
        await node.submit(fault=fault)
    (row,) = await house.rows()
    assert (row["state"], row["cost"]) == ("failed", 0)
    assert house.vendor.orders == []
    assert await house.spent() == (MILLION, 0)
    await house.sound()


@pytest.mark.parametrize("fault", ["hang_up", "garbage"])
async def test_one_that_can_be_asked_is_asked_and_the_task_goes_on(house: Rig, fault: str) -> None:
    node = await house.node()
    task = await node.submit("many", fault=fault, steps=2)
    done = await node.ended(task.id)
    assert (done.state, done.cost) == ("succeeded", COST)
    assert house.vendor.orders == [task.id]
    await house.sound()


async def test_one_that_nothing_tells_from_others_is_not_asked_for(database: Database, tmp_path: Path) -> None:
    ask = MANY.recover
    assert ask is not None

    def channels(vendor: Vendor) -> list[Any]:
        api = replace(MANY, recover=lambda order, options: ask(order, options) if "marked" in order.body else None)
        return [replace(channel(vendor), provider=replace(PROVIDER, tasks={"test.many": api}))]

    async with rig(database, tmp_path, channels=channels) as house:
        node = await house.node()
        lost = await node.submit("many", fault="hang_up", steps=2)
        found = await node.submit("many", fault="hang_up", steps=2, marked=True)
        assert (await node.ended(found.id)).state == "succeeded"
        done = await node.ended(lost.id)
        assert (done.state, done.cost) == ("unknown", 0)
        assert sorted(house.vendor.orders) == sorted([lost.id, found.id])
        await house.sound()


@pytest.mark.parametrize("fault", ["gateway", "hang_up", "garbage"])
async def test_no_other_channel_gets_what_may_have_been_taken(database: Database, tmp_path: Path, fault: str) -> None:
    async with rig(database, tmp_path, channels=two) as house:
        node = await house.node()
        task = await node.submit(fault=fault)
        done = await node.ended(task.id)
        assert (done.state, done.channel_id) == ("unknown", "ch_1")
        assert len(house.vendor.orders) <= 1
        await house.sound()


@pytest.mark.parametrize("fault", ["fail", "busy", "auth"])
async def test_a_definite_refusal_goes_on_to_the_next(database: Database, tmp_path: Path, fault: str) -> None:
    async with rig(database, tmp_path, channels=two) as house:
        node = await house.node()
        with pytest.raises(GatewayError):
            await node.submit(fault=fault)
        (row,) = await house.rows()
        assert row["state"] == "failed"
        tried = [attempt["channel"] if isinstance(attempt, dict) else attempt[0] for attempt in _trail(row)]
        assert tried == ["ch_1", "ch_2"]
        await house.sound()


def _trail(row: dict[str, Any]) -> list[Any]:
    import json  # noqa: PLC0415 - here alone

    found: list[Any] = json.loads(row["attempts"])
    return found


async def test_an_unreachable_channel_is_passed(database: Database, tmp_path: Path) -> None:
    def channels(vendor: Vendor) -> list[Any]:
        gone = Vendor(url="http://127.0.0.1:9")
        return [channel(gone, "ch_gone", priority=2), channel(vendor, "ch_2", priority=1)]

    async with rig(database, tmp_path, channels=channels) as house:
        node = await house.node()
        task = await node.submit(steps=1)
        assert task.channel_id == "ch_2"
        assert (await node.ended(task.id)).state == "succeeded"
        await house.sound()


async def test_a_refusal_that_came_with_a_good_status_is_one(house: Rig) -> None:
    node = await house.node()
    with pytest.raises(Exception, match="refused"):
        await node.submit(fault="refused_as_200")
    (row,) = await house.rows()
    assert row["state"] == "failed"
    await house.sound()


async def test_a_vendor_that_forgets_a_task_is_believed_after_a_while(house: Rig) -> None:
    node = await house.node()
    task = await node.submit()
    house.vendor.jobs.clear()
    done = await node.ended(task.id)
    assert done.error is not None
    assert (done.state, done.error.code) == ("failed", "task_vanished")
    assert await house.spent() == (MILLION, 0)
    await house.sound()


async def test_polls_that_fail_change_nothing(house: Rig) -> None:
    node = await house.node()
    house.vendor.poll_status = 500
    task = await node.submit(steps=1)
    await asyncio.sleep(0.3)
    assert (await node.get(task.id)).state == "running"
    house.vendor.poll_status = 200
    assert (await node.ended(task.id)).state == "succeeded"
    await house.sound()


async def test_patience_ends(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(draft_deadline=0.2)
    done = await node.ended(task.id)
    assert done.error is not None
    assert (done.state, done.error.code, done.cost) == ("failed", "task_timeout", 0)
    assert await house.spent() == (MILLION, 0)
    await house.sound()


async def test_a_place_is_waited_for_in_order(database: Database, tmp_path: Path) -> None:
    def channels(vendor: Vendor) -> list[Any]:
        return [channel(vendor, concurrency=1, options={"queue": 2})]

    async with rig(database, tmp_path, channels=channels) as house:
        async with database.writing() as tx:
            assert tx is not None
        node = await house.node()
        first = await node.submit()
        waiting = [await node.submit(steps=1) for _ in range(2)]
        assert [task.state for task in waiting] == ["waiting", "waiting"]
        assert (await node.get(waiting[1].id)).ahead == 1
        with pytest.raises(QueueFull):
            await node.submit()
        with pytest.raises(QueueFull) as refused:
            await node.submit(draft_task_id="17000000000001")
        assert refused.value.task_id == "17000000000001"
        assert (await node.get("17000000000001")).state == "failed"
        house.vendor.end(first.id)
        assert [(await node.ended(task.id)).state for task in waiting] == ["succeeded", "succeeded"]
        assert house.vendor.orders == [first.id, *(task.id for task in waiting)]
        await house.sound()


async def test_one_that_may_not_wait_is_refused(database: Database, tmp_path: Path) -> None:
    def channels(vendor: Vendor) -> list[Any]:
        return [channel(vendor, concurrency=1)]

    async with rig(database, tmp_path, channels=channels) as house:
        node = await house.node()
        await node.submit()
        with pytest.raises((QueueFull, NoChannel)):
            await node.submit(draft_may_wait=False)
        assert len(house.vendor.orders) == 1
        await house.sound()


async def test_a_waiting_task_is_canceled_and_never_sent(database: Database, tmp_path: Path) -> None:
    def channels(vendor: Vendor) -> list[Any]:
        return [channel(vendor, concurrency=1)]

    async with rig(database, tmp_path, channels=channels) as house:
        node = await house.node()
        first = await node.submit()
        waiting = await node.submit()
        canceled = await node.tasks.cancel(waiting)
        assert (canceled.state, canceled.cost) == ("canceled", 0)
        house.vendor.end(first.id)
        await node.ended(first.id)
        assert house.vendor.orders == [first.id]
        await house.sound()


async def test_a_cancellation_is_refunded_on_the_providers_word_only(house: Rig) -> None:
    node = await house.node()
    free = await node.submit("many")
    billed = await node.submit("many", billed=True)
    late = await node.submit("many", no_cancel=True)
    assert (await node.tasks.cancel(free)).cost == 0
    assert (await node.tasks.cancel(billed)).cost == COST
    with pytest.raises(Conflict):
        await node.tasks.cancel(late)
    assert (await node.get(late.id)).state == "running"
    house.vendor.end(late.id)
    assert (await node.ended(late.id)).cost == COST
    assert (await node.tasks.cancel(late)).state == "succeeded"
    assert await house.spent() == (MILLION - 2 * COST, 0)
    await house.sound()


async def test_a_callback_is_a_reason_to_ask_and_a_forged_one_is_not(house: Rig) -> None:
    node = await house.node()
    house.settings.tasks  # noqa: B018 - the pace of these tests
    task = await node.submit("many")
    await house.set(task.id, due_at=2**52)
    told = _answered(b'{"state": "succeeded"}')
    assert not await node.tasks.called_back(task.id, "guessed", told)
    assert not await node.tasks.called_back("task_of_nobody", "guessed", told)
    (row,) = await house.rows()
    for _ in range(3):
        assert await node.tasks.called_back(task.id, row["secret"], told)
    assert (await node.get(task.id)).state == "running"  # the callback's word is not taken for it
    house.vendor.end(task.id)
    assert await node.tasks.called_back(task.id, row["secret"], told)
    done = await node.ended(task.id)
    assert (done.state, done.cost) == ("succeeded", COST)
    assert await node.tasks.called_back(task.id, row["secret"], told)
    await house.sound()


async def test_a_provider_that_can_only_call_back_is_believed_once(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("deaf")
    (row,) = await house.rows()
    house.vendor.end(task.id)
    import json  # noqa: PLC0415 - here alone

    (job,) = house.vendor.jobs.values()
    told = _answered(json.dumps(job).encode())
    assert not await node.tasks.called_back(task.id, "guessed", told)
    assert (await node.get(task.id)).state == "running"
    for _ in range(3):
        assert await node.tasks.called_back(task.id, row["secret"], told)
    assert (await node.ended(task.id)).cost == COST
    assert len(await house.usage()) == 1
    await house.sound()


def _answered(body: bytes) -> Any:
    from unigate.spec.task import Answered  # noqa: PLC0415 - here alone

    return Answered(status=200, body=body)


async def test_a_paused_task_goes_on(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("many", state="paused")
    assert task.state == "paused"
    with pytest.raises(Exception, match="refused"):
        await node.tasks.resume(node.call("many"), task, {"fault": "refuse"})
    assert (await node.get(task.id)).state == "paused"
    went = await node.tasks.resume(node.call("many"), task, {"prompt": "more"})
    assert (went.state, went.id) == ("running", task.id)
    with pytest.raises(Conflict):
        await node.tasks.resume(node.call("many"), task, {})
    house.vendor.end(task.id)
    assert (await node.ended(task.id)).cost == COST
    await house.sound()


async def test_a_question_goes_to_whoever_knows_the_task(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("many")
    answered = await node.tasks.ask(node.call("question"), task, "test.question")
    assert (answered.status, b"j0" in answered.body) == (200, True)
