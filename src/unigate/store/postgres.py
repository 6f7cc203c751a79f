"""PostgreSQL: asyncpg connections that are made when they are needed and thrown away when they broke.

Every step has a bound on our side: when it passes, the connection is cut rather than asked to cancel, since a server
that does not answer does not cancel either. Must not retry anything by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias, TypeVar

import asyncpg
from sqlalchemy.sql.base import Executable

from unigate.base.clock import monotonic
from unigate.base.errors import StoreUnavailable
from unigate.store.compile import Compiler, columns, postgres_compiler, postgres_rows
from unigate.store.database import ConstraintFailed, Params, Row, Tx
from unigate.store.slots import Slots, unavailable

R = TypeVar("R")
Connection: TypeAlias = "asyncpg.Connection[Any]"

#: What we wait beyond the server's own bound on a statement before we cut the connection.
GRACE = 0.5

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

#: Classes of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) that speak of the place and the
#: moment, not of the statement: connection, feature of a pooler, authorization, catalog name, rollback, resources,
#: limits, object state, operator, system, and damage.
_PLACE = ("08", "28", "3D", "40", "53", "54", "55", "57", "58", "XX")
_READ_ONLY = "25006"  # a standby, after a failover
_STALE_PLAN = "0A000"  # the tables changed below a prepared statement
_CONSTRAINTS = {"23505": "unique", "23503": "foreign_key", "23514": "check", "P0001": "trigger"}


def translate(error: Exception) -> Exception:
    """What an error of asyncpg or of the network means to our callers."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state in _CONSTRAINTS or state.startswith("23") or state == "22003":
            return ConstraintFailed(_CONSTRAINTS.get(state, "other"), str(error))
        if state.startswith(_PLACE) or state in {_READ_ONLY, _STALE_PLAN}:
            return unavailable(f"PostgreSQL: {error} ({state})")
        return error
    if isinstance(error, asyncpg.InterfaceError):
        return error
    if isinstance(error, (OSError, TimeoutError, asyncpg.InternalClientError, EOFError)):
        return unavailable(f"PostgreSQL: {type(error).__name__}: {error}")
    return error


