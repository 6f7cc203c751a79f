"""Batches that a provider runs: sent there as a file, paid at the batch's price from one hold, answered in our own files."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from support.batches import charged, ended, lines_of, made, price, request
from support.postgres import run
from support.stage import Stage, descendants, mark, set_stage
from support.waiting import wait_until
from support.world import Process
from unigate.store.batches import find
from unigate.store.open import connect

PROGRAM = Path(__file__).parents[1] / "support" / "mortal_gateway.py"
CONFIG = """
channels:
  - name: far
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: sk-far-FOLDER
    models: {small: gpt-4o-mini, other: gpt-4o-mini}
    options: {batches: forward}
prices:
  - {model: small, input: 0.15, output: 0.60}
  - {model: small, input: 0.075, output: 0.30, when: {service_tier: batch}}
  - {model: other, input: 0.15, output: 0.60}
settings:
  batches: {discount: 250000}
  tasks: {lease_seconds: 3}
users:
  - {name: alice, credit: 10}
  - {name: poor, credit: "0.0001"}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""


def text(folder: Path) -> str:
    """A configuration whose account at the provider is nobody else's."""
    return CONFIG.replace("FOLDER", folder.name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("forward")
    built = set_stage(home, vendors, text(home))
    yield built
    built.settled()
    built.sound()
    built.stop()


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
        yield client


def requests(word: str, count: int, *, model: str = "small") -> list[object]:
    return [request(f"f.{n}", f"{word} {n} [[tokens:{n + 3}]]", model=model) for n in range(count)]


def far(stage: Stage) -> Iterator[dict[str, object]]:
    """The batches at the provider's account."""
    key = text(stage.config.parent).partition("credentials: ")[2].partition("\n")[0]
    with OpenAI(api_key=key, base_url=f"{stage.sandbox.url}/openai/v1", max_retries=0) as client:
        for batch in client.batches.list(limit=100):
            yield batch.model_dump()


@pytest.mark.endpoint("O17")
@pytest.mark.parametrize(("model", "left"), [("small", (1, 2)), ("other", (3, 4))])
def test_a_provider_runs_it_and_lines_cost_the_batch_s_price(
    stage: Stage, openai: OpenAI, model: str, left: tuple[int, int]
) -> None:
    """A price for batches as it is, any other less the discount."""
    batch = ended(openai, made(openai, requests(mark(), 12, model=model)))
    assert batch.status == "completed" and batch.error_file_id is None, batch
    assert batch.request_counts is not None and batch.request_counts.completed == 12
    found = lines_of(openai, batch.output_file_id)
    assert [line["custom_id"] for line in found] == [f"f.{n}" for n in range(12)]
    assert [line["response"]["body"]["usage"]["completion_tokens"] for line in found] == [n + 3 for n in range(12)]
    paid = charged(stage, batch)
    assert paid.keys() == {line["response"]["request_id"] for line in found}
    assert sum(paid.values()) == price(found, left=left)
    assert batch.usage is not None and batch.usage.output_tokens == sum(n + 3 for n in range(12))
    there = [one for one in far(stage) if one["metadata"] == {"unigate_batch": batch.id}]
    assert len(there) == 1
    stage.sound()


@pytest.mark.endpoint("O17")
def test_lines_that_fail_cost_nothing(stage: Stage, openai: OpenAI) -> None:
    lines = [
        *requests(mark(), 2),
        request("unread", "Hello", model="small", messages="none"),
        request("refused", "Hello", model="small", temperature=9),
    ]
    batch = ended(openai, made(openai, lines))
    good, bad = lines_of(openai, batch.output_file_id), lines_of(openai, batch.error_file_id)
    assert batch.status == "completed" and len(good) == 2, (batch, bad)
    assert {line["custom_id"] for line in bad} == {"unread", "refused"}
    assert {line["response"]["status_code"] for line in bad} == {400}
    assert sum(charged(stage, batch).values()) == price(good, left=(1, 2))


@pytest.mark.endpoint("O17")
def test_who_cannot_pay_for_all_lines_is_told_so(stage: Stage) -> None:
    with OpenAI(api_key="sk-poor-0123456789", base_url=stage.base, max_retries=0) as poor:
        word = mark()
        batch = ended(poor, made(poor, requests(word, 5)))
        assert batch.status == "failed" and batch.errors is not None and batch.errors.data is not None
        assert [error.code for error in batch.errors.data] == ["insufficient_quota"]
        assert stage.received(word) == []
        assert charged(stage, batch) == {}


@pytest.mark.endpoint("O17")
def test_cancelling_goes_to_the_provider(stage: Stage, openai: OpenAI) -> None:
    lines = [request(f"s{n}", f"Hello {n} \\u005b[fault:slow-first-byte:5]]", model="small") for n in range(3)]
    batch = made(openai, lines)
    wait_until(lambda: any(one["metadata"] == {"unigate_batch": batch.id} for one in far(stage)), seconds=30)
    openai.batches.cancel(batch.id)
    batch = ended(openai, batch)
    assert batch.status == "cancelled"
    there = [one for one in far(stage) if one["metadata"] == {"unigate_batch": batch.id}]
    assert [one["status"] for one in there] == ["cancelled"]
    found = lines_of(openai, batch.output_file_id)
    assert sum(charged(stage, batch).values()) == price(found, left=(1, 2))


@pytest.mark.endpoint("O17")
def test_kill_9_while_a_provider_runs_it(tmp_path: Path, vendors: Process) -> None:
    """The gateway dies as soon as the provider has the batch; the next one finds it, and each line is charged once."""
    stage = set_stage(tmp_path, vendors, text(tmp_path), program=PROGRAM)
    try:
        with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=0) as client:
            batch = made(client, requests(mark(), 20))
            wait_until(lambda: any(True for _ in far(stage)), seconds=30, what="the batch there")
        for pid in [stage.process.popen.pid, *descendants(stage.process.popen.pid)]:
            os.kill(pid, signal.SIGKILL)
        stage.stop()
        stage = set_stage(tmp_path, vendors, text(tmp_path), program=PROGRAM)
        with OpenAI(api_key=stage.key, base_url=stage.base, max_retries=3) as client:
            batch = ended(client, batch)
            found = lines_of(client, batch.output_file_id)
        assert batch.status == "completed" and len(found) == 20
        assert len(list(far(stage))) == 1, "it was created once"
        paid = charged(stage, batch)
        assert len(paid) == 20 and sum(paid.values()) == price(found, left=(1, 2))
        stage.sound()
        assert run(_hold_of(stage, batch.id)).startswith("hld_")
    finally:
        stage.stop()


async def _hold_of(stage: Stage, batch_id: str) -> str:
    database = connect(f"sqlite:///{stage.data / 'unigate.db'}")
    try:
        async with database.reading() as tx:
            row = await find(tx, batch_id)
    finally:
        await database.close()
    assert row is not None
    return row.hold_id
