"""Tables of who calls, what is offered and at which price: groups, users, keys, channels, credentials, prices.

The ledger's tables stand in `ledger_tables.py`. Columns are integers, text or bytes only (see `database.py`); the
tables are STRICT on SQLite, so that a wrong type is an error there too. The truth about an existing database is
the migrations; a test compares both.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from unigate.store.metadata import METADATA, Blob, Int, Str

#: Values of `owned_by`, which is empty where a row is nobody's: the config file, or one that no longer names the row.
OWNED_BY_FILE, LEFT_BY_FILE = "file", "left"


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    return Column(name, Str(), primary_key=key, nullable=null)


def _number(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Int(), nullable=null)


def _flag(name: str) -> Column[int]:
    return Column(name, Int(), CheckConstraint(f"{name} IN (0, 1)", name=name), nullable=False)


groups = Table(
    "groups",
    METADATA,
    _text("id", key=True),
    _text("name"),
    _number("multiplier"),  # millionths
    _flag("enabled"),  # 0: none of its users' keys works
    _text("owned_by"),
    _number("created_at"),
    UniqueConstraint("name"),
    CheckConstraint("multiplier BETWEEN 0 AND 1000000000", name="multiplier"),
    sqlite_strict=True,
)

users = Table(
    "users",
    METADATA,
    _text("id", key=True),
    _text("name"),
    _text("email", null=True),  # lower case
    _text("password", null=True),  # argon2's own text form; NULL: cannot sign in
    _text("role"),
    Column("group_id", Str(), ForeignKey("groups.id"), nullable=False),
    _text("wallet_id"),  # the account in the ledger that pays
    _flag("enabled"),
    _text("owned_by"),
    _number("created_at"),
    UniqueConstraint("name"),
    UniqueConstraint("email"),
    CheckConstraint("role IN ('user', 'operator', 'owner')", name="role"),
    sqlite_strict=True,
)

keys = Table(
    "keys",
    METADATA,
    _text("id", key=True),
    Column("user_id", Str(), ForeignKey("users.id"), nullable=False),
    _text("name"),
    Column("digest", Blob(), nullable=False),  # HMAC-SHA256 of the key with `secret`
    _text("last4"),
    _text("scopes"),  # JSON list
    _text("models"),  # JSON list
    _text("addresses"),  # JSON list of networks
    _number("expires_at", null=True),
    _text("budgets"),  # JSON mapping period -> nano-USD
    _number("rpm"),
    _number("tpm"),
    _number("concurrency"),
    _flag("user_view"),
    _flag("enabled"),
    _text("owned_by"),
    _number("created_at"),
    _number("keep_days"),  # 0: its calls' prompts and answers are not kept
    _text("secret_id"),  # which secret `digest` was made with; "": not known
    _text("options"),  # JSON mapping, see base/key_options.py
    UniqueConstraint("digest"),
    UniqueConstraint("user_id", "name"),
    CheckConstraint("keep_days BETWEEN 0 AND 3650", name="kept"),
    CheckConstraint("rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name="limits"),
    sqlite_strict=True,
)

channels = Table(
    "channels",
    METADATA,
    _text("id", key=True),
    _text("name"),
    _text("provider"),
    _text("base_url"),  # "": the provider's own
    _text("models"),  # JSON mapping public -> upstream
    _text("groups"),  # JSON list of names
    _number("priority"),
    _number("weight"),
    _number("concurrency"),
    _number("rpm"),
    _text("timeouts"),  # JSON mapping -> milliseconds
    _text("options"),  # sealed JSON, since headers and proxies carry secrets; "": none
    _flag("enabled"),
    _text("owned_by"),
    _number("created_at"),
    UniqueConstraint("name"),
    CheckConstraint("weight >= 0 AND concurrency >= 0 AND rpm >= 0", name="limits"),
    sqlite_strict=True,
)

credentials = Table(
    "credentials",
    METADATA,
    _text("id", key=True),
    Column("channel_id", Str(), ForeignKey("channels.id"), nullable=False),
    _number("position"),
    _text("sealed"),
    Column("fingerprint", Blob(), nullable=False),  # HMAC of the secret: knows it again without opening
    _text("last4"),
    _flag("enabled"),
    _number("created_at"),
    UniqueConstraint("channel_id", "fingerprint"),
    sqlite_strict=True,
)

prices = Table(
    "prices",
    METADATA,
    _text("id", key=True),
    _text("model", null=True),
    _text("operation", null=True),
    _text("conditions"),  # JSON mapping
    _text("rates"),  # JSON mapping unit -> [amount, per]
    _number("starts_at"),
    _flag("enabled"),  # 0: withdrawn; rows are never deleted, since calls name them
    _text("owned_by"),
    _number("created_at"),
    CheckConstraint("model IS NOT NULL OR operation IS NOT NULL", name="target"),
    sqlite_strict=True,
)

models = Table(
    "models",
    METADATA,
    _text("name", key=True),
    _text("owner"),
    _number("created"),
    _number("input_limit", null=True),
    _number("output_limit", null=True),
    _text("modalities"),  # JSON list
    sqlite_strict=True,
)

settings = Table(
    "settings",
    METADATA,
    _text("name", key=True),
    _text("value"),  # JSON
    _text("owned_by"),
    _number("changed_at"),
    sqlite_strict=True,
)

generations = Table(
    "generations",
    METADATA,
    _text("name", key=True),
    _number("number"),
    sqlite_strict=True,
)

Index("keys_by_user", keys.c.user_id)
Index("users_by_group", users.c.group_id)
Index("users_by_wallet", users.c.wallet_id)
Index("prices_by_model", prices.c.model)
