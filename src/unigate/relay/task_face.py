"""What the use cases of tasks offer to whoever answers callers: http/, and the uses that dialects' operations name."""

from collections.abc import Sequence
from typing import Protocol

from unigate.relay.call import Call
from unigate.spec.task import Answered, Draft, Json, Task, TaskState, View
from unigate.store.pages import Page, Slice


class TaskFace(Protocol):
    """`Services.tasks`. A task of another user is as unknown as one that never was. All raise StoreUnavailable."""

    async def submit(self, call: Call, draft: Draft, *, base: str) -> Task:
        """Make a task, and send it where a channel has a place. The call's `idempotency-key` is heeded.

        Raises NoFunds, NoChannel, TooMany (`queue_full`: so many wait already), NotFound (model), UpstreamRefused (the
        provider's own refusal), Conflict (that key was used for something else). Nothing is charged then.
        """
        ...

    async def submit_several(self, call: Call, drafts: Sequence[Draft], *, base: str) -> list[Task]:
        """Make several tasks of one request, in the order of the drafts: none is sent before the money for all is held.

        Raises what `submit` does where money is short, or the first cannot be sent: there is none of them then. One of the
        others that nobody took has `failed`. Their ids follow from the first one's (`-2`, `-3`, ...) where drafts name none.
        """
        ...

    async def resume(self, call: Call, task: Task, body: Json) -> Task:
        """Go on with a paused task; Conflict where it is not paused."""
        ...

    async def get(self, task_id: str, user_id: str) -> Task | None:
        """A task, from our own state."""
        ...

    async def several(self, ids: Sequence[str], user_id: str) -> list[Task]:
        """Those of the tasks that there are, in the order of the ids."""
        ...

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
        """Some of the user's tasks, newest first; filters as in `PageAsked`."""
        ...

    async def cancel(self, task: Task) -> Task:
        """The task as it then stands; Conflict where its provider can't."""
        ...

    async def forget(self, task: Task) -> None:
        """Delete a task that has ended; copies of its files go with the next that have come to their end."""
        ...

    async def wait(self, task_id: str, user_id: str, *, beyond: int, seconds: float) -> Task | None:
        """The task once its version is above `beyond`, or as it is when the time is over."""
        ...

    async def ask(self, call: Call, task: Task, question: str) -> Answered:
        """What the provider says to a question (`TaskApi.asks`) about the task; UpstreamRefused, and what a failure is."""
        ...

    async def called_back(self, task_id: str, secret: str, told: Answered) -> bool:
        """Take a provider's word on a task; False where the secret is not this task's."""
        ...

    def secrets(self, user_id: str) -> Sequence[str]:
        """By which what we gave this user may be signed, the newest first."""
        ...

    def view(self, call: Call | None, *, base: str, user_id: str) -> View:
        """What a dialect needs to show the user's tasks."""
        ...
