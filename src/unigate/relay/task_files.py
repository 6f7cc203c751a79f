"""Files of tasks as the engine sees them: rows that are made with a task's success, and copied beside it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

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
                private=partial(self._private, channel),
                settings=settings,
                now=now,
            )
            for task, outputs, channel in made
        }
        await assets.add(tx, [row for some in rows.values() for row in some])
        return {task_id: [row.asset for row in some] for task_id, some in rows.items()}

    async def of(self, tx: Tx, task_ids: Sequence[str]) -> Mapping[str, Sequence[Asset]]:
        """See Files."""
        return await assets.of_tasks(tx, task_ids)

    def _private(self, channel: Channel | None, url: str) -> bool:
        """A file may lie at a private address at its channel's own host, and at those that its option `file_hosts` names.

        What else a provider names may come from its callers, and leads to public addresses only.
        """
        if not self._allow_private or channel is None:
            return False
        named = channel.options.get("file_hosts")
        return _host(url) in {_host(channel.base_url), *(named if isinstance(named, list) else ())}

    def added(self) -> None:
        """See Files."""
        self._copier.poke()


def _host(url: str) -> str:
    """The host that an address names; "" for one that can't be read."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
