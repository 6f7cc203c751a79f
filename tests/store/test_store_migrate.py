"""Migrations: one line of them, run once by one process, giving the tables that the code speaks of."""

import asyncio
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from support.postgres import fetch, run
from unigate.base.errors import Conflict, StoreUnavailable
from unigate.store import (
    batch_tables,
    file_tables,
    gateway_tables,
    ledger_tables,
    migrate,
    notice_tables,
    tables,
    task_tables,
)
from unigate.store.database import Database
from unigate.store.metadata import METADATA
from unigate.store.open import is_sqlite, sqlite_path

Opening = Callable[..., Database]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table; the SQLite file is not even there."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'unigate.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


def names(url: str) -> set[str]:
    if is_sqlite(url):
        connection = sqlite3.connect(sqlite_path(url))
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        connection.close()
    else:
        rows = fetch(url, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
    return {row[0] for row in rows}


def test_an_empty_database_becomes_the_newest(empty_url: str) -> None:
    newest = migrate.version(empty_url)[1]
    assert newest
    assert migrate.version(empty_url) == (None, newest)
    migrate.migrate(empty_url)
    assert migrate.version(empty_url) == (newest, newest)
    before = names(empty_url)
    assert {"users", "keys", "accounts", "transfers", "holds"} <= before
    migrate.migrate(empty_url)
    assert names(empty_url) == before


def test_what_they_make_is_what_the_code_speaks_of(database_url: str) -> None:
    """Alembic finds no difference between the migrated database and the tables of the modules."""
    named = {tables.users.name, ledger_tables.transfers.name, gateway_tables.audit.name, task_tables.tasks.name}
    named |= {file_tables.files.name, batch_tables.batches.name, notice_tables.news.name}
    assert named <= set(METADATA.tables)
    found: list[object] = []

    def compare(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found.extend(compare_metadata(context, METADATA))

    migrate._run(database_url, compare, 10)
    assert found == []


def checks(definition: str) -> set[tuple[str, str]]:
    """Names and conditions of the CHECKs in a table's definition."""
    return set(re.findall(r"CONSTRAINT (\w+) CHECK (\(.*\)),?\s*$", definition, re.MULTILINE))


def test_the_checks_are_those_of_the_code_too(postgres_url: str, sqlite_url: str) -> None:
    """Alembic does not compare them, and they are what keeps money above zero."""
    tables_of_code = METADATA.tables.values()
    wanted = {
        found for table in tables_of_code for found in checks(str(CreateTable(table).compile(dialect=sqlite.dialect())))
    }
    assert len(wanted) > 20
    connection = sqlite3.connect(sqlite_path(sqlite_url))
    definitions = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    assert {found for definition in definitions for found in checks(definition)} == wanted
    query = "SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    assert {row[0] for row in fetch(postgres_url, query)} == {name for name, _condition in wanted}


def test_tables_of_sqlite_are_strict(sqlite_url: str) -> None:
    """Else a sum that overflows would become a float in silence."""
    connection = sqlite3.connect(sqlite_path(sqlite_url))
    rows = connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    loose = {name for name, strict in rows if not strict}
    connection.close()
    assert loose == {"alembic_version", "sqlite_schema"}


def test_they_are_one_line_without_branches(sqlite_url: str) -> None:
    script = ScriptDirectory.from_config(migrate._config())
    assert script.get_heads() == [migrate.version(sqlite_url)[1]]
    for revision in script.walk_revisions():
        assert Path(revision.path).stem == revision.revision
        assert revision.doc


def test_a_new_file_is_its_owners_only(tmp_path: Path) -> None:
    migrate.migrate(f"sqlite:///{tmp_path / 'unigate.db'}")
    assert stat.S_IMODE((tmp_path / "unigate.db").stat().st_mode) == 0o600


def test_several_processes_at_once(empty_url: str) -> None:
    program = "import sys; from unigate.store.migrate import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-c", program, empty_url]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, errors
    assert migrate.version(empty_url)[0] == migrate.version(empty_url)[1]


def test_a_step_that_fails_leaves_the_schema_before_it(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what the steps before it did in the same run is taken back."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", folder)
    bad = "from alembic import op\nrevision = '9999_bad'\ndown_revision = {!r}\ndef upgrade():\n    op.execute('{}')\n"
    steps = "CREATE TABLE half (x INTEGER)"
    (folder / "versions" / "9999_bad.py").write_text(
        bad.format(migrate.version(empty_url)[1], steps) + "    op.execute('SELECT nonsense FROM nowhere')\n"
    )
    migrate.migrate(empty_url)
    before = migrate.version(empty_url)[0]
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_FOLDER", folder)
        with pytest.raises(StoreUnavailable):
            migrate.migrate(empty_url)
    assert "half" not in names(empty_url)
    assert migrate.version(empty_url)[0] == before


def test_waiting_for_another_migration_has_a_bound(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'unigate.db'}"
    with migrate._locked(tmp_path / "unigate.db.lock", 1), pytest.raises(StoreUnavailable):
        migrate.migrate(url, wait=0.2)
    migrate.migrate(url)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreUnavailable):
        migrate.migrate("postgresql://unigate@/x?host=/nonexistent")


def test_where_nothing_is_to_be_done_alembic_is_not_loaded(database_url: str) -> None:
    program = (
        "import sys; from unigate.store.migrate import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, database_url], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_the_migrated_database_is_ready_to_use(database: Database) -> None:
    async with database.reading() as tx:
        assert await tx.one(text("SELECT count(*) FROM generations")) == (4,)


def test_run_helper_works_inside_a_loop() -> None:
    async def outer() -> int:
        return run(asyncio.sleep(0, 7))

    assert asyncio.run(outer()) == 7


def test_a_schema_of_a_newer_version_is_left_alone(sqlite_url: str) -> None:
    """As after going back to an older program: told in a sentence, and nothing is touched."""
    connection = sqlite3.connect(sqlite_path(sqlite_url))
    connection.execute("UPDATE alembic_version SET version_num = '9999_songs'")
    connection.commit()
    connection.close()
    with pytest.raises(Conflict, match=r"its schema is 9999_songs, and this version knows none after [0-9]{4}_"):
        migrate.migrate(sqlite_url)
    assert migrate.version(sqlite_url)[0] == "9999_songs"


def test_what_is_said_of_schemas() -> None:
    known = sorted(migrate._revisions())
    assert migrate.wanting(None, known[-1]).endswith("run `unigate migrate`")
    assert migrate.wanting(known[0], known[-1]).endswith("run `unigate migrate`")
    assert "migrate" not in migrate.wanting("9999_songs", known[-1])
