"""Outbox: delivers messages to callers' addresses, at least once, over a day of pauses; and notices of progress, once.

Messages are rows, written in the transaction that has something to tell, and taken by lease: nodes share the work, and what
a killed one was sending is sent again, with the same id. One host that is slow or gone keeps nobody else waiting.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import structlog

from unigate.base import ids
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError
from unigate.base.live_settings import MailSettings, NotifySettings
from unigate.spec.task import Task, View
from unigate.store import news
from unigate.store import notifications as target_rows
from unigate.store import outbox as rows
from unigate.store import webhooks as webhook_rows
from unigate.store.database import Database, Tx
from unigate.store.notifications import TARGET, Target
from unigate.store.outbox import Delivery, OutboxRow
from unigate.store.webhooks import Webhook
from unigate.tasks import notices as told
from unigate.tasks.account_events import OFF
from unigate.tasks.account_post import MAILTO, Post
from unigate.tasks.addresses import check_address
from unigate.tasks.notices import notices
from unigate.tasks.progress import ProgressNotices
from unigate.tasks.sending import Letter, Outcome, send
from unigate.tasks.signing import Secrets
from unigate.upstream import Client

__all__ = ["OneByOne", "Outbox", "Writes", "check_address", "lasts", "notices"]

log: Any = structlog.get_logger("unigate.tasks")
T = TypeVar("T")
#: Whose a message is, beside its row.
Receiver = Webhook | Target
#: Seconds between looking for what is due, deleting what is old, and tries to write down how a message fared.
_LOOK, _HOUSE, _AGAIN = 1.0, 60.0, 0.5
#: And after a claim, so that what falls due meanwhile is taken together.
_REST = 0.05
#: One user has at most one part in so many of what is sent at once.
_SHARE = 4
#: Rows that one transaction deletes.
_TOGETHER = 500
_DAY_MS = 86_400_000
#: From this answer on a mail server speaks of the receiver (RFC 5321, 4.2.3).
_NO_MAILBOX = 550


class Writes(Protocol):
    """Runs work in a transaction, perhaps together with the work of others."""

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What the work gives, once it is durable; StoreUnavailable."""
        ...


