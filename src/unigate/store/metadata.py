"""The one `MetaData` of all tables, and the few column types that both databases share.

Columns are whole numbers of 64 bits, text, or bytes, nothing else, so that SQLite (STRICT tables) and PostgreSQL hold the
same values. Every table is made with `sqlite_strict=True`. Must not import tables: the table modules import this one.
"""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import GenericTypeCompiler

#: Names of constraints are the same on both databases, so that a migration can speak of them (each CHECK needs a name).
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: A whole number: BIGINT on PostgreSQL, INTEGER (64 bits as well) on SQLite.
Int = BigInteger
#: Text of any length.
Str = Text
#: Bytes of any length.
Blob = LargeBinary

# `insert` is PostgreSQL's on purpose: its ON CONFLICT clauses compile for SQLite too, while SQLite's do not the other way.


@compiles(BigInteger, "sqlite")
def _integer(_type: BigInteger, _compiler: GenericTypeCompiler, **_kw: Any) -> str:
    """STRICT tables know INTEGER but not BIGINT; and only an INTEGER primary key counts up by itself."""
    return Integer.__visit_name__.upper()


__all__ = ["METADATA", "Blob", "Int", "Str", "insert"]
