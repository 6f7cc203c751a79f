"""The seam to the database: transactions over named statements, the same for SQLite and PostgreSQL.

Statements are SQLAlchemy Core with bound parameters; they are compiled once per statement object and driver, so
statements that are run again and again are module constants. Columns are integers (bigint), text, or bytes only:
times are milliseconds since 1970, booleans 0 and 1, structures JSON text, so that no driver converts anything.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from sqlalchemy.sql.base import Executable

Params = Mapping[str, Any]
Row = tuple[Any, ...]


class ConstraintFailed(Exception):
    """A statement would have broken a constraint of the database; its transaction can only be left.

    `kind`: "unique" (primary keys too), "foreign_key", "check", "trigger" or "other".
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class Tx(Protocol):
    """An open transaction. Nothing but its own calls may be awaited while it is open."""

    async def all(self, statement: Executable, params: Params | None = None) -> list[Row]:
        """All rows, as tuples in the order of the statement's columns."""
        ...

    async def one(self, statement: Executable, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        ...

    async def run(self, statement: Executable, params: Params | None = None) -> int:
        """Run a statement that gives no rows; the number of rows it touched."""
        ...

    async def many(self, statement: Executable, rows: Sequence[Params]) -> None:
        """Run a statement once for each of the rows."""
        ...

    async def insert_new(self, statement: Executable, rows: Sequence[Params]) -> list[Row]:
        """Run a one-row `INSERT .. ON CONFLICT DO NOTHING RETURNING ..` for up to 500 rows in one statement.

        Gives what RETURNING says of the rows that were really inserted. With `DO UPDATE` no two of the rows may conflict
        with each other.
        """
        ...


class Database(Protocol):
    """One database. Every failure to reach it, and every wait beyond its bound, is StoreUnavailable."""

    kind: Literal["sqlite", "postgresql"]

    def writing(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that writes (`BEGIN IMMEDIATE` on SQLite); durable once the block is left without error."""
        ...

    def reading(self, *, statement: float | None = None) -> AbstractAsyncContextManager[Tx]:
        """A transaction that only reads, in one snapshot; `statement`: seconds for each of its statements, if others."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
