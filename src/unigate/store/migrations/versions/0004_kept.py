"""What is kept of calls where a key says so, and which secret a key is known by."""

import sqlalchemy as sa
from alembic import op

revision = "0004_kept"
down_revision = "0003_gateway"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def upgrade() -> None:
    """Add the columns, and the table."""
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("keep_days", sa.BigInteger(), nullable=False, server_default="0"))
        keys.add_column(sa.Column("secret_id", sa.Text(), nullable=False, server_default=""))
        keys.create_check_constraint("kept", "keep_days BETWEEN 0 AND 3650")
    op.create_table(
        "kept",
        _text("id", key=True),
        _number("at"),
        _number("ends_at"),
        _text("user_id"),
        _text("key_id"),
        _number("status"),
        _bytes("request"),
        _bytes("answer"),
        _number("cut"),
        sqlite_strict=True,
    )
    op.create_index("kept_by_end", "kept", ["ends_at"])


def downgrade() -> None:
    """Drop everything this revision made."""
    op.drop_table("kept")
    with op.batch_alter_table("keys") as keys:
        keys.drop_column("secret_id")
        keys.drop_column("keep_days")
