"""Work that waits in a table is claimed by one process at a time, on both databases, and taken over when a lease ends."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.store.claims import Queue, one_of
from unigate.store.database import Database, Row, Tx
from unigate.store.task_tables import outbox
from unigate.tasks.book import Book
from unigate.tasks.claims import Claims

QUEUE = Queue(outbox, one_of(outbox.c.state, "waiting"))
ID, STATE = QUEUE.names.index("id"), QUEUE.names.index("state")
NOW = 1_700_000_000_000


def row(id: str, due_at: int = 0, **more: object) -> dict[str, Any]:
    texts = ("user_id", "task_id", "webhook_id", "form", "event", "url", "host", "headers", "owner")
    blank: dict[str, Any] = {**dict.fromkeys(texts, ""), "id": id, "body": b"", "state": "waiting"}
    return {
        **blank,
        "tries": 0,
        "signed": 0,
        "created_at": 0,
        "due_at": due_at,
        "lease_until": 0,
        "ended_at": 0,
        **more,
    }


async def fill(db: Database, *rows: dict[str, Any]) -> None:
    async with db.writing() as tx:
        await tx.many(insert(outbox), rows)


async def claim(db: Database, owner: str, now: int = NOW, most: int = 10, seconds: int = 30) -> list[str]:
    async with db.writing() as tx:
        rows = await QUEUE.claim(tx, owner, now=now, until=now + seconds * 1000, most=most)
    return [str(one[ID]) for one in rows]


async def deliver(db: Database, id: str) -> None:
    async with db.writing() as tx:
        await tx.run(update(outbox).where(outbox.c.id == id).values(state="delivered", lease_until=0))


async def test_what_is_due_is_claimed_once(database: Database) -> None:
    await fill(database, row("a", NOW - 2), row("b", NOW - 3), row("c", NOW + 1), row("d", NOW - 9, state="failed"))
    assert await claim(database, "one") == ["a", "b"]
    assert await claim(database, "two") == []
    assert await claim(database, "two", NOW + 1) == ["c"]


async def test_those_that_waited_longest_come_first(database: Database) -> None:
    await fill(database, *(row(f"r{n}", NOW - n) for n in range(5)))
    assert await claim(database, "one", most=2) == ["r3", "r4"]
    assert await claim(database, "one", most=2) == ["r1", "r2"]


async def test_a_lease_that_ended_is_taken_over(database: Database) -> None:
    await fill(database, row("a", NOW))
    assert await claim(database, "one", seconds=30) == ["a"]
    assert await claim(database, "two", NOW + 29_999) == []
    assert await claim(database, "two", NOW + 30_000) == ["a"]
    async with database.writing() as tx:  # the first owner has lost it, and changes nothing by what it says late
        await QUEUE.give_back(tx, "one", ["a"], now=NOW)
    assert await claim(database, "one", NOW + 40_000) == []


async def test_a_lease_is_prolonged_or_given_back_by_its_owner(database: Database) -> None:
    await fill(database, row("a", NOW), row("b", NOW))
    assert await claim(database, "one", seconds=10) == ["a", "b"]
    async with database.writing() as tx:
        await QUEUE.prolong(tx, "one", ["a"], until=NOW + 50_000)
        await QUEUE.give_back(tx, "one", ["b"], now=NOW)
    assert await claim(database, "two", NOW + 20_000, seconds=60) == ["b"]
    assert await claim(database, "two", NOW + 50_000) == ["a"]


async def test_the_next_moment_is_known(database: Database) -> None:
    async with database.reading() as tx:
        assert await QUEUE.next_due(tx) is None
    await fill(database, row("a", NOW + 7), row("b", NOW + 5), row("c", NOW, state="delivered"))
    async with database.reading() as tx:
        assert await QUEUE.next_due(tx) == NOW + 5


async def test_many_claimers_share_and_never_meet(
    database: Database, database_url: str, opening: Callable[..., Database]
) -> None:
    await fill(database, *(row(f"r{n:03}", NOW) for n in range(200)))
    nodes = [database, opening(database_url), opening(database_url)]

    async def work(number: int) -> list[str]:
        mine: list[str] = []
        while some := await claim(nodes[number % 3], f"node-{number}", most=7):
            mine += some
        return mine

    found = await asyncio.gather(*(work(number) for number in range(6)))
    everything = [id for some in found for id in some]
    # One that met another's lock may have seen nothing and stopped: what is left is still there, nothing is double.
    everything += await claim(database, "last", most=200)
    assert sorted(everything) == [f"r{n:03}" for n in range(200)]


async def test_the_index_over_what_is_due_is_used(sqlite_url: str, opening: Callable[..., Database]) -> None:
    from unigate.store.compile import sqlite_compiler  # noqa: PLC0415 - this test alone looks at the plan

    compiler = sqlite_compiler()
    import sqlite3  # noqa: PLC0415 - as above

    path = sqlite_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        asked: list[tuple[Any, dict[str, Any]]] = [(QUEUE._next, {})]
        asked.append((QUEUE._claim, {"by": "x", "now": 1, "until": 2, "most": 3}))
        for statement, values in asked:
            sql, given = compiler(statement).prepare(values)
            plan = " ".join(str(step[3]) for step in connection.execute("EXPLAIN QUERY PLAN " + sql, given))
            assert "outbox_due" in plan, plan
    connection.close()


async def test_the_loop_works_on_everything_and_wakes_when_poked(database: Database) -> None:
    claims = Claims(database, QUEUE, owner="me", lease=lambda: 30, look=60, rest=0.001)
    seen: list[str] = []

    async def work(one: Row) -> None:
        seen.append(str(one[ID]))
        await deliver(database, str(one[ID]))

    await fill(database, *(row(f"r{n}") for n in range(5)))
    loop = asyncio.create_task(claims.run(work))
    await until(lambda: len(seen) == 5)
    await until(lambda: claims.at_work == 0)
    await fill(database, row("late"))
    claims.poke()
    await until(lambda: "late" in seen)
    await claims.stop(5)
    await loop
    assert sorted(seen) == ["late", "r0", "r1", "r2", "r3", "r4"]


async def test_one_failure_stops_nobody(database: Database) -> None:
    claims = Claims(database, QUEUE, owner="me", lease=lambda: 30, look=0.01, rest=0.001, places=2)
    seen: list[str] = []

    async def work(one: Row) -> None:
        seen.append(str(one[ID]))
        if one[ID] == "r0":
            raise ValueError("as ordered")
        await deliver(database, str(one[ID]))

    await fill(database, *(row(f"r{n}") for n in range(6)))
    loop = asyncio.create_task(claims.run(work))
    await until(lambda: len(seen) == 6)
    await claims.stop(5)
    await loop
    assert await claim(database, "other", now_ms() + 60_000) == ["r0"]


async def test_stopping_gives_back_what_is_not_done(database: Database) -> None:
    claims = Claims(database, QUEUE, owner="me", lease=lambda: 3000, rest=0.001)
    begun = asyncio.Event()

    async def work(rows: object) -> None:
        begun.set()
        await asyncio.sleep(60)

    await fill(database, row("a"), row("b"))
    loop = asyncio.create_task(claims.run_together(work))
    await begun.wait()
    await claims.stop(0.01)
    await loop
    assert await claim(database, "other", now_ms() + 1) == ["a", "b"]


async def test_what_is_claimed_while_it_stops_is_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = Claims(database, QUEUE, owner="me", lease=lambda: 3000, rest=0.001)
    begun, go = asyncio.Event(), asyncio.Event()
    take = QUEUE.claim

    async def slow(*args: Any, **more: Any) -> Any:
        found = await take(*args, **more)
        begun.set()
        await go.wait()
        return found

    monkeypatch.setattr(QUEUE, "claim", slow)
    worked: list[object] = []

    async def work(rows: object) -> None:
        worked.append(rows)

    await fill(database, row("a"), row("b"))
    loop = asyncio.create_task(claims.run_together(work))
    await begun.wait()
    stopping = asyncio.create_task(claims.stop(60))
    await until(lambda: claims._stopping)
    go.set()
    await stopping
    monkeypatch.undo()
    assert await claim(database, "other", now_ms() + 1) == ["a", "b"]
    await loop
    assert worked == []


async def ids(db: Database) -> list[str]:
    async with db.reading() as tx:
        return [str(one[0]) for one in await tx.all(select(outbox.c.id).order_by(outbox.c.id))]


async def test_writes_share_a_transaction_and_fail_alone(database: Database) -> None:
    book = Book(database)

    async def put(tx: Tx, id: str) -> str:
        await tx.run(insert(outbox), row(id))
        if id == "bad":
            raise NoFunds
        return id

    async def write(id: str) -> str:
        return await book.write(lambda tx: put(tx, id))

    names = [*(f"r{n:02}" for n in range(40)), "bad", *(f"s{n:02}" for n in range(40))]
    told = await asyncio.gather(*(write(name) for name in names), return_exceptions=True)
    assert isinstance(told[40], NoFunds)
    assert [one for one in told if isinstance(one, str)] == [name for name in names if name != "bad"]
    assert await ids(database) == [name for name in names if name != "bad"]


async def test_a_writer_that_leaves_stops_nobody(database: Database) -> None:
    book = Book(database)

    async def put(tx: Tx, id: str) -> None:
        await tx.run(insert(outbox), row(id))

    first = asyncio.create_task(book.write(lambda tx: put(tx, "a")))
    second = asyncio.create_task(book.write(lambda tx: put(tx, "b")))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert "b" in await ids(database)


async def test_a_database_that_is_away_is_told_to_everybody(opening: Callable[..., Database], tmp_path: Any) -> None:
    book = Book(opening(f"sqlite:///{tmp_path / 'nothing' / 'here.db'}"))

    async def put(tx: Tx) -> None:
        await tx.run(insert(outbox), row("a"))

    told = await asyncio.gather(*(book.write(put) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [StoreUnavailable] * 3
    with pytest.raises(StoreUnavailable):
        await book.write(put)
