"""Hours: sums of usage rows that come and go with them, however often a batch is tried, and that the check proves."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, delete, insert, select, update

from unigate.base import ids
from unigate.billing.check import check
from unigate.spec.record import Record
from unigate.store import captures, holds, hours, ledger, migrate
from unigate.store.captures import capture
from unigate.store.database import Database
from unigate.store.gateway_tables import usage_days, usage_hours
from unigate.store.holds import Purpose
from unigate.store.ledger_tables import usage

HOUR = hours.HOUR_MS
RULE, DAYS_RULE = "an hour is the sum of its rows", "a day is the sum of its hours"
FIGURES = [usage_hours.c[name] for name in hours.FIGURES]


def call(cost: int = 0, *, at: int = 5 * HOUR, hold: str = "", **other: Any) -> Record:
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
        "units": {"input": 3, "cached_input": 2, "output": 7},
        "first_us": 10,
        "total_us": 20,
        "own_us": 1,
        "price": "prc_1",
        "multiplier": 1_000_000,
        "attempts": [],
        "day": 20261121,
    }
    return Record(at=at, cost=cost, hold=hold, **{**fields, **other})


async def sums(database: Database) -> dict[tuple[Any, ...], dict[str, int]]:
    """All hours: place -> figures."""
    async with database.reading() as tx:
        rows = await tx.all(select(usage_hours))
    width = 1 + len(hours.DIMENSIONS)
    return {row[:width]: dict(zip(hours.FIGURES, row[width:], strict=True)) for row in rows}


async def put(database: Database, *records: Record) -> int:
    async with database.writing() as tx:
        return (await capture(tx, records, at=1)).rows


async def wrong(database: Database, rule: str = RULE) -> list[str]:
    return [finding.subject for finding in (await check(database)).findings if finding.rule == rule]


async def days(database: Database) -> list[tuple[int, int, int]]:
    """Day, calls, charged."""
    async with database.reading() as tx:
        found = await tx.all(select(usage_days.c.day, usage_days.c.calls, usage_days.c.charged))
    return sorted(tuple(row) for row in found)


async def lease(database: Database, amount: int = 100, *, granted: int = 10_000) -> None:
    async with database.writing() as tx:
        await ledger.open_account(tx, "wal_1", 1)
        await ledger.grant(tx, id="g", wallet_id="wal_1", amount=granted, at=1)
        purpose = Purpose(id="hld_1", wallet_id="wal_1", key_id="key_1", kind="lease", process_id="prc_1")
        await holds.grow(tx, purpose, amount, step=1, at=1)


async def test_rows_are_summed_up_by_what_they_have_in_common(database: Database) -> None:
    await put(database, call(), call(at=6 * HOUR - 1, estimated=True), call(at=6 * HOUR), call(end="failed", units={}))
    await put(database, call(model="n"), call(model="bad\0name"))
    found = await sums(database)
    assert found[5, "usr_1", "key_1", "openai.chat", "m", "ch_1", "completed"] == {
        "calls": 2,
        "estimated": 1,
        "input_tokens": 10,
        "output_tokens": 14,
        "cost": 0,
        "charged": 0,
        "refunded": 0,
        "first_us": 20,
        "total_us": 40,
        "own_us": 2,
    }
    assert sorted((place[0], place[4], place[6], row["calls"]) for place, row in found.items()) == [
        (5, "bad\ufffdname", "completed", 1),
        (5, "m", "completed", 2),
        (5, "m", "failed", 1),
        (5, "n", "completed", 1),
        (6, "m", "completed", 1),
    ]
    await put(database, call(at=30 * HOUR), call(at=24 * HOUR), call(at=24 * HOUR - 1))
    assert await days(database) == [(0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 4, 0), (1, 2, 0)]
    assert await wrong(database) == await wrong(database, DAYS_RULE) == []


async def test_a_batch_that_comes_again_counts_once(database: Database) -> None:
    one, two, three = call(), call(), call()
    assert await put(database, one, two, one) == 2
    assert await put(database, two, one, three) == 1
    assert await put(database, three, two, one) == 0
    (row,) = (await sums(database)).values()
    assert row["calls"] == 3
    assert await wrong(database) == []


async def test_a_batch_that_was_not_kept_counts_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as tx:
            await capture(tx, [call()], at=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await sums(database) == {}


async def test_what_was_charged_is_what_the_rows_say(database: Database) -> None:
    """A hold that pays all, one that pays part, an overrun that nobody pays in full, a hold that nobody knows."""
    await lease(database, 100, granted=160)
    await put(database, call(60, hold="hld_1"), call(60, hold="hld_1"))
    await put(database, call(70, hold="hld_1"), call(5, hold="hld_unknown"))
    (row,) = (await sums(database)).values()
    assert (row["calls"], row["cost"], row["charged"]) == (4, 195, 160)
    assert await wrong(database) == []


async def test_refunds_count_in_the_hour_of_their_call(database: Database) -> None:
    await lease(database)
    first, second = call(60, hold="hld_1"), call(30, hold="hld_1", at=9 * HOUR)
    await put(database, first, second)
    async with database.writing() as tx:
        assert await ledger.refund(tx, id="r1", call_id=first.id, amount=20, at=2)
        assert not await ledger.refund(tx, id="r1", call_id=first.id, amount=20, at=3)
    found = {place[0]: (row["charged"], row["refunded"]) for place, row in (await sums(database)).items()}
    assert found == {5: (60, 20), 9: (30, 0)}
    assert await days(database) == [(0, 2, 90)]
    assert await wrong(database) == await wrong(database, DAYS_RULE) == []


async def test_the_check_sees_a_day_that_is_not_its_hours(database: Database) -> None:
    await put(database, call(), call(at=7 * HOUR))
    async with database.writing() as tx:
        await tx.run(update(usage_days).values(output_tokens=15))
    assert await wrong(database, DAYS_RULE) == ["0/usr_1/key_1/openai.chat/m/ch_1/completed output_tokens"]
    assert await wrong(database) == []


async def test_the_check_sees_every_difference(database: Database) -> None:
    await put(database, call(), call(model="n"))
    for column in FIGURES:
        changed = update(usage_hours).where(usage_hours.c.model == "n")
        async with database.writing() as tx:
            await tx.run(changed.values({column: column + 1}))
        assert await wrong(database) == [f"5/usr_1/key_1/openai.chat/n/ch_1/completed {column.name}"]
        async with database.writing() as tx:
            await tx.run(changed.values({column: column - 1}))
    async with database.writing() as tx:
        await tx.run(delete(usage_hours).where(usage_hours.c.model == "m"))
    assert await wrong(database) == ["5/usr_1/key_1/openai.chat/m/ch_1/completed calls"]
    async with database.writing() as tx:
        await tx.run(delete(usage).where(usage.c.model == "n"))
    assert len(await wrong(database)) == 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_was_used_before_there_were_hours_counts_too(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, opening: Callable[..., Database]
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    await asyncio.to_thread(migrate._run, url, _to_the_second, 60.0)
    database = opening(url)
    old = [call(), call(estimated=True), call(at=7 * HOUR, channel="ch_2")]
    async with database.writing() as tx:
        await tx.many(insert(usage), [captures._row(record, "") for record in old])
    await database.close()
    await asyncio.to_thread(migrate.migrate, url)
    database = opening(url)
    assert [row["calls"] for _, row in sorted((await sums(database)).items())] == [2, 1]
    assert [calls for _, calls, _ in await days(database)] == [1, 2]
    assert await wrong(database) == await wrong(database, DAYS_RULE) == []


def _to_the_second(connection: Connection) -> None:
    config = migrate._config()
    config.attributes["connection"] = connection
    command.upgrade(config, "0002_ledger")
