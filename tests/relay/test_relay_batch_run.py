"""A run of a batch by itself, on a real database: answers that are being written when the last line ends are not lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.base.clock import now_ms
from unigate.base.errors import TooMany
from unigate.base.live_settings import BatchSettings, LiveSettings
from unigate.relay import batch_run
from unigate.relay.batch_files import BatchFiles
from unigate.relay.batch_run import FULL, LONG_PAUSE, BatchRun
from unigate.relay.inner import Answer
from unigate.relay.services import Services
from unigate.spec.batch import Line
from unigate.store import batches
from unigate.store.batches import QUEUE, BatchRow
from unigate.store.database import Database, Tx

LINES = FULL + 10


class Slow:
    """A database whose writers wait at a gate once they are told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Tx, None]:
        """A transaction, when the gate is open."""
        self.waiting.set()
        await self.gate.wait()
        async with self._database.writing() as tx:
            yield tx

    def reading(self) -> Any:
        """As it is."""
        return self._database.reading()


class Lines:
    """The requests of a batch."""

    async def lines(self, _row: BatchRow, _most: int) -> AsyncGenerator[Line, None]:
        """All of them."""
        for number in range(1, LINES + 1):
            yield Line(number=number, custom_id=str(number), model="m", body=b"{}")


class Run(BatchRun):
    """A run whose lines are answered without being called; the last ones when the writer waits."""

    slow: Slow

    async def _called(self, line: Line, id: str) -> Answer:
        if line.number > FULL:
            await self.slow.waiting.wait()
            asyncio.get_running_loop().call_later(0.05, self.slow.gate.set)
        return Answer(status=200, body=b'{"id":"%b"}' % id.encode())


class NoKeys:
    """Knows no key, and so no limit of one."""

    async def named(self, _key_id: str) -> None:
        """Nothing."""


class Refused(BatchRun):
    """A run whose lines are refused for a minute."""

    async def _called(self, line: Line, id: str) -> Answer:
        return Answer(status=429, body=b"{}", error=TooMany("Later.", retry_after=60))


async def claimed(database: Database) -> BatchRow:
    """A batch that is being worked on."""
    now = now_ms()
    row = BatchRow(
        id="batch_1",
        user_id="usr_1",
        key_id="key_1",
        client="",
        base="",
        endpoint="/v1/chat/completions",
        input_file_id="file-1",
        completion_window="24h",
        lasts=3600,
        total=LINES,
        created_at=now,
        expires_at=now + 60_000,
        due_at=now,
    )
    async with database.writing() as tx:
        await batches.add(tx, row)
        (found,) = await QUEUE.claim(tx, "me", now=now, until=now + 60_000, most=1)
    return batches.made(found)


async def test_answers_on_their_way_to_the_database_are_kept(database: Database) -> None:
    row = await claimed(database)
    slow = Slow(database)
    settings = LiveSettings(batches=BatchSettings(at_once=256))
    services = cast(Services, SimpleNamespace(settings=settings, keys=NoKeys()))
    run = Run(cast(Database, slow), services, cast(BatchFiles, Lines()), row, asyncio.Semaphore(LINES))
    run.slow = slow
    async with asyncio.timeout(30):
        assert await run.run() == "completed"
    async with database.reading() as tx:
        assert await batches.done(tx, row.id) == set(range(1, LINES + 1))
        seen = await batches.find(tx, row.id)
    assert seen is not None and (seen.completed, seen.failed) == (LINES, 0)


async def test_a_batch_whose_lines_all_pause_makes_place_for_others(database: Database) -> None:
    services = cast(Services, SimpleNamespace(settings=LiveSettings(batches=BatchSettings(at_once=4)), keys=NoKeys()))
    row, files = await claimed(database), cast(BatchFiles, Lines())
    run = Refused(database, services, files, row, asyncio.Semaphore(LINES), crowded=lambda: True)
    async with asyncio.timeout(30):
        assert await run.run() == "waiting"
    assert run.rest >= LONG_PAUSE
    async with database.reading() as tx:
        assert await batches.done(tx, row.id) == set()


class Late(BatchRun):
    """A run of a line whose task takes longer than a call waits."""

    tries = 0

    async def _called(self, line: Line, id: str) -> Answer:
        self.tries += 1
        return Answer(status=200 if self.tries > LINES else 504, body=b"{}")

    async def _look(self) -> None:
        """Nobody cancelled it, and its file is there, which it is not in this database."""


async def test_a_line_whose_task_is_at_work_is_asked_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_run, "FIRST_PAUSE", 0.01)
    services = cast(Services, SimpleNamespace(settings=LiveSettings(batches=BatchSettings(at_once=256)), keys=NoKeys()))
    row = await claimed(database)
    run = Late(database, services, cast(BatchFiles, Lines()), row, asyncio.Semaphore(LINES))
    async with asyncio.timeout(30):
        assert await run.run() == "completed"
    async with database.reading() as tx:
        good, bad = await batches.sizes(tx, row.id)
    assert (good.lines, bad.lines, run.tries) == (LINES, 0, 2 * LINES)
