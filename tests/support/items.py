"""A small table of the tests' own, on either database."""

import sqlite3
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.schema import CreateTable

from support.postgres import execute
from unigate.store.metadata import Blob, Int, Str
from unigate.store.open import is_sqlite, sqlite_path

_METADATA = MetaData()

items = Table(
    "items",
    _METADATA,
    Column("id", Str, primary_key=True),
    Column("amount", Int, CheckConstraint("amount BETWEEN 0 AND 1000000000000000000", name="amount"), nullable=False),
    Column("note", Str, unique=True),
    Column("body", Blob),
    sqlite_strict=True,
)

parts = Table(
    "parts",
    _METADATA,
    Column("item", Str, ForeignKey("items.id"), nullable=False),
    Column("place", Int, nullable=False),
    UniqueConstraint("item", "place"),
    sqlite_strict=True,
)

_REFUSE_SQLITE = """
CREATE TRIGGER items_stay BEFORE DELETE ON items WHEN OLD.note = 'stays' BEGIN SELECT RAISE(ABORT, 'it stays'); END
"""
_REFUSE_POSTGRES = (
    "CREATE FUNCTION it_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it stays'; END $$",
    "CREATE TRIGGER items_stay BEFORE DELETE ON items FOR EACH ROW WHEN (OLD.note = 'stays') EXECUTE FUNCTION it_stays()",
)


def make_tables(url: str) -> None:
    """Create `items` and `parts` in a database, and a trigger that refuses some deletions."""
    if is_sqlite(url):
        connection = sqlite3.connect(sqlite_path(url))
        for statement in (*_tables(sqlite.dialect()), _REFUSE_SQLITE):
            connection.execute(statement)
        connection.commit()
        connection.close()
    else:
        dialect: Any = postgresql.dialect
        execute(url, *_tables(dialect()), *_REFUSE_POSTGRES)


def _tables(dialect: Dialect) -> list[str]:
    return [str(CreateTable(table).compile(dialect=dialect)) for table in (items, parts)]
