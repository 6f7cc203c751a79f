"""Files of tasks as the engine sees them: rows that are made with a task's success, and copied beside it."""

from collections.abc import Callable, Mapping, Sequence

from unigate.base.clock import now_ms
from unigate.base.live_settings import AssetSettings
from unigate.spec.channel import Channel
from unigate.spec.task import Asset, Output, Task
from unigate.store import assets
from unigate.store.database import Tx
from unigate.tasks.assets import asset_rows
from unigate.tasks.copying import Copier


class TaskFiles:
    """Fulfils `task_engine.Files`."""

    def __init__(
        self, copier: Copier, settings: Callable[[], AssetSettings], *, keep: bool, allow_private: bool
    ) -> None:
        """`keep`: files are copied to our storage; `allow_private`: channels may lie at private addresses."""
        self._copier = copier
        self._settings = settings
        self._keep = keep
        self._allow_private = allow_private

    async def add(
        self, tx: Tx, made: Sequence[tuple[Task, Sequence[Output], Channel | None]]
    ) -> Mapping[str, Sequence[Asset]]:
        """See Files."""
        now, settings = now_ms(), self._settings()
        rows = {
            task.id: asset_rows(
                task.id,
                task.user_id,
                outputs,
                keep=self._keep,
                private=self._allow_private,
                settings=settings,
                now=now,
            )
            for task, outputs, _ in made
        }
        await assets.add(tx, [row for some in rows.values() for row in some])
        return {task_id: [row.asset for row in some] for task_id, some in rows.items()}

    async def of(self, tx: Tx, task_ids: Sequence[str]) -> Mapping[str, Sequence[Asset]]:
        """See Files."""
        return await assets.of_tasks(tx, task_ids)

    def added(self) -> None:
        """See Files."""
        self._copier.poke()
