"""A transaction is kept as a whole or not at all, and sees what it must, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import bindparam, func, literal, select, update

from support.items import items, make_tables
from unigate.base.errors import StoreUnavailable
from unigate.store.database import Database, Tx
from unigate.store.metadata import insert
from unigate.store.open import connect

Opening = Callable[..., Database]

ADD = insert(items).values(id=bindparam("id"), amount=bindparam("amount"))
COUNT = select(func.count()).select_from(items)
AMOUNT = select(items.c.amount).where(items.c.id == "a")
RAISE = update(items).where(items.c.id == "a").values(amount=items.c.amount + 1)


@pytest.fixture
def db(database_url: str, opening: Opening) -> Database:
    make_tables(database_url)
    return opening(database_url)


async def count(db: Database) -> int:
    async with db.reading() as tx:
        row = await tx.one(COUNT)
    assert row
    return int(row[0])


async def test_what_was_committed_is_seen_by_others(db: Database, database_url: str, opening: Opening) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 1})
    assert await count(opening(database_url)) == 1


async def test_nothing_is_seen_before_the_commit(db: Database) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 1})
        assert await count(db) == 0
    assert await count(db) == 1


async def test_an_exception_takes_everything_back(db: Database) -> None:
    async def fail() -> None:
        async with db.writing() as tx:
            await tx.run(ADD, {"id": "a", "amount": 1})
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await count(db) == 0


@pytest.mark.parametrize("in_a_statement", [False, True])
async def test_a_cancelled_caller_takes_everything_back_and_frees_its_locks(db: Database, in_a_statement: bool) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 1})
    inside = asyncio.Event()

    async def write() -> None:
        async with db.writing() as tx:
            await tx.run(RAISE)
            inside.set()
            while True:
                if in_a_statement:
                    await tx.run(RAISE)
                else:
                    await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await asyncio.wait_for(inside.wait(), 10)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.writing() as tx:
        assert await tx.run(RAISE) == 1
    async with db.reading() as tx:
        assert await tx.one(AMOUNT) == (2,)


async def test_a_caller_that_gives_up_waiting_keeps_no_place(db: Database) -> None:
    """Every way of leaving the queue for a connection must hand the connection on."""

    async def write() -> None:
        async with db.writing() as tx:
            await tx.run(ADD, {"id": f"{id(tx)}-{asyncio.current_task()!r}", "amount": 1})

    for turns in range(12):
        tasks = [asyncio.create_task(write()) for _ in range(20)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(outcome is None for outcome in outcomes[1::2])
    assert await count(db) >= 120


async def test_a_reader_sees_one_moment(db: Database) -> None:
    async with db.reading() as tx:
        assert await tx.one(COUNT) == (0,)
        async with db.writing() as other:
            await other.run(ADD, {"id": "a", "amount": 1})
        assert await tx.one(COUNT) == (0,)
    assert await count(db) == 1


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(StoreUnavailable):
        async with db.reading() as tx:
            await tx.run(ADD, {"id": "a", "amount": 1})
    assert await count(db) == 0


async def test_writers_take_turns_and_lose_nothing(db: Database, database_url: str, opening: Opening) -> None:
    others = [db, opening(database_url), opening(database_url)]
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 0})

    async def read_then_write(which: Database) -> None:
        async with which.writing() as tx:
            row = await tx.one(AMOUNT.with_for_update())
            assert row
            await tx.run(update(items).values(amount=bindparam("new")), {"new": row[0] + 1})

    await asyncio.gather(*(read_then_write(others[turn % 3]) for turn in range(60)))
    async with db.reading() as tx:
        assert await tx.one(AMOUNT) == (60,)


async def test_an_empty_transaction_is_none(db: Database) -> None:
    async with db.writing():
        pass
    async with db.reading():
        pass
    assert await count(db) == 0


async def test_a_transaction_ends_with_its_block(db: Database) -> None:
    kept: list[Tx] = []
    async with db.writing() as tx:
        kept.append(tx)
    with pytest.raises(RuntimeError, match="ended"):
        await kept[0].run(ADD, {"id": "a", "amount": 1})
    assert await count(db) == 0


async def test_a_closed_database_says_so(database_url: str, opening: Opening) -> None:
    db = opening(database_url)
    async with db.reading() as tx:
        await tx.all(select(1))
    await db.close()
    with pytest.raises(StoreUnavailable):
        async with db.writing():
            pass
    await db.close()


async def test_closing_before_use_does_nothing(database_url: str, opening: Opening) -> None:
    await opening(database_url).close()


async def test_waiting_for_a_connection_has_a_bound(database_url: str, opening: Opening) -> None:
    make_tables(database_url)
    db = opening(database_url, wait=0.3, connections=1)
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 1})
        with pytest.raises(StoreUnavailable) as refused:
            async with db.writing() as late:
                await late.run(RAISE)
        assert refused.value.retry_after
    async with db.writing() as tx:
        assert await tx.run(RAISE) == 1


async def test_a_jam_is_refused_at_once(database_url: str, opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unigate.store.slots.MAX_WAITING", 3)
    db = opening(database_url, wait=30, connections=1)

    async def wait() -> None:
        async with db.writing() as tx:
            await tx.all(select(1))

    async with db.writing() as tx:
        await tx.all(select(1))
        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await wait()
    await asyncio.gather(*waiting)


async def test_a_statement_has_a_bound_and_the_next_one_works(database_url: str, opening: Opening) -> None:
    make_tables(database_url)
    db = opening(database_url, statement=0.3)
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < 10**12))
    endless = select(func.max(numbers.c.n))
    for begin in (db.reading, db.writing):
        with pytest.raises(StoreUnavailable):
            async with begin() as tx:
                await tx.one(endless)
        assert await count(db) == 0
    async with db.writing() as tx:
        await tx.run(ADD, {"id": "a", "amount": 1})


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///", "", "unigate.db"])
def test_an_address_that_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///"):
        connect(url)
