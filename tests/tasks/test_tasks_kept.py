"""Tasks that a process keeps: nothing is written while nothing changes, and whoever else has a reason to look is heard."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from support.task_rig import COST, MILLION, Node, Rig, channel, rig
from support.task_vendor import MANY, PROVIDER, Vendor
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.base.live_settings import LiveSettings, TaskSettings
from unigate.relay.task_finish import Ending
from unigate.spec.task import Answered, Pace
from unigate.store import task_changes, tasks
from unigate.store.database import Database
from unigate.store.tasks import QUEUE
from unigate.tasks import keeping

TOLD = Answered(status=200, body=b"{}")
HOUR = 3600
#: A lease that does not end while a test runs.
LONG = LiveSettings(tasks=TaskSettings(lease_seconds=600, send_seconds=0.5, vanish_seconds=0.1, poll_scale=1.0))


def paced(pace: Pace) -> Callable[[Vendor], list[Any]]:
    """The vendor's channel, asked so often."""
    apis = {name: dataclasses.replace(api, pace=pace) for name, api in PROVIDER.tasks.items()}
    provider = dataclasses.replace(PROVIDER, tasks=apis)
    return lambda vendor: [dataclasses.replace(channel(vendor), provider=provider)]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, settings=LONG) as made:
        yield made


