"""What the pages of things that providers keep have in common: their entries are written in a line or two each.

Each call needs a key with the scope `platform`; things and what is within them are those of the key's user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unigate.reference.page import Entry, Example
from unigate.reference.schema import Schema, flag, many, maybe, only, record, text, whole

WHEN = whole("Seconds since 1970.")
_SCOPE = " The key needs the scope `platform`."
_PRICE = " Costs what the operator has set for it, by default nothing."
#: What lists take; `before` not everywhere.
PAGED: Mapping[str, Schema] = {
    "limit": whole("How many at most.", low=1, high=100),
    "order": text("By time: newest first, or oldest first.", of=("desc", "asc")),
    "after": text("The id behind which the page begins."),
    "before": text("The id before which it ends."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kind of things: how its operations are called, and what stands in their paths."""

    #: Family of the operations.
    family: str
    #: Name of a place in the path -> an id as it may look.
    places: Mapping[str, str]

    def entry(
        self,
        name: str,
        title: str,
        about: str,
        answer: Schema,
        shown: Mapping[str, object] | Sequence[object],
        *,
        places: str = "id",
        request: Schema | None = None,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, Schema] | None = None,
        posts: bool = False,
        status: int = 200,
        request_type: str = "application/json",
        answer_type: str = "application/json",
    ) -> Entry:
        """One operation; `places`: names of what stands in its path, with blanks between them; `posts` without a body too."""
        named = {place: self.places[place] for place in places.split()}
        costs = posts or request is not None
        return Entry(
            operation=f"openai.{self.family}.{name}",
            title=title,
            about=about + (_PRICE if costs else "") + _SCOPE,
            request=request,
            answer=answer,
            shown=shown,
            places={place: text("An id.", least=1) for place in named},
            query=query or {},
            examples=(Example(title="One", path=named, body=body),),
            status=status,
            request_type=request_type,
            answer_type=answer_type,
            fails=(404,) if named else (),
        )


def page_of(things: Schema, about: str = "") -> Schema:
    """A page of a list."""
    return record(
        {
            "object": only("list"),
            "data": many(things),
            "first_id": maybe(text()),
            "last_id": maybe(text()),
            "has_more": flag("There are more behind these."),
        },
        about,
        needs=("object", "data", "has_more"),
    )


def shown_page(*things: Mapping[str, object]) -> dict[str, object]:
    """A page as it may look."""
    ids = [thing.get("id") for thing in things]
    return {"object": "list", "data": list(things), "first_id": ids[0], "last_id": ids[-1], "has_more": False}


def deleted(what: str) -> Schema:
    """What is said of what was deleted."""
    return record({"id": text(), "object": only(what), "deleted": flag()}, needs=("id", "object", "deleted"))


def shown_deleted(id: str, what: str) -> dict[str, object]:
    """The same as it may look."""
    return {"id": id, "object": what, "deleted": True}
