"""Tables of tasks: the tasks themselves, whom to tell of them and how that went, and the files that they made.

As in `tables.py`: integers, text and bytes only, times in milliseconds since 1970 (0: not yet), amounts in nano-USD.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint

from unigate.store.metadata import METADATA, Blob, Int, Str


def _text(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, Str(), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> "Column[int]":
    return Column(name, Int(), primary_key=key, autoincrement=False, nullable=False)


_STATES = "'waiting', 'submitting', 'running', 'paused', 'succeeded', 'failed', 'canceled', 'unknown'"

tasks = Table(
    "tasks",
    METADATA,
    _text("id", key=True),
    _number("number"),  # rises with the time at which it was made: the order of lists
    _text("called"),  # the operation that was called
    _text("operation"),  # as it is priced
    _text("dialect"),
    _text("user_id"),
    _text("key_id"),
    _text("group_name"),
    _text("model"),
    _text("state"),
    _number("queued"),
    _number("percent"),  # -1: not told
    _text("input"),  # JSON
    _text("detail"),  # JSON, the provider's account
    _text("previews"),  # JSON list of addresses
    _text("conditions"),  # JSON
    _text("units"),  # JSON, what it consumes at most
    _text("error_code"),
    _text("error_message"),
    _text("parent_id"),
    _text("channel_id"),  # "": none was chosen yet
    _text("credential_id"),
    _text("upstream_model"),
    _text("handle"),  # JSON, "": the provider has not answered
    Column("body", Blob(), nullable=False),  # JSON of what is yet to be sent; empty afterwards
    _text("notify"),  # JSON, "": nobody
    _text("secret"),  # part of the address at which its provider calls back
    _text("hold_id"),  # "": nothing was held
    _number("held"),
    _text("quote"),  # JSON, the price as it stood when it was submitted
    _number("cost"),
    _text("base"),  # scheme and authority by which its caller reached us
    _text("request_id"),
    _text("attempts"),  # JSON list, as in usage
    _number("polls"),
    _number("errors"),  # polls in a row that failed
    _number("missing_since"),  # since when its provider says that it knows no such task; 0: it does
    _number("version"),
    _number("created_at"),
    _number("submitted_at"),
    _number("started_at"),
    _number("finished_at"),
    _number("deadline_at"),
    _number("due_at"),  # when somebody is to look after it next
    _text("owner"),  # the process that does
    _number("lease_until"),  # and until when
    CheckConstraint(f"state IN ({_STATES})", name="state"),
    CheckConstraint("percent BETWEEN -1 AND 100", name="percent"),
    CheckConstraint("cost >= 0 AND held >= 0", name="amounts"),
    UniqueConstraint("number", "id"),
    sqlite_strict=True,
)

idempotency = Table(
    "idempotency",
    METADATA,
    _text("user_id", key=True),
    _text("token", key=True),  # of the header, or of the repeated request itself
    _text("task_id"),
    Column("digest", Blob(), nullable=False),  # SHA-256 of method, path and body
    _number("ends_at"),
    sqlite_strict=True,
)

webhooks = Table(
    "webhooks",
    METADATA,
    _text("id", key=True),
    _text("user_id"),
    _text("url"),
    _text("events"),  # JSON list, such as ["task.succeeded"]; empty: all
    Column("secret", Blob(), nullable=False),  # sealed; empty: the user's own
    _number("enabled"),
    _text("disabled_because"),
    _number("failing_since"),
    _number("created_at"),
    sqlite_strict=True,
)

outbox = Table(
    "outbox",
    METADATA,
    _text("id", key=True),  # msg_..., the same with each try
    _text("user_id"),
    _text("task_id"),
    _text("webhook_id"),  # "": the callback that the request named
    _text("form"),  # who writes and signs it: "standard", or a dialect's name
    _text("event"),
    _text("url"),
    _text("host"),  # scheme and authority of the address
    _text("headers"),  # JSON: name -> value, beside those of a signature
    _number("signed"),  # 1: it carries a signature
    Column("body", Blob(), nullable=False),
    _text("state"),  # waiting, delivered, failed
    _number("tries"),
    _number("created_at"),
    _number("due_at"),
    _text("owner"),
    _number("lease_until"),
    _number("ended_at"),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
    sqlite_strict=True,
)

deliveries = Table(
    "deliveries",
    METADATA,
    _text("id", key=True),
    _text("message_id"),
    _text("user_id"),
    _number("at"),
    _number("status"),  # 0: none came
    _text("error"),
    _number("ms"),
    _text("answer"),  # the beginning of what came back
    sqlite_strict=True,
)

assets = Table(
    "assets",
    METADATA,
    _text("id", key=True),
    _text("task_id"),
    _text("user_id"),
    _text("kind"),
    _text("media_type"),
    _text("source"),  # the provider's address
    _number("private"),  # 1: that may be a private address, since the channel's may
    _number("place"),  # its number among the task's
    _text("state"),  # remote (only at the provider), waiting (to be copied), kept, lost, deleted
    _text("store"),  # the storage's address without path and secrets, as it was then
    _text("path"),
    _number("size"),  # -1: not known
    Column("digest", Blob(), nullable=False),  # SHA-256 once kept
    _number("tries"),
    _number("created_at"),
    _number("due_at"),
    _text("owner"),
    _number("lease_until"),
    _number("ends_at"),  # from when on it is deleted; 0: never
    CheckConstraint("state IN ('remote', 'waiting', 'kept', 'lost', 'deleted')", name="state"),
    sqlite_strict=True,
)

OPEN_STATES = ("waiting", "submitting", "running", "paused")
_OPEN = tasks.c.state.in_(OPEN_STATES)
_WAITING = outbox.c.state == "waiting"
_TO_COPY = assets.c.state == "waiting"
Index("tasks_due", tasks.c.due_at, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("tasks_at_channel", tasks.c.channel_id, tasks.c.state, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("tasks_by_user", tasks.c.user_id, tasks.c.number, tasks.c.id)
Index("tasks_by_key", tasks.c.key_id, tasks.c.number, tasks.c.id)
Index("tasks_by_hold", tasks.c.hold_id)
Index("idempotency_by_end", idempotency.c.ends_at)
Index("webhooks_by_user", webhooks.c.user_id)
#: All that a claim looks at: it passes by what goes to hosts that have enough.
Index(
    "outbox_due",
    outbox.c.due_at,
    outbox.c.id,
    outbox.c.host,
    outbox.c.lease_until,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index("outbox_by_user", outbox.c.user_id, outbox.c.created_at, outbox.c.id)
Index("outbox_by_task", outbox.c.task_id)
Index("outbox_by_webhook", outbox.c.webhook_id, sqlite_where=_WAITING, postgresql_where=_WAITING)
Index("outbox_by_time", outbox.c.created_at, outbox.c.id)
Index("deliveries_by_message", deliveries.c.message_id, deliveries.c.at)
Index("deliveries_by_time", deliveries.c.at)
Index("assets_by_task", assets.c.task_id, assets.c.place)
Index("assets_due", assets.c.due_at, sqlite_where=_TO_COPY, postgresql_where=_TO_COPY)
Index("assets_by_end", assets.c.ends_at)
