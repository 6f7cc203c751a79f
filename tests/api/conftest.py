"""The management API on each database."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from api_kit import Api, serving

from unigate.store.database import Database


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    """The API, once on each kind of database."""
    async with serving(database, tmp_path) as running:
        yield running


@pytest.fixture
async def sqlite_api(sqlite_url: str, tmp_path: Path, opening: Callable[..., Database]) -> AsyncIterator[Api]:
    """The API on SQLite only, for what has nothing to do with the database."""
    async with serving(opening(sqlite_url), tmp_path) as running:
        yield running
