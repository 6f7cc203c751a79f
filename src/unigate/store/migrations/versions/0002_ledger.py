"""The money: accounts, transfers, holds, budget windows, processes and their journals, recalls, usage."""

import sqlalchemy as sa
from alembic import op

revision = "0002_ledger"
down_revision = "0001_core"
branch_labels = None
depends_on = None

_MOST = 10**18
_OPEN = sa.text("state = 'open'")
_STAY = "CREATE TRIGGER transfers_stay BEFORE"
_REMAIN = "CREATE TRIGGER transfers_remain BEFORE"
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'transfers are never changed or deleted'); END"
_FUNCTION = """
CREATE FUNCTION transfers_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'transfers are never changed or deleted'; END $$
"""
_APPEND_ONLY = {
    "sqlite": (
        f"{_STAY} UPDATE ON transfers {_REFUSE}",
        f"{_REMAIN} DELETE ON transfers {_REFUSE}",
    ),
    "postgresql": (
        _FUNCTION,
        f"{_STAY} UPDATE OR DELETE ON transfers FOR EACH ROW EXECUTE FUNCTION transfers_stay()",
        f"{_REMAIN} TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION transfers_stay()",
    ),
}


def _text(name: str, *, key: bool = False, null: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text(), primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), primary_key=key, autoincrement=False, nullable=False)


def _amount(name: str) -> "sa.Column[int]":
    check = sa.CheckConstraint(f"{name} BETWEEN 0 AND {_MOST}", name=name)
    return sa.Column(name, sa.BigInteger(), check, nullable=False)


def upgrade() -> None:
    """Create the tables of the ledger, and the triggers that keep transfers as they are."""
    _accounts()
    _holds()
    _processes()
    _usage()
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)


def _accounts() -> None:
    op.create_table(
        "accounts",
        _text("id", key=True),
        _amount("granted"),
        _amount("posted"),
        _amount("held"),
        _number("written_off_day"),
        _amount("written_off"),
        _number("created_at"),
        sa.CheckConstraint("held <= posted", name="covered"),
        sa.CheckConstraint("posted <= granted", name="given"),
        sqlite_strict=True,
    )
    op.create_table(
        "transfers",
        _text("id", key=True),
        _text("debit"),
        _text("credit"),
        _amount("amount"),
        _text("code"),
        _text("hold_id"),
        _text("note"),
        _number("at"),
        sa.CheckConstraint("amount > 0", name="positive"),
        sa.CheckConstraint("debit <> credit", name="moves"),
        sqlite_strict=True,
    )
    op.create_index("transfers_by_debit", "transfers", ["debit", "at"])
    op.create_index("transfers_by_credit", "transfers", ["credit", "at"])
    op.create_table(
        "windows",
        _text("id", key=True),
        _text("key_id"),
        _text("wallet_id"),
        _amount("budget"),
        _amount("held"),
        _amount("captured"),
        sqlite_strict=True,
    )
    op.create_index("windows_by_key", "windows", ["key_id"])
    op.create_table("recalls", _text("wallet_id", key=True), _number("number"), sqlite_strict=True)


def _holds() -> None:
    op.create_table(
        "holds",
        _text("id", key=True),
        _text("wallet_id"),
        _text("key_id"),
        _text("kind"),
        _text("process_id"),
        _amount("amount"),
        _amount("in_use"),
        _amount("captured"),
        _text("window_day", null=True),
        _text("window_month", null=True),
        _text("window_total", null=True),
        _number("step"),
        _number("lowered_at"),
        _number("grown_at"),
        _number("final"),
        _text("state"),
        _number("created_at"),
        _number("closed_at"),
        sa.CheckConstraint("amount >= in_use AND in_use >= captured", name="nested"),
        sa.CheckConstraint("kind IN ('lease', 'call', 'task')", name="kind"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("holds_by_process", "holds", ["process_id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("holds_by_wallet", "holds", ["wallet_id"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def _processes() -> None:
    op.create_table(
        "processes",
        _text("id", key=True),
        _text("node"),
        _text("state"),
        _number("beat"),
        _number("turn"),
        _number("started_at"),
        _number("ended_at"),
        sa.CheckConstraint("state IN ('alive', 'dead', 'gone')", name="state"),
        sqlite_strict=True,
    )
    op.create_index("processes_by_state", "processes", ["state"])
    op.create_table(
        "segments",
        _text("process_id", key=True),
        _number("number", key=True),
        _number("position"),
        _text("state"),
        _text("reason"),
        sa.CheckConstraint("state IN ('open', 'moved', 'stopped')", name="state"),
        sqlite_strict=True,
    )
    op.create_table(
        "set_aside",
        _text("id", key=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _text("reason"),
        _number("at"),
        sqlite_strict=True,
    )


def _usage() -> None:
    op.create_table(
        "usage",
        _text("id", key=True),
        _number("at"),
        _text("user_id"),
        _text("key_id"),
        _text("group_name"),
        _text("operation"),
        _text("model"),
        _text("channel_id"),
        _text("upstream_model"),
        _number("status"),
        _text("ended"),
        _number("stream"),
        _number("estimated"),
        _number("input_tokens"),
        _number("output_tokens"),
        _text("units"),
        _amount("cost"),
        _amount("charged"),
        _amount("overrun"),
        _amount("written_off"),
        _amount("refunded"),
        _number("first_us"),
        _number("total_us"),
        _number("own_us"),
        _text("price_id"),
        _number("multiplier"),
        _text("attempts"),
        _text("hold_id"),
        _number("day"),
        _text("transfer_id"),
        _text("error"),
        _text("upstream_request_id"),
        sa.CheckConstraint("cost = charged + written_off", name="paid"),
        sa.CheckConstraint("overrun <= charged", name="covered"),
        sa.CheckConstraint("refunded <= charged", name="returned"),
        sqlite_strict=True,
    )
    op.create_index("usage_by_time", "usage", ["at"])
    op.create_index("usage_by_user", "usage", ["user_id", "at"])
    op.create_index("usage_by_key", "usage", ["key_id", "at"])


def downgrade() -> None:
    """Drop everything this revision made."""
    for table in (
        "usage",
        "set_aside",
        "segments",
        "processes",
        "holds",
        "recalls",
        "windows",
        "transfers",
        "accounts",
    ):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION transfers_stay()")
