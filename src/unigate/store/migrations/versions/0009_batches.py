"""Batches, and the answers to their lines until they are files."""

import sqlalchemy as sa
from alembic import op

revision = "0009_batches"
down_revision = "0008_file_copies"
branch_labels = None
depends_on = None

_STATES = "'validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled'"


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "batches",
        _text("id", key=True),
        *(_text(name) for name in ("user_id", "key_id", "client", "base", "endpoint", "input_file_id")),
        *(_text(name) for name in ("completion_window", "metadata")),
        *(_number(name) for name in ("lasts", "discount")),
        *(_text(name) for name in ("state", "ending", "errors", "model")),
        *(_number(name) for name in ("total", "completed", "failed")),
        *(_text(name) for name in ("usage", "output_file_id", "error_file_id")),
        *(_number(name) for name in ("created_at", "expires_at", "in_progress_at", "finalizing_at", "completed_at")),
        *(_number(name) for name in ("failed_at", "expired_at", "cancelling_at", "cancelled_at")),
        *(_text(name) for name in ("channel_id", "credential_id", "upstream_id", "hold_id")),
        _number("due_at"),
        _text("owner"),
        _number("lease_until"),
        sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
        sqlite_strict=True,
    )
    op.create_table(
        "batch_results",
        _text("batch_id"),
        *(_number(name) for name in ("line", "failed")),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "line"),
        sqlite_strict=True,
    )
    op.create_index("batches_by_user", "batches", ["user_id", "created_at", "id"])
    op.create_index("batches_due", "batches", ["due_at"])


def downgrade() -> None:
    """Drop everything this revision made."""
    for name in ("batch_results", "batches"):
        op.drop_table(name)
