"""Batches while they run: cancelled, short of money, without their file, in line behind others, and beside live calls."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from openai import OpenAI
from openai.types import Batch

from support.batches import PRICES, charged, ended, lines_of, made, price, request
from support.stage import MAIN, Stage, mark, set_stage
from support.waiting import wait_until
from support.world import Process

#: An answer of five tokens takes a second.
SLOW = "gpt-4o-5tps"
CONFIG = (
    MAIN
    + PRICES
    + """\
  - {model: gpt-4o-5tps, input: 0.15, output: 0.60}
settings:
  batches: {at_once: 2, of_user: 1, open: 4}
users:
  - {name: alice, credit: 10}
  - {name: bob, credit: 10}
  - {name: poor, credit: 0}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: narrow, user: bob, secret: sk-narrow-0123456789, limits: {concurrency: 2}}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    built = set_stage(tmp_path_factory.mktemp("running"), vendors, CONFIG)
    yield built
    built.settled()
    built.sound()
    built.stop()


@pytest.fixture
def openai(stage: Stage) -> Iterator[OpenAI]:
    with of(stage, stage.key) as client:
        yield client


def of(stage: Stage, key: str) -> OpenAI:
    """A user's client."""
    return OpenAI(api_key=key, base_url=stage.base, max_retries=0)


def slow(word: str, count: int) -> list[object]:
    """Requests of a second each, which the sandbox knows by a word."""
    return [request(f"s{n}", f"{word} {n} [[tokens:5]]", model=SLOW) for n in range(count)]


def started(client: OpenAI, batch: Batch, least: int = 1) -> Batch:
    """The batch once some of its lines are answered."""
    seen = [batch]

    def look() -> bool:
        seen[:] = [client.batches.retrieve(batch.id)]
        return seen[0].request_counts is not None and seen[0].request_counts.completed >= least

    wait_until(look, seconds=60, what="an answered line")
    assert seen[0].status == "in_progress"
    return seen[0]


@pytest.mark.endpoint("O17")
def test_a_cancelled_batch_keeps_what_was_answered(stage: Stage, openai: OpenAI) -> None:
    word = mark()
    batch = made(openai, slow(word, 60))
    started(openai, batch)
    told = openai.batches.cancel(batch.id)
    assert told.status == "cancelling" and told.cancelling_at
    batch = ended(openai, batch)
    assert batch.status == "cancelled" and batch.cancelled_at and not batch.completed_at
    found = lines_of(openai, batch.output_file_id)
    called = len(stage.received(word))
    assert 1 <= len(found) < 60
    assert called == len(found), "lines under way were answered, and no other was begun"
    assert batch.request_counts is not None and batch.request_counts.completed == len(found)
    assert sum(charged(stage, batch).values()) == price(found)
    assert openai.batches.cancel(batch.id).status == "cancelled", "once more changes nothing"


@pytest.mark.endpoint("O17")
def test_a_batch_whose_file_is_deleted_fails_and_keeps_what_was_answered(stage: Stage, openai: OpenAI) -> None:
    batch = made(openai, slow(mark(), 60))
    started(openai, batch)
    openai.files.delete(batch.input_file_id)
    batch = ended(openai, batch)
    assert batch.status == "failed" and batch.failed_at
    assert batch.errors is not None and batch.errors.data is not None
    assert [error.code for error in batch.errors.data] == ["input_file_not_found"]
    found = lines_of(openai, batch.output_file_id)
    assert 1 <= len(found) < 60
    assert sum(charged(stage, batch).values()) == price(found)


@pytest.mark.endpoint("O17")
def test_a_user_s_batches_run_one_after_the_other(stage: Stage, openai: OpenAI) -> None:
    first, second = made(openai, slow(mark(), 6)), made(openai, slow(mark(), 2))
    started(openai, first)
    waiting = openai.batches.retrieve(second.id)
    assert (waiting.status, waiting.in_progress_at) == ("validating", None)
    first, second = ended(openai, first), ended(openai, second)
    assert (first.status, second.status) == ("completed", "completed")
    assert first.completed_at and second.in_progress_at and first.completed_at <= second.in_progress_at


