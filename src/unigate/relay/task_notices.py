"""Notices of tasks as the engine sees them: written with a task's end, delivered beside it."""

from collections.abc import Callable, Sequence

from unigate.spec.task import Task, View
from unigate.store import outbox as rows
from unigate.store import webhooks
from unigate.store.database import Tx
from unigate.store.webhooks import Webhook
from unigate.tasks.outbox import Outbox, notices


class TaskNotices:
    """Fulfils `task_engine.Notices`."""

    def __init__(self, outbox: Outbox, view: Callable[[Task], View]) -> None:
        """`view`: what a dialect needs to show a task to whoever is told of it."""
        self._outbox = outbox
        self._view = view

    async def add(self, tx: Tx, changes: Sequence[tuple[Task, Task]]) -> None:
        """See Notices."""
        users = sorted({after.user_id for _, after in changes})
        own: dict[str, list[Webhook]] = {user: await webhooks.of_user(tx, user) for user in users}
        made = []
        for before, after in changes:
            made += notices(before, after, self._view(after), own[after.user_id])
        await rows.add(tx, made)

    def added(self) -> None:
        """See Notices."""
        self._outbox.poke()

    def progress(self, before: Task, after: Task) -> None:
        """See Notices."""
        if after.notify is not None:
            self._outbox.progress(before, after, self._view(after))
