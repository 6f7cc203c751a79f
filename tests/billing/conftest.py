"""A house for each test: a funded wallet on SQLite and on PostgreSQL; and where its processes come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from billing_cases import House
from billing_processes import Nursery

from unigate.store.database import Database


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """Bank and mover on a database of either kind."""
    return House(database, tmp_path / "journal")


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts processes quickly."""
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()
