"""Several processes share the tasks of one database: each task is made once, sent once, ended once, whoever dies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Node, Rig, key, rig
from support.waiting import until
from unigate.base.errors import Conflict
from unigate.spec.task import Answered
from unigate.store.database import Database

TOLD = Answered(status=200, body=b"{}")


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


async def test_fifty_equal_keys_on_two_nodes_make_one_task_and_one_hold(house: Rig) -> None:
    nodes = [await house.node(), await house.node()]
    named = {"idempotency_key": "order-17"}
    made = await asyncio.gather(*(nodes[n % 2].submit(headers=named, prompt="x") for n in range(50)))
    assert len({task.id for task in made}) == 1
    assert len(house.vendor.orders) == len(await house.rows()) == 1
    assert await house.spent() == (MILLION, COST)
    await house.sound()


async def test_a_key_that_was_used_for_something_else_is_refused(house: Rig) -> None:
    node = await house.node()
    named = {"idempotency_key": "order-17"}
    first = await node.submit(headers=named, prompt="x")
    with pytest.raises(Conflict):
        await node.submit(headers=named, prompt="y")
    with pytest.raises(Conflict):
        await node.submit("many", headers=named, prompt="x")
    await house.fund(MILLION, "wal_2")
    other = await node.submit(
        headers=named, prompt="x", by=key("key_2", user="usr_2")
    )  # another user's key is another key
    assert other.id != first.id
    assert len(house.vendor.orders) == 2


async def test_a_clients_own_repetition_is_known_by_what_it_sends(house: Rig) -> None:
    node = await house.node()
    first = await node.submit(headers={"x_stainless_retry_count": "0"}, prompt="x")
    again = await node.submit(headers={"x_stainless_retry_count": "1"}, prompt="x")
    on_purpose = await node.submit(headers={"x_stainless_retry_count": "0"}, prompt="x")
    assert again.id == first.id != on_purpose.id
    assert (await node.submit(headers={"x_stainless_retry_count": "2"}, prompt="x")).id == on_purpose.id
    assert len(house.vendor.orders) == 2
    await house.sound()


async def test_a_request_that_came_to_nothing_may_be_made_again(house: Rig) -> None:
    node = await house.node()
    named = {"idempotency_key": "order-17"}
    for _ in range(2):
        with pytest.raises(Exception, match="refused"):
            await node.submit(headers=named, fault="refuse")
    assert len(await house.rows()) == 2
    await house.sound()


async def test_the_tasks_of_a_dead_node_are_taken_over(house: Rig) -> None:
    first = await house.node()
    made = [await first.submit(steps=2 + n % 5) for n in range(20)]
    await first.kill()
    second = await house.node()
    done = [await second.ended(task.id) for task in made]
    assert {task.state for task in done} == {"succeeded"}
    assert len(house.vendor.orders) == 20
    assert await house.spent() == (MILLION - 20 * COST, 0)
    await house.sound()


@pytest.mark.parametrize(("kind", "state"), [("one", "unknown"), ("many", "succeeded")])
async def test_one_that_was_being_sent_when_its_node_died_is_found_out(house: Rig, kind: str, state: str) -> None:
    first = await house.node()
    house.vendor.gate.clear()
    sending = asyncio.create_task(first.submit(kind, steps=1))
    await until(lambda: house.vendor.orders_waiting, seconds=60, what="the order at the vendor")
    await first.kill()
    await asyncio.gather(sending, return_exceptions=True)
    house.vendor.gate.set()
    second = await house.node()
    (row,) = await house.rows()
    done = await second.ended(row["id"])
    assert (done.state, done.cost) == (state, COST if state == "succeeded" else 0)
    assert len(house.vendor.orders) <= 1
    await house.sound()


async def test_a_handle_that_is_in_the_journal_only_is_not_lost(house: Rig) -> None:
    first = await house.node(started=False)
    killed = asyncio.Event()

    async def never(*_: object, **__: object) -> Any:
        killed.set()
        await asyncio.sleep(60)

    first.tasks.engine.book.write = never  # type: ignore[method-assign]
    sending = asyncio.create_task(first.submit("one", steps=1))
    await asyncio.wait_for(killed.wait(), 10)
    await first.kill()
    await asyncio.gather(sending, return_exceptions=True)
    await house.moved()
    (row,) = await house.rows()
    assert (row["state"], row["handle"]) == ("running", '{"job":"j0"}')
    second = await house.node()
    assert (await second.ended(row["id"])).cost == COST
    assert house.vendor.orders == [row["id"]]
    await house.sound()


WAYS = ("callback", "poll", "cancel", "deadline")


@pytest.mark.parametrize("order", list(permutations(WAYS)), ids="-".join)
async def test_whatever_comes_first_a_task_ends_once(sqlite_url: str, opening: Any, tmp_path: Path, order: Any) -> None:
    await _race(opening(sqlite_url), tmp_path, order)


@pytest.mark.parametrize("order", [WAYS, WAYS[::-1], ("cancel", "poll", "deadline", "callback")], ids="-".join)
async def test_the_same_on_postgresql(postgres_url: str, opening: Any, tmp_path: Path, order: Any) -> None:
    await _race(opening(postgres_url), tmp_path, order)


async def _race(db: Database, folder: Path, order: tuple[str, ...]) -> None:
    """Two nodes; what comes first in `order` begins first, and all of them wait for the same moment."""
    async with rig(db, folder) as house:
        nodes = [await house.node(started=False), await house.node(started=False)]
        made = [await nodes[n % 2].submit("many") for n in range(4)]
        secrets = {row["id"]: row["secret"] for row in await house.rows()}
        for task in made:
            house.vendor.end(task.id)
        barrier = asyncio.Event()

        async def go(number: int, way: str, node: Node, task_id: str) -> None:
            await barrier.wait()
            for _ in range(number):
                await asyncio.sleep(0)
            task = await node.get(task_id)
            if way == "callback":
                await node.tasks.called_back(task_id, secrets[task_id], TOLD)
            elif way == "cancel":
                with contextlib.suppress(Conflict):
                    await node.tasks.cancel(task)
            else:
                if way == "deadline" and not task.ended:
                    await house.set(task_id, deadline_at=1, due_at=1)
                await step(node)

        work: list[Awaitable[None]] = [
            go(number, way, nodes[(number + n) % 2], task.id)
            for n, task in enumerate(made)
            for number, way in enumerate(order)
        ]
        running = asyncio.gather(*work)
        barrier.set()
        await running
        for node in nodes:
            node.tasks.start()
        done = [await nodes[0].ended(task.id) for task in made]
        assert {task.state for task in done} == {"succeeded"}
        assert len(await house.usage()) == 4
        assert await house.spent() == (MILLION - 4 * COST, 0)
        await house.sound()


async def step(node: Node) -> None:
    """Claim what is due and look after it."""
    claims = node.tasks.engine.claims
    await claims._turn(node.tasks._tracker.look, together=True)
    await until(lambda: not claims.at_work)


Opening = Callable[..., Database]
