"""Fixtures of real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests
import voyageai

from support.gateways import CONFIG, Gateways
from support.postgres import Cluster
from support.stage import set_stage
from support.world import Process, World, build_world, start


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`unigate demo` as a new user starts it."""
    home = tmp_path_factory.mktemp("demo")
    process = start(["demo", "--port", "0", "--data", str(home / "data"), "--json"], home / "log", whole=True)
    yield process
    process.stop()


@pytest.fixture(params=["sqlite, one worker", "sqlite, two workers", "postgresql, two workers"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world of a test's own on each database, with one worker and with two."""
    kind, _, workers = request.param.partition(", ")
    database = "sqlite:///unigate.db" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    built = build_world(tmp_path, database, workers=2 if workers == "two workers" else 1)
    yield built
    built.process.stop()
    built.sandbox.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One worker on SQLite."""
    built = build_world(tmp_path_factory.mktemp("world"), "sqlite:///unigate.db")
    yield built
    built.process.stop()
    built.sandbox.stop()


@pytest.fixture(scope="session")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A sandbox that all gateways of `set_stage` share; calls in it are found by a mark in their prompt."""
    process = start(["sandbox", "--port", "0", "--json"], tmp_path_factory.mktemp("vendors") / "log")
    yield process
    process.stop()


@pytest.fixture(scope="session")
def quick_vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A sandbox whose tasks are done at once."""
    home = tmp_path_factory.mktemp("quick")
    process = start(["sandbox", "--port", "0", "--json", "--task-speed", "200"], home / "log")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def module_postgres_urls(_postgres: Cluster) -> Iterator[Callable[[], str]]:
    """Makes PostgreSQL databases without any table, for the tests of a module; their addresses."""
    names: list[str] = []

    def made() -> str:
        names.append(f"m_{uuid4().hex}")
        return _postgres.create(names[-1])

    yield made
    for name in names:
        _postgres.drop(name)


@pytest.fixture(scope="module")
def module_postgres_url(module_postgres_urls: Callable[[], str]) -> str:
    """One of them."""
    return module_postgres_urls()


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("sqlite", id="one gateway, SQLite"),
        pytest.param("postgresql", id="two gateways, PostgreSQL"),
    ],
)
def gateways(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vendors: Process, _postgres: Cluster
) -> Iterator[Gateways]:
    """One gateway, or two on one database that take turns, for what must not depend on how many there are."""
    home = tmp_path_factory.mktemp("gateways")
    name, started = f"g_{uuid4().hex}", []
    url = "sqlite:///unigate.db" if request.param == "sqlite" else _postgres.create(name)
    config = CONFIG + f"storage: {{url: 'file:///{home / 'files'}'}}\n"
    try:
        for at in range(1 if request.param == "sqlite" else 2):
            (home / str(at)).mkdir()
            started.append(set_stage(home / str(at), vendors, config, database=url))
        yield Gateways(tuple(started))
    finally:
        for stage in started:
            stage.stop()
        if request.param != "sqlite":
            _postgres.drop(name)


@pytest.fixture(scope="session")
def voyage_session() -> Iterator[None]:
    """Voyage's SDK keeps its connections in a session of each thread's, which nobody closes: it gets one of ours."""
    with requests.Session() as session:
        voyageai.requestssession = session
        yield
        voyageai.requestssession = None
