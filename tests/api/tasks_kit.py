"""A gateway with its engine and users with tasks, for tests of how callers are answered."""

from pathlib import Path
from typing import Any

import httpx
from api_kit import SECRET as GATEWAY
from api_kit import Api
from sqlalchemy import update

from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.spec.task import Task
from unigate.store import assets, tasks
from unigate.store.assets import AssetRow
from unigate.store.task_tables import tasks as table
from unigate.store.tasks import TaskRow

PATH = "/v1/tasks"
NOW = 1_790_000_000_000
SECRET = "secret-of-callbacks"


def with_tasks(api: Api, folder: Path) -> TaskParts:
    """Give a gateway its engine, which looks after nothing by itself: what becomes of a task is the test's to say."""
    services = api.worker.services
    places = TaskPlaces(data=folder, storage="file:///assets", keep=True, secret=GATEWAY)
    return TaskParts(api.desk.db, services, services.upstreams.client, places)


class Owner:
    """A user with a key, and their tasks."""

    def __init__(self, api: Api, user_id: str, secret: str) -> None:
        self.api, self.user_id = api, user_id
        self.db = api.desk.db
        self.http = api.client(authorization=f"Bearer {secret}")
        self._made = 0

    async def task(self, task_id: str = "task_1", *, outputs: tuple[AssetRow, ...] = (), **more: Any) -> Task:
        """A task as some process left it."""
        told: dict[str, Any] = {
            "called": "suno.generate",
            "operation": "suno.song",
            "dialect": "suno",
            "user_id": self.user_id,
            "key_id": "key_1",
            "model": "chirp",
            "state": "running",
            "version": 1,
            "created_at": NOW,
            **more,
        }
        task = Task(id=task_id, **told)
        self._made += 1
        row = TaskRow(
            task=task,
            number=task.created_at * 1000 + self._made,
            group_name="default",
            units={},
            upstream_model="",
            body=b"",
            secret=SECRET,
            hold_id="",
            quote={},
            attempts="",
            due_at=1 << 50,
        )
        async with self.db.writing() as tx:
            assert await tasks.add(tx, row)
            await assets.add(tx, outputs)
        return task

    async def change(self, task_id: str, **columns: object) -> None:
        """What another process makes of a task; its version rises."""
        changed = {**columns, "version": table.c.version + 1}
        async with self.db.writing() as tx:
            await tx.run(update(table).where(table.c.id == task_id).values(changed))

    async def row(self, task_id: str = "task_1") -> TaskRow:
        """A task as it stands."""
        async with self.db.reading() as tx:
            found = await tasks.find(tx, task_id)
        assert found is not None
        return found


def file(id: str, place: int = 0, **more: Any) -> AssetRow:
    """A file of `task_1` that is yet to be copied."""
    told: dict[str, Any] = {
        "kind": "file",
        "media_type": "",
        "source": "http://v.example/1",
        "user_id": "usr_1",
        **more,
    }
    return AssetRow(id=id, task_id="task_1", private=False, place=place, state="waiting", due_at=1 << 50, **told)


async def owner(api: Api, name: str = "alice", **more: Any) -> Owner:
    user_id = await api.user(name)
    return Owner(api, user_id, await api.key(user_id, "relay", **more))


def watching(api: Api) -> int:
    """Streams of events that are open."""
    return len(api.worker.services.watchers)


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]
