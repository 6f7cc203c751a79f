"""Tables of the money: accounts, transfers, holds, budget windows, processes, journal positions, recalls, usage.

Amounts are whole nano-USD, times milliseconds since 1970. There are no foreign keys to users and keys: money outlives them.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table

from unigate.base.money import MAX_SUM
from unigate.store.metadata import METADATA, Blob, Int, Str

#: The accounts of the house are sums over transfers, never rows.
GRANTS = "system:grants"
REVENUE = "system:revenue"
WRITE_OFF = "system:write_off"


def _text(name: str, *, key: bool = False) -> "Column[str]":
    return Column(name, Str(), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> "Column[int]":
    return Column(name, Int(), primary_key=key, autoincrement=False, nullable=False)


def _amount(name: str) -> "Column[int]":
    return Column(name, Int(), CheckConstraint(f"{name} BETWEEN 0 AND {MAX_SUM}", name=name), nullable=False)


def _maybe(name: str) -> "Column[str]":
    return Column(name, Str(), nullable=True)


accounts = Table(
    "accounts",
    METADATA,
    _text("id", key=True),
    _amount("granted"),  # all credit ever given, less what was taken back
    _amount("posted"),  # what of it has not been charged
    _amount("held"),  # sum of amount - captured of the open holds
    _number("written_off_day"),  # the day (20261121) that written_off counts
    _amount("written_off"),  # what the house lost on this wallet on that day
    _number("created_at"),
    CheckConstraint("held <= posted", name="covered"),
    CheckConstraint("posted <= granted", name="given"),
    sqlite_strict=True,
)

transfers = Table(
    "transfers",
    METADATA,
    _text("id", key=True),
    _text("debit"),
    _text("credit"),
    _amount("amount"),
    _text("code"),  # grant, take_back, refund, capture, overrun, write_off
    _text("hold_id"),  # "": none
    _text("note"),
    _number("at"),
    CheckConstraint("amount > 0", name="positive"),
    CheckConstraint("debit <> credit", name="moves"),
    sqlite_strict=True,
)

windows = Table(
    "windows",
    METADATA,
    _text("id", key=True),  # key's id, slash, 20261121 (a day), 202611 (a month) or 0 (for all time)
    _text("key_id"),
    _text("wallet_id"),
    _amount("budget"),  # MAX_SUM: none
    _amount("held"),
    _amount("captured"),
    sqlite_strict=True,
)

holds = Table(
    "holds",
    METADATA,
    _text("id", key=True),
    _text("wallet_id"),
    _text("key_id"),
    _text("kind"),  # lease, call, task
    _text("process_id"),  # "": a task's, which belongs to no process
    _amount("amount"),
    _amount("in_use"),
    _amount("captured"),
    _maybe("window_day"),  # the windows in which it holds, where the key has such budgets
    _maybe("window_month"),
    _maybe("window_total"),
    _number("step"),  # of the owner's last statement
    _number("lowered_at"),  # number of the recall that it was last lowered for
    _number("grown_at"),  # number of the last recall when it last grew
    _number("final"),  # 1: closed as soon as all of it is captured
    _text("state"),  # open, closed
    _number("created_at"),
    _number("closed_at"),
    CheckConstraint("amount >= in_use AND in_use >= captured", name="nested"),
    CheckConstraint("kind IN ('lease', 'call', 'task')", name="kind"),
    CheckConstraint("state IN ('open', 'closed')", name="state"),
    sqlite_strict=True,
)

processes = Table(
    "processes",
    METADATA,
    _text("id", key=True),
    _text("node"),
    _text("state"),  # alive, dead (its journal is still to be moved), gone
    _number("beat"),
    _number("turn"),  # number of its last money transaction: an older one that comes late finds itself passed
    _number("started_at"),
    _number("ended_at"),
    CheckConstraint("state IN ('alive', 'dead', 'gone')", name="state"),
    sqlite_strict=True,
)

segments = Table(
    "segments",
    METADATA,
    _text("process_id", key=True),
    _number("number", key=True),
    _number("position"),  # bytes that are in the database
    _text("state"),  # open, moved, stopped
    _text("reason"),
    CheckConstraint("state IN ('open', 'moved', 'stopped')", name="state"),
    sqlite_strict=True,
)

recalls = Table("recalls", METADATA, _text("wallet_id", key=True), _number("number"), sqlite_strict=True)

set_aside = Table(
    "set_aside",
    METADATA,
    _text("id", key=True),  # process, segment, position
    Column("payload", Blob(), nullable=False),
    _text("reason"),
    _number("at"),
    sqlite_strict=True,
)

usage = Table(
    "usage",
    METADATA,
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
    _text("units"),  # JSON mapping unit -> count
    _amount("cost"),
    _amount("charged"),  # paid by the hold or the wallet
    _amount("overrun"),  # the part of `charged` that the hold did not cover
    _amount("written_off"),
    _amount("refunded"),  # given back later
    _number("first_us"),
    _number("total_us"),
    _number("own_us"),
    _text("price_id"),
    _number("multiplier"),
    _text("attempts"),  # JSON list, "" where the first try went well
    _text("hold_id"),
    _number("day"),  # of admission, 20261121, in the time zone of the budgets; 0: counts in no window
    _text("transfer_id"),
    _text("error"),
    _text("upstream_request_id"),
    CheckConstraint("cost = charged + written_off", name="paid"),
    CheckConstraint("overrun <= charged", name="covered"),
    CheckConstraint("refunded <= charged", name="returned"),
    sqlite_strict=True,
)

_OPEN = holds.c.state == "open"
Index("holds_by_process", holds.c.process_id, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("holds_by_wallet", holds.c.wallet_id, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("transfers_by_debit", transfers.c.debit, transfers.c.at)
Index("transfers_by_credit", transfers.c.credit, transfers.c.at)
Index("windows_by_key", windows.c.key_id)
Index("processes_by_state", processes.c.state)
Index("usage_by_time", usage.c.at)
Index("usage_by_user", usage.c.user_id, usage.c.at)
Index("usage_by_key", usage.c.key_id, usage.c.at)
