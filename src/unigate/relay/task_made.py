"""A task about to be made, as its submitters have it. Must not write anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from unigate.base import ids
from unigate.dialects import task_dialect
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_uses import submission
from unigate.routing.choice import Candidate
from unigate.spec.task import Draft, Json
from unigate.store.idempotency import Token
from unigate.store.tasks import TaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A task about to be made: its row, where it may go, and what it goes on from."""

    row: TaskRow
    candidates: Sequence[Candidate]
    parent: Json | None
    token: Token | None
    #: How many may wait for a place.
    room: int
    #: It goes to one channel alone.
    pinned: bool
    #: Its dialect names it to a caller for whom there was no room.
    shows_full: bool


def new_id(call: Call, svc: Services, draft: Draft) -> str:
    """Another id, where the one that a draft had is taken: its dialect knows in which shape."""
    if not draft.task_id:
        return ids.new("task")
    return task_dialect(call.operation.dialect).read_task(submission(call, svc)).task_id or ids.new("task")
