"""Which database an address means: `sqlite:///data/unigate.db` (a path) or `postgresql://user@host/name`."""

from pathlib import Path
from urllib.parse import unquote

from unigate.store.database import Database

#: Seconds to wait for a transaction to begin, and for each of its statements.
WAIT = 2.0
STATEMENT = 2.0

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def connect(
    url: str, *, wait: float = WAIT, statement: float = STATEMENT, readers: int = 2, connections: int = 8
) -> Database:
    """The database at an address; nothing is opened before the first transaction.

    `readers` (threads) is for SQLite, `connections` for PostgreSQL. ValueError for an address that is neither.
    """
    if is_sqlite(url):
        from unigate.store.sqlite import SqliteDatabase  # noqa: PLC0415 - only the driver in use is loaded

        return SqliteDatabase(sqlite_path(url), wait=wait, statement=statement, readers=readers)
    from unigate.store.postgres import PostgresDatabase  # noqa: PLC0415 - as above

    return PostgresDatabase(url, wait=wait, statement=statement, connections=connections)


def is_sqlite(url: str) -> bool:
    """Whether an address is SQLite's; ValueError where it is PostgreSQL's neither."""
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return True
    if url.startswith(_POSTGRES):
        return False
    raise ValueError("a database's url begins with sqlite:/// (and a path) or postgresql://")


def sqlite_path(url: str) -> Path:
    """The file that a SQLite address names: `sqlite:////absolute` or `sqlite:///relative`."""
    return Path(unquote(url.removeprefix(_SQLITE)))
