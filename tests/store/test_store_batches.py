"""Batches as rows, on both databases: whose turn it is, who owns them, and that an answer is kept once."""

import asyncio
from dataclasses import replace

from unigate.store import batches
from unigate.store.batches import QUEUE, BatchRow, Result
from unigate.store.captures import recorded
from unigate.store.database import Database

ROW = BatchRow(
    id="batch_1",
    user_id="usr_1",
    key_id="key_1",
    client="127.0.0.1",
    base="http://x",
    endpoint="/v1/chat/completions",
    input_file_id="file-1",
    completion_window="24h",
    lasts=3600,
    total=2,
    created_at=1000,
    expires_at=10_000_000,
    due_at=1000,
)


async def add(database: Database, *rows: BatchRow) -> list[BatchRow]:
    """Write rows, and claim them."""
    async with database.writing() as tx:
        for row in rows:
            await batches.add(tx, row)
        claimed = await QUEUE.claim(tx, "me", now=2000, until=9000, most=100)
    return [batches.made(row) for row in claimed]


async def test_of_many_that_begin_at_once_as_many_do_as_may(database: Database) -> None:
    rows = await add(database, *(replace(ROW, id=f"batch_{n}", created_at=1000 + n) for n in range(8)))

    async def begin(row: BatchRow) -> bool:
        async with database.writing() as tx:
            return await batches.begin(tx, row, most=2, now=3000)

    begun: set[str] = set()
    for _ in range(2):
        done = await asyncio.gather(*(begin(row) for row in rows if row.id not in begun))
        begun |= {row.id for row, yes in zip([r for r in rows if r.id not in begun], done, strict=True) if yes}
    assert begun == {"batch_0", "batch_1"}, "the first that came, and no third"


async def test_who_lost_a_batch_changes_nothing_of_it(database: Database) -> None:
    (row,) = await add(database, ROW)
    assert row.owner == "me"
    async with database.writing() as tx:
        await QUEUE.claim(tx, "other", now=9001, until=20_000, most=1)
        assert not await batches.change(tx, row, {"completed": 5})
        assert not await batches.begin(tx, row, most=2, now=9002)
        assert await batches.change(tx, replace(row, owner="other"), {"completed": 1})
    async with database.reading() as tx:
        seen = await batches.find(tx, row.id, user_id="usr_1")
        assert await batches.find(tx, row.id, user_id="usr_2") is None
    assert seen is not None and (seen.completed, seen.owner, seen.state) == (1, "other", "validating")


async def test_an_answer_is_kept_once(database: Database) -> None:
    def result(line: int, *, failed: bool = False) -> Result:
        return Result(line=line, failed=failed, body=b'{"line":%d}' % line)

    async with database.writing() as tx:
        assert await batches.keep(tx, "batch_1", [result(1), result(3), result(2, failed=True)]) == (2, 1)
        assert await batches.keep(tx, "batch_1", [result(3), result(4)]) == (1, 0)
        assert await batches.keep(tx, "batch_2", [result(1)]) == (1, 0)
    async with database.reading() as tx:
        assert await batches.done(tx, "batch_1") == {1, 2, 3, 4}
        assert await batches.sizes(tx, "batch_1") == ((3, 33), (1, 11))
        found = await batches.results(tx, "batch_1", failed=False, after=1, most=20)
        (one,) = await batches.results(tx, "batch_1", failed=False, after=1, most=1)
        assert one.line == 3, "as many as there is room for, but one in any case"
        assert await batches.results(tx, "batch_1", failed=False, after=4, most=20) == []
        assert await recorded(tx, ["req_1", "req_2"]) == set()
    assert [one.line for one in found] == [3, 4]
    async with database.writing() as tx:
        assert not await batches.drop(tx, "batch_1")
    async with database.reading() as tx:
        assert (await batches.done(tx, "batch_1"), await batches.done(tx, "batch_2")) == (set(), {1})


async def test_a_batch_is_cancelled_until_it_ends(database: Database) -> None:
    (row,) = await add(database, ROW)
    async with database.writing() as tx:
        assert await batches.cancel(tx, row.id, now=3000)
        assert not await batches.cancel(tx, row.id, now=3001)
        assert not await batches.begin(tx, row, most=2, now=3002)
        seen = await batches.find(tx, row.id)
    assert seen is not None and (seen.state, seen.cancelling_at, seen.due_at) == ("cancelling", 3000, 9000)
