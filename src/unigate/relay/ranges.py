"""What a caller asks of a file by headers: a range of it, or nothing if they have it already (RFC 9110). Pure."""

import re
from collections.abc import Sequence

from unigate.base.errors import CallerError

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?"[^"]*"')


class RangeNotThere(CallerError):
    """The requested range is not within the file."""

    status = 416
    default_code = "range_not_satisfiable"


def read_range(value: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last of a range of a file with `size` bytes; None: all of it.

    That is also the answer to what can't be read and to several ranges (section 14.2: a server may ignore them).
    RangeNotThere where it begins behind the end.
    """
    found = _RANGE.fullmatch(value) if value else None
    if found is None or found[0].count("-") != 1 or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(size - int(found[2]), 0), size
    else:
        start = int(found[1])
        stop = min(int(found[2]) + 1, size) if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or stop <= start:
        raise RangeNotThere(headers=((b"content-range", b"bytes */%d" % size),))
    return start, stop


def several(value: str | None) -> bool:
    """Whether a `range` header asks for more than one."""
    return value is not None and "," in value


def known(if_none_match: str | None, tag: str) -> bool:
    """Whether `if-none-match` names this entity tag (weak comparison, section 13.1.2)."""
    if if_none_match is None:
        return False
    tags: Sequence[str] = _TAG.findall(if_none_match)
    return if_none_match.strip() == "*" or tag in [one.removeprefix("W/") for one in tags]


def still(if_range: str | None, tag: str) -> bool:
    """Whether a range may be given: there is no `if-range`, or it names this (strong) entity tag (section 13.1.5)."""
    return if_range is None or if_range.strip() == tag
