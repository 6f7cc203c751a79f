"""A caller who was told that there is no task gets none later, and providers' code that fails leaves a task as it was."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from support.task_rig import MILLION, Rig, channel, rig
from support.task_vendor import PROVIDER, Vendor
from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError, StoreUnavailable
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.relay import task_submit
from unigate.spec.task import Draft
from unigate.store.database import Database
from unigate.store.ledger_tables import processes

#: Leases that do not end while a test runs: nobody else ends what is to be taken back.
LONG = LiveSettings(tasks=TaskSettings(lease_seconds=600, send_seconds=600, vanish_seconds=0.1))
NAMED = {"idempotency_key": "order-17"}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, settings=LONG) as made:
        yield made


async def ended(house: Rig) -> dict[str, Any]:
    for _ in range(3000):
        (row, *_) = await house.rows()
        if row["finished_at"]:
            return row
        await asyncio.sleep(0.01)
    raise AssertionError("the first task did not end")


async def test_a_lost_commit_of_a_process_that_counts_as_dead_is_taken_back(house: Rig) -> None:
    away = asyncio.Event()

    def point(name: str) -> None:
        if not away.is_set() or name not in {"teller.after_commit", "teller.before_transaction"}:
            return
        if name == "teller.after_commit" or written:
            written.append(name)
            raise StoreUnavailable(detail="as ordered")

    written: list[str] = []
    node = await house.node(failpoint=point)
    away.set()
    submission = asyncio.create_task(node.submit("one", headers=NAMED))
    while not written:  # noqa: ASYNC110 - the failpoint is not in a loop's hands
        await asyncio.sleep(0.01)
    async with house.db.writing() as tx:
        await tx.run(update(processes).where(processes.c.id == node.svc.bank.process_id).values(state="dead"))
    away.clear()
    with pytest.raises(StoreUnavailable):
        await submission
    row = await ended(house)
    assert (row["state"], row["cost"], row["error_code"]) == ("failed", 0, StoreUnavailable().code)
    assert await house.spent() == (MILLION, 0)
    assert house.vendor.orders == []
    again = await (await house.node()).submit("one", headers=NAMED)
    assert again.id != row["id"]
    assert house.vendor.orders == [again.id]


@pytest.fixture
def unsendable(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a node's next submission fail before it is sent, and its taking back wait for an event."""

    def prepare(node: Any) -> asyncio.Event:
        allowed = asyncio.Event()
        send, finish = node.tasks._submitter._sender.send, node.tasks.finisher.finish
        left = [StoreUnavailable(detail="as ordered")]

        async def sending(*args: Any, **more: Any) -> Any:
            if left:
                raise left.pop()
            return await send(*args, **more)

        async def finishing(ending: Any) -> Any:
            if not allowed.is_set():
                raise StoreUnavailable(detail="as ordered")
            return await finish(ending)

        monkeypatch.setattr(node.tasks._submitter._sender, "send", sending)
        monkeypatch.setattr(node.tasks.finisher, "finish", finishing)
        return allowed

    return prepare


async def test_a_request_that_comes_again_meanwhile_makes_a_task_of_its_own(house: Rig, unsendable: Any) -> None:
    nodes = [await house.node(), await house.node()]
    allowed = unsendable(nodes[0])
    with pytest.raises(StoreUnavailable):
        await nodes[0].submit("one", headers=NAMED)
    again = [asyncio.create_task(node.submit("one", headers=NAMED)) for node in nodes]
    await asyncio.sleep(0)
    allowed.set()
    made = {task.id for task in await asyncio.gather(*again)}
    first = await ended(house)
    assert len(made) == 1 and first["id"] not in made
    assert house.vendor.orders == list(made)
    await house.sound()


async def test_one_that_is_still_being_taken_back_is_nobodys(
    house: Rig, unsendable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_submit, "_UNDER_WAY", 0.05)
    node = await house.node()
    allowed = unsendable(node)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await node.submit("one", headers=NAMED)
    allowed.set()
    assert (await ended(house))["state"] == "failed"
    assert (await node.submit("one", headers=NAMED)).state == "running"
    await house.sound()


def crowded(vendor: Vendor) -> list[Any]:
    """A channel with one place."""
    return [channel(vendor, concurrency=1)]


@pytest.mark.parametrize("sent", [True, False], ids=["sent by another", "still waits"])
async def test_one_of_which_nobody_knows_whether_it_waits(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bool
) -> None:
    """It did, and where another process has sent it meanwhile, nothing is taken back."""
    async with rig(database, tmp_path, settings=LONG, channels=crowded) as house:
        node = await house.node(started=False)
        first = await node.submit("one")
        submitter = node.tasks._submitter
        wait = submitter._wait

        async def lost(made: Any) -> bool:
            assert await wait(made)
            if sent:
                await house.set(made.row.task.id, state="submitting", owner="another", lease_until=now_ms() + 600_000)
            raise StoreUnavailable(detail="as ordered")

        monkeypatch.setattr(submitter, "_wait", lost)
        with pytest.raises(StoreUnavailable):
            await node.submit("one")
        await submitter.rest(60)
        assert [row["state"] for row in await house.rows()] == ["running", "submitting" if sent else "failed"]
        assert house.vendor.orders == [first.id]


async def test_one_of_several_that_could_not_be_sent_is_told_of(
    house: Rig, unsendable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its caller has its id: whoever wants to hear of it hears of its end."""
    node = await house.node(started=False)
    told: list[tuple[str, str]] = []

    async def add(_tx: Any, changes: Any) -> None:
        told.extend((after.id, after.state) for _, after in changes)

    monkeypatch.setattr(node.tasks.engine.notices, "add", add)
    send = node.tasks._submitter._send

    async def first_as_it_is(made: Any, *rest: Any, **more: Any) -> Any:
        if more.get("known"):
            unsendable(node).set()
        return await send(made, *rest, **more)

    monkeypatch.setattr(node.tasks._submitter, "_send", first_as_it_is)
    made = await node.submit("one", draft_also=[Draft(operation="test.film", model="film", body={})])
    await node.tasks._submitter.rest(60)
    rows = await house.rows()
    assert [row["state"] for row in rows] == ["running", "failed"]
    assert rows[0]["id"] == made.id and told == [(rows[1]["id"], "failed")]
    await house.sound()


def _broken(*_args: object) -> Any:
    raise KeyError("as ordered")


def broken(vendor: Vendor) -> list[Any]:
    api = dataclasses.replace(PROVIDER.tasks["test.many"], resume=_broken, cancel=_broken, asks={"test.q": _broken})
    return [dataclasses.replace(channel(vendor), provider=dataclasses.replace(PROVIDER, tasks={"test.many": api}))]


async def test_providers_code_that_fails_leaves_a_task_as_it_was(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, settings=LONG, channels=broken) as house:
        node = await house.node()
        paused = await node.submit("many", state="paused")
        with pytest.raises(GatewayError):
            await node.tasks.resume(node.call("many"), paused, {"prompt": "more"})
        assert (await node.get(paused.id)).state == "paused"
        running = await node.submit("many")
        with pytest.raises(GatewayError):
            await node.tasks.cancel(running)
        with pytest.raises(GatewayError):
            await node.tasks.ask(node.call("question"), running, "test.q")
        assert (await node.get(running.id)).state == "running"
        await house.sound()
