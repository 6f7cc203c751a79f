"""Databases for tests: every test that asks for `database` runs on SQLite and on PostgreSQL, on an empty schema."""

import gc
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings

from support.nursery import close_nursery
from support.postgres import Cluster, locked, new_folder, remove, sweep
from unigate.store.database import Database
from unigate.store.migrate import migrate
from unigate.store.open import connect

#: The same examples in each run, however long one takes on a machine that others use too; `--hypothesis-profile=default`
#: looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")

_FOLDER = pytest.StashKey[Path]()
_TEMPLATE = "unigate_template"


def pytest_configure(config: pytest.Config) -> None:
    """One folder for what the processes of a test run share; the first process owns it."""
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    if given is None:
        sweep()
    # Every client reads all certificates of this machine's trust anew, which takes longer than most calls.
    mock.patch("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context)).start()
    config.stash[_FOLDER] = new_folder(durable=False) if given is None else Path(given["unigate_shared"])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for each two processors: tests of real processes mostly wait for each other."""
    return max((os.cpu_count() or 1) * 3 // 2, 2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests that share a gateway together."""
    from support.sharing import Sharing  # noqa: PLC0415 - only the process that shares them out needs it

    return Sharing(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the shared folder is."""
    node.workerinput["unigate_shared"] = str(node.config.stash[_FOLDER])


def pytest_collection_finish() -> None:
    """Modules and tests stay for the whole run: nobody has to look through them for garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this process started, and what all share once its workers are done."""
    close_nursery()
    if not hasattr(config, "workerinput"):
        remove(config.stash[_FOLDER])


def _migrate(url: str) -> None:
    with ThreadPoolExecutor(1) as other:  # it runs an event loop of its own
        other.submit(migrate, url).result()


@pytest.fixture(scope="session")
def _shared(request: pytest.FixtureRequest) -> Path:
    return request.config.stash[_FOLDER]


@pytest.fixture(scope="session")
def _postgres(_shared: Path) -> Cluster:
    """The server that all tests of this run share, with the migrated template."""
    folder = _shared / "pg"
    cluster = Cluster(folder)
    with locked(_shared / "lock"):
        if not folder.exists():
            _shared.chmod(0o755)  # the server may run as another user
            folder.mkdir()
            cluster.start()
            _migrate(cluster.create(_TEMPLATE))
    return cluster


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "unigate.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """The address of a migrated SQLite file of this test's own."""
    path = tmp_path / "unigate.db"
    shutil.copy(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(_postgres: Cluster) -> Iterator[str]:
    """The address of a migrated PostgreSQL database of this test's own."""
    name = f"t_{uuid4().hex}"
    yield _postgres.create(name, template=_TEMPLATE)
    _postgres.drop(name)


@pytest.fixture
def empty_postgres_url(_postgres: Cluster) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    name = f"t_{uuid4().hex}"
    yield _postgres.create(name)
    _postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated database, once of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def opening() -> AsyncIterator[Callable[..., Database]]:
    """`connect`, for tests that need several databases or bounds of their own; they are closed in the end."""
    opened: list[Database] = []

    def connect_and_keep(url: str, **bounds: Any) -> Database:
        opened.append(connect(url, **bounds))
        return opened[-1]

    yield connect_and_keep
    for database in opened:
        await database.close()


@pytest.fixture
async def database(database_url: str, opening: Callable[..., Database]) -> Database:
    """A migrated, otherwise empty database, once of each kind."""
    return opening(database_url)


@pytest.fixture
def postgres_cluster() -> Iterator[Cluster]:
    """A server of this test's own, running, that it may stop, start and pause. It has durable commits."""
    cluster = Cluster(new_folder(), fsync="on", full_page_writes="on")
    cluster.start()
    yield cluster
    cluster.remove()
