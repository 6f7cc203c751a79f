"""Bindings as calls write them: together, each with its own outcome, and never for somebody else."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from unigate.base.errors import BadAnswer, BadRequest, StoreUnavailable
from unigate.relay import bindings as module
from unigate.relay.bindings import Bindings
from unigate.relay.call import Call
from unigate.routing.choice import Candidate
from unigate.spec.facts import Facts
from unigate.store.database import Database
from unigate.store.gateway_tables import bindings as table


def call(user: str = "usr_1", previous: str = "") -> Call:
    """As much of a call as bindings look at."""
    made = SimpleNamespace(
        operation=SimpleNamespace(binds="response"),
        key=SimpleNamespace(user_id=user),
        facts=Facts(model="m", previous=previous),
    )
    return cast(Call, made)


def place(channel: str = "ch_1", credential: str = "crd_1") -> Candidate:
    """As much of a candidate."""
    made = SimpleNamespace(
        route=SimpleNamespace(channel=SimpleNamespace(id=channel)), credential=SimpleNamespace(id=credential)
    )
    return cast(Candidate, made)


async def test_kept_found_continued_removed(database: Database) -> None:
    bindings = Bindings(database)
    await bindings.keep(call(), place(), "resp_1")
    found = await bindings.find(call(), "resp_1")
    assert found is not None and (found.channel_id, found.credential_id, found.model) == ("ch_1", "crd_1", "m")
    assert await bindings.previous(call(previous="resp_1")) == found
    for stranger in (call("usr_2", "resp_1"), call(previous="resp_2")):
        with pytest.raises(BadRequest) as refused:
            await bindings.previous(stranger)
        assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    await bindings.remove(found)
    assert await bindings.find(call(), "resp_1") is None


async def test_many_at_once_are_all_there(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    bindings = Bindings(database)
    await asyncio.gather(*(bindings.keep(call(f"usr_{n % 3}"), place(), f"resp_{n}") for n in range(50)))
    async with database.reading() as tx:
        row = await tx.one(select(func.count()).select_from(table))
    assert row == (50,)
    assert await bindings.find(call("usr_1"), "resp_1") is not None
    assert await bindings.find(call("usr_2"), "resp_1") is None


async def test_an_id_of_another_user_is_refused_and_the_others_are_kept(database: Database) -> None:
    bindings = Bindings(database)
    await bindings.keep(call(), place(), "resp_1")
    kept = [bindings.keep(call("usr_2"), place(), id) for id in ("resp_2", "resp_1", "resp_3")]
    outcomes = await asyncio.gather(*kept, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), BadAnswer, type(None)]
    first = await bindings.find(call(), "resp_1")
    assert first is not None and first.user_id == "usr_1"


async def test_a_caller_who_leaves_takes_nobody_along(database: Database) -> None:
    bindings = Bindings(database)
    leaving = asyncio.create_task(bindings.keep(call(), place(), "resp_1"))
    staying = asyncio.create_task(bindings.keep(call(), place(), "resp_2"))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    assert await bindings.find(call(), "resp_2") is not None


class _Away:
    """A database that cannot be reached."""

    def writing(self) -> Any:
        raise StoreUnavailable(detail="away")


async def test_a_store_that_is_away_tells_everybody(database: Database) -> None:
    bindings = Bindings(cast(Database, _Away()))
    kept = [bindings.keep(call(), place(), f"resp_{n}") for n in range(3)]
    outcomes = await asyncio.gather(*kept, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3
    bindings._db = database
    await bindings.keep(call(), place(), "resp_1")


async def test_an_id_that_cannot_be_kept_spoils_nobody_else_s(database: Database) -> None:
    bindings = Bindings(database)
    ids = ("resp_1", random.Random(7).randbytes(9000).hex(), "a\0b", "", "resp_2")
    outcomes = await asyncio.gather(*(bindings.keep(call(), place(), id) for id in ids), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), BadAnswer, BadAnswer, BadAnswer, type(None)]
    assert await bindings.find(call(), "resp_2") is not None
