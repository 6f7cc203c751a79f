"""A house for each test: a funded wallet on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest
from billing_cases import House

from unigate.store.database import Database


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """Bank and mover on a database of either kind."""
    return House(database, tmp_path / "journal")
