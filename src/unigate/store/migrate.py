"""Brings a database to the newest schema, one process at a time. Runs before any event loop does.

Every migration runs in one transaction with the note that it ran, so a crash leaves the old schema or the new one.
Alembic is loaded where there is something to do, since it takes long.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from unigate.base.clock import monotonic
from unigate.base.errors import Conflict
from unigate.store.open import is_sqlite, sqlite_path
from unigate.store.slots import unavailable

if TYPE_CHECKING:
    from alembic.config import Config

#: Seconds to wait while another process migrates.
WAIT = 60.0
#: The advisory lock's number on PostgreSQL: "unigate" in ASCII.
LOCK = int.from_bytes(b"unigate")
_FOLDER = Path(__file__).parent / "migrations"
_REVISION = "SELECT version_num FROM alembic_version"


def migrate(url: str, *, wait: float = WAIT) -> None:
    """Make the database's schema the newest, creating a SQLite file where there is none.

    StoreUnavailable when it can't be reached or another process held the lock for `wait` seconds; Conflict when a newer
    unigate has made it its own.
    """
    has, newest = version(url, wait=wait)
    if has == newest:
        return
    if has is not None and has not in _revisions():
        raise Conflict(f"The database cannot be used: {wanting(has, newest)}.")
    _run(url, _upgrade, wait)


def wanting(has: str | None, newest: str) -> str:
    """What is to be done about a schema that is not the newest, in words."""
    if has is None:
        return "it has no tables yet: run `unigate migrate`"
    if has not in _revisions():
        return f"its schema is {has}, and this version knows none after {newest}: a newer unigate made it, run that one"
    return f"its schema is {has}, this version's is {newest}: run `unigate migrate`"


def version(url: str, *, wait: float = WAIT) -> tuple[str | None, str]:
    """The revision that the database has, None before the first, and the newest that we know; StoreUnavailable."""
    try:
        has = _sqlite_revision(sqlite_path(url), wait) if is_sqlite(url) else asyncio.run(_postgres_revision(url, wait))
    except OSError as error:
        raise unavailable(f"the database cannot be reached: {error}") from error
    return has, max(_revisions())


def _revisions() -> set[str]:
    return {path.stem for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def _sqlite_revision(path: Path, wait: float) -> str | None:
    import sqlite3  # noqa: PLC0415 - only the driver in use is loaded

    from unigate.store.sqlite import open_file  # noqa: PLC0415 - as above

    if not path.exists():
        return None
    try:
        with closing(open_file(path, write=False)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
                return None
            row = connection.execute(_REVISION).fetchone()
    except sqlite3.Error as error:
        raise unavailable(f"the database cannot be read: {error}") from error
    return None if row is None else str(row[0])


async def _postgres_revision(url: str, wait: float) -> str | None:
    import asyncpg  # noqa: PLC0415 - only the driver in use is loaded

    try:
        connection = await asyncpg.connect(url, timeout=wait)
        try:
            row = await connection.fetchrow(_REVISION, timeout=wait)
        except asyncpg.UndefinedTableError:
            return None
        finally:
            await connection.close(timeout=wait)
    except asyncpg.PostgresError as error:
        raise unavailable(f"the database cannot be read: {error}") from error
    return None if row is None else str(row[0])


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - as above

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _run(url: str, work: Any, wait: float) -> None:
    try:
        if is_sqlite(url):
            _run_sqlite(sqlite_path(url), work, wait)
        else:
            asyncio.run(_run_postgres(url, work, wait))
    except (DBAPIError, OSError) as error:
        raise unavailable(f"the database could not be migrated: {error}") from error


def _run_sqlite(path: Path, work: Any, wait: float) -> None:
    from unigate.store.sqlite import open_file  # noqa: PLC0415 - only the driver in use is loaded

    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(path.name + ".lock"), wait):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # it holds people's data
        engine = create_engine("sqlite://", creator=lambda: open_file(path), poolclass=NullPool)

        @event.listens_for(engine, "connect")
        def _settle(raw: Any, _record: Any) -> None:
            raw.execute("PRAGMA foreign_keys = OFF")  # tables are rebuilt to alter them
            raw.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        with engine.begin() as connection:
            work(connection)
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            if broken:
                raise RuntimeError(f"rows of {broken[0][0]} would refer to nothing in {broken[0][2]}")


async def _run_postgres(url: str, work: Any, wait: float) -> None:
    import asyncpg  # noqa: PLC0415 - only the driver in use is loaded
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - as above

    settings = {"application_name": "unigate migrate", "lock_timeout": str(int(wait * 1000)), "statement_timeout": "0"}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url, timeout=wait, server_settings=settings),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection, connection.begin():
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            await connection.run_sync(work)
    except asyncpg.PostgresError as error:
        raise unavailable(f"the database could not be migrated: {error}") from error


@contextmanager
def _locked(path: Path, wait: float) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > deadline:
                    raise unavailable("another process is migrating this database") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)
