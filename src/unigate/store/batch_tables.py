"""Tables of batches: what users have asked for in files of requests, and the answers until they are files themselves.

As in `tables.py`: integers, text and bytes only, times in milliseconds since 1970 (0: never, or not yet).
"""

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Table

from unigate.store.metadata import METADATA, Blob, Int, Str

#: States of batches that have ended.
ENDS = ("completed", "failed", "expired", "cancelled")


def _text(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, Str(), primary_key=key, nullable=False)


def _number(name: str) -> "Column[int]":
    return Column(name, Int(), nullable=False)


batches = Table(
    "batches",
    METADATA,
    _text("id", key=True),
    _text("user_id"),
    _text("key_id"),  # by which its lines are called
    _text("client"),  # the address from which it was made
    _text("base"),  # the address by which its maker reached us
    _text("endpoint"),
    _text("input_file_id"),
    _text("completion_window"),
    _text("metadata"),  # JSON; "": none
    _number("lasts"),  # seconds after which its files expire
    _number("discount"),  # millionths
    _text("state"),
    _text("ending"),  # the state that it is to end in; "": not known yet
    _text("errors"),  # JSON list; "": none
    _text("model"),  # that all its lines name; "": they name several
    _number("total"),
    _number("completed"),
    _number("failed"),
    _text("usage"),  # JSON mapping unit -> count
    _text("output_file_id"),
    _text("error_file_id"),
    _number("created_at"),
    _number("expires_at"),
    _number("in_progress_at"),
    _number("finalizing_at"),
    _number("completed_at"),
    _number("failed_at"),
    _number("expired_at"),
    _number("cancelling_at"),
    _number("cancelled_at"),
    _text("channel_id"),  # of one that its provider runs
    _text("credential_id"),
    _text("upstream_id"),
    _text("hold_id"),
    _number("due_at"),  # from when on something is to be done about it; 0: never
    _text("owner"),
    _number("lease_until"),
    CheckConstraint(
        "state IN ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled')",
        name="state",
    ),
    sqlite_strict=True,
)

batch_results = Table(
    "batch_results",
    METADATA,
    _text("batch_id"),
    _number("line"),
    _number("failed"),
    Column("body", Blob(), nullable=False),
    PrimaryKeyConstraint("batch_id", "line"),
    sqlite_strict=True,
)

Index("batches_by_user", batches.c.user_id, batches.c.created_at, batches.c.id)
Index("batches_due", batches.c.due_at)
