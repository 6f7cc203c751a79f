"""What billing writes beside a task's hold: the task's row, and the token of its request.

Must not know what a hold is.
"""

from collections.abc import Callable, Sequence

from unigate.base.clock import now_ms
from unigate.relay import task_things
from unigate.store import idempotency, tasks
from unigate.store.database import Tx
from unigate.store.idempotency import Token
from unigate.store.tasks import TaskRow


class TaskEntry:
    """A task's row and token, as billing writes them beside the hold."""

    #: One hold for it.
    parts: Sequence[tuple[str, int]] = ()

    def __init__(self, row: TaskRow, token: Token | None, now: int, ends_at: int, orphaned: Callable[[], None]) -> None:
        self.row = row
        self._token = token
        self._now = now
        self._ends_at = ends_at
        self.orphaned = orphaned

    async def enter(self, tx: Tx) -> bool:
        """See Entry."""
        row, token = self.row, self._token
        if token is not None and not await idempotency.add(
            tx, token, row.task.id, now=self._now, ends_at=self._ends_at
        ):
            return False
        if await tasks.add(tx, row):
            await task_things.allot(tx, row.task)
            return True
        if token is not None:
            await idempotency.drop(tx, token)
        return False

    async def entered(self, tx: Tx) -> bool:
        """See Entry."""
        found = await tasks.find(tx, self.row.task.id)
        return found is not None and found.task.request_id == self.row.task.request_id

    async def taken(self, tx: Tx) -> bool:
        """See Entry."""
        token = self._token
        return token is not None and not token.renews and await idempotency.find(tx, token, now=self._now) is not None


def under_way(row: TaskRow) -> bool:
    """Whether a task is being sent right now, for all that its row says."""
    return row.task.state in {"waiting", "submitting"} and bool(row.owner) and row.lease_until > now_ms()
