"""SQLite: the standard library's sqlite3 on threads of its own, so that the event loop never waits for a disk.

One thread writes, others read, each with its connection; WAL lets them work side by side. A connection that met a
damaged, missing or full database is closed and opened anew by whoever comes next. Must not retry anything by itself.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal, TypeVar

from sqlalchemy.sql.base import Executable

from unigate.base.clock import monotonic
from unigate.store.compile import Compiler, sqlite_compiler, sqlite_rows
from unigate.store.database import ConstraintFailed, Params, Row, Tx
from unigate.store.slots import Slots, expire, unavailable

R = TypeVar("R")
Work = Callable[[sqlite3.Connection], R]

#: STRICT tables came with 3.37 (https://sqlite.org/stricttables.html).
LEAST_VERSION = (3, 37)
#: SQLite's own bound on waiting for a lock should end a wait before ours does.
GRACE = 0.25
#: Parameters of one statement at most (https://sqlite.org/limits.html).
MAX_VALUES = 32_766
#: The write-ahead log is cut back to this many bytes after a checkpoint.
LOG_BYTES = 64 * 2**20

#: Primary result codes (https://sqlite.org/rescode.html) that speak of the place, not of the statement.
_PLACE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
#: After these the connection itself is still good.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}
_CONSTRAINTS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "unique",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "unique",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "foreign_key",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "check",
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: "trigger",
}


def open_file(path: Path, *, write: bool = True) -> sqlite3.Connection:
    """A connection to an existing database file; transactions begin only where we say so."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, cached_statements=512
    )
    try:
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


