"""Tasks in memory, for tests of how callers are answered: what the engine does is the engine's to show."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import Conflict
from unigate.relay.call import Call
from unigate.spec.task import Answered, Asset, Draft, Json, Task, TaskState, View
from unigate.store.pages import Page, Slice

SECRET = "secret-of-callbacks"


@dataclass
class Seen:
    """A `View`."""

    base: str
    now: int = 0
    key_options: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)

    def link(self, asset: Asset) -> str:
        return f"{self.base}/files/{asset.id}"

    def secret(self, user_id: str) -> str:
        return f"whsec_{user_id}"


class Memory:
    """A `TaskFace` over a dictionary."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.drafts: list[tuple[Call, Draft]] = []
        self.resumed: list[Json] = []
        self.told: list[Answered] = []
        self.filters: list[dict[str, object]] = []
        self.waiting = 0
        self._changed = asyncio.Event()

    def put(self, task: Task) -> Task:
        """A task as it is from now on."""
        self.tasks[task.id] = task
        self._changed.set()
        self._changed = asyncio.Event()
        return task

    def change(self, task_id: str, **fields: object) -> Task:
        """Change a task; its version rises."""
        before = self.tasks[task_id]
        return self.put(replace(before, version=before.version + 1, **fields))  # type: ignore[arg-type]

    async def submit(self, call: Call, draft: Draft, *, base: str) -> Task:
        self.drafts.append((call, draft))
        return self.put(
            Task(
                id=draft.task_id or ids.new("task"),
                called=call.operation.name,
                operation=draft.operation,
                dialect=call.operation.dialect,
                user_id=call.key.user_id,
                key_id=call.key.id,
                model=draft.model,
                state="running",
                input=draft.input,
                parent_id=draft.parent_id,
                conditions=draft.conditions,
                base=base,
                request_id=call.id,
                created_at=now_ms(),
                version=1,
            )
        )

    async def submit_several(self, call: Call, drafts: Sequence[Draft], *, base: str) -> list[Task]:
        return [await self.submit(call, draft, base=base) for draft in drafts]

    async def resume(self, call: Call, task: Task, body: Json) -> Task:
        self.resumed.append(body)
        return self.change(task.id, state="running")

    async def get(self, task_id: str, user_id: str) -> Task | None:
        found = self.tasks.get(task_id)
        return found if found is not None and found.user_id == user_id else None

    async def several(self, ids: Sequence[str], user_id: str) -> list[Task]:
        return [task for one in ids if (task := await self.get(one, user_id)) is not None]

    async def page(
        self,
        page: Page,
        user_id: str,
        *,
        key_id: str | None = None,
        called: str | None = None,
        operation: str | None = None,
        dialect: str | None = None,
        model: str | None = None,
        states: Sequence[TaskState] = (),
        queued: bool | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Slice[Task]:
        self.filters.append({"key_id": key_id, "operation": operation, "states": tuple(states), "since": since})
        found = sorted((task.id for task in self.tasks.values() if task.user_id == user_id), reverse=True)
        if page.after is not None:
            found = [one for one in found if one < str(page.after[0])]
        rows = [self.tasks[one] for one in found[: page.limit]]
        return Slice(rows=rows, next=(rows[-1].id,) if len(found) > page.limit else None)

    async def cancel(self, task: Task) -> Task:
        if task.state == "running":
            raise Conflict("This task cannot be canceled.")
        return self.change(task.id, state="canceled")

    async def wait(self, task_id: str, user_id: str, *, beyond: int, seconds: float) -> Task | None:
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                while (found := await self.get(task_id, user_id)) is not None and found.version <= beyond:
                    await self._changed.wait()
        except TimeoutError:
            return await self.get(task_id, user_id)
        finally:
            self.waiting -= 1
        return found

    async def ask(self, call: Call, task: Task, question: str) -> Answered:
        return Answered(status=200, body=question.encode())

    async def called_back(self, task_id: str, secret: str, told: Answered) -> bool:
        if task_id not in self.tasks or secret != SECRET:
            return False
        self.told.append(told)
        return True

    def view(self, call: Call | None, *, base: str, user_id: str) -> View:
        return Seen(base)
