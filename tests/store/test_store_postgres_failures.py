"""A PostgreSQL server that is stopped, hangs or cuts us off: StoreUnavailable in time, and service returns by itself."""

import asyncio
import time
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy import bindparam, func, select, text

from support.items import items, make_tables
from support.postgres import Cluster, execute, fetch
from support.waiting import until
from unigate.base.errors import StoreUnavailable
from unigate.store.database import Database
from unigate.store.metadata import insert
from unigate.store.postgres import PostgresTx

Opening = Callable[..., Database]

ADD = insert(items).values(id=bindparam("id"), amount=1)
COUNT = select(func.count()).select_from(items)


async def add(db: Database, name: str) -> None:
    async with db.writing() as tx:
        await tx.run(ADD, {"id": name})


async def count(db: Database) -> int:
    async with db.reading() as tx:
        row = await tx.one(COUNT)
    assert row
    return int(row[0])


async def works_again(db: Database) -> None:
    async def works() -> bool:
        try:
            await count(db)
        except StoreUnavailable:
            return False
        return True

    deadline = time.monotonic() + 20
    while not await works():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_server_that_crashed_and_came_back(postgres_cluster: Cluster, opening: Opening) -> None:
    url = postgres_cluster.create("one")
    make_tables(url)
    db = opening(url)
    await asyncio.gather(*(add(db, f"n{number}") for number in range(20)))
    postgres_cluster.stop("immediate")
    began = time.monotonic()
    outcomes = await asyncio.gather(*(add(db, f"m{number}") for number in range(30)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert time.monotonic() - began < 2.5
    await asyncio.to_thread(postgres_cluster.start)
    await works_again(db)
    assert await count(db) == 20  # what was confirmed survived, what was refused is not there
    await add(db, "after")


async def test_a_server_that_hangs(postgres_cluster: Cluster, opening: Opening) -> None:
    url = postgres_cluster.create("one")
    make_tables(url)
    db = opening(url, wait=0.5, statement=0.5, connections=4)
    await add(db, "before")

    async def hang_in_the_middle() -> None:
        async with db.writing() as tx:
            await tx.run(ADD, {"id": "in the middle"})
            await asyncio.to_thread(postgres_cluster.pause)
            await tx.all(COUNT)

    with pytest.raises(StoreUnavailable):
        await hang_in_the_middle()
    for _ in range(3):
        began = time.monotonic()
        outcomes = await asyncio.gather(*(add(db, f"m{number}") for number in range(12)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        assert time.monotonic() - began < 2.5
    assert len(asyncio.all_tasks()) == 1  # nothing is left behind that waits for the server
    postgres_cluster.resume()
    await works_again(db)
    assert await count(db) == 1
    await add(db, "after")


async def test_connections_cut_by_the_server(postgres_url: str, opening: Opening) -> None:
    make_tables(postgres_url)
    db = opening(postgres_url, connections=2)
    await add(db, "a")

    async def cut_in_the_middle() -> None:
        async with db.writing() as tx:
            await tx.run(ADD, {"id": "b"})
            cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'unigate'"
            await asyncio.to_thread(fetch, postgres_url, cut + " AND datname = current_database()")
            await tx.run(ADD, {"id": "c"})

    with pytest.raises(StoreUnavailable):
        await cut_in_the_middle()
    await works_again(db)
    assert await count(db) == 1


async def test_a_row_that_somebody_else_holds(postgres_url: str, opening: Opening) -> None:
    make_tables(postgres_url)
    db = opening(postgres_url, statement=0.4)
    await add(db, "a")
    change = text("UPDATE items SET amount = amount + 1 WHERE id = 'a'")
    async with db.writing() as holder:
        await holder.run(change)
        with pytest.raises(StoreUnavailable):
            async with db.writing() as other:
                await other.run(change)
    async with db.writing() as other:
        assert await other.run(change) == 1


async def test_a_cancelled_statement_leaves_no_lock(postgres_url: str, opening: Opening) -> None:
    make_tables(postgres_url)
    db = opening(postgres_url, statement=3)
    await add(db, "a")
    change = text("UPDATE items SET amount = amount + 1 WHERE id = 'a'")

    async def wait_in_a_statement() -> None:
        async with db.writing() as tx:
            await tx.run(change)
            await tx.all(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(wait_in_a_statement())
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND query NOT LIKE '%pg_stat%' AND state = 'active'"
    await until(lambda: fetch(postgres_url, sleeping), what="the sleeping statement")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not fetch(postgres_url, sleeping), what="the end of the statement")
    async with db.writing() as tx:
        assert await tx.run(change) == 1


async def test_no_such_server_database_or_user(postgres_url: str, opening: Opening) -> None:
    for url in (
        "postgresql://unigate@/x?host=/nonexistent",
        "postgresql://unigate@127.0.0.1:1/x",
        postgres_url.replace("/t_", "/none_"),
        postgres_url.replace("unigate@", "nobody@"),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            await count(opening(url))
        assert "PostgreSQL" in refused.value.detail
        assert "PostgreSQL" not in refused.value.message


async def test_commits_are_synced_whatever_the_server_prefers(postgres_url: str, opening: Opening) -> None:
    name = postgres_url.rpartition("/t_")[2].partition("?")[0]
    execute(postgres_url, f'ALTER DATABASE "t_{name}" SET synchronous_commit = off')
    db = opening(postgres_url)
    async with db.writing() as tx:
        assert await tx.one(text("SHOW synchronous_commit")) == ("on",)
        assert await tx.one(text("SHOW transaction_isolation")) == ("read committed",)
    async with db.reading() as tx:
        assert await tx.one(text("SHOW transaction_isolation")) == ("repeatable read",)


async def test_a_transaction_the_server_gave_up_is_not_taken_for_kept(postgres_url: str, opening: Opening) -> None:
    """COMMIT of a failed transaction answers ROLLBACK, without any error."""
    make_tables(postgres_url)
    db = opening(postgres_url)

    async def write() -> None:
        async with db.writing() as tx:
            assert isinstance(tx, PostgresTx)
            await tx.run(ADD, {"id": "a"})
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await tx._connection.execute("no statement")  # behind our back

    with pytest.raises(RuntimeError, match="not kept"):
        await write()
    assert await count(db) == 0
