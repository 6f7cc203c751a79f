"""Cursors: places in a list as its readers carry them, opaque to them.

A cursor is base64 of the JSON list of the last row's key.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from unigate.base.errors import BadRequest

#: Characters of a cursor at most.
LONGEST = 2048
#: Values of the columns that give a list its order, of the last row seen.
After = tuple[int | str, ...]


def encode(after: After | None) -> str | None:
    """A cursor."""
    return None if after is None else urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")


def decode(cursor: str) -> After:
    """A place in a list; BadRequest where it is no cursor of ours. Whose list it is, is checked where that is read."""
    if len(cursor) > LONGEST:
        raise BadRequest("This is not a cursor of a list.", param="cursor")
    try:
        found = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=tuple[int | str, ...])
    except ValueError:  # DecodeError, binascii.Error and UnicodeError are ones
        raise BadRequest("This is not a cursor of a list.", param="cursor") from None
    if any(isinstance(value, str) and "\0" in value for value in found):
        raise BadRequest("This is not a cursor of a list.", param="cursor")
    return found
