"""SQLAlchemy Core statements as SQL text with ordered parameters, for the drivers that we call ourselves.

Each statement object is compiled once per driver and kept as long as the object lives, so statements that run again and
again are module constants. Values travel as they are: neither SQLAlchemy's nor a driver's conversions take part.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import types
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

Params = Mapping[str, Any]
_NOTHING: Params = {}


class Compiled:
    """One statement for one driver: its SQL and where each parameter's value comes from."""

    __slots__ = ("_compiled", "_defaults", "_known", "_required", "names", "sql")

    def __init__(self, compiled: SQLCompiler) -> None:
        if getattr(compiled, "insert_prefetch", None) or getattr(compiled, "update_prefetch", None):
            raise TypeError(f"a column's default made in Python is never asked for: {compiled}")
        self.sql = str(compiled)
        #: Names of the parameters in the order of the placeholders.
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        #: Statements with `IN` over a list get their text anew for each length of it.
        self._compiled = compiled if compiled.post_compile_params else None
        self._defaults = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        self._known = frozenset(compiled.binds)
        self._required = self._known - self._defaults.keys()

    def prepare(self, params: Params | None) -> tuple[str, list[Any]]:
        """The text and its values in order; TypeError for a parameter that misses or that the statement has not."""
        given = params if params is not None else _NOTHING
        if self._compiled is None:
            return self.sql, self.values(given)
        self._check(given)
        state = self._compiled.construct_expanded_state({**self._defaults, **given})
        return state.statement, [state.parameters[name] for name in state.positiontup or ()]

    def values(self, params: Params) -> list[Any]:
        """The values of one run in the order of the placeholders."""
        if params.keys() != self._required:
            self._check(params)
        defaults = self._defaults
        if not defaults:
            return [params[name] for name in self.names]
        return [params[name] if name in params else defaults[name] for name in self.names]

    def _check(self, params: Params) -> None:
        if not self._required <= params.keys() <= self._known:
            missing = sorted(self._required - params.keys())
            unknown = sorted(params.keys() - self._known)
            raise TypeError(f"parameters missing: {missing}, unknown: {unknown}, in {self.sql}")


class _Bigint(types.BigInteger):
    """Every whole number goes to PostgreSQL as a bigint: a literal 5 in a statement is no int4."""

    render_bind_cast = True


class Compiler:
    """Compiles statements for one dialect and remembers them by the statement object."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: WeakKeyDictionary[Executable, Compiled] = WeakKeyDictionary()

    def __call__(self, statement: Executable) -> Compiled:
        """The compiled form of a statement."""
        known = self._known.get(statement)
        if known is None:
            compiled = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
            known = self._known[statement] = Compiled(compiled)
        return known


def sqlite_compiler() -> Compiler:
    """A compiler for the standard library's sqlite3: `?`."""
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite  # noqa: PLC0415 - only the one in use is loaded

    return Compiler(SQLiteDialect_pysqlite(paramstyle="qmark"))


def postgres_compiler() -> Compiler:
    """A compiler for asyncpg: `$1::BIGINT`."""
    from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg  # noqa: PLC0415 - as above

    dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
    dialect.colspecs = {**dialect.colspecs, types.Integer: _Bigint}
    return Compiler(dialect)


@lru_cache(maxsize=4096)
def sqlite_rows(sql: str, count: int) -> str:
    """A one-row INSERT as one of `count` rows."""
    return _VALUES_SQLITE.sub(lambda match: "VALUES " + ", ".join([match[1]] * count), _insert(_VALUES_SQLITE, sql))


@lru_cache(maxsize=256)
def postgres_rows(sql: str) -> str:
    """A one-row INSERT as one that takes an array for each column."""

    def arrays(match: re.Match[str]) -> str:
        return "SELECT * FROM unnest(" + match[1].replace(",", "[],") + "[])"  # noqa: S608 - text of the compiler

    return _VALUES_POSTGRES.sub(arrays, _insert(_VALUES_POSTGRES, sql))


def columns(compiled: Compiled, rows: Sequence[Params]) -> list[list[Any]]:
    """The rows' values, column by column, in the order of the placeholders."""
    return [list(column) for column in zip(*map(compiled.values, rows), strict=True)]


_VALUES_SQLITE = re.compile(r"\bVALUES (\(\?(?:, \?)*\))")
_VALUES_POSTGRES = re.compile(r"\bVALUES \((\$\d+::[A-Z]+(?:, \$\d+::[A-Z]+)*)\)")


def _insert(pattern: re.Pattern[str], sql: str) -> str:
    if len(pattern.findall(sql)) != 1 or not sql.startswith("INSERT "):
        raise TypeError(f"insert_new takes one row whose values are all plain parameters, not {sql}")
    return sql
