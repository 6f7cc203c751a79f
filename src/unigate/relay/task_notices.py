"""What becomes of tasks, told to callers: the engine's word to the outbox, within the transaction that ends a task."""

from collections.abc import Callable, Sequence

from unigate.spec.task import Task, View
from unigate.store import news, notifications, webhooks
from unigate.store import outbox as rows
from unigate.store.database import Tx
from unigate.tasks.notices import notices, task_news
from unigate.tasks.outbox import Outbox


class TaskNotices:
    """Fulfils what the engine asks of whoever tells of tasks."""

    def __init__(self, outbox: Outbox, view: Callable[[Task], View]) -> None:
        """`view`: what a dialect needs to show a task to its own caller, who is not calling now."""
        self._outbox = outbox
        self._view = view

    async def add(self, tx: Tx, changes: Sequence[tuple[Task, Task]]) -> None:
        """Enter what is to be said of tasks that end (before, after), in the transaction in which they do."""
        found, happened = [], []
        minds = await notifications.of_users(tx, {after.user_id for _, after in changes})
        for user_id in sorted({after.user_id for _, after in changes}):
            hooks = await webhooks.of_user(tx, user_id)
            mind = minds.get(user_id)
            for before, after in changes:
                if after.user_id == user_id and (hooks or after.notify is not None):
                    found += notices(before, after, self._view(after), hooks, dialects=self._outbox.dialects)
                if after.user_id == user_id and mind is not None and mind.wanted:
                    happened += task_news(after, self._view(after), mind.wanted, dialects=self._outbox.dialects)
        await rows.add(tx, found)
        await news.add(tx, happened)

    def added(self) -> None:
        """The transaction is durable."""
        self._outbox.poke()

    def progress(self, before: Task, after: Task) -> None:
        """A task has changed and not ended."""
        if after.notify is not None:
            self._outbox.progress(before, after, self._view(after))
