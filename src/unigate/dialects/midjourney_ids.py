"""Ids of Midjourney tasks: sixteen digits, milliseconds since 1970 and three random ones.

Clients in JavaScript read them as numbers, so they stay below 2^53 (until the year 2255).
"""

from collections.abc import Mapping
from secrets import randbelow

from unigate.base.clock import now_ms

_WITHIN = 1000


def new_id(ms: int | None = None) -> str:
    """A fresh id. Two made in the same millisecond may be equal: whoever keeps it asks for another then."""
    return str((now_ms() if ms is None else ms) * _WITHIN + randbelow(_WITHIN))


def is_id(text: str) -> bool:
    """Whether a text may be such an id."""
    return text.isascii() and text.isdecimal() and len(text) <= 20


def shown(task_id: str, key_options: Mapping[str, object], settings: Mapping[str, object]) -> object:
    """The id as replies to submissions name it: a text, or a number where the key or the settings say so."""
    numeric = key_options.get("midjourney_numeric_ids")
    if numeric is None:
        numeric = settings.get("numeric_ids", False)
    return int(task_id) if numeric else task_id
