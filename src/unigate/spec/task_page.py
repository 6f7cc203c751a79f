"""Which tasks of a list are asked for, as a dialect reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from unigate.spec.task import TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsked:
    """A page of a user's tasks, newest first: at most `limit` behind `cursor`. None or empty: whatever it is."""

    limit: int = 50
    #: As `next_page` of the page before gave it; "": from the beginning.
    cursor: str = ""
    key_id: str | None = None
    #: Names of operations: the one that was called, and as which it is priced.
    called: str | None = None
    operation: str | None = None
    dialect: str | None = None
    model: str | None = None
    states: Sequence[TaskState] = ()
    #: Of tasks that run: whether the provider says that they have not begun.
    queued: bool | None = None
    #: Milliseconds since 1970 between which it was made: `since` itself belongs to it, `until` does not.
    since: int | None = None
    until: int | None = None
