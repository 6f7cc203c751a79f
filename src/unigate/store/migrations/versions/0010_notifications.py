"""Notifications to accounts: settings, targets, what has happened, and what was told already."""

import sqlalchemy as sa
from alembic import op

revision = "0010_notifications"
down_revision = "0009_batches"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the tables, and let a wallet's user be found."""
    op.create_table(
        "notifications",
        _text("user_id", key=True),
        _number("low_balance"),
        *(_text(name) for name in ("language", "task_callback_url", "wanted")),
        _number("changed_at"),
        sqlite_strict=True,
    )
    op.create_table(
        "targets",
        _text("id", key=True),
        _text("user_id"),
        _number("position"),
        *(_text(name) for name in ("kind", "address", "format", "template")),
        _number("priority"),
        _text("events"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _number("enabled"),
        _text("disabled_because"),
        *(_number(name) for name in ("failing_since", "created_at")),
        sa.CheckConstraint("kind IN ('email', 'webhook', 'bark', 'gotify')", name="kind"),
        sqlite_strict=True,
    )
    op.create_table(
        "news",
        _text("id", key=True),
        *(_text(name) for name in ("event", "user_id", "data")),
        _number("at"),
        sqlite_strict=True,
    )
    op.create_table(
        "marks",
        _text("subject", key=True),
        *(_number(name) for name in ("level", "bound")),
        _text("by"),
        _number("at"),
        sqlite_strict=True,
    )
    op.create_index("targets_by_user", "targets", ["user_id", "position"])
    op.create_index("users_by_wallet", "users", ["wallet_id"])


def downgrade() -> None:
    """Drop everything this revision made."""
    op.drop_index("users_by_wallet", "users")
    for name in ("marks", "news", "targets", "notifications"):
        op.drop_table(name)
