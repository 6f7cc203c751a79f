"""Files that users upload, what each has of them, and uploads in parts."""

import sqlalchemy as sa
from alembic import op

revision = "0007_platform"
down_revision = "0006_key_options"
branch_labels = None
depends_on = None


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "files",
        _text("id", key=True),
        *(_text(name) for name in ("user_id", "purpose", "filename", "media_type")),
        _number("size"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *(_text(name) for name in ("state", "store", "path")),
        *(_number(name) for name in ("counted", "created_at", "expires_at", "due_at")),
        sa.CheckConstraint("state IN ('writing', 'ready', 'deleted')", name="state"),
        sa.CheckConstraint("size >= 0", name="size"),
        sqlite_strict=True,
    )
    op.create_table(
        "file_totals",
        _text("user_id", key=True),
        _number("files"),
        _number("bytes"),
        sa.CheckConstraint("files >= 0 AND bytes >= 0", name="totals"),
        sqlite_strict=True,
    )
    op.create_table(
        "uploads",
        _text("id", key=True),
        *(_text(name) for name in ("user_id", "purpose", "filename", "media_type")),
        *(_number(name) for name in ("size", "lasts")),
        *(_text(name) for name in ("state", "file_id")),
        *(_number(name) for name in ("parts", "stored", "created_at", "expires_at", "due_at")),
        sa.CheckConstraint("state IN ('pending', 'completed', 'cancelled', 'expired')", name="state"),
        sqlite_strict=True,
    )
    op.create_table(
        "upload_parts",
        *(_text("id", key=True), _text("upload_id"), _number("size")),
        *(_text(name) for name in ("state", "store", "path")),
        _number("created_at"),
        sa.CheckConstraint("state IN ('writing', 'ready')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("files_by_user", "files", ["user_id", "created_at", "id"])
    op.create_index("files_due", "files", ["due_at"])
    op.create_index("uploads_due", "uploads", ["due_at"])
    op.create_index("upload_parts_by_upload", "upload_parts", ["upload_id"])


def downgrade() -> None:
    """Drop everything this revision made."""
    for name in ("upload_parts", "uploads", "file_totals", "files"):
        op.drop_table(name)
