"""The event loop of a worker is never blocked: not by refills, the mover's work, or a journal that goes on elsewhere."""

import asyncio
from itertools import pairwise
from pathlib import Path
from statistics import median_high

import pytest
from e2e_trial import USERS

import support.watched_gateway
from support.pulse import BOUND
from support.stage import KEY, MAIN, Stage, body, gather_posts, set_stage
from support.waiting import wait_until
from support.watched_worker import LOG
from support.world import Process

LAPS = 6


def laps(stage: Stage) -> list[int]:
    """For how long the loop was away at most, second by second."""
    log = stage.data / LOG
    return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


def segments(stage: Stage) -> int:
    """How many segments the journal has begun."""
    return max(int(path.stem.rpartition(".")[2]) for path in (stage.data / "journal").glob("*.journal"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_under_load(request: pytest.FixtureRequest, tmp_path: Path, vendors: Process, kind: str) -> None:
    database = "sqlite:///unigate.db" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    program = Path(support.watched_gateway.__file__)
    stage = set_stage(tmp_path, vendors, MAIN + USERS, database=database, program=program)
    try:
        wait_until(lambda: len(laps(stage)) > 1, what="a second")
        begun = [(len(laps(stage)), segments(stage))]
        while len(begun) <= LAPS:
            replies = asyncio.run(gather_posts(stage, 20, body("hi"), KEY))
            assert {reply.status_code for reply in replies} == {200}
            if len(laps(stage)) > begun[-1][0] and segments(stage) > begun[-1][1]:
                begun.append((len(laps(stage)), segments(stage)))
        spans = [max(laps(stage)[first:last]) for (first, _), (last, _) in pairwise(begun)]
        assert median_high(spans) < BOUND, f"a segment ended in each of these: {spans}"
        stage.settled()
        stage.sound()
    finally:
        assert stage.stop() == 0
