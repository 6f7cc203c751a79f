"""Tables of the gateway in full: sessions, redemption codes, the audit log, bindings, and sums of usage by hour and day.

As in `tables.py`: integers, text and bytes only, times in milliseconds since 1970, amounts in nano-USD.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from unigate.store.metadata import METADATA, Blob, Int, Str


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Str(), primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    return Column(name, Int(), primary_key=key, autoincrement=False, nullable=null)


sessions = Table(
    "sessions",
    METADATA,
    _text("id", key=True),
    Column("digest", Blob(), nullable=False),  # SHA-256 of the token, which is random and kept nowhere
    Column("user_id", Str(), ForeignKey("users.id"), nullable=False),
    _number("created_at"),
    _number("expires_at"),
    _number("used_at"),
    _text("address"),
    _text("agent"),
    UniqueConstraint("digest"),
    sqlite_strict=True,
)

codes = Table(
    "codes",
    METADATA,
    _text("id", key=True),
    Column("digest", Blob(), nullable=False),  # HMAC-SHA256 of the code with `secret`
    _text("last4"),
    _text("batch"),
    _number("amount"),
    _number("expires_at", null=True),
    _text("state"),  # open, redeemed, withdrawn
    _text("user_id"),  # who redeemed it, "" before
    _number("redeemed_at", null=True),
    _text("created_by"),
    _number("created_at"),
    UniqueConstraint("digest"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("state IN ('open', 'redeemed', 'withdrawn')", name="state"),
    sqlite_strict=True,
)

audit = Table(
    "audit",
    METADATA,
    _text("id", key=True),
    _number("at"),
    _text("actor_id"),  # a user's id, or "file", "shell"
    _text("actor"),  # as the actor was called then
    _text("action"),  # create, set, rotate, disable, topup, redeem, ...
    _text("kind"),  # user, key, channel, price, setting, ...
    _text("subject_id"),
    _text("subject"),
    _text("changes"),  # JSON mapping field -> [before, after]; never a secret
    _text("address"),
    _text("request_id"),
    sqlite_strict=True,
)

bindings = Table(
    "bindings",
    METADATA,
    _text("kind", key=True),  # response, file, task, ...
    _text("public_id", key=True),
    _text("upstream_id"),
    _text("channel_id"),
    _text("credential_id"),
    _text("user_id"),
    _text("model"),
    _number("created_at"),
    sqlite_strict=True,
)


def _sums(name: str, step: str) -> Table:
    """Sums of usage rows by what pages ask for, and by the step of time in which the calls were admitted."""
    return Table(
        name,
        METADATA,
        _number(step, key=True),  # so many of them since 1970
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


usage_hours = _sums("usage_hours", "hour")
usage_days = _sums("usage_days", "day")

kept = Table(
    "kept",
    METADATA,
    _text("id", key=True),  # of the call
    _number("at"),
    _number("ends_at"),
    _text("user_id"),
    _text("key_id"),
    _number("status"),
    Column("request", Blob(), nullable=False),
    Column("answer", Blob(), nullable=False),
    _number("cut"),  # 1: longer than what is kept of one
    sqlite_strict=True,
)

Index("kept_by_end", kept.c.ends_at)
Index("sessions_by_user", sessions.c.user_id)
Index("sessions_by_end", sessions.c.expires_at)
Index("codes_by_time", codes.c.created_at, codes.c.id)
Index("audit_by_time", audit.c.at, audit.c.id)
Index("audit_by_subject", audit.c.kind, audit.c.subject_id, audit.c.at)
Index("bindings_by_user", bindings.c.user_id, bindings.c.kind, bindings.c.created_at)
for _name in ("user_id", "key_id", "operation", "model", "channel_id", "ended"):
    Index(f"usage_hours_by_{_name.removesuffix('_id')}", usage_hours.c[_name], usage_hours.c.hour)
    Index(f"usage_days_by_{_name.removesuffix('_id')}", usage_days.c[_name], usage_days.c.day)
