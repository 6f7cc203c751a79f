"""Lists of what a user has of a kind at providers: which page is asked for, and how it is written.

Must not know where the things come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec

from unigate.base.errors import BadRequest

MOST = 100
_LIMIT = 20
#: Kinds whose list begins with the oldest unless told otherwise.
_OLDEST_FIRST = frozenset({"eval"})
_METADATA = "metadata["


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of a list: behind `after`, or before `before`, "" where it is the first one."""

    limit: int
    newest_first: bool
    after: str = ""
    before: str = ""
    #: Only things of this name, and with these metadata.
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def wants(self, thing: Mapping[str, object]) -> bool:
        """Whether a thing belongs into the list."""
        told = thing.get("metadata")
        known = told if isinstance(told, Mapping) else {}
        fits = all(known.get(name) == value for name, value in self.metadata.items())
        return fits and (not self.name or thing.get("name") == self.name)


def read(query: bytes, kind: str) -> Listing:
    """The page that a query asks for; BadRequest."""
    pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True)
    asked = dict(pairs)
    for name, value in pairs:
        if "\0" in value:
            raise BadRequest("A parameter has a character that none may have.", param=name)
    limit = asked.get("limit", str(_LIMIT))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
        raise BadRequest(f"'limit' is a number from 1 to {MOST}.", param="limit")
    order = asked.get("order", "asc" if kind in _OLDEST_FIRST else "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("'order' is asc or desc.", param="order")
    after, before = asked.get("after", ""), asked.get("before", "")
    if after and before:
        raise BadRequest("A page begins behind one thing or ends before one, not both.", param="before")
    return Listing(
        limit=int(limit),
        newest_first=order == "desc",
        after=after,
        before=before,
        name=asked.get("name", "") if kind == "container" else "",
        metadata={
            name.removeprefix(_METADATA).removesuffix("]"): value
            for name, value in pairs
            if name.startswith(_METADATA) and name.endswith("]")
        },
    )


def write(things: Sequence[Mapping[str, object]], *, more: bool) -> bytes:
    """A page of the list."""
    return msgspec.json.encode(
        {
            "object": "list",
            "data": things,
            "first_id": things[0].get("id") if things else None,
            "last_id": things[-1].get("id") if things else None,
            "has_more": more,
        }
    )
