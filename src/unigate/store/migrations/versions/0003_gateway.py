"""Sessions, redemption codes, the audit log, bindings, and sums of usage by hour."""

import sqlalchemy as sa
from alembic import op

revision = "0003_gateway"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None

_TABLES = ("sessions", "codes", "audit", "bindings", "usage_hours")


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


def _hours() -> None:
    op.create_table(
        "usage_hours",
        _number("hour", key=True),
        _text("user_id", key=True),
        _text("key_id", key=True),
        _text("operation", key=True),
        _text("model", key=True),
        _text("channel_id", key=True),
        _text("ended", key=True),
        _number("calls"),
        _number("estimated"),
        _number("input_tokens"),
        _number("output_tokens"),
        _number("cost"),
        _number("charged"),
        _number("refunded"),
        _number("first_us"),
        _number("total_us"),
        _number("own_us"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    for name in ("user_id", "key_id", "operation", "model", "channel_id", "ended"):
        op.create_index(f"usage_hours_by_{name.removesuffix('_id')}", "usage_hours", [name, "hour"])
    op.execute(
        """
        INSERT INTO usage_hours
        SELECT at / 3600000, user_id, key_id, operation, model, channel_id, ended, count(*), sum(estimated),
            sum(input_tokens), sum(output_tokens), sum(cost), sum(charged), sum(refunded), sum(first_us), sum(total_us),
            sum(own_us)
        FROM usage GROUP BY 1, 2, 3, 4, 5, 6, 7
        """
    )


def downgrade() -> None:
    """Drop everything this revision made."""
    for table in reversed(_TABLES):
        op.drop_table(table)
