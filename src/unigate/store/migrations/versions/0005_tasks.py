"""Tasks, whom to tell of them and how that went, and the files that they made."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005_tasks"
down_revision = "0004_kept"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _asked() -> "list[sa.Column[Any]]":
    return [
        _text("id", key=True),
        _number("number"),
        _text("called"),
        _text("operation"),
        _text("dialect"),
        _text("user_id"),
        _text("key_id"),
        _text("group_name"),
        _text("model"),
        _text("state"),
        _number("queued"),
        _number("percent"),
        _text("input"),
        _text("detail"),
        _text("previews"),
        _text("conditions"),
        _text("units"),
        _text("error_code"),
        _text("error_message"),
        _text("parent_id"),
        _text("channel_id"),
        _text("credential_id"),
    ]


def _done() -> "list[sa.Column[Any]]":
    return [
        _text("upstream_model"),
        _text("handle"),
        _bytes("body"),
        _text("notify"),
        _text("secret"),
        _text("hold_id"),
        _number("held"),
        _text("quote"),
        _number("cost"),
        _text("base"),
        _text("request_id"),
        _text("attempts"),
        _number("polls"),
        _number("errors"),
        _number("missing_since"),
        _number("version"),
        _number("created_at"),
        _number("submitted_at"),
        _number("started_at"),
        _number("finished_at"),
        _number("deadline_at"),
        _number("due_at"),
        _text("owner"),
        _number("lease_until"),
    ]


def _tasks() -> None:
    op.create_table(
        "tasks",
        *_asked(),
        *_done(),
        sa.CheckConstraint("cost >= 0 AND held >= 0", name="amounts"),
        sa.CheckConstraint(
            "state IN ('waiting', 'submitting', 'running', 'paused', 'succeeded', 'failed', 'canceled', 'unknown')",
            name="state",
        ),
        sa.UniqueConstraint("number", "id"),
        sa.CheckConstraint("percent BETWEEN -1 AND 100", name="percent"),
        sqlite_strict=True,
    )
    op.create_index(
        "tasks_at_channel",
        "tasks",
        ["channel_id", "state"],
        sqlite_where=sa.text("state IN ('waiting', 'submitting', 'running', 'paused')"),
        postgresql_where=sa.text("state IN ('waiting', 'submitting', 'running', 'paused')"),
    )
    op.create_index("tasks_by_hold", "tasks", ["hold_id"])
    op.create_index("tasks_by_key", "tasks", ["key_id", "number", "id"])
    op.create_index("tasks_by_user", "tasks", ["user_id", "number", "id"])
    op.create_index(
        "tasks_due",
        "tasks",
        ["due_at"],
        sqlite_where=sa.text("state IN ('waiting', 'submitting', 'running', 'paused')"),
        postgresql_where=sa.text("state IN ('waiting', 'submitting', 'running', 'paused')"),
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        _text("user_id", key=True),
        _text("token", key=True),
        _text("task_id"),
        _bytes("digest"),
        _number("ends_at"),
        sqlite_strict=True,
    )
    op.create_index("idempotency_by_end", "idempotency", ["ends_at"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        _text("id", key=True),
        _text("user_id"),
        _text("url"),
        _text("events"),
        _bytes("secret"),
        _number("enabled"),
        _text("disabled_because"),
        _number("failing_since"),
        _number("created_at"),
        sqlite_strict=True,
    )
    op.create_index("webhooks_by_user", "webhooks", ["user_id"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        _text("id", key=True),
        _text("user_id"),
        _text("task_id"),
        _text("webhook_id"),
        _text("form"),
        _text("event"),
        _text("url"),
        _text("host"),
        _text("headers"),
        _number("signed"),
        _bytes("body"),
        _text("state"),
        _number("tries"),
        _number("created_at"),
        _number("due_at"),
        _text("owner"),
        _number("lease_until"),
        _number("ended_at"),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("outbox_by_task", "outbox", ["task_id"])
    op.create_index("outbox_by_time", "outbox", ["created_at", "id"])
    op.create_index("outbox_by_user", "outbox", ["user_id", "created_at", "id"])
    op.create_index(
        "outbox_by_webhook",
        "outbox",
        ["webhook_id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["due_at", "id", "host", "lease_until"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _text("id", key=True),
        _text("message_id"),
        _text("user_id"),
        _number("at"),
        _number("status"),
        _text("error"),
        _number("ms"),
        _text("answer"),
        sqlite_strict=True,
    )
    op.create_index("deliveries_by_message", "deliveries", ["message_id", "at"])
    op.create_index("deliveries_by_time", "deliveries", ["at"])


def _assets() -> None:
    op.create_table(
        "assets",
        _text("id", key=True),
        _text("task_id"),
        _text("user_id"),
        _text("kind"),
        _text("media_type"),
        _text("source"),
        _number("private"),
        _number("place"),
        _text("state"),
        _text("store"),
        _text("path"),
        _number("size"),
        _bytes("digest"),
        _number("tries"),
        _number("created_at"),
        _number("due_at"),
        _text("owner"),
        _number("lease_until"),
        _number("ends_at"),
        sa.CheckConstraint("state IN ('remote', 'waiting', 'kept', 'lost', 'deleted')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("assets_by_end", "assets", ["ends_at"])
    op.create_index("assets_by_task", "assets", ["task_id", "place"])
    op.create_index(
        "assets_due",
        "assets",
        ["due_at"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def upgrade() -> None:
    """Add the tables."""
    _tasks()
    _idempotency()
    _webhooks()
    _outbox()
    _deliveries()
    _assets()


def downgrade() -> None:
    """Drop everything this revision made."""
    for name in ("assets", "deliveries", "outbox", "webhooks", "idempotency", "tasks"):
        op.drop_table(name)
