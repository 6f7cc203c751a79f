"""Usage as CSV (RFC 4180), page by page, so that it is never held in memory whole.

Texts that a spreadsheet would take for a formula get an apostrophe before them: model names and the like come from callers.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
from collections.abc import AsyncIterator
from io import StringIO

from unigate.base.clock import utc
from unigate.base.money import format_usd
from unigate.manage.call_filter import CallFilter, resolved
from unigate.manage.desk import Desk
from unigate.manage.usage import UsageView, list_usage
from unigate.store.pages import Page

#: Rows read and sent at once.
_ROWS = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = (
    "time",
    "id",
    "user",
    "key",
    "group",
    "operation",
    "model",
    "channel",
    "ended",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "charged_usd",
    "refunded_usd",
    "seconds",
)


async def export_usage(desk: Desk, wanted: CallFilter | None = None, *, own: str | None = None) -> AsyncIterator[str]:
    """The lines of a file, newest calls first, some at a time. BadRequest and NotFound come before the first."""
    given = wanted or CallFilter()
    async with desk.db.reading() as tx:
        await resolved(tx, given, own)
    columns = [name for name in COLUMNS if own is None or name not in ("user", "channel")]
    return _lines(desk, given, own, columns)


async def _lines(desk: Desk, wanted: CallFilter, own: str | None, columns: list[str]) -> AsyncIterator[str]:
    yield _text([columns])
    page = Page(limit=_ROWS)
    while True:
        found = await list_usage(desk, page, wanted, own=own)
        if found.rows:
            yield _text([[cells[name] for name in columns] for cells in map(_cells, found.rows)])
        if found.next is None:
            return
        page = Page(limit=_ROWS, after=found.next)


def _cells(view: UsageView) -> dict[str, str | int]:
    return {
        "time": utc(view.at).isoformat(timespec="milliseconds"),
        "id": view.id,
        "user": _safe(view.user or view.user_id),
        "key": _safe(view.key or view.key_id),
        "group": _safe(view.group),
        "operation": _safe(view.operation),
        "model": _safe(view.model),
        "channel": _safe(view.channel or view.channel_id or ""),
        "ended": view.ended,
        "estimated": int(view.estimated),
        "input_tokens": view.input_tokens,
        "output_tokens": view.output_tokens,
        "cost_usd": format_usd(view.cost),
        "charged_usd": format_usd(view.charged),
        "refunded_usd": format_usd(view.refunded),
        "seconds": f"{view.total_us / 1_000_000:.6f}",
    }


def _safe(text: str) -> str:
    """A text that is no formula in any spreadsheet."""
    return "'" + text if text.startswith(_FORMULA) else text


def _text(rows: list[list[str]] | list[list[str | int]]) -> str:
    out = StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
