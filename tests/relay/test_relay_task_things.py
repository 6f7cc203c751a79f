"""Things that tasks make: bound in the transaction that tells of them, to their user, channel, credential and task."""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from support.task_rig import Rig, channel, key, rig
from support.task_vendor import ONE, PROVIDER, Vendor
from unigate.relay.task_things import MADE, MOST
from unigate.spec.binding import Binding
from unigate.spec.channel import Channel
from unigate.spec.task import ALLOTTED, Accepted, Answered, Json, Made, Order, Progress
from unigate.store import bindings
from unigate.store.database import Database
from unigate.store.gateway_tables import bindings as table


def _makes(job: Json, told: Progress) -> Progress:
    """What an order's body says that it makes: at once, on the way, or in the end."""
    order = job["order"]
    assert isinstance(order, dict)
    when = order.get("tells", "running")
    known = told.state == "succeeded" or (when == "running" and told.percent) or when == "taken"
    made = [Made(kind="tune", id=id) for id in order.get("makes", ())] if known else []
    return replace(told, makes=made)


def _progress(handle: Json, answered: Answered) -> Progress:
    assert ONE.progress is not None
    return _makes(json.loads(answered.body), ONE.progress(handle, answered))


def _accepted(order: Order, answered: Answered) -> Accepted:
    found = ONE.accepted(order, answered)
    return replace(found, progress=_makes(json.loads(answered.body), found.progress))


def _channels(vendor: Vendor) -> list[Channel]:
    provider = replace(PROVIDER, tasks={"test.one": replace(ONE, progress=_progress, accepted=_accepted)})
    return [replace(channel(vendor), provider=provider)]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, channels=_channels) as made:
        await made.fund(1000, "wal_2")
        yield made


async def known(house: Rig) -> dict[tuple[str, str], Binding]:
    async with house.db.reading() as tx:
        rows = await tx.all(select(table))
    found = [Binding(**dict(zip(table.c.keys(), row, strict=True))) for row in rows]
    return {(one.kind, one.public_id): one for one in found}


@pytest.mark.parametrize("tells", ["taken", "running", "succeeded"])
async def test_what_is_made_leads_to_where_it_is_known_and_to_its_task(house: Rig, tells: str) -> None:
    node = await house.node()
    task = await node.submit(steps=3, makes=["tune-a", "tune-b"], tells=tells)
    if tells == "taken":
        assert ("tune", "tune-a") in await known(house)
    await node.ended(task.id)
    found = await known(house)
    assert set(found) == {(kind, id) for kind in ("tune", MADE) for id in ("tune-a", "tune-b")}
    for id in ("tune-a", "tune-b"):
        thing = found["tune", id]
        assert (thing.upstream_id, thing.channel_id, thing.credential_id) == (id, "ch_1", "crd_1")
        assert (thing.user_id, thing.model) == (task.user_id, "film")
        assert found[MADE, id].upstream_id == task.id


async def test_what_is_told_while_it_runs_is_bound_before_the_end(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=-1, makes=["tune-a"])
    job = next(iter(house.vendor.jobs.values()))
    job["percent"] = 40
    while (now := await node.get(task.id)).percent != 40:
        await node.tasks.wait(task.id, task.user_id, beyond=now.version, seconds=5)
    assert ("tune", "tune-a") in await known(house)
    house.vendor.end(task.id)
    await node.ended(task.id)


async def test_ids_that_were_allotted_lead_to_their_task_from_the_beginning(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(
        steps=-1, makes=["theirs-1", "theirs-2", "theirs-3"], tells="succeeded", draft_input={ALLOTTED: ["o-1", "o-2"]}
    )
    assert {name: one.upstream_id for name, one in (await known(house)).items()} == {
        (MADE, "o-1"): task.id,
        (MADE, "o-2"): task.id,
    }
    house.vendor.end(task.id)
    await node.ended(task.id)
    found = await known(house)
    assert {id: one.upstream_id for (kind, id), one in found.items() if kind == "tune"} == {
        "o-1": "theirs-1",
        "o-2": "theirs-2",
        "theirs-1": "theirs-1",
        "theirs-2": "theirs-2",
        "theirs-3": "theirs-3",
    }
    assert {id for kind, id in found if kind == MADE} == {"o-1", "o-2", "theirs-1", "theirs-2", "theirs-3"}


async def test_an_allotted_id_is_one_thing_s_whatever_is_told_first(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=-1, makes=["theirs-2"], draft_input={ALLOTTED: ["o-1", "o-2"]})
    job = next(iter(house.vendor.jobs.values()))
    job["percent"] = 40
    while (now := await node.get(task.id)).percent != 40:
        await node.tasks.wait(task.id, task.user_id, beyond=now.version, seconds=5)
    job["order"]["makes"] = ["theirs-1", "theirs-2"]
    house.vendor.end(task.id)
    ended = await node.ended(task.id)
    assert ended.detail[ALLOTTED] == ["theirs-2", "theirs-1"]
    found = await known(house)
    assert {id: found["tune", id].upstream_id for id in ("o-1", "o-2")} == {"o-1": "theirs-2", "o-2": "theirs-1"}


async def test_what_has_an_id_beyond_any_use_spoils_no_end(house: Rig) -> None:
    node = await house.node()
    made = [random.Random(number).randbytes(9000).hex() for number in range(3)]
    task = await node.submit(steps=1, makes=[*made, "tune-a"])
    assert (await node.ended(task.id)).state == "succeeded"
    assert set(await known(house)) == {("tune", "tune-a"), (MADE, "tune-a")}


async def test_a_provider_that_tells_of_more_things_than_any_task_makes_is_not_believed(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1, makes=[f"tune-{number}" for number in range(MOST + 1)])
    assert (await node.ended(task.id)).state == "succeeded"
    assert len(await known(house)) == 2 * MOST


async def test_what_is_somebody_else_s_stays_theirs(house: Rig) -> None:
    node = await house.node()
    first = await node.submit(steps=1, makes=["tune-a"])
    await node.ended(first.id)
    second = await node.submit(steps=1, makes=["tune-a", "tune-c"], by=key("key_2", user="usr_2"))
    await house.settled()
    assert (await node.get(second.id, user="usr_2")).state == "succeeded"
    found = await known(house)
    assert found["tune", "tune-a"].user_id == "usr_1"
    assert found[MADE, "tune-a"].upstream_id == first.id
    assert found["tune", "tune-c"].user_id == "usr_2"
    async with house.db.reading() as tx:
        assert await bindings.find(tx, "tune", "tune-a", "usr_2") is None


async def test_what_can_be_no_id_is_left_out(house: Rig) -> None:
    node = await house.node()
    task = await node.submit(steps=1, makes=["", "a\0b"])
    assert (await node.ended(task.id)).state == "succeeded"
    assert await known(house) == {}
