"""Tasks: what one process does for them, as one thing to start, to stop, and to ask.

The use cases stand in the files beside it: making, sending, following, sending again, ending, single calls.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import StoreUnavailable
from unigate.billing.journal import Failpoint, no_failpoint
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_calls import Caller
from unigate.relay.task_engine import Engine, Files, Notices
from unigate.relay.task_finish import Finisher
from unigate.relay.task_resend import Resender
from unigate.relay.task_send import Sender
from unigate.relay.task_several import SeveralSubmitter
from unigate.relay.task_track import Tracker
from unigate.spec.operation import Operation
from unigate.spec.task import Answered, Asset, Draft, Json, Task, TaskState, View
from unigate.store import assets, idempotency, tasks
from unigate.store.database import Database, Tx
from unigate.store.pages import Page, Slice
from unigate.store.tasks import TaskRow
from unigate.tasks.reads import Reads

log: Any = structlog.get_logger("unigate.tasks")
#: Seconds between two looks for what has been kept long enough, and rows that one transaction deletes.
TIDY = 60.0
TOGETHER = 200
_DAY_MS = 86_400_000
_NOTHING: Json = {}
#: Makes the address at which a file is fetched: (file, scheme and authority, now in ms).
Link = Callable[[Asset, str, int], str]
#: From a user's id to the secrets by which what they were given may be signed, the newest first.
Secrets = Callable[[str], Sequence[str]]


def _source(asset: Asset, _base: str, _now: int) -> str:
    return asset.source


def _no_secret(_user_id: str) -> Sequence[str]:
    return ("",)


@dataclass(slots=True, kw_only=True)
class TaskView:
    """What a dialect needs to show tasks. Fulfils `spec.task.View`."""

    base: str
    now: int
    key_options: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    language: str = ""
    links: Link = _source
    secrets: Secrets = _no_secret

    def link(self, asset: Asset) -> str:
        """See View."""
        return self.links(asset, self.base, self.now)

    def secret(self, user_id: str) -> str:
        """See View."""
        return self.secrets(user_id)[0]


class Tasks:
    """Fulfils `TaskFace`; for one event loop."""

    def __init__(
        self,
        db: Database,
        svc: Services,
        *,
        files: Files | None = None,
        notices: Notices | None = None,
        link: Link = _source,
        secrets: Secrets = _no_secret,
        operations: Sequence[Operation] = (),
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """`operations`: in place of those of the dialects."""
        engine = self.engine = Engine(db, svc, files=files, notices=notices, operations=operations, failpoint=failpoint)
        self._link = link
        self._secrets = secrets
        finisher = self.finisher = Finisher(engine)
        sender = Sender(engine, finisher)
        resender = Resender(engine, sender, finisher)
        others = {"waiting": resender.waiting, "submitting": resender.submitting}
        self._tracker = Tracker(engine, finisher, others)
        self._submitter = SeveralSubmitter(engine, sender, finisher)
        self._caller = Caller(engine, sender, finisher, self._tracker)
        self._reads: Reads[Task] = Reads(db, self._read)
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look after what is due."""
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self.engine.claims.run_together(self._tracker.look)),
            loop.create_task(self._keep_house()),
        ]

    async def stop(self, seconds: float = 10.0) -> None:
        """Claim nothing more, let what is under way end, and give the rest back."""
        began = monotonic()
        await self._submitter.rest(seconds)
        await self.engine.claims.stop(max(seconds - (monotonic() - began), 0.1))
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.engine.changes.close()

    async def submit(self, call: Call, draft: Draft, *, base: str) -> Task:
        """See TaskFace."""
        return await self._shown_one(await self._submitter.submit(call, draft, base=base))

    async def submit_several(self, call: Call, drafts: Sequence[Draft], *, base: str) -> list[Task]:
        """See TaskFace."""
        made = await self._submitter.submit_several(call, drafts, base=base)
        return [await self._shown_one(task) for task in made]

    async def resume(self, call: Call, task: Task, body: Json) -> Task:  # noqa: ARG002 - as TaskFace has it
        """See TaskFace."""
        return await self._caller.resume(task, body)

    async def cancel(self, task: Task) -> Task:
        """See TaskFace."""
        return await self._shown_one(await self._caller.cancel(task))

    async def ask(self, call: Call, task: Task, question: str) -> Answered:
        """See TaskFace."""
        return await self._caller.ask(call, task, question)

    async def called_back(self, task_id: str, secret: str, told: Answered) -> bool:
        """See TaskFace."""
        return await self._caller.called_back(task_id, secret, told)

    async def get(self, task_id: str, user_id: str) -> Task | None:
        """See TaskFace."""
        task = await self._reads.get(task_id)
        return task if task is not None and task.user_id == user_id else None

    async def several(self, ids: Sequence[str], user_id: str) -> list[Task]:
        """See TaskFace."""
        async with self.engine.db.reading() as tx:
            rows = [row for row in await tasks.find_several(tx, ids) if row.task.user_id == user_id]
            found = {task.id: task for task in await self._shown(tx, rows)}
        return [found[one] for one in dict.fromkeys(ids) if one in found]

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
        """See TaskFace."""
        async with self.engine.db.reading() as tx:
            found = await tasks.LISTING.read(
                tx,
                page,
                user_id=user_id,
                key_id=key_id,
                called=called,
                operation=operation,
                dialect=dialect,
                model=model,
                states=list(states) or None,
                queued=None if queued is None else int(queued),
                since=since,
                until=until,
            )
            rows = await self._shown(tx, [tasks.read(row) for row in found.rows])
        return Slice(rows=rows, next=found.next)

    async def forget(self, task: Task) -> None:
        """See TaskFace."""
        now = now_ms()
        async with self.engine.db.writing() as tx:
            if await tasks.drop(tx, task.id, now=now):
                await assets.forget_of_tasks(tx, [task.id])
                await assets.end_of_tasks(tx, [task.id], now=now)
        self.engine.changes.tell(task.id)

    async def wait(self, task_id: str, user_id: str, *, beyond: int, seconds: float) -> Task | None:
        """See TaskFace."""
        until = monotonic() + seconds
        while True:
            task = await self.get(task_id, user_id)
            left = until - monotonic()
            if task is None or task.version > beyond or task.ended or left <= 0:
                return task
            await self.engine.changes.wait(task_id, beyond=beyond, seconds=left)

    def secrets(self, user_id: str) -> Sequence[str]:
        """See TaskFace."""
        return self._secrets(user_id)

    def view(self, call: Call | None, *, base: str, user_id: str) -> View:  # noqa: ARG002 - as TaskFace has it
        """See TaskFace."""
        settings: Json = _NOTHING
        if call is not None:
            section = getattr(self.engine.svc.settings, call.operation.dialect, None)
            settings = _NOTHING if section is None else _plain(section)
        return TaskView(
            base=base,
            now=now_ms(),
            key_options=call.key.options if call is not None else _NOTHING,
            settings=settings,
            language=(call.x.header(b"accept-language") or b"").decode("latin-1") if call is not None else "",
            links=self._link,
            secrets=self._secrets,
        )

    async def tidy(self) -> int:
        """Delete what has been kept long enough; how many tasks. Raises StoreUnavailable."""
        dropped, settings = 0, self.engine.svc.settings.tasks
        now = now_ms()
        ended = now - settings.keep_days * _DAY_MS
        while True:
            some = await self.engine.book.write(lambda tx: _drop(tx, ended, now))
            dropped += some
            if some < TOGETHER:
                return dropped

    async def _shown_one(self, task: Task) -> Task:
        if task.state != "succeeded" or task.outputs:
            return task
        return (await self.get(task.id, task.user_id)) or task

    async def _read(self, tx: Tx, ids: Sequence[str]) -> Mapping[str, Task]:
        rows = await tasks.find_several(tx, ids)
        return {task.id: task for task in await self._shown(tx, rows)}

    async def _shown(self, tx: Tx, rows: Sequence[TaskRow]) -> list[Task]:
        """Tasks with their files, and how many wait before them."""
        made = [row.task.id for row in rows if row.task.state == "succeeded"]
        files: Mapping[str, Sequence[Asset]] = await self.engine.files.of(tx, made) if made else {}
        shown = []
        for row in rows:
            task = row.task
            if task.id in files:
                task = replace(task, outputs=files[task.id])
            elif task.state == "waiting":
                task = replace(task, ahead=await tasks.ahead(tx, row))
            shown.append(task)
        return shown

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(TIDY)
            try:
                if dropped := await self.tidy():
                    log.info("tasks deleted after their term", count=dropped)
            except StoreUnavailable as error:
                log.warning("old tasks could not be deleted", detail=error.detail)
            except Exception:
                log.exception("old tasks could not be deleted")


async def _drop(tx: Tx, ended: int, now: int) -> int:
    tokens = await idempotency.drop_ended(tx, now=now, most=TOGETHER)
    old = await tasks.drop_old(tx, made_before=ended * 1000, ended_before=ended, now=now, most=TOGETHER)
    await assets.forget_of_tasks(tx, old)
    return max(tokens, len(old))


def _plain(section: object) -> Json:
    with suppress(TypeError):
        told = msgspec.to_builtins(section)
        if isinstance(told, dict):
            return told
    return _NOTHING
