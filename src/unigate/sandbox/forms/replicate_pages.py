"""Long lists of Replicate, page by page: a cursor names the thing beside which a page begins or ends."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from unigate.sandbox.forms import replicate_errors as errors
from unigate.sandbox.serving.answer import Object

_SIZE = 100

Thing = TypeVar("Thing")


def page(
    things: Sequence[Thing],
    query: Mapping[str, str],
    address: str,
    *,
    id: Callable[[Thing], str],
    show: Callable[[Thing], Object],
) -> Object:
    """One page of things, found by `cursor` in the query; `address` is the list's own, its other filters are kept."""
    ids = [id(thing) for thing in things]
    start = _start(ids, query["cursor"]) if query.get("cursor") else 0
    shown = things[start : start + _SIZE]
    kept = {name: value for name, value in query.items() if name != "cursor"}

    def link(sign: str, at: int) -> str:
        cursor = base64.urlsafe_b64encode(f"{sign}{ids[at]}".encode()).decode().rstrip("=")
        return f"{address}?{urlencode({**kept, 'cursor': cursor})}"

    more = start + _SIZE < len(things)
    return {
        "previous": link("-", start) if start else None,
        "next": link("+", start + _SIZE - 1) if more else None,
        "results": [show(thing) for thing in shown],
    }


def _start(ids: list[str], cursor: str) -> int:
    """Where the page of a cursor begins."""
    try:
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at = ids.index(told[1:])
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise errors.Problem(400, "Bad request", "Invalid cursor") from None
    return at + 1 if told[0] == "+" else max(0, at - _SIZE)
