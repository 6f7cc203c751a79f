"""Tables of notifications to accounts: what users want to hear of, where to, what has happened, and what was told already.

As in `tables.py`: integers, text and bytes only, times in milliseconds since 1970, amounts in nano-USD.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table

from unigate.store.metadata import METADATA, Blob, Int, Str


def _text(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, Str(), primary_key=key, nullable=False)


def _number(name: str) -> "Column[int]":
    return Column(name, Int(), nullable=False)


notifications = Table(
    "notifications",
    METADATA,
    _text("user_id", key=True),
    _number("low_balance"),  # -1: as the operator has set it
    _text("language"),  # "": likewise
    _text("task_callback_url"),
    _text(
        "wanted"
    ),  # the events of all targets that are on and not told by default, each between bars: "|task.failed|"
    _number("changed_at"),
    sqlite_strict=True,
)

targets = Table(
    "targets",
    METADATA,
    _text("id", key=True),
    _text("user_id"),
    _number("position"),
    _text("kind"),  # email, webhook, bark, gotify
    _text("address"),  # of an e-mail ("": the account's), or the URL
    _text("format"),  # of a webhook: standard, newapi; "": of no webhook
    _text("template"),
    _number("priority"),
    _text("events"),  # JSON list; empty: those that are told by default
    Column("sealed", Blob(), nullable=False),  # secret, token and headers; empty: none
    _number("enabled"),
    _text("disabled_because"),
    _number("failing_since"),
    _number("created_at"),
    CheckConstraint("kind IN ('email', 'webhook', 'bark', 'gotify')", name="kind"),
    sqlite_strict=True,
)

news = Table(
    "news",
    METADATA,
    _text("id", key=True),
    _text("event"),
    _text("user_id"),  # whom it concerns; "": the operators
    _text("data"),  # JSON
    _number("at"),
    sqlite_strict=True,
)

marks = Table(
    "marks",
    METADATA,
    _text("subject", key=True),  # what is on its bad side: `low/usr_...`, `parked/chn_...`
    _number("level"),  # how far, where there are several steps
    _number("bound"),  # against what it was measured
    _text("by"),  # the process that saw it, where others can't see it
    _number("at"),
    sqlite_strict=True,
)

Index("targets_by_user", targets.c.user_id, targets.c.position)
