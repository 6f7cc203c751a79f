"""The store is gone for a while: what can be served is, the rest is 503 at once, and everything comes back by itself.

S, the longest time without a confirmed beat, is scaled down from 30 s to 4 s.
"""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from e2e_trial import AT_ONCE, USERS, Trial

import support.quick_gateway
from support.postgres import Cluster
from support.stage import KEY, MAIN, Stage, set_stage, workers_of
from support.waiting import wait_until
from support.world import Process

QUICK = Path(support.quick_gateway.__file__)


def outage(trial: Trial, gone: Callable[[], object], back: Callable[[], object], *, reads_too: bool) -> None:
    """A store that goes away for longer than S."""
    for _ in range(3):
        assert trial.call().status_code == 200
    gone()
    try:
        for _ in range(5):
            assert trial.call().status_code == 200, "lease and journal last"
        if reads_too:
            assert trial.call("sk-never-seen-before").status_code == 503
        trial.until(503)
        assert trial.ready() == 503
        assert httpx.get(trial.stage.url + "/healthz").status_code == 200
        assert {trial.call().status_code for _ in range(5)} == {503}
        reply = httpx.get(trial.stage.base + "/models", headers={"authorization": f"Bearer {KEY}"}, timeout=AT_ONCE)
        assert reply.status_code == 200, "what needs no money and no store is served"
    finally:
        back()
    trial.checked()


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_postgresql_is_gone(tmp_path: Path, vendors: Process, postgres_cluster: Cluster, how: str) -> None:
    postgres_cluster.create("unigate")
    url = postgres_cluster.url("unigate")
    stage = set_stage(tmp_path, vendors, MAIN + USERS, database=url, program=QUICK)
    trial = Trial(stage)
    try:
        if how == "paused":
            outage(trial, postgres_cluster.pause, postgres_cluster.resume, reads_too=True)
        else:
            outage(trial, lambda: postgres_cluster.stop("immediate"), postgres_cluster.start, reads_too=True)
    finally:
        assert stage.stop() == 0


@pytest.fixture
def stage(tmp_path: Path, vendors: Process) -> Iterator[Stage]:
    """One worker on SQLite, with a short S."""
    built = set_stage(tmp_path, vendors, MAIN + USERS, program=QUICK)
    yield built
    assert built.stop() == 0


def test_sqlite_is_locked(stage: Stage) -> None:
    other = sqlite3.connect(stage.data / "unigate.db", isolation_level=None, timeout=10)
    try:
        outage(
            Trial(stage),
            lambda: other.execute("BEGIN EXCLUSIVE"),
            lambda: other.execute("ROLLBACK"),
            reads_too=False,
        )
    finally:
        other.close()


@contextmanager
def no_room(pid: int) -> Iterator[None]:
    """No file of a process can be written: each write fails as on a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_nothing_can_be_written(stage: Stage) -> None:
    """Neither journal nor database: calls fail and are free, and come back."""
    trial = Trial(stage)
    assert trial.call().status_code == 200
    (worker,) = workers_of(stage)
    with no_room(worker):
        trial.until(503, seconds=5)
        assert {trial.call().status_code for _ in range(10)} == {503}
        wait_until(lambda: trial.ready() == 503, what="not ready")
    trial.checked()
    assert workers_of(stage) == [worker], "nobody had to be replaced"


def test_the_journal_alone_cannot_be_written(tmp_path: Path, vendors: Process, empty_postgres_url: str) -> None:
    """The database takes the records in its place."""
    stage = set_stage(tmp_path, vendors, MAIN + USERS, database=empty_postgres_url, program=QUICK)
    trial = Trial(stage)
    try:
        assert trial.call().status_code == 200
        (worker,) = workers_of(stage)
        with no_room(worker):
            for _ in range(5):
                trial.call()
        trial.checked()
    finally:
        assert stage.stop() == 0
