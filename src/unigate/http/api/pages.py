"""Pages of lists: `{"data": [...], "next": "<cursor>" | null}`, asked for by `limit` and `cursor`."""

from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from unigate.base.cursor import LONGEST, decode, encode
from unigate.store.pages import MAX_ROWS, Page, Slice

T = TypeVar("T")
U = TypeVar("U")


class Listed(BaseModel):
    """Query of a list; subclasses add filters. Taken by a handler as `Annotated[Listed, Query()]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MAX_ROWS, description="Rows of one page.")
    cursor: str | None = Field(None, max_length=LONGEST, description="`next` of the page before.")

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
