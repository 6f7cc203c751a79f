"""Tables of files that users upload: the files, what each user has of them, uploads in parts, and copies at providers.

As in `tables.py`: integers, text and bytes only, times in milliseconds since 1970 (0: never, or not yet).
"""

from sqlalchemy import CheckConstraint, Column, Index, Table

from unigate.store.metadata import METADATA, Blob, Int, Str


def _text(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, Str(), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> "Column[int]":
    return Column(name, Int(), primary_key=key, autoincrement=False, nullable=False)


files = Table(
    "files",
    METADATA,
    _text("id", key=True),
    _text("user_id"),
    _text("purpose"),
    _text("filename"),
    _text("media_type"),
    _number("size"),
    Column("digest", Blob(), nullable=False),  # SHA-256; empty while it is written
    _text("state"),  # writing, ready, deleted (its bytes are yet to be removed)
    _text("store"),  # the storage's name
    _text("path"),
    _number("counted"),  # 1: it is in its user's totals
    _number("created_at"),
    _number("expires_at"),
    _number("due_at"),  # from when on something is to be done about it; 0: never
    CheckConstraint("state IN ('writing', 'ready', 'deleted')", name="state"),
    CheckConstraint("size >= 0", name="size"),
    sqlite_strict=True,
)

file_totals = Table(
    "file_totals",
    METADATA,
    _text("user_id", key=True),
    _number("files"),
    _number("bytes"),
    CheckConstraint("files >= 0 AND bytes >= 0", name="totals"),
    sqlite_strict=True,
)

uploads = Table(
    "uploads",
    METADATA,
    _text("id", key=True),
    _text("user_id"),
    _text("purpose"),
    _text("filename"),
    _text("media_type"),
    _number("size"),  # that it is to have
    _number("lasts"),  # seconds after which its file expires; 0: never
    _text("state"),  # pending, completed, cancelled, expired
    _text("file_id"),
    _number("parts"),
    _number("stored"),  # bytes of all parts
    _number("created_at"),
    _number("expires_at"),
    _number("due_at"),
    CheckConstraint("state IN ('pending', 'completed', 'cancelled', 'expired')", name="state"),
    sqlite_strict=True,
)

upload_parts = Table(
    "upload_parts",
    METADATA,
    _text("id", key=True),
    _text("upload_id"),
    _number("size"),
    _text("state"),  # writing, ready
    _text("store"),
    _text("path"),
    _number("created_at"),
    CheckConstraint("state IN ('writing', 'ready')", name="state"),
    sqlite_strict=True,
)

file_copies = Table(
    "file_copies",
    METADATA,
    _text("file_id", key=True),  # the file may be gone already
    _text("channel_id", key=True),
    _text("credential_id", key=True),
    _text("upstream_id"),  # empty while it is written
    _text("state"),  # writing, ready, deleted (the provider is yet to be told)
    _number("created_at"),
    _number("expires_at"),  # as the provider was told; 0: never
    _number("due_at"),  # from when on something is to be done about it; while it is written: until when it is claimed
    CheckConstraint("state IN ('writing', 'ready', 'deleted')", name="state"),
    sqlite_strict=True,
)

Index("files_by_user", files.c.user_id, files.c.created_at, files.c.id)
Index("files_due", files.c.due_at)
Index("uploads_due", uploads.c.due_at)
Index("upload_parts_by_upload", upload_parts.c.upload_id)
Index("file_copies_due", file_copies.c.due_at)
Index("file_copies_by_upstream", file_copies.c.channel_id, file_copies.c.upstream_id)
