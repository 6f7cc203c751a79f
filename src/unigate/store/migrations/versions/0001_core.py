"""Callers, channels, prices, settings, and the generation numbers that tell processes what changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001_core"
down_revision = None
branch_labels = None
depends_on = None

_DEFAULT_GROUP = "grp_00000000000000000000000000"


def _text(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=null)


def _number(name: str, *, null: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _flag(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), sa.CheckConstraint(f"{name} IN (0, 1)", name=name), nullable=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _reference(name: str, to: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), sa.ForeignKey(to), nullable=False)


def upgrade() -> None:
    """Create the tables, the group `default` and the generation numbers."""
    _callers()
    _keys()
    _channels()
    _prices()
    generations = op.create_table("generations", _text("name", key=True), _number("number"), sqlite_strict=True)
    op.bulk_insert(generations, [{"name": n, "number": 1} for n in ("channels", "keys", "prices", "settings")])


def _callers() -> None:
    groups = op.create_table(
        "groups",
        _text("id", key=True),
        _text("name"),
        _number("multiplier"),
        _flag("enabled"),
        _text("owned_by"),
        _number("created_at"),
        sa.UniqueConstraint("name"),
        sa.CheckConstraint("multiplier BETWEEN 0 AND 1000000000", name="multiplier"),
        sqlite_strict=True,
    )
    op.bulk_insert(
        groups,
        [
            {
                "id": _DEFAULT_GROUP,
                "name": "default",
                "multiplier": 1_000_000,
                "enabled": 1,
                "owned_by": "",
                "created_at": 0,
            }
        ],
    )
    op.create_table(
        "users",
        _text("id", key=True),
        _text("name"),
        _text("email", null=True),
        _text("password", null=True),
        _text("role"),
        _reference("group_id", "groups.id"),
        _text("wallet_id"),
        _flag("enabled"),
        _text("owned_by"),
        _number("created_at"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("email"),
        sa.CheckConstraint("role IN ('user', 'operator', 'owner')", name="role"),
        sqlite_strict=True,
    )
    op.create_index("users_by_group", "users", ["group_id"])


def _keys() -> None:
    op.create_table(
        "keys",
        _text("id", key=True),
        _reference("user_id", "users.id"),
        _text("name"),
        _bytes("digest"),
        _text("last4"),
        _text("scopes"),
        _text("models"),
        _text("addresses"),
        _number("expires_at", null=True),
        _text("budgets"),
        _number("rpm"),
        _number("tpm"),
        _number("concurrency"),
        _flag("user_view"),
        _flag("enabled"),
        _text("owned_by"),
        _number("created_at"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("user_id", "name"),
        sa.CheckConstraint("rpm >= 0 AND tpm >= 0 AND concurrency >= 0", name="limits"),
        sqlite_strict=True,
    )
    op.create_index("keys_by_user", "keys", ["user_id"])


def _channels() -> None:
    op.create_table(
        "channels",
        _text("id", key=True),
        _text("name"),
        _text("provider"),
        _text("base_url"),
        _text("models"),
        _text("groups"),
        _number("priority"),
        _number("weight"),
        _number("concurrency"),
        _number("rpm"),
        _text("timeouts"),
        _text("options"),
        _flag("enabled"),
        _text("owned_by"),
        _number("created_at"),
        sa.UniqueConstraint("name"),
        sa.CheckConstraint("weight >= 0 AND concurrency >= 0 AND rpm >= 0", name="limits"),
        sqlite_strict=True,
    )
    op.create_table(
        "credentials",
        _text("id", key=True),
        _reference("channel_id", "channels.id"),
        _number("position"),
        _text("sealed"),
        _bytes("fingerprint"),
        _text("last4"),
        _flag("enabled"),
        _number("created_at"),
        sa.UniqueConstraint("channel_id", "fingerprint"),
        sqlite_strict=True,
    )


def _prices() -> None:
    op.create_table(
        "prices",
        _text("id", key=True),
        _text("model", null=True),
        _text("operation", null=True),
        _text("conditions"),
        _text("rates"),
        _number("starts_at"),
        _flag("enabled"),
        _text("owned_by"),
        _number("created_at"),
        sa.CheckConstraint("model IS NOT NULL OR operation IS NOT NULL", name="target"),
        sqlite_strict=True,
    )
    op.create_index("prices_by_model", "prices", ["model"])
    op.create_table(
        "models",
        _text("name", key=True),
        _text("owner"),
        _number("created"),
        _number("input_limit", null=True),
        _number("output_limit", null=True),
        _text("modalities"),
        sqlite_strict=True,
    )
    op.create_table(
        "settings",
        _text("name", key=True),
        _text("value"),
        _text("owned_by"),
        _number("changed_at"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Drop everything this revision made."""
    for table in ("generations", "settings", "models", "prices", "credentials", "channels", "keys", "users", "groups"):
        op.drop_table(table)
