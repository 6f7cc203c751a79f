"""Processes that deliver and are killed: each message arrives, with one id, and nothing twice where nobody dies."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hooks_kit import ended, letter, put

from support.receiver import Got, receiving
from support.waiting import until
from support.world import Process, start
from unigate.store.database import Database

PROGRAM = Path(__file__).parents[1] / "support" / "outbox_process.py"


@contextmanager
def process(url: str, folder: Path, *, lease: float) -> Iterator[Process]:
    """A delivering process, gone when the block has ended."""
    running = start([url, str(lease)], folder / "outbox.log", program=PROGRAM)
    try:
        yield running
    finally:
        running.stop(sig=signal.SIGKILL)


async def test_killed_between_sending_and_noting_it_arrives_again_with_its_id(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    killed = asyncio.Event()

    async def hold(_got: Got) -> int:
        await killed.wait()
        return 200

    async with receiving(answering=hold) as receiver:
        ids = await put(database, *(letter(receiver.url, body=b"%d" % n) for n in range(20)))
        with process(database_url, tmp_path, lease=1.0) as first:
            await until(lambda: len(receiver.got) >= 8, seconds=60)
            first.popen.kill()
            await asyncio.to_thread(first.popen.wait)
        before = {got.id for got in receiver.got}
        killed.set()
        with process(database_url, tmp_path, lease=1.0):
            assert {row.state for row in await ended(database, ids, seconds=60)} == {"delivered"}
    bodies = {got.id: got.body for got in receiver.got}
    assert sorted(bodies) == sorted(ids) and sorted(bodies.values()) == sorted(b"%d" % n for n in range(20))
    counts = Counter(got.id for got in receiver.got)
    assert {id for id, count in counts.items() if count > 1} == before


async def test_two_processes_share_the_work_and_one_outlives_the_other(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    held = asyncio.Event()

    async def slowly(_got: Got) -> int:
        await asyncio.wait_for(held.wait(), 60)
        return 200

    async with receiving(answering=slowly) as receiver, receiving() as quickly:
        with ExitStack() as stack:
            one, _ = (stack.enter_context(process(database_url, tmp_path, lease=1.5)) for _ in range(2))
            easy = await put(database, *(letter(quickly.url) for _ in range(100)))
            assert {row.state for row in await ended(database, easy, seconds=60)} == {"delivered"}
            assert sorted(got.id for got in quickly.got) == sorted(easy)
            hard = await put(database, *(letter(receiver.url) for _ in range(30)))
            await until(lambda: len(receiver.got) >= 16, seconds=60)
            one.popen.kill()
            held.set()
            assert {row.state for row in await ended(database, hard, seconds=60)} == {"delivered"}
    assert {got.id for got in receiver.got} == set(hard)
