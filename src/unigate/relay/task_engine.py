"""What the use cases of tasks share: the services, the shared writes, and what is told of a task beside its row.

Must not do anything by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import structlog

from unigate.base import ids
from unigate.billing.journal import Failpoint, no_failpoint
from unigate.dialects import operations as every_operation
from unigate.relay import task_things
from unigate.relay.services import Services
from unigate.routing.health import CredentialHealth
from unigate.spec.binding import Binding
from unigate.spec.channel import Channel
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential
from unigate.spec.task import Asset, Output, Task, TaskApi
from unigate.store import task_changes
from unigate.store.database import Database, Tx
from unigate.store.tasks import TaskRow
from unigate.tasks.book import Batches, Book
from unigate.tasks.changes import Changes
from unigate.tasks.keeping import Keeping
from unigate.tasks.pace import Rates

log: Any = structlog.get_logger("unigate.tasks")
#: Tasks that one process asks after at a time.
PLACES = 4000
#: Rows of tasks that are only put off, or have gone on a little, in one transaction.
ROWS = 500


class Files(Protocol):
    """What becomes of the files that tasks make."""

    async def add(
        self, tx: Tx, made: Sequence[tuple[Task, Sequence[Output], Channel | None]]
    ) -> Mapping[str, Sequence[Asset]]:
        """Enter the files of tasks that succeed, in the transaction in which they do; what they are, by task."""
        ...

    async def of(self, tx: Tx, task_ids: Sequence[str]) -> Mapping[str, Sequence[Asset]]:
        """The files of tasks, by task."""
        ...

    def added(self) -> None:
        """The transaction is durable."""
        ...


class Notices(Protocol):
    """Who is told of what becomes of tasks."""

    async def add(self, tx: Tx, changes: Sequence[tuple[Task, Task]]) -> None:
        """Enter what is to be said of tasks that end (before, after), in the transaction in which they do."""
        ...

    def added(self) -> None:
        """The transaction is durable."""
        ...

    def progress(self, before: Task, after: Task) -> None:
        """A task has changed and not ended."""
        ...


class NoFiles:
    """Keeps nothing of files."""

    async def add(
        self,
        tx: Tx,  # noqa: ARG002 - as Files has it
        made: Sequence[tuple[Task, Sequence[Output], Channel | None]],  # noqa: ARG002 - as above
    ) -> Mapping[str, Sequence[Asset]]:
        """See Files."""
        return {}

    async def of(self, tx: Tx, task_ids: Sequence[str]) -> Mapping[str, Sequence[Asset]]:  # noqa: ARG002 - as above
        """See Files."""
        return {}

    def added(self) -> None:
        """See Files."""


class NoNotices:
    """Tells nobody."""

    async def add(self, tx: Tx, changes: Sequence[tuple[Task, Task]]) -> None:
        """See Notices."""

    def added(self) -> None:
        """See Notices."""

    def progress(self, before: Task, after: Task) -> None:
        """See Notices."""


class Engine:
    """One process's share of the work on tasks."""

    def __init__(
        self,
        db: Database,
        svc: Services,
        *,
        files: Files | None = None,
        notices: Notices | None = None,
        operations: Sequence[Operation] = (),
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """`operations`: in place of those of the dialects."""
        self.db = db
        self.svc = svc
        self.files: Files = files or NoFiles()
        self.notices: Notices = notices or NoNotices()
        self.failpoint = failpoint
        self.owner = ids.new("eng")
        self.book = Book(db)
        self.changes = Changes(db)
        self.rates = Rates()
        self.claims = Keeping(db, owner=self.owner, lease=lambda: svc.settings.tasks.lease_seconds, places=PLACES)
        #: Tasks with new progress, and tasks that are let go of to be looked at later, as rows for the database.
        self.steps: Batches[dict[str, Any], None] = Batches(db, _progress, together=ROWS)
        self.snoozes: Batches[dict[str, Any], None] = Batches(db, _snooze, together=ROWS)
        self._operations = {operation.name: operation for operation in operations}

    def operation(self, name: str) -> Operation:
        """The operation of that name; LookupError where this version has none."""
        if not self._operations:
            self._operations = {operation.name: operation for operation in every_operation()}
        return self._operations[name]

    def place_of(self, row: TaskRow) -> tuple[Channel, Credential] | None:
        """The channel and the credential that know a task; None where they are gone."""
        health = self.svc.router.health.get(row.task.channel_id)
        if health is None or not health.credentials:
            return None
        known: list[CredentialHealth] = [
            owner for owner in health.credentials if owner.credential.id == row.task.credential_id
        ]
        return health.channel, (known or list(health.credentials))[0].credential

    def api_of(self, channel: Channel, called: str) -> TaskApi | None:
        """How a channel makes tasks of an operation."""
        return channel.provider.tasks.get(called)

    def lease_until(self, now: int, *, sending: bool) -> int:
        """When a lease that begins now ends; where something is sent meanwhile, so much later."""
        settings = self.svc.settings.tasks
        return now + int((settings.lease_seconds + (settings.send_seconds if sending else 0)) * 1000)


def binding_of(task: Task) -> Binding:
    """Where a task is known."""
    return Binding(
        kind="task",
        public_id=task.id,
        upstream_id=task.id,
        channel_id=task.channel_id,
        credential_id=task.credential_id,
        user_id=task.user_id,
        model=task.model,
        created_at=task.created_at,
    )


async def _progress(tx: Tx, rows: Sequence[dict[str, Any]]) -> list[None]:
    rows = sorted(rows, key=lambda row: str(row["of"]))
    for row in rows:
        if "makes" in row:
            await task_things.bind(tx, *row["makes"])
    rows = [{name: value for name, value in row.items() if name != "makes"} for row in rows]
    await task_changes.step(tx, [row for row in rows if "to_state" not in row])
    await task_changes.progress(tx, [row for row in rows if "to_state" in row])
    return [None] * len(rows)


async def _snooze(tx: Tx, rows: Sequence[dict[str, Any]]) -> list[None]:
    await task_changes.snooze(tx, sorted(rows, key=lambda row: str(row["of"])))
    return [None] * len(rows)
