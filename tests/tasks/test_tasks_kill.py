"""kill -9 at named points of a task's way, and what its caller, its vendor and the books say after a restart."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from support.task_process import ORDERS, order
from support.task_rig import COST, MILLION, QUICK, Rig, rig
from unigate.base.live_settings import LiveSettings
from unigate.relay.task_things import MADE
from unigate.spec.task import Task
from unigate.store.database import Database
from unigate.store.gateway_tables import bindings

PROGRAM = Path(__file__).parents[1] / "support" / "task_process.py"
#: Where it dies, in the order in which a task comes by.
PLACES = [
    "task.before_enter",
    "teller.before_transaction",
    "teller.before_commit",
    "teller.after_commit",
    "task.after_enter",
    "task.before_note",
    "journal.before_write",
    "journal.after_write",
    "task.after_note",
    "task.after_taken",
    "task.before_finish",
    "task.before_finish_commit",
    "task.after_finish",
]
#: Between the row and the handle's journal: only the vendor knows whether it has the order.
BLIND = {"teller.after_commit", "task.after_enter", "task.before_note", "journal.before_write"}
#: The process that goes on may be kept waiting by others on its machine, and is to lose no lease of its own by that. Where
#: only the vendor knows, it waits for as long as a lease lasts.
PATIENT, SOON = (LiveSettings(tasks=msgspec.structs.replace(QUICK, lease_seconds=lease)) for lease in (30.0, 3.0))
#: Several ends may come by together.
SHARED = {"task.before_finish_commit"}


@pytest.mark.parametrize(("kind", "count"), [("one", 1), ("many", 4)])
@pytest.mark.parametrize("place", PLACES)
async def test_killed_at_a_point_and_started_again(
    sqlite_url: str, opening: Callable[..., Database], tmp_path: Path, place: str, kind: str, count: int
) -> None:
    """`one` is a vendor that can't be asked for an order, `many` is one that can; the fourth is one of three at once."""
    await _killed_and_started(sqlite_url, opening(sqlite_url), tmp_path, place, kind, 1 if place in SHARED else count)


@pytest.mark.parametrize("place", ["task.after_taken", "task.before_finish_commit"])
async def test_killed_where_things_are_told_of_on_the_other_database(
    postgres_url: str, opening: Callable[..., Database], tmp_path: Path, place: str
) -> None:
    await _killed_and_started(postgres_url, opening(postgres_url), tmp_path, place, "many", 1)


async def _killed_and_started(url: str, db: Database, folder: Path, place: str, kind: str, count: int) -> None:
    async with rig(db, folder, settings=SOON if place in BLIND else PATIENT) as house:
        taken = await _die(house, url, kind, f"{place}:{count}")
        node = await house.node(started=False)
        await house.moved()
        node.tasks.start()
        again = [
            await node.submit(kind, headers={"idempotency_key": f"order-{number}"}, **order(number))
            for number in range(ORDERS)
        ]
        assert taken == {number: again[number].id for number in taken}
        done = [await node.ended(task.id) for task in again]
        unknown = int(kind == "one" and place in BLIND)
        await _judge(house, {task.id: task.state for task in done}, unknown=unknown)
        await _made(house, dict(enumerate(done)))


async def _die(house: Rig, url: str, kind: str, place: str) -> dict[int, str]:
    """Let a process run into its point; the tasks of those orders that it had answered."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        url,
        str(house.folder),
        house.vendor.url,
        kind,
        place,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == -signal.SIGKILL, "it never came by"
    return {line["order"]: line["task"] for line in map(json.loads, said.splitlines())}


async def _made(house: Rig, done: dict[int, Task]) -> None:
    """What each made leads to its task and to where it is known, its allotted id to what was told of first."""
    async with house.db.reading() as tx:
        rows = await tx.all(select(bindings.c.kind, bindings.c.public_id, bindings.c.upstream_id))
    wanted = set()
    for number, task in done.items():
        wanted.add((MADE, f"o-{number}", task.id))
        if task.state == "succeeded":
            wanted |= {(MADE, f"{name}-{number}", task.id) for name in "ab"}
            wanted |= {("tune", id, id) for id in (f"a-{number}", f"b-{number}")}
            wanted.add(("tune", f"o-{number}", f"b-{number}"))
    assert {tuple(row) for row in rows} == wanted


async def _judge(house: Rig, states: dict[str, str], *, unknown: int) -> None:
    """Six orders are six tasks, none sent twice, each charged once if it succeeded; the wallet has the rest."""
    rows, usage = await house.rows(), await house.usage()
    assert {row["id"] for row in rows} == states.keys() and len(rows) == ORDERS
    assert sorted(states.values()) == ["succeeded"] * (ORDERS - unknown) + ["unknown"] * unknown
    done = {id for id, state in states.items() if state == "succeeded"}
    assert len(house.vendor.orders) == len(set(house.vendor.orders))
    assert done <= set(house.vendor.orders) <= states.keys()
    charged = {row["request_id"]: COST if row["id"] in done else 0 for row in rows}
    assert {row["request_id"]: row["cost"] for row in rows} == charged
    assert sorted((row["id"], row["charged"]) for row in usage) == sorted(charged.items())
    assert await house.spent() == (MILLION - COST * len(done), 0)
    await house.sound()
