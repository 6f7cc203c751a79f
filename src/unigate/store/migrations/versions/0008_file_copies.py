"""Copies of users' files at providers."""

import sqlalchemy as sa
from alembic import op

revision = "0008_file_copies"
down_revision = "0007_platform"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "file_copies",
        *(_text(name, key=True) for name in ("file_id", "channel_id", "credential_id")),
        *(_text(name) for name in ("upstream_id", "state")),
        *(_number(name) for name in ("created_at", "expires_at", "due_at")),
        sa.CheckConstraint("state IN ('writing', 'ready', 'deleted')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("file_copies_due", "file_copies", ["due_at"])
    op.create_index("file_copies_by_upstream", "file_copies", ["channel_id", "upstream_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("file_copies")