class Line:
    """A place for one connection, which is opened at need."""

    def __init__(self, url: str, *, statement: float) -> None:
        self._url = url
        self._milliseconds = str(int(statement * 1000))
        self._idle_milliseconds = str(int(statement * 2000))
        self._connection: Connection | None = None

    async def open(self, seconds: float) -> Connection:
        """The connection, alive as far as we know."""
        if self._connection is None or self._connection.is_closed():
            async with asyncio.timeout(seconds):
                self._connection = await self._connect()
        return self._connection

    async def _connect(self) -> Connection:
        connection: Connection = await asyncpg.connect(
            self._url,
            statement_cache_size=512,
            max_cached_statement_lifetime=0,
            server_settings={
                "application_name": "unigate",
                "jit": "off",
                "statement_timeout": self._milliseconds,
                # a process that is frozen inside a transaction must not keep its locks
                "idle_in_transaction_session_timeout": self._idle_milliseconds,
                "synchronous_commit": "on",
            },
        )
        try:  # the sum of bigints is a numeric, and whole
            await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def close(self, seconds: float) -> None:
        """Take leave of the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=seconds)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()


class PostgresTx:
    """An open transaction on a connection."""

    __slots__ = ("_compiler", "_connection", "_seconds", "_state")

    def __init__(self, connection: Connection, compiler: Compiler, seconds: float) -> None:
        self._connection = connection
        self._compiler = compiler
        self._seconds = seconds
        self._state: Literal["open", "failed", "ended"] = "open"

    async def all(self, statement: Executable, params: Params | None = None) -> list[Row]:
        """All rows."""
        sql, values = self._compiler(statement).prepare(params)
        return [tuple(record) for record in await self._do(self._connection.fetch(sql, *values))]

    async def one(self, statement: Executable, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        rows = await self.all(statement, params)
        return rows[0] if rows else None

    async def run(self, statement: Executable, params: Params | None = None) -> int:
        """The number of rows touched."""
        sql, values = self._compiler(statement).prepare(params)
        status = await self._do(self._connection.execute(sql, *values))
        count = status.rpartition(" ")[2]  # "UPDATE 3", "INSERT 0 1"
        return int(count) if count.isdecimal() else 0

    async def many(self, statement: Executable, rows: Sequence[Params]) -> None:
        """Once for each of the rows."""
        if rows:
            compiled = self._compiler(statement)
            await self._do(self._connection.executemany(compiled.sql, [compiled.values(row) for row in rows]))

    async def insert_new(self, statement: Executable, rows: Sequence[Params]) -> list[Row]:
        """What RETURNING says of the rows that were really inserted."""
        if not rows:
            return []
        compiled = self._compiler(statement)
        sql = postgres_rows(compiled.sql)
        records = await self._do(self._connection.fetch(sql, *columns(compiled, rows)))
        return [tuple(record) for record in records]

    async def allow(self, seconds: float) -> None:
        """Other seconds than usual for each statement of this transaction."""
        await self._do(self._connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
        self._seconds = seconds + GRACE

    async def begin(self, how: str, seconds: float) -> None:
        """The transaction's own first statement."""
        await self._do(self._connection.execute(how), seconds)

    async def commit(self) -> None:
        """End a transaction that went well; RuntimeError if a statement in it had failed."""
        if self._state == "failed":
            raise RuntimeError("a statement of this transaction failed, so it cannot be kept")
        status = await self._do(self._connection.execute("COMMIT"))
        self._state = "ended"
        if status != "COMMIT":
            raise RuntimeError(f"the transaction was not kept: {status}")

    async def roll_back(self) -> None:
        """Give up what was done."""
        if self._state != "ended" and not self._connection.is_closed():
            self._state = "open"
            try:
                await self._do(self._connection.execute("ROLLBACK"))
            except (StoreUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._connection.terminate()  # what made us roll back is the error to tell
        self._state = "ended"

    async def _do(self, step: Awaitable[R], seconds: float | None = None) -> R:
        if self._state != "open":
            step.close()  # type: ignore[attr-defined]
            raise RuntimeError(f"the transaction has {self._state}")
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds if seconds is None else seconds, self._connection.terminate)
        try:
            return await step
        except Exception as error:
            self._state = "failed"
            if self._connection.is_closed():
                raise unavailable(f"PostgreSQL: the connection was lost: {error}") from error
            raise translate(error) from error
        except BaseException:
            self._state = "failed"
            self._connection.terminate()  # cancelled in the middle of an answer
            raise
        finally:
            timer.cancel()


class PostgresDatabase:
    """A PostgreSQL server, for this process's event loop."""

    kind: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, url: str, *, wait: float, statement: float, connections: int) -> None:
        self._wait = wait
        self._statement = statement
        self._compiler = postgres_compiler()
        self._lines = [Line(url, statement=statement) for _ in range(connections)]
        self._slots = Slots(self._lines)
        self._closed = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        """A transaction that writes."""
        async with self._using(_WRITE) as tx:
            yield tx
            await tx.commit()

    @asynccontextmanager
    async def reading(self, *, statement: float | None = None) -> AsyncIterator[Tx]:
        """A transaction that only reads, in one snapshot."""
        async with self._using(_READ) as tx:
            if statement is not None:
                await tx.allow(statement)
            yield tx

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        for line in self._lines:
            await line.close(self._wait)

    @asynccontextmanager
    async def _using(self, begin: str) -> AsyncIterator[PostgresTx]:
        if self._closed:
            raise unavailable("the database has been closed")
        deadline = monotonic() + self._wait
        line = await self._slots.take(self._wait)
        try:
            tx = await self._begin(line, begin, deadline)
            try:
                yield tx
            finally:
                await tx.roll_back()
        finally:
            self._slots.give(line)

    async def _begin(self, line: Line, begin: str, deadline: float) -> PostgresTx:
        try:
            connection = await line.open(_left(deadline))
        except Exception as error:
            raise translate(error) from error
        tx = PostgresTx(connection, self._compiler, self._statement + GRACE)
        await tx.begin(begin, _left(deadline))
        return tx


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise unavailable("the database was busy for too long")
    return left
