"""Pages of lists: `{"data": [...], "next": "<cursor>" | null}`, asked for by `limit` and `cursor`.

A cursor is opaque to callers: base64 of the JSON list of the last row's key.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from unigate.base.errors import BadRequest
from unigate.store.pages import MAX_ROWS, After, Page, Slice

T = TypeVar("T")
U = TypeVar("U")
_LONGEST = 2048


class Listed(BaseModel):
    """Query of a list; subclasses add filters. Taken by a handler as `Annotated[Listed, Query()]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MAX_ROWS, description="Rows of one page.")
    cursor: str | None = Field(None, max_length=_LONGEST, description="`next` of the page before.")

    def page(self) -> Page:
        """What is wanted of the list; BadRequest."""
        return Page(limit=self.limit, after=None if self.cursor is None else decode(self.cursor))


class Paged(BaseModel, Generic[T]):
    """A page of a list."""

    data: list[T]
    next: str | None = Field(description="Asks for the page behind this one; null: there is none.")


def paged(found: Slice[U], show: Callable[[U], T]) -> Paged[T]:
    """A page as it is sent."""
    return Paged(data=[show(row) for row in found.rows], next=encode(found.next))


def encode(after: After | None) -> str | None:
    """A cursor."""
    return None if after is None else urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")


def decode(cursor: str) -> After:
    """A place in a list; BadRequest where it is no cursor of ours. Whose list it is, is checked where that is read."""
    try:
        found = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=tuple[int | str, ...])
    except ValueError:  # DecodeError, binascii.Error and UnicodeError are ones
        raise BadRequest("This is not a cursor of a list.", param="cursor") from None
    if any(isinstance(value, str) and "\0" in value for value in found):
        raise BadRequest("This is not a cursor of a list.", param="cursor")
    return found
