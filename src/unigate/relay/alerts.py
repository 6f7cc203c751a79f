"""What only a serving process sees and accounts are to be told of: channels out of use, refusals, missing prices, backlogs.

Calls only note it in memory; a loop writes it down within a second. A mark in the database says on which side a thing is, so
that of many workers and nodes one tells of it, and once. Must not know who is told, or how.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError
from unigate.billing.periods import held_windows
from unigate.relay.services import Services
from unigate.relay.task_finish import plain
from unigate.routing.health import ChannelHealth, Parking
from unigate.routing.judging import Event
from unigate.spec.caller import Key
from unigate.store import backlog, crossings, ledger, marks, news, processes
from unigate.store.crossings import Refusal
from unigate.store.database import Database, Tx
from unigate.store.marks import Mark
from unigate.store.news import News

log: Any = structlog.get_logger("unigate.relay")
#: Seconds between writing down what was noted, looking at marks of channels, at backlogs, and at keys.
_WRITE, _MARKS, _BACKLOG, _KEYS = 1.0, 10.0, 30.0, 600.0
#: What is noted at most until it is written, and models without a price that are told at most.
_NOTED, _UNPRICED = 1000, 100
_DAY_MS = 86_400_000
#: Days before a key's end at which its owner is told, and the mark's level then.
_EXPIRING = ((1, 2), (7, 1))
#: Marks that nothing asks for any more, as SQL's `LIKE` has it, so many days after they were set: of keys that have expired,
#: of days and of months that are over.
_FORGOTTEN = (("expiring/%", 30), ("budget/%/________", 8), ("budget/%/______", 40))
#: Refusals, and keys, that are written together.
_TOGETHER = 100
#: Milliseconds for which work may be overdue.
_OVERDUE_MS = 300_000
#: Why a channel is told to be back that no call brought back.
_RESTARTED, _BY_HAND = "restarted", "unparked"
#: Characters of a model's name that are told.
_LONGEST = 200


class Alerts:
    """What one worker notes; for its event loop's thread only."""

    def __init__(self, db: Database, svc: Services) -> None:
        self._db = db
        self._svc = svc
        self._events: deque[Event] = deque()
        #: Keys by id, with when a call of theirs was refused last.
        self._refused: dict[str, tuple[Key, int]] = {}
        self._unpriced: set[tuple[str, str]] = set()
        self._looked: dict[str, float] = {}

    def channel(self, event: Event) -> None:
        """A channel or a credential went out of use, or came back; what only waits for its time is no matter."""
        if event.gated and len(self._events) < _NOTED:
            self._events.append(event)

    def refused(self, key: Key) -> None:
        """A call of a key was refused for lack of money."""
        if len(self._refused) < _NOTED or key.id in self._refused:
            self._refused[key.id] = key, now_ms()

    def unpriced(self, operation: str, model: str) -> None:
        """A call was refused since nothing says what it costs."""
        if len(self._unpriced) < _UNPRICED:
            self._unpriced.add((operation, plain(model)[:_LONGEST]))

    async def run(self) -> None:
        """Write and look, until cancelled."""
        while True:
            try:
                await self.write()
                for look, seconds in (
                    (self.look_at_marks, _MARKS),
                    (self.look_at_backlog, _BACKLOG),
                    (self.look_at_keys, _KEYS),
                ):
                    if monotonic() - self._looked.get(look.__name__, -seconds) >= seconds:
                        self._looked[look.__name__] = monotonic()
                        await look()
            except GatewayError as error:
                log.warning("could not write down what is to be told", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not write down what is to be told")
            await asyncio.sleep(_WRITE)

    async def write(self) -> None:
        """Write down what was noted; it stays noted where that fails. StoreUnavailable."""
        refused = sorted(self._refused.values(), key=lambda one: one[0].wallet_id)
        for start in range(0, len(refused), _TOGETHER):
            await self._write_refused(refused[start : start + _TOGETHER])
        events, unpriced = list(self._events), set(self._unpriced)
        if not (events or unpriced):
            return
        async with self._db.writing() as tx:
            found = [one for event in sorted(events, key=_subject) for one in await self._parked(tx, event)]
            await news.add(tx, found + await self._without_price(tx, unpriced))
        for _ in events:
            self._events.popleft()
        self._unpriced -= unpriced

    async def look_at_marks(self) -> None:
        """Take away marks that nobody else will: of what was set right otherwise, or seen by a process that has died."""
        async with self._db.reading() as tx:
            parked, unpriced = await marks.of_kind(tx, "parked"), await marks.of_kind(tx, "unpriced")
            alive = {id for id, _, _ in await processes.living(tx)} if parked else set()
        me, now = self._svc.bank.process_id, now_ms()
        over = [mark for mark in parked if (mark.by == me or mark.by not in alive) and self._well(mark, me)]
        priced = [mark for mark in unpriced if self._svc.prices.serves(*_named(mark), now)]
        if not (over or priced):
            return
        async with self._db.writing() as tx:
            for mark in over:
                channel_id, credential_id = _named(mark)
                health = self._svc.router.health.get(channel_id)
                if await marks.cleared(tx, mark.subject) and health is not None and not credential_id:
                    reason = _BY_HAND if mark.by == me else _RESTARTED
                    await news.add(tx, [_channel_news("channel.recovered", health, {"reason": reason}, now)])
            for mark in priced:  # after the others, as they are set
                await marks.cleared(tx, mark.subject)

    async def look_at_backlog(self) -> None:
        """See whether work is left lying. StoreUnavailable."""
        now = now_ms()
        async with self._db.reading() as tx:
            since = await backlog.oldest(tx, now)
        bank = self._svc.bank
        figures = {name: f"{(now - at) // 60_000} min" for name, at in since.items() if now - at > _OVERDUE_MS}
        if not bank.journal.ready or bank.journal.unmoved * 2 > bank.terms.journal_bytes:
            figures["journal"] = f"{bank.journal.unmoved} bytes"
        async with self._db.reading() as tx:
            known = {mark.subject: mark for mark in await marks.of_kind(tx, "backlog")}
        subjects = {"messages": "backlog/messages", "tasks": "backlog/tasks"}
        subjects["journal"] = f"backlog/journal/{bank.node}"
        if not any((name in figures) is not (subject in known) for name, subject in subjects.items()):
            return
        async with self._db.writing() as tx:
            for name, subject in subjects.items():
                if name not in figures:
                    await marks.cleared(tx, subject)
                elif await marks.raised(tx, Mark(subject=subject, by=bank.process_id, at=now)):
                    facts = {"what": name, "figure": figures[name]}
                    await news.add(tx, [news.made("system.backlog", "", facts, now)])

    async def look_at_keys(self) -> None:
        """Tell of keys that will soon have expired. StoreUnavailable."""
        now = now_ms()
        async with self._db.reading() as tx:
            found = await backlog.expiring(tx, now, now + 7 * _DAY_MS)
        due = []
        for key_id, user_id, expires_at, created_at in found:
            for days, level in _EXPIRING:
                if expires_at - now <= days * _DAY_MS < expires_at - created_at:
                    due.append(
                        (Mark(subject=f"expiring/{key_id}/{expires_at}", level=level, at=now), user_id, expires_at)
                    )
                    break
        for start in range(0, len(due), _TOGETHER):
            await self._write_expiring(due[start : start + _TOGETHER], now)
        async with self._db.writing() as tx:
            for pattern, days in _FORGOTTEN:
                await marks.drop_old(tx, pattern, now - days * _DAY_MS)

    async def _write_expiring(self, due: Sequence[tuple[Mark, str, int]], now: int) -> None:
        async with self._db.reading() as tx:
            known = await marks.some(tx, [mark.subject for mark, _, _ in due])
        due = [one for one in due if one[0].subject not in known or known[one[0].subject].level < one[0].level]
        if not due:
            return
        async with self._db.writing() as tx:
            for mark, user_id, expires_at in due:
                if await marks.raised(tx, mark):
                    facts = {"key_id": mark.subject.split("/")[1], "expires_at": expires_at}
                    await news.add(tx, [news.made("key.expiring", user_id, facts, now)])

    async def _write_refused(self, noted: Sequence[tuple[Key, int]]) -> None:
        """Write down refusals, those that were not told yet; wallets are locked for these only."""
        today, refusals = self._svc.bank.today, []
        for key, at in noted:
            windows = tuple(window.id for window in held_windows(key.id, key.budgets, today).values())
            refusals.append(Refusal(wallet_id=key.wallet_id, windows=windows, at=at))
        async with self._db.reading() as tx:
            untold = await crossings.untold(tx, refusals)
        if untold:
            async with self._db.writing() as tx:
                for refusal in untold:
                    if await ledger.lock_wallet(tx, refusal.wallet_id) is not None:
                        await crossings.refused(tx, refusal)
        for one in noted:
            if self._refused.get(one[0].id) is one:
                del self._refused[one[0].id]

    async def _parked(self, tx: Tx, event: Event) -> list[News]:
        """What is to be told of a channel's event, once for all workers."""
        now = now_ms()
        subject = _subject(event)
        facts: dict[str, object] = {"reason": event.reason}
        health = self._svc.router.health.get(event.channel.id)
        if event.credential and health is not None:
            facts["last4"] = _last4(health, event.credential)
        if event.kind.endswith(".recovered"):
            told = await marks.cleared(tx, subject) and not event.credential
        else:
            told = await marks.raised(tx, Mark(subject=subject, by=self._svc.bank.process_id, at=now))
        named = {"channel": event.channel.name, "channel_id": event.channel.id}
        return [news.made(event.kind, "", {**named, **facts}, now)] if told else []

    async def _without_price(self, tx: Tx, some: set[tuple[str, str]]) -> list[News]:
        found: list[News] = []
        room = _UNPRICED - len(await marks.of_kind(tx, "unpriced")) if some else 0
        for operation, model in sorted(some)[: max(room, 0)]:
            if await marks.raised(tx, Mark(subject=f"unpriced/{operation}/{model}", at=now_ms())):
                facts = {"model": model or operation, "operation": operation}
                found.append(news.made("price.missing", "", facts, now_ms()))
        return found

    def _well(self, mark: Mark, me: str) -> bool:
        """Whether what a mark says is parked works here, as far as this process knows; so does what is no more."""
        channel_id, credential_id = _named(mark)
        health = self._svc.router.health.get(channel_id)
        if health is None:
            return True
        parking: Parking = health
        if credential_id:
            owners = [one for one in health.credentials if one.credential.id == credential_id]
            if not owners:
                return True
            parking = owners[0]
        waits = any(event.channel.id == channel_id for event in self._events)
        seen = mark.by == me or (health.failures == 0 and health.good >= 1)
        return not parking.parked and seen and not waits


def _subject(event: Event) -> str:
    """What bears the mark of a channel or a credential that is parked."""
    return f"parked/{event.channel.id}" + (f"/{event.credential}" if event.credential else "")


def _named(mark: Mark) -> tuple[str, str]:
    """The two names in a mark's subject, the second "" where there is none."""
    first, _, second = mark.subject.partition("/")[2].partition("/")
    return first, second


def _channel_news(event: str, health: ChannelHealth, facts: Mapping[str, object], at: int) -> News:
    channel = health.channel
    return news.made(event, "", {"channel": channel.name, "channel_id": channel.id, **facts}, at)


def _last4(health: ChannelHealth, credential_id: str) -> str:
    """The last characters of a credential; "" of a short one."""
    for one in health.credentials:
        if one.credential.id == credential_id:
            secret = one.credential.secret
            return secret[-4:] if len(secret) >= 12 else ""
    return ""
