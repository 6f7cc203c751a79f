"""What the shell prints: tables for people, JSON for programs, one line on standard error when something is wrong."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from unigate.base.clock import utc
from unigate.base.money import MILLION, format_usd

#: Fields that hold nano-USD, and those that hold milliseconds since 1970.
_MONEY = frozenset({"balance", "used", "in_use", "granted", "amount"})
_MOMENTS = frozenset({"created_at"})


def plain(value: Any) -> Any:
    """A view as plain structures: money as decimal USD in text, moments as ISO 8601."""
    return _plain(msgspec.to_builtins(value))


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(msgspec.json.encode(plain(value)).decode() + "\n")


def print_rows(views: Sequence[Any], columns: Sequence[str]) -> None:
    """A table of some of the views' fields."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for view in views:
        row = plain(view)
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    _console().print(table)


def print_view(view: Any) -> None:
    """All fields of one view, one to a line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in plain(view).items():
        table.add_row(name, Text(_cell(value)))
    _console().print(table)


def say(line: str) -> None:
    """One line for people on standard output."""
    sys.stdout.write(line + "\n")


def complain(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write("unigate: " + " ".join(line.split()) + "\n")


def _console() -> Console:
    # Not cut to a width of 80 where nobody looks at it: programs read lines.
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 1000)


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item, "balance" if name == "budgets" else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if name in _MONEY:
            return format_usd(value)
        if name == "multiplier":
            return f"{value // MILLION}.{value % MILLION:06d}".rstrip("0").rstrip(".")
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
