"""Budget periods: which day a call is admitted on, when that day ends, and the windows that hold money for a key."""

from collections.abc import Mapping

from unigate.base.clock import utc
from unigate.store.holds import Window
from unigate.store.ledger import window_ids

DAY_MS = 86_400_000


def day_of(now_ms: int, offset_minutes: int) -> int:
    """The day as a number (20261121) in the budgets' time zone."""
    day = utc(now_ms + offset_minutes * 60_000)
    return day.year * 10_000 + day.month * 100 + day.day


def day_ends_in(now_ms: int, offset_minutes: int) -> int:
    """Milliseconds until the next day begins in the budgets' time zone."""
    return DAY_MS - (now_ms + offset_minutes * 60_000) % DAY_MS


def held_windows(key_id: str, budgets: Mapping[str, int], day: int) -> dict[str, Window]:
    """The windows of a key that have a budget, by period (`day`, `month`, `total`)."""
    ids = dict(zip(("day", "month", "total"), window_ids(key_id, day), strict=True))
    return {period: Window(id=ids[period], budget=budgets[period]) for period in ids if period in budgets}
