"""What a vendor keeps for its callers in order: one drawer for each credential and kind of thing. Knows no vendor.

A kind is the class of its things. The oldest go first where a drawer, or the cabinet, holds too much.
"""

from collections import OrderedDict
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Drawer(Generic[T]):
    """Things of one kind by id, in the order in which they came; bounded."""

    def __init__(self, limit: int) -> None:
        self._things: OrderedDict[str, T] = OrderedDict()
        self._limit = limit

    def put(self, id: str, thing: T) -> None:
        """Keep a thing; one that is there already keeps its place."""
        self._things[id] = thing
        if len(self._things) > self._limit:
            self._things.popitem(last=False)

    def get(self, id: str) -> T | None:
        """The thing, None where there is none."""
        return self._things.get(id)

    def drop(self, id: str) -> T | None:
        """Keep it no longer; what it was."""
        return self._things.pop(id, None)

    def all(self) -> list[T]:
        """All things, the oldest first."""
        return list(self._things.values())


class Cabinet:
    """All drawers of a sandbox."""

    def __init__(self, drawers: int = 10_000, things: int = 10_000) -> None:
        self._drawers: OrderedDict[tuple[type, str], Drawer[Any]] = OrderedDict()
        self._limit = drawers
        self._things = things

    def of(self, kind: type[T], credential: str) -> Drawer[T]:
        """What a credential has of a kind."""
        key = (kind, credential)
        drawer = self._drawers.get(key)
        if drawer is None:
            drawer = self._drawers[key] = Drawer(self._things)
            if len(self._drawers) > self._limit:
                self._drawers.popitem(last=False)
        return drawer

    def clear(self) -> None:
        """Keep nothing."""
        self._drawers.clear()
