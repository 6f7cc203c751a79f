"""Sessions, redemption codes, the audit log, bindings, and sums of usage by hour and day."""

import sqlalchemy as sa
from alembic import op

revision = "0003_gateway"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None

_TABLES = ("sessions", "codes", "audit", "bindings", "usage_hours", "usage_days")


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), primary_key=key, autoincrement=False, nullable=null)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def upgrade() -> None:
    """Create the tables; what was used before counts in its hours too."""
    _callers()
    _records()
    _hours()


def _callers() -> None:
    op.create_table(
        "sessions",
        _text("id", key=True),
        _bytes("digest"),
        sa.Column("user_id", sa.Text(), sa.ForeignKey("users.id"), nullable=False),
        _number("created_at"),
        _number("expires_at"),
        _number("used_at"),
        _text("address"),
        _text("agent"),
        sa.UniqueConstraint("digest"),
        sqlite_strict=True,
    )
    op.create_index("sessions_by_user", "sessions", ["user_id"])
    op.create_index("sessions_by_end", "sessions", ["expires_at"])
    op.create_table(
        "codes",
        _text("id", key=True),
        _bytes("digest"),
        _text("last4"),
        _text("batch"),
        _number("amount"),
        _number("expires_at", null=True),
        _text("state"),
        _text("user_id"),
        _number("redeemed_at", null=True),
        _text("created_by"),
        _number("created_at"),
        sa.UniqueConstraint("digest"),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.CheckConstraint("state IN ('open', 'redeemed', 'withdrawn')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("codes_by_time", "codes", ["created_at", "id"])


def _records() -> None:
    op.create_table(
        "audit",
        _text("id", key=True),
        _number("at"),
        _text("actor_id"),
        _text("actor"),
        _text("action"),
        _text("kind"),
        _text("subject_id"),
        _text("subject"),
        _text("changes"),
        _text("address"),
        _text("request_id"),
        sqlite_strict=True,
    )
    op.create_index("audit_by_time", "audit", ["at", "id"])
    op.create_index("audit_by_subject", "audit", ["kind", "subject_id", "at"])
    op.create_table(
        "bindings",
        _text("kind", key=True),
        _text("public_id", key=True),
        _text("upstream_id"),
        _text("channel_id"),
        _text("credential_id"),
        _text("user_id"),
        _text("model"),
        _number("created_at"),
        sqlite_strict=True,
    )
    op.create_index("bindings_by_user", "bindings", ["user_id", "kind", "created_at"])


_DIMENSIONS = ("user_id", "key_id", "operation", "model", "channel_id", "ended")
_FIGURES = (
    "calls", "estimated", "input_tokens", "output_tokens", "cost", "charged", "refunded", "first_us", "total_us", "own_us"
)  # fmt: skip


def _hours() -> None:
    for table, step in (("usage_hours", "hour"), ("usage_days", "day")):
        op.create_table(
            table,
            _number(step, key=True),
            *(_text(name, key=True) for name in _DIMENSIONS),
            *(_number(name) for name in _FIGURES),
            sqlite_strict=True,
            sqlite_with_rowid=False,
        )
        for name in _DIMENSIONS:
            op.create_index(f"{table}_by_{name.removesuffix('_id')}", table, [name, step])
    op.execute(
        """
        INSERT INTO usage_hours
        SELECT at / 3600000, user_id, key_id, operation, model, channel_id, ended, count(*), sum(estimated),
            sum(input_tokens), sum(output_tokens), sum(cost), sum(charged), sum(refunded), sum(first_us), sum(total_us),
            sum(own_us)
        FROM usage GROUP BY 1, 2, 3, 4, 5, 6, 7
        """
    )
    op.execute(
        """
        INSERT INTO usage_days
        SELECT hour / 24, user_id, key_id, operation, model, channel_id, ended, sum(calls), sum(estimated),
            sum(input_tokens), sum(output_tokens), sum(cost), sum(charged), sum(refunded), sum(first_us), sum(total_us),
            sum(own_us)
        FROM usage_hours GROUP BY 1, 2, 3, 4, 5, 6, 7
        """
    )


def downgrade() -> None:
    """Drop everything this revision made."""
    for table in reversed(_TABLES):
        op.drop_table(table)
