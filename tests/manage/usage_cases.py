"""Calls for tests of usage: rows of several users, keys, models and channels over some hours, written as ever."""

import random
from typing import Any

from unigate.base import ids
from unigate.base.settings import ChannelEntry, Secret, Url
from unigate.manage import channels, keys, users
from unigate.manage.desk import Desk
from unigate.providers import catalogue
from unigate.spec.record import Attempt, Record
from unigate.store.captures import capture
from unigate.store.database import Database
from unigate.store.hours import HOUR_MS

#: A whole hour of the year 2026.
START = 497_000 * HOUR_MS


def call(at: int, **other: Any) -> Record:
    """A call that ended."""
    fields: dict[str, Any] = {
        "id": ids.new("req"),
        "user": "usr_1",
        "key": "key_1",
        "group": "default",
        "operation": "openai.chat",
        "model": "m",
        "channel": "ch_1",
        "upstream_model": "m-1",
        "status": 200,
        "end": "completed",
        "stream": False,
        "estimated": False,
        "units": {"input": 3, "output": 7},
        "cost": 0,
        "first_us": 1000,
        "total_us": 3000,
        "own_us": 100,
        "price": "prc_1",
        "multiplier": 1_000_000,
        "attempts": [],
        "day": 20261121,
    }
    return Record(at=at, **{**fields, **other})


async def put(database: Database, records: list[Record]) -> None:
    """Write rows in batches as the mover does."""
    for start in range(0, len(records), 500):
        async with database.writing() as tx:
            await capture(tx, records[start : start + 500], at=1)


def many(count: int, *, hours: int, seed: int = 1) -> list[Record]:
    """Calls at random moments of some hours: three users with two keys each, common and rare models and ends."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        user = draw.randrange(3)
        made.append(
            call(
                START + draw.randrange(hours * HOUR_MS),
                user=f"usr_{user}",
                key=f"key_{user}{draw.randrange(2)}",
                model=draw.choices(("common", "other", "rare"), (70, 29, 1))[0],
                channel=f"ch_{draw.randrange(2)}",
                operation=draw.choice(("openai.chat", "openai.embeddings")),
                end=draw.choices(("completed", "failed", "caller_left"), (96, 3, 1))[0],
                estimated=draw.random() < 0.1,
                attempts=[Attempt("ch_0", "cred_1", 500, "upstream_error", 3), Attempt("ch_1", "cred_2", 200, "", 4)]
                if draw.random() < 0.1
                else [],
            )
        )
    return made


async def house(database: Database) -> tuple[Desk, dict[str, str]]:
    """A desk with alice, bob, a key for each and a channel; ids by name."""
    desk = Desk(db=database, secret="a secret that is long enough", providers=catalogue())
    found = {}
    for name in ("alice", "bob"):
        found[name] = (await users.create_user(desk, name)).id
        found[f"{name}/app"] = (await keys.create_key(desk, name, "app"))[0].id
    entry = ChannelEntry(
        name="main",
        provider="openai_compatible",
        base_url=Url("http://127.0.0.1:9/v1"),
        credentials=[Secret("sk-upstream-one")],
        models=["m"],
    )
    found["main"] = (await channels.create_channel(desk, entry)).id
    return desk, found