@pytest.fixture
async def slow(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    """A vendor that is asked once an hour, by leases that do not end meanwhile."""
    async with rig(database, tmp_path, settings=LONG, channels=paced(Pace(first=HOUR, longest=HOUR))) as made:
        yield made


async def step(node: Node) -> None:
    claims = node.tasks.engine.claims
    await claims._turn(node.tasks._tracker.look, together=True)
    await until(lambda: not claims.at_work, seconds=30)


async def test_nothing_is_written_while_nothing_changes(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("many")
    await until(lambda: house.vendor.polls >= 1, seconds=30)
    before = await house.rows()
    await until(lambda: house.vendor.polls >= 6, seconds=30)
    assert await house.rows() == before
    house.vendor.end(task.id)
    assert (await node.ended(task.id)).cost == COST
    assert node.tasks.engine.claims.kept == 0
    await house.sound()


async def test_progress_is_written_and_the_task_stays(house: Rig) -> None:
    node = await house.node()
    task = await node.submit("many", steps=40)

    async def gone_on() -> dict[str, Any] | None:
        (row,) = await house.rows()
        return row if row["percent"] >= 30 else None

    row = await _found(gone_on)
    assert row["owner"] == node.tasks.engine.owner
    assert row["due_at"] == row["lease_until"] > now_ms() + 60_000
    assert row["detail"] == f'{{"job":"j0","percent":{row["percent"]}}}'
    assert (await node.get(task.id)).version > 3


async def test_a_callback_at_another_worker_reaches_a_kept_task_soon(slow: Rig) -> None:
    owner, other = await slow.node(look=0.2), await slow.node(look=0.2)
    task = await owner.submit("many")
    (row,) = await slow.rows()
    assert row["owner"] == owner.tasks.engine.owner
    slow.vendor.end(task.id)
    assert await other.tasks.called_back(task.id, row["secret"], TOLD)
    assert (await other.ended(task.id)).cost == COST
    assert slow.vendor.polls == 1
    await slow.sound()


async def test_a_callback_while_its_owner_asks_makes_it_ask_again(slow: Rig) -> None:
    owner, other = await slow.node(look=0.05), await slow.node(look=0.05)
    task = await owner.submit("many")
    (row,) = await slow.rows()
    slow.vendor.poll_gate.clear()
    await other.tasks.called_back(task.id, row["secret"], TOLD)
    await until(lambda: slow.vendor.polls_waiting == 1, seconds=30)
    await other.tasks.called_back(task.id, row["secret"], TOLD)

    async def heard() -> bool | None:
        (row,) = await slow.rows()
        return row["due_at"] == row["lease_until"] or None  # its owner has claimed it once more

    await _found(heard)
    assert slow.vendor.polls_waiting == 1  # and does not ask twice at a time
    slow.vendor.poll_gate.set()
    await until(lambda: slow.vendor.polls == 2, seconds=30)


async def test_a_cancellation_at_another_worker_does_not_wait_for_the_lease(house: Rig) -> None:
    owner, other = await house.node(started=False), await house.node(started=False)
    task = await owner.submit("many")
    assert owner.tasks.engine.claims.kept == 1
    assert (await other.tasks.cancel(task)).state == "canceled"
    asked = house.vendor.polls
    await until(lambda: owner.tasks.engine.claims.late > 0, seconds=30)
    await step(owner)
    assert (house.vendor.polls, owner.tasks.engine.claims.kept) == (asked, 0)
    assert await house.spent() == (MILLION, 0)
    await house.sound()


async def test_the_tasks_of_a_stalled_owner_are_taken_over(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path) as house:  # leases of 0.6 s
        owner = await house.node(started=False)
        made = [await owner.submit(kind) for kind in ("one", "many", "one")]
        assert owner.tasks.engine.claims.kept == 3
        other = await house.node()

        async def taken_over() -> bool | None:
            return all(row["owner"] == other.tasks.engine.owner for row in await house.rows()) or None

        await _found(taken_over)
        for task in made:
            house.vendor.end(task.id)
        assert {(await other.ended(task.id)).state for task in made} == {"succeeded"}
        await house.sound()


async def test_what_was_taken_over_is_not_asked_after_by_its_old_owner(house: Rig) -> None:
    owner, other = await house.node(started=False), await house.node(started=False)
    task = await owner.submit("many")
    await house.set(task.id, lease_until=1, due_at=1)  # it could not be prolonged in time
    await step(other)
    assert (house.vendor.polls, other.tasks.engine.claims.kept) == (1, 1)
    await until(lambda: owner.tasks.engine.claims.late > 0, seconds=30)
    await step(owner)
    assert (house.vendor.polls, owner.tasks.engine.claims.kept) == (1, 0)
    await until(lambda: other.tasks.engine.claims.late > 0, seconds=30)
    await step(other)
    assert house.vendor.polls == 2


@pytest.mark.parametrize("percent", [0, 50], ids=["nothing changed", "it went on"])
async def test_what_went_wrong_before_a_takeover_is_over_once_it_is_answered(house: Rig, percent: int) -> None:
    """Else whoever takes it over next would soon believe that it has vanished."""
    owner, other = await house.node(started=False), await house.node(started=False)
    task = await owner.submit("many")
    if percent:
        (job,) = house.vendor.jobs.values()
        job["percent"] = percent
    await house.set(task.id, errors=2, missing_since=1, lease_until=1, due_at=1)
    await step(other)
    (row,) = await house.rows()
    assert (row["errors"], row["missing_since"], row["owner"]) == (0, 0, other.tasks.engine.owner)
    assert (house.vendor.polls, other.tasks.engine.claims.kept) == (1, 1)
    assert row["percent"] == max(percent, 0)
    before = row["polls"]
    await until(lambda: other.tasks.engine.claims.late > 0, seconds=30)
    await step(other)
    assert (await house.rows())[0]["polls"] == before, "it is written once"


async def test_an_end_from_another_state_leaves_what_runs_here(slow: Rig) -> None:
    node = await slow.node(started=False)
    task = await node.submit("many")
    async with slow.db.reading() as tx:
        row = await tasks.find(tx, task.id)
    assert row is not None and node.tasks.engine.claims.kept == 1
    ending = Ending(row=row, state="failed", states=("waiting", "submitting"))
    assert await node.tasks.finisher.finish(ending) is None
    assert node.tasks.engine.claims.kept == 1
    assert await node.tasks.finisher.finish(dataclasses.replace(ending, states=("running",))) is not None
    assert node.tasks.engine.claims.kept == 0


async def test_a_row_that_somebody_changed_is_read_anew(house: Rig) -> None:
    owner = await house.node(started=False)
    task = await owner.submit("many")
    await house.set(task.id, version=17, percent=42)
    await until(lambda: owner.tasks.engine.claims.late > 0, seconds=30)
    await step(owner)
    (job,) = house.vendor.jobs.values()
    job["percent"] = 50
    await until(lambda: owner.tasks.engine.claims.late > 0, seconds=30)
    await step(owner)
    assert ((await owner.get(task.id)).version, (await owner.get(task.id)).percent) == (19, 50)


async def test_leases_are_prolonged_together(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, channels=paced(Pace(first=HOUR, longest=HOUR))) as house:  # leases of 0.6 s
        node = await house.node()
        for kind in ("one", "many"):
            await node.submit(kind)
        first = max(row["lease_until"] for row in await house.rows())

        async def prolonged() -> bool | None:
            rows = await house.rows()
            assert {row["owner"] for row in rows} == {node.tasks.engine.owner}
            return all(row["lease_until"] == row["due_at"] > first + 1000 for row in rows) or None

        await _found(prolonged)
        assert house.vendor.polls == 0
        assert node.tasks.engine.claims.kept == 2


async def test_prolonging_touches_neither_others_rows_nor_ended_ones_nor_moved_dates(slow: Rig) -> None:
    node, other = await slow.node(started=False), await slow.node(started=False)
    mine, moved, theirs, ended = [await node.submit("many") for _ in range(4)]
    await slow.set(theirs.id, owner=other.tasks.engine.owner)
    await other.tasks.cancel(ended)
    await slow.set(moved.id, due_at=5)
    before = {row["id"]: row for row in await slow.rows()}
    until_then = now_ms() + 10_000_000
    asked = [mine.id, moved.id, theirs.id, ended.id]
    async with slow.db.writing() as tx:
        still = await QUEUE.keep(tx, node.tasks.engine.owner, asked, until=until_then)
    after = {row["id"]: row for row in await slow.rows()}
    assert still == {mine.id, moved.id}
    assert (after[theirs.id], after[ended.id]) == (before[theirs.id], before[ended.id])
    assert after[mine.id] == {**before[mine.id], "lease_until": until_then, "due_at": until_then}
    assert after[moved.id] == {**before[moved.id], "lease_until": until_then}


async def test_one_that_stops_gives_back_what_it_keeps(slow: Rig) -> None:
    owner = await slow.node()
    task = await owner.submit("many")
    await owner.stop()
    (row,) = await slow.rows()
    assert (row["state"], row["owner"], row["lease_until"]) == ("running", "", 0)
    assert row["due_at"] > now_ms() + 60_000  # when it would have been asked after
    other = await slow.node()
    slow.vendor.end(task.id)
    await other.tasks.called_back(task.id, row["secret"], TOLD)
    assert (await other.ended(task.id)).state == "succeeded"
    await slow.sound()


async def test_one_that_stops_while_it_looks_gives_back_what_it_looked_at(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await slow.node(started=False)
    task = await node.submit("many")
    claims = node.tasks.engine.claims
    claims._kept.rest(claims._kept._rows[task.id], 0)  # it is due
    begun, go = asyncio.Event(), asyncio.Event()
    mine = claims._mine

    async def held(rows: Any) -> Any:
        begun.set()
        await go.wait()
        return await mine(rows)

    monkeypatch.setattr(claims, "_mine", held)
    node.tasks.start()
    await begun.wait()
    stopping = asyncio.create_task(node.tasks.stop(60))
    await until(lambda: claims._stopping)
    go.set()
    await stopping
    (found,) = await slow.rows()
    assert (found["owner"], found["lease_until"], claims.kept, slow.vendor.polls) == ("", 0, 0, 0)


async def test_a_database_that_is_away_costs_no_task(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await house.node()
    task = await node.submit("many")

    def away(*_args: object, **_more: object) -> None:
        raise StoreUnavailable(detail="as ordered")

    with monkeypatch.context() as patch:
        patch.setattr(house.db, "reading", away)
        patch.setattr(house.db, "writing", away)
        await asyncio.sleep(0)
        asked = house.vendor.polls
        await until(lambda: node.tasks.engine.claims.late > 100, seconds=30)
    assert house.vendor.polls <= asked + 1
    house.vendor.end(task.id)
    assert (await node.ended(task.id)).cost == COST


async def test_no_more_are_kept_than_there_is_room_for(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST", 1)
    node = await house.node()
    made = [await node.submit(kind) for kind in ("one", "many", "many")]
    await until(lambda: min(house.vendor.polled[task.id] for task in made) >= 2, seconds=30)
    assert node.tasks.engine.claims.kept <= 1
    for task in made:
        house.vendor.end(task.id)
    assert [(await node.ended(task.id)).cost for task in made] == [COST] * 3
    await house.sound()


def told(vendor: Vendor) -> list[Any]:
    """The vendor's channel, which tells much of a job that it has begun."""

    def progress_many(handles: Any, answered: Answered) -> Any:
        assert MANY.progress_many is not None
        found = MANY.progress_many(handles, answered)
        return [one and dataclasses.replace(one, detail={"logs": "x" * 70_000 * bool(one.percent)}) for one in found]

    api = dataclasses.replace(MANY, progress_many=progress_many)
    return [dataclasses.replace(channel(vendor), provider=dataclasses.replace(PROVIDER, tasks={"test.many": api}))]


async def test_one_of_which_much_is_told_is_let_go_of_after_each_look(database: Database, tmp_path: Path) -> None:
    async with rig(database, tmp_path, settings=LONG, channels=told) as house:
        node = await house.node(started=False)
        task = await node.submit("many")
        claims = node.tasks.engine.claims
        assert claims.kept == 1
        (job,) = house.vendor.jobs.values()
        job["percent"] = 50
        await until(lambda: claims.late > 0, seconds=30)
        for looks in range(3):  # it has changed, then not, then not
            await step(node)
            (row,) = await house.rows()
            assert len(row["detail"]) > 70_000 and (row["owner"], claims.kept) == ("", 0), looks
            await house.set(task.id, due_at=1)
        assert house.vendor.polls == 3
        house.vendor.end(task.id)
        await step(node)
        assert (await node.get(task.id)).state == "succeeded"
        await house.sound()


async def test_what_was_sent_is_not_kept_with_what_runs(slow: Rig) -> None:
    node = await slow.node(started=False)
    claimed, changed = [await node.submit("many") for _ in range(2)]
    claims = node.tasks.engine.claims
    await slow.set(claimed.id, body=b"{}", lease_until=1, due_at=1)
    await slow.set(changed.id, body=b"{}", version=17)
    await step(node)
    rows = claims._kept._rows
    assert sorted(rows) == sorted([claimed.id, changed.id])
    mine = await claims._mine([rows[changed.id]])
    assert [row.task.version for row in mine] == [17]
    assert [row.body for row in (*mine, *rows.values())] == [b""] * 3


async def test_a_journal_that_knows_a_handle_blanks_what_was_sent(slow: Rig) -> None:
    node = await slow.node(started=False)
    task = await node.submit("many")
    await slow.set(task.id, state="submitting", handle="", body=b"{}")
    async with slow.db.writing() as tx:
        await task_changes.note_handles(tx, [(task.id, "ch_1", "crd_1", '{"job":"j0"}')], now=now_ms())
    (row,) = await slow.rows()
    assert (row["state"], row["body"]) == ("running", b"")


async def _found(look: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """What a look finds in the end."""
    for _ in range(int(seconds * 100)):
        if (found := await look()) is not None:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"nothing was found within {seconds} s")