class OneByOne:
    """Each piece of work in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """What the work gives, once it is durable."""
        async with self._db.writing() as tx:
            return await work(tx)


class Outbox:
    """The deliveries of one process. Made and run in one event loop."""

    def __init__(
        self,
        db: Database,
        client: Client,
        secrets: Secrets,
        settings: Callable[[], NotifySettings],
        *,
        writes: Writes | None = None,
        owner: str = "",
        dialects: told.Dialects = told.spoken,
        mail: Callable[[], MailSettings] = MailSettings,
    ) -> None:
        """`client` had better be one of its own (`sending.LIMITS`); `owner` names this process, and no other, ever."""
        self._post = Post(client=client, unseal=secrets.unseal, notify=settings, mail=mail)
        self._db = db
        self._client = client
        self._secrets = secrets
        self._settings = settings
        self._writes: Writes = writes or OneByOne(db)
        self.dialects = dialects
        self._owner = owner or ids.new("out")
        self._draw = random.Random().uniform  # noqa: S311 - spreads load, guards nothing
        #: Messages on their way, by host and by user: neither keeps others waiting.
        self._busy: Counter[str] = Counter()
        self._users: Counter[str] = Counter()
        self._poked = asyncio.Event()
        self._stopping = False
        self._group: asyncio.TaskGroup | None = None
        self._progress = ProgressNotices(self._tell, lambda: (settings().at_once, settings().per_host))
        self._house_at = 0.0

    async def run(self) -> None:
        """Deliver until `stop`, and then what is on its way."""
        try:
            async with asyncio.TaskGroup() as self._group:
                while not self._stopping:
                    self._poked.clear()
                    wait = await self._look(self._group)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._poked.wait()
        finally:
            self._group = None

    def stop(self) -> None:
        """Take nothing more; `run` ends when what is on its way has ended."""
        self._stopping = True
        self._progress.stop()
        self.poke()

    def poke(self) -> None:
        """Look now: something is due."""
        self._poked.set()

    def progress(self, before: Task | None, after: Task, view: View) -> None:
        """Tell the callback of a task of a change that is not its end: once, in order, or not at all."""
        if self._group is None or self._stopping:
            return
        if after.ended:
            self._progress.drop(after.id)
        else:
            self._progress.add(told.callbacks(before, after, view, dialects=self.dialects), self._group)

    async def _look(self, group: asyncio.TaskGroup) -> float:
        """Take what is due; seconds until the next look."""
        try:
            wait = await self._take(group)
            await self._keep_house()
        except GatewayError as error:
            log.warning("could not look for messages", error=error.code, detail=error.detail)
        except Exception:
            log.exception("could not look for messages")
        else:
            return wait
        return _LOOK

    async def _take(self, group: asyncio.TaskGroup) -> float:
        """Take what is due and begin to deliver it; seconds until there may be more that can be taken."""
        terms = self._settings()
        most = terms.at_once - self._busy.total()
        if most <= 0 or self._stopping:
            return _LOOK
        async with self._db.reading() as tx:
            due = await rows.QUEUE.next_due(tx)
        now = now_ms()
        if due is None or due > now:
            return _LOOK if due is None else min((due - now) / 1000, _LOOK)
        full = {host for host, count in self._busy.items() if count >= terms.per_host}
        share = max(terms.at_once // _SHARE, 1)
        enough = {user for user, count in self._users.items() if count >= share}
        until = now + round(terms.lease_seconds * 1000)

        async def claim(tx: Tx) -> tuple[list[OutboxRow], dict[str, Receiver]]:
            taken = await rows.claim(
                tx, self._owner, now=now, until=until, most=most, without=full, without_users=enough
            )
            return taken, await receivers(tx, {row.webhook_id for row in taken if row.webhook_id})

        taken, known = await self._writes.write(claim)
        left = []
        for row in taken:
            if self._busy[row.host] >= terms.per_host or self._users[row.user_id] >= share:
                left.append(row.id)
            else:
                self._busy[row.host] += 1
                self._users[row.user_id] += 1
                group.create_task(self._deliver(row, known.get(row.webhook_id)))
        if left:
            await self._writes.write(lambda tx: rows.QUEUE.give_back(tx, self._owner, left, now=now))
        return 0 if left or len(taken) == most else _LOOK if full or enough else min(_LOOK, _REST)

    async def _deliver(self, row: OutboxRow, receiver: Receiver | None) -> None:
        """Send a message, and write down how that went."""
        try:
            if row.webhook_id and (receiver is None or not receiver.enabled):
                await self._noted(row, None)
                return
            terms = self._settings()
            if row.task_id:
                await self._progress.over(row.task_id, terms.seconds)
            outcome = await self._send(row, receiver)
            await self._noted(row, outcome)
        except Exception:
            log.exception("a message could not be delivered", message=row.id)
        finally:
            for busy, name in ((self._busy, row.host), (self._users, row.user_id)):
                busy[name] -= 1
                if busy[name] <= 0:
                    del busy[name]
            self.poke()

    async def _tell(self, row: OutboxRow) -> None:
        outcome = await self._send(row, None, may_repeat=False)
        if not outcome.ok:
            log.info("a notice of progress was not taken", task=row.task_id, error=outcome.error)

    async def _send(self, row: OutboxRow, receiver: Receiver | None, *, may_repeat: bool = True) -> Outcome:
        if receiver is None and row.url.startswith(MAILTO):  # to an account itself, whatever its targets are
            receiver = Target("", row.user_id, 0, "email", "")
        if isinstance(receiver, Target):
            return await self._post.send(row, receiver)
        terms = self._settings()
        secrets: tuple[str, ...] = ()
        if row.signed and receiver is not None:
            secrets = self._secrets.of_webhook(receiver.id, receiver.user_id, receiver.secret, now_ms())
        elif row.signed:
            secrets = self._secrets.of_user(row.user_id)
        letter = Letter(id=row.id, url=row.url, headers=told.headers_of(row), body=row.body, secrets=secrets)
        return await send(
            self._client,
            letter,
            seconds=terms.seconds,
            allow_private=terms.allow_private_targets,
            may_repeat=may_repeat,
        )

    async def _noted(self, row: OutboxRow, outcome: Outcome | None) -> None:
        """Write down how a message fared; again and again while the database is away, as long as it is ours."""
        at = now_ms()
        while True:
            try:
                await self._writes.write(lambda tx: self._note(tx, row, outcome, at))
                return
            except GatewayError as error:
                log.warning("could not note a delivery", message=row.id, error=error.code, detail=error.detail)
                if now_ms() >= row.lease_until:
                    return
                await asyncio.sleep(_AGAIN)

    async def _note(self, tx: Tx, row: OutboxRow, outcome: Outcome | None, at: int) -> None:
        """`outcome` None: there is no webhook any more that it could go to."""
        terms = self._settings()
        if outcome is None:
            await rows.note(tx, replace(row, state="failed", ended_at=at))
            return
        await rows.note(tx, self._after(row, outcome, at, terms), tried(row, outcome, at))
        if not row.webhook_id:
            return
        known = target_rows if row.webhook_id.startswith(TARGET) else webhook_rows
        if outcome.ok:
            await known.worked(tx, row.webhook_id)
            return
        if row.url.startswith(MAILTO) and outcome.status < _NO_MAILBOX:
            return  # our own mail server's matter, not the receiver's
        why = "its address answered 410"
        off = outcome.gone and await known.switch_off(tx, row.webhook_id, why)
        if not off:
            days = f"{terms.failing_days:g}"
            since, why = at - round(terms.failing_days * _DAY_MS), f"for {days} days it took nothing: {outcome.error}"
            off = await known.failed(tx, row.webhook_id, at, since=since, why=why)
        if off:
            await rows.end_of_webhook(tx, row.webhook_id, at)
            if known is target_rows:
                facts = {"target_id": row.webhook_id, "address": row.url, "why": why}
                await news.add(tx, [news.made(OFF, row.user_id, facts, at)])
            log.warning("a webhook was switched off", webhook=row.webhook_id, user=row.user_id, error=outcome.error)

    def _after(self, row: OutboxRow, outcome: Outcome, at: int, terms: NotifySettings) -> OutboxRow:
        """A message after a try."""
        count = row.tries + 1
        if outcome.ok:
            return replace(row, state="delivered", tries=count, ended_at=at)
        if outcome.gone or count >= len(terms.tries):
            return replace(row, state="failed", tries=count, ended_at=at)
        pause = terms.tries[count] * (1 + self._draw(-terms.jitter, terms.jitter))
        return replace(row, tries=count, due_at=at + round(pause * 1000))

    async def _keep_house(self) -> None:
        """Now and then delete what is older than it is kept, in portions."""
        if monotonic() < self._house_at:
            return
        self._house_at = monotonic() + _HOUSE
        before = now_ms() - round(self._settings().kept_days * _DAY_MS)
        dropped = _TOGETHER
        while dropped >= _TOGETHER and not self._stopping:
            dropped = await self._writes.write(lambda tx: rows.drop_old(tx, before, _TOGETHER))


async def receivers(tx: Tx, ids: Collection[str]) -> dict[str, Receiver]:
    """Webhooks and targets by id, of those that exist."""
    ours = {id for id in ids if id.startswith(TARGET)}
    found: dict[str, Receiver] = {**await webhook_rows.by_ids(tx, set(ids) - ours)}
    return found | (await target_rows.by_ids(tx, ours))


def lasts(terms: NotifySettings) -> int:
    """Seconds from when a message is made until its last try has ended, at most, where a worker is there to send it."""
    pauses = sum(terms.tries) * (1 + terms.jitter)
    return math.ceil(pauses + len(terms.tries) * (terms.seconds + _LOOK) + terms.lease_seconds)


def tried(row: OutboxRow, outcome: Outcome, at: int) -> Delivery:
    """The row of one try."""
    return Delivery(
        id=ids.new("dlv"),
        message_id=row.id,
        user_id=row.user_id,
        at=at,
        status=outcome.status,
        error=outcome.error,
        ms=outcome.ms,
        answer=outcome.answer,
    )
