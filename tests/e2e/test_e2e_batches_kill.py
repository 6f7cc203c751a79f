"""kill -9 in the middle of a batch: each line is answered once in the output, and charged once."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types import Batch
from sqlalchemy import delete, select, update

from support.batches import PRICES, charged, ended, lines_of, made, price, request
from support.postgres import run
from support.stage import MAIN, Stage, descendants, mark, set_stage, workers_of
from support.waiting import wait_until
from support.world import Process
from unigate.store.batch_tables import batch_results, batches
from unigate.store.open import connect

PROGRAM = Path(__file__).parents[1] / "support" / "mortal_gateway.py"
#: An answer of five tokens takes a quarter of a second, one of twenty a second.
MODEL = "gpt-4o-20tps"
LINES = 60
QUICK = 12
CONFIG = (
    MAIN
    + PRICES
    + """\
  - {model: gpt-4o-20tps, input: 0.15, output: 0.60}
settings:
  batches: {at_once: 6}
  tasks: {lease_seconds: 3}
users: [{name: alice, credit: 10}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""
)


def client_of(stage: Stage) -> OpenAI:
    """The client; it tries again, since a worker that dies takes its connections along."""
    return OpenAI(api_key=stage.key, base_url=stage.base, max_retries=8)


def begun(client: OpenAI, word: str) -> Batch:
    """A batch of which some lines are answered, and most will not be soon."""
    lengths = [5 if n < QUICK else 20 for n in range(LINES)]
    batch = made(client, [request(f"k{n}", f"{word} {n} [[tokens:{lengths[n]}]]", model=MODEL) for n in range(LINES)])
    wait_until(lambda: counted(client, batch) >= 5, seconds=60, what="some answers")
    return batch


def counted(client: OpenAI, batch: Batch) -> int:
    """How many lines were answered so far."""
    counts = client.batches.retrieve(batch.id).request_counts
    return counts.completed if counts is not None else 0


def judge(stage: Stage, client: OpenAI, batch: Batch) -> dict[str, int]:
    """Each line once in the output, and the ledger as by hand; the rows of usage."""
    batch = ended(client, batch, seconds=120)
    assert batch.status == "completed" and batch.error_file_id is None
    assert batch.request_counts is not None and batch.request_counts.completed == LINES
    found = lines_of(client, batch.output_file_id)
    assert [line["custom_id"] for line in found] == [f"k{n}" for n in range(LINES)]
    paid = charged(stage, batch)
    once = {id: cost for id, cost in paid.items() if not id.endswith("_again")}
    assert {int(id.rpartition("_")[2]) for id in once} == set(range(1, LINES + 1)), "a charge for each line"
    assert all(paid[id] == 0 for id in paid.keys() - once.keys())
    assert sum(paid.values()) == price(found)
    stage.sound()
    return paid


async def _lose(stage: Stage, batch_id: str, lines: list[int]) -> None:
    """Forget the answers to some lines, as a worker does that dies before it has written them."""
    database = connect(f"sqlite:///{stage.data / 'unigate.db'}")
    try:
        async with database.writing() as tx:
            of = (batch_results.c.batch_id == batch_id, batch_results.c.line.in_(lines))
            assert await tx.run(delete(batch_results).where(*of)) == len(lines)
            fewer = batches.c.completed - len(lines)
            await tx.run(update(batches).where(batches.c.id == batch_id).values(completed=fewer))
    finally:
        await database.close()


async def _answered(stage: Stage, batch_id: str) -> list[int]:
    database = connect(f"sqlite:///{stage.data / 'unigate.db'}")
    try:
        async with database.reading() as tx:
            rows: list[Any] = await tx.all(select(batch_results.c.line).where(batch_results.c.batch_id == batch_id))
    finally:
        await database.close()
    return sorted(int(row[0]) for row in rows)


@pytest.mark.endpoint("O17")
def test_workers_are_killed_while_they_run_a_batch(empty_postgres_url: str, tmp_path: Path, vendors: Process) -> None:
    """On PostgreSQL, with two workers: whichever has the batch, both die in turn, and another one takes it over."""
    stage = set_stage(tmp_path, vendors, CONFIG, database=empty_postgres_url, workers=2, program=PROGRAM)
    try:
        with client_of(stage) as client:
            word = mark()
            batch = begun(client, word)
            killed = workers_of(stage)
            assert len(killed) == 2
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            judge(stage, client, batch)
            assert len(stage.received(word)) >= LINES
            assert not set(killed) & set(workers_of(stage))
    finally:
        stage.stop()


@pytest.mark.endpoint("O17")
def test_what_was_charged_and_lost_is_answered_free_of_charge(tmp_path: Path, vendors: Process) -> None:
    """The whole gateway dies, and with it answers that were charged but not written yet."""
    stage = set_stage(tmp_path, vendors, CONFIG, program=PROGRAM)
    try:
        with client_of(stage) as client:
            batch = begun(client, mark())
        pids = [stage.process.popen.pid, *descendants(stage.process.popen.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        stage.stop()
        lost = run(_answered(stage, batch.id))[:4]
        assert len(lost) == 4
        run(_lose(stage, batch.id, lost))
        stage = set_stage(tmp_path, vendors, CONFIG, program=PROGRAM)
        with client_of(stage) as client:
            paid = judge(stage, client, batch)
        again = {int(id.split("_")[2]) for id in paid if id.endswith("_again")}
        assert again >= set(lost)
    finally:
        stage.stop()