@pytest.mark.endpoint("O17")
def test_a_user_has_so_many_open_batches(stage: Stage, openai: OpenAI) -> None:
    batches = [made(openai, slow(mark(), 30)) for _ in range(4)]
    file = openai.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    body = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    reply = httpx.post(f"{stage.base}/batches", json=body, headers={"authorization": f"Bearer {stage.key}"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "too_many_batches")
    for batch in batches:
        openai.batches.cancel(batch.id)
    found = [ended(openai, batch) for batch in batches]
    assert {batch.status for batch in found} == {"cancelled"}
    assert sum(1 for batch in found if batch.in_progress_at) == 1, "the others never ran"
    assert [batch.output_file_id for batch in found if not batch.in_progress_at] == [None] * 3


@pytest.mark.endpoint("O17")
def test_lines_without_money_wait_for_it(stage: Stage) -> None:
    with of(stage, "sk-poor-0123456789") as poor:
        batch = made(poor, [request(f"p{n}", "Hello [[tokens:4]]") for n in range(3)])
        wait_until(lambda: poor.batches.retrieve(batch.id).status == "in_progress", seconds=30, what="its start")
        stage.manage("user", "topup", "poor", "1")
        batch = ended(poor, batch)
        found = lines_of(poor, batch.output_file_id)
        assert (batch.status, len(found), batch.error_file_id) == ("completed", 3, None)
        assert sum(charged(stage, batch).values()) == price(found)


@pytest.mark.endpoint("O17")
def test_live_calls_of_the_same_key_find_a_place(stage: Stage) -> None:
    """Of two calls at once that its key allows, a batch takes one."""
    key = "sk-narrow-0123456789"
    with of(stage, key) as bob:
        batch = made(bob, slow(mark(), 8))
        started(bob, batch)
        answers = [stage.post(request("", f"live {n}")["body"], key).status_code for n in range(20)]
        assert answers == [200] * 20
        assert bob.batches.retrieve(batch.id).status == "in_progress", "they were called meanwhile"
        batch = ended(bob, batch)
        assert batch.request_counts is not None and batch.request_counts.completed == 8


@pytest.mark.endpoint("O17")
def test_a_key_that_is_disabled_meanwhile_fails_the_rest(stage: Stage, openai: OpenAI) -> None:
    secret = stage.manage("key", "create", "short", "--user", "bob")["secret"]
    with of(stage, secret) as short:
        batch = made(short, slow(mark(), 80))
        started(short, batch)
        stage.manage("key", "disable", "short")
    with of(stage, "sk-narrow-0123456789") as bob:
        batch = ended(bob, batch)
        good, bad = lines_of(bob, batch.output_file_id), lines_of(bob, batch.error_file_id)
    assert batch.status == "completed" and len(good) + len(bad) == 80 and good and bad
    assert {line["response"]["status_code"] for line in bad} == {401}
    assert sum(charged(stage, batch).values()) == price(good)


@pytest.mark.endpoint("O17")
def test_lines_that_never_ran_expire(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> None:
    text = CONFIG.replace("open: 4", "open: 4, window_seconds: 4")
    stage = set_stage(tmp_path_factory.mktemp("hasty"), vendors, text)
    try:
        with of(stage, "sk-poor-0123456789") as poor:
            batch = made(poor, [request(f"p{n}", "Hello") for n in range(3)])
            second = made(poor, [request("q", "Hello")])
            batch, second = ended(poor, batch), ended(poor, second)
            assert batch.expires_at == batch.created_at + 4
            for one, count in ((batch, 3), (second, 1)):
                assert one.status == "expired" and one.expired_at and one.output_file_id is None
                found = lines_of(poor, one.error_file_id)
                assert len(found) == count
                assert {line["error"]["code"] for line in found} == {"batch_expired"}
                assert {line["response"] for line in found} == {None}
                assert one.request_counts is not None and one.request_counts.failed == count
            assert stage.rows() == {}
    finally:
        stage.stop()


@pytest.mark.endpoint("O17")
def test_many_users_at_once(stage: Stage, openai: OpenAI) -> None:
    """Batches of two users run side by side, and each gets its own answers."""
    with of(stage, "sk-narrow-0123456789") as bob, ThreadPoolExecutor(2) as threads:
        words = mark(), mark()
        batches = list(
            threads.map(lambda pair: made(pair[0], slow(pair[1], 4)), zip((openai, bob), words, strict=True))
        )
        for client, batch in zip((openai, bob), batches, strict=True):
            done = ended(client, batch)
            assert done.status == "completed" and len(lines_of(client, done.output_file_id)) == 4