class Lane:
    """A thread that owns one connection and works off its queue in order."""

    def __init__(self, path: Path, name: str, *, write: bool) -> None:
        self._path = path
        self._write = write
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._name = name
        self._thread: Thread | None = None

    def submit(self, work: Work[R]) -> asyncio.Future[R]:
        """Queue a piece of work; the future belongs to the running loop."""
        return self._queue(lambda: self._work(work))

    def rest(self) -> asyncio.Future[None]:
        """Queue the end of whatever transaction may still be open."""
        return self._queue(self._roll_back)

    async def close(self, seconds: float) -> None:
        """Close the connection after what is queued, and let the thread end."""
        if self._thread is not None:
            await asyncio.wait([self._queue(self._drop)], timeout=seconds)
            self._jobs.put(None)
            self._thread = None

    def _queue(self, call: Callable[[], R]) -> asyncio.Future[R]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()

        def job() -> None:
            try:
                outcome, error = call(), None
            except BaseException as caught:  # noqa: BLE001 - whatever it is, it belongs to the waiting caller
                outcome, error = None, caught
            with suppress(RuntimeError):  # the loop has gone, and the caller with it
                loop.call_soon_threadsafe(_settle, future, outcome, error)

        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put(job)
        return future

    def interrupt(self) -> None:
        """Make a statement that runs too long give up, from any thread."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):  # closed in the meantime
                connection.interrupt()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # it holds a caller's values

    def _work(self, work: Work[R]) -> R:
        try:
            if self._connection is None:
                self._connection = open_file(self._path, write=self._write)
            return work(self._connection)
        except sqlite3.Error as error:
            raise self._translate(error) from error

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop()

    def _translate(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorcode", None)
        primary = sqlite3.SQLITE_OK if code is None else code & 0xFF
        if primary == sqlite3.SQLITE_CONSTRAINT:
            return ConstraintFailed(_CONSTRAINTS.get(code or 0, "other"), str(error))
        if primary not in _PLACE:
            return error
        if primary not in _PASSING:
            self._drop()
        return unavailable(f"SQLite: {error} ({getattr(error, 'sqlite_errorname', '')})")

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


class SqliteTx:
    """An open transaction on a lane; it begins together with its first statement."""

    __slots__ = ("_begin", "_compiler", "_deadline", "_lane", "_seconds", "_started", "_state")

    def __init__(self, lane: Lane, compiler: Compiler, begin: str, deadline: float, seconds: float) -> None:
        self._lane = lane
        self._compiler = compiler
        self._begin = begin
        #: Until when it must have begun, and when its running statement began (0: it waits for its turn).
        self._deadline = deadline
        self._started = 0.0
        self._seconds = seconds
        self._state: Literal["new", "open", "failed", "ended"] = "new"

    async def all(self, statement: Executable, params: Params | None = None) -> list[Row]:
        """All rows."""
        sql, values = self._compiler(statement).prepare(params)
        return await self._do(lambda connection: connection.execute(sql, values).fetchall())

    async def one(self, statement: Executable, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        rows = await self.all(statement, params)
        return rows[0] if rows else None

    async def run(self, statement: Executable, params: Params | None = None) -> int:
        """The number of rows touched."""
        sql, values = self._compiler(statement).prepare(params)

        def work(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(sql, values)
            cursor.fetchall()
            return cursor.rowcount

        return await self._do(work)

    async def many(self, statement: Executable, rows: Sequence[Params]) -> None:
        """Once for each of the rows."""
        if not rows:
            return
        compiled = self._compiler(statement)
        values = [compiled.values(row) for row in rows]
        await self._do(lambda connection: connection.executemany(compiled.sql, values))

    async def insert_new(self, statement: Executable, rows: Sequence[Params]) -> list[Row]:
        """What RETURNING says of the rows that were really inserted."""
        if not rows:
            return []
        compiled = self._compiler(statement)
        at_once = max(MAX_VALUES // max(len(compiled.names), 1), 1)
        batches = []
        for start in range(0, len(rows), at_once):
            batch = rows[start : start + at_once]
            values = [value for row in batch for value in compiled.values(row)]
            batches.append((sqlite_rows(compiled.sql, len(batch)), values))

        def work(connection: sqlite3.Connection) -> list[Row]:
            return [row for sql, values in batches for row in connection.execute(sql, values)]

        return await self._do(work)

    async def commit(self) -> None:
        """End a transaction that went well; RuntimeError if a statement in it had failed."""
        if self._state == "failed":
            raise RuntimeError("a statement of this transaction failed, so it cannot be kept")
        if self._state == "open":
            await self._do(lambda connection: connection.execute("COMMIT"))
        self._state = "ended"

    def leave(self) -> asyncio.Future[None] | None:
        """End it whatever happened; the future, if any, is done when the lane is free for the next."""
        began = self._state in {"open", "failed"}
        self._state = "ended"
        return self._lane.rest() if began else None

    async def _do(self, work: Work[R]) -> R:
        if self._state == "new":
            future = self._lane.submit(lambda connection: self._first(connection, work))
            self._state = "open"
        elif self._state == "open":
            self._started = monotonic()
            future = self._lane.submit(work)
        else:
            raise RuntimeError(f"the transaction has {self._state}")
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, self._watch, future)
        try:
            return await future
        except BaseException:
            self._state = "failed"
            raise
        finally:
            timer.cancel()

    def _first(self, connection: sqlite3.Connection, work: Work[R]) -> R:
        left = int((self._deadline - monotonic()) * 1000)
        if left <= 0:
            raise unavailable("the database was busy for too long")
        connection.execute(f"PRAGMA busy_timeout = {left}")
        connection.execute(self._begin)
        self._started = monotonic()
        return work(connection)

    def _watch(self, future: "asyncio.Future[Any]") -> None:
        """End a statement that is overdue, or look again when it would be."""
        due = self._started + self._seconds if self._started else self._deadline + GRACE
        left = due - monotonic()
        if future.done():
            return
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._watch, future)
        else:
            self._lane.interrupt()
            expire(future, "a statement took too long")


class SqliteDatabase:
    """A database file, for this process's event loop."""

    kind: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: Path, *, wait: float, statement: float, readers: int) -> None:
        if sqlite3.sqlite_version_info < LEAST_VERSION:
            raise RuntimeError(
                f"SQLite {'.'.join(map(str, LEAST_VERSION))} or later is needed, not {sqlite3.sqlite_version}"
            )
        self._wait = wait
        self._statement = statement
        self._compiler = sqlite_compiler()
        writer = Lane(path, "unigate-store-write", write=True)
        self._lanes = [writer, *(Lane(path, f"unigate-store-read-{n}", write=False) for n in range(readers))]
        self._writers = Slots(self._lanes[:1])
        self._readers = Slots(self._lanes[1:])
        self._closed = False

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        """A transaction that writes."""
        async with self._using(self._writers, "BEGIN IMMEDIATE") as tx:
            yield tx
            await tx.commit()

    @asynccontextmanager
    async def reading(self, *, statement: float | None = None) -> AsyncIterator[Tx]:
        """A transaction that only reads, in one snapshot."""
        async with self._using(self._readers, "BEGIN", statement) as tx:
            yield tx

    async def close(self) -> None:
        """Close all connections."""
        self._closed = True
        for lane in self._lanes:
            await lane.close(self._wait)

    @asynccontextmanager
    async def _using(self, slots: Slots[Lane], begin: str, statement: float | None = None) -> AsyncIterator[SqliteTx]:
        if self._closed:
            raise unavailable("the database has been closed")
        deadline = monotonic() + self._wait
        lane = await slots.take(self._wait)
        tx = SqliteTx(lane, self._compiler, begin, deadline, statement or self._statement)
        try:
            yield tx
        finally:
            resting = tx.leave()
            if resting is None:
                slots.give(lane)
            else:
                resting.add_done_callback(lambda _done: slots.give(lane))


def _settle(future: "asyncio.Future[Any]", outcome: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)
