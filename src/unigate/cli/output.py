"""What the shell prints: tables for people, JSON for programs, one line on standard error when something is wrong.

Rich is loaded where a table is printed.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from unigate.base.clock import utc
from unigate.base.money import format_multiplier, format_usd

#: Fields that hold nano-USD, and those that hold milliseconds since 1970.
_MONEY = frozenset(
    {"balance", "used", "in_use", "granted", "amount", "cost", "charged", "refunded", "held", "low_balance_usd"}
)
_MOMENTS = frozenset(
    {"created_at", "expires_at", "redeemed_at", "since", "until", "start", "at", "due_at", "ended_at", "failing_since"}
    | {"started_at", "finished_at", "submitted_at", "deadline_at"}
)


def plain(value: Any) -> Any:
    """A view as plain structures: money as decimal USD in text, moments as ISO 8601."""
    return _plain(msgspec.to_builtins(value))


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(plain(value)).decode() + "\n")


def show(view: Any, *, json: bool) -> None:
    """One view, for a program or for people."""
    (print_json if json else print_view)(view)


def show_all(views: Sequence[Any], columns: Sequence[str], *, json: bool) -> None:
    """Several views, for a program or, by some of their fields, for people."""
    if json:
        print_json(views)
    else:
        print_rows(views, columns)


def print_rows(views: Sequence[Any], columns: Sequence[str]) -> None:
    """A table of some of the views' fields."""
    rows = [plain(view) for view in views]
    _print([[row.get(column) for column in columns] for row in rows], columns)


def print_view(view: Any) -> None:
    """All fields of one view, one to a line."""
    _print(plain(view).items())


def say(line: str) -> None:
    """One line for people on standard output."""
    sys.stdout.write(line + "\n")


def complain(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write("unigate: " + " ".join(line.split()) + "\n")


def _print(rows: Iterable[Iterable[Any]], columns: Sequence[str] = ()) -> None:
    """A table, whose columns have names or else the first of two is bold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=bool(columns), header_style="bold")
    for column in columns or ("", ""):
        table.add_column(column, overflow="fold")
    if not columns:
        table.columns[0].style = "bold"
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    # Not cut to a width of 80 where nobody looks at it: programs read lines.
    here = sys.stdout.isatty()
    Console(highlight=False, soft_wrap=not here, width=None if here else 1000).print(table)


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item, "balance" if name == "budgets" else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _MONEY:
            return format_usd(value)
        if name == "multiplier":
            return format_multiplier(value)
        if name in _MOMENTS:
            return utc(value).isoformat(timespec="seconds")
    return value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return str(value)
