"""The herald: takes news and writes the messages by which accounts are told of them, in one transaction.

So each is told by one process, whole or not at all. The outbox delivers what is written. Must not know why something is news.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import msgspec
import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.base.live_settings import LiveSettings
from unigate.store import news as news_rows
from unigate.store import notifications as rows
from unigate.store import outbox
from unigate.store.database import Database, Tx
from unigate.store.names import names
from unigate.store.news import News
from unigate.store.notifications import Account, Preferences, Target
from unigate.store.outbox import OutboxRow
from unigate.tasks import notices
from unigate.tasks.account_events import EVENTS, OFF, limited_with, wants
from unigate.tasks.account_forms import Happened, body
from unigate.tasks.account_post import MAILTO, address_of, host_of
from unigate.tasks.account_words import Language, said

log: Any = structlog.get_logger("unigate.tasks")
#: News that one transaction tells, users whom it tells of one that is for all who ask, and seconds between looking for some.
_TOGETHER, _AUDIENCE, _LOOK = 50, 200, 1.0
#: In the facts of what is for all who ask: the last user who was told.
_AFTER = "_after"
_JSON = ((b"content-type", b"application/json"),)
_EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    """One event for one account."""

    event: str
    user_id: str
    facts: Mapping[str, Any]
    at: int


class Herald:
    """The herald of one process."""

    def __init__(self, db: Database, settings: Callable[[], LiveSettings], told: Callable[[], None]) -> None:
        """`told`: there are new messages."""
        self._db = db
        self._settings = settings
        self._told = told
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """Look now: there is news."""
        self._poked.set()

    async def run(self) -> None:
        """Tell what there is, until cancelled."""
        while True:
            self._poked.clear()
            try:
                while await self.tell() == _TOGETHER:
                    pass
            except GatewayError as error:
                log.warning("could not tell accounts", error=error.code, detail=error.detail)
            except Exception:
                log.exception("could not tell accounts")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._poked.wait()

    async def tell(self) -> int:
        """Tell some news; how many there were. StoreUnavailable."""
        async with self._db.reading() as tx:
            if not await news_rows.waits(tx):
                return 0
        async with self._db.writing() as tx:
            taken = await news_rows.take(tx, _TOGETHER)
            found = await self._messages(tx, taken)
            await outbox.add(tx, found)
        if found:
            self._told()
        return len(taken)

    async def _messages(self, tx: Tx, taken: Sequence[News]) -> list[OutboxRow]:
        """What is to be sent of these; who is told is locked until it is."""
        telling = [one for item in taken for one in await self._whom(tx, item)]
        accounts = await rows.accounts(tx, {one.user_id for one in telling})
        keys = await names(tx, "key", (one.facts["key_id"] for one in telling if "key_id" in one.facts))
        minds: dict[str, tuple[Preferences, list[Target]]] = {}
        for user_id in sorted(accounts):
            if (mind := await self._mind(tx, accounts[user_id])) is not None:
                minds[user_id] = mind
        found: list[OutboxRow] = []
        for one in telling:
            account = accounts.get(one.user_id)
            if account is None:
                continue
            preferences, targets = minds.get(one.user_id, (Preferences(one.user_id), []))
            if "key_id" in one.facts:
                one = replace(one, facts={**one.facts, "key": keys.get(one.facts["key_id"], "")})  # noqa: PLW2901
            if one.event == OFF:
                found += self._switched_off(one, account, preferences)
                continue
            for target in targets:
                address = self._reached(one, account, target)
                if address and not await self._full(tx, one, target, found):
                    found += self._written(one, address, preferences, target)
        return found

    async def _whom(self, tx: Tx, item: News) -> list[_Telling]:
        """Whom an event is told, and as which."""
        facts = item.facts
        event = EVENTS.get(item.event)
        if item.user_id:
            found = [(item.event, item.user_id)]
            if item.event == "balance.low":
                facts["user_id"] = item.user_id
                facts["user"] = (await names(tx, "user", [item.user_id])).get(item.user_id, "")
                found += [("user.balance_low", id) for id in await rows.operators(tx)]
        else:
            operators, after = await rows.operators(tx), facts.pop(_AFTER, "")
            users = [] if after else operators
            if event is not None and "user" in event.roles:
                asking = await rows.wanting(tx, item.event, after=after, most=_AUDIENCE)
                users = sorted({*users, *(set(asking) - set(operators))})
                if len(asking) == _AUDIENCE:  # the others hear of it by a transaction of their own
                    rest = news_rows.made(item.event, "", {**facts, _AFTER: asking[-1]}, item.at)
                    await news_rows.add(tx, [rest])
            found = [(item.event, id) for id in users]
        return [_Telling(event=event, user_id=user_id, facts=facts, at=item.at) for event, user_id in found]

    async def _mind(self, tx: Tx, account: Account) -> tuple[Preferences, list[Target]] | None:
        """What an account wants, locked; somebody who has said nothing yet wants mails, where there can be any."""
        found = await rows.of_user(tx, account.id, lock=True)
        if found is None:
            if not (account.email and self._settings().mail.usable):
                return None
            found = await rows.begun(tx, account.id, now_ms())
        return found, [target for target in await rows.targets_of(tx, account.id) if target.enabled]

    async def _full(self, tx: Tx, one: _Telling, target: Target, found: Sequence[OutboxRow]) -> bool:
        """Whether a target has had enough of a kind of event for now."""
        alike = limited_with(one.event)
        if not alike:
            return False
        terms = self._settings().notify
        since = now_ms() - round(terms.window_minutes * 60_000)
        had = await outbox.count(tx, target.user_id, target.id, alike, since)
        now = sum(row.webhook_id == target.id and row.event in alike for row in found)
        return had + now >= terms.max_per_type

    def _reached(self, one: _Telling, account: Account, target: Target) -> str:
        """Where a target hears of it; "" where it does not want to, or can't be reached."""
        asked = msgspec.json.decode(target.events, type=list[str])
        mute = target.kind == _EMAIL and not self._settings().mail.usable
        return address_of(target, account.email) if wants(one.event, account.role, asked) and not mute else ""

    def _written(self, one: _Telling, address: str, preferences: Preferences, target: Target) -> list[OutboxRow]:
        """The message to a target; none where that can't be written."""
        try:
            return [message(target, address, self.happened(one.event, one.facts, one.at, preferences))]
        except Exception:
            log.exception("an event could not be written", event_name=one.event, user=one.user_id)
            return []

    def _switched_off(self, one: _Telling, account: Account, preferences: Preferences) -> list[OutboxRow]:
        """A target was switched off: a mail to the account, whatever its targets are."""
        if not (account.email and self._settings().mail.usable) or one.facts["address"] == MAILTO + account.email:
            return []
        target = Target("", account.id, 0, _EMAIL, "")
        return [message(target, MAILTO + account.email, self.happened(OFF, one.facts, one.at, preferences))]

    def happened(self, event: str, facts: Mapping[str, Any], at: int, preferences: Preferences) -> Happened:
        """An event in an account's words."""
        settings = self._settings()
        return in_words(event, facts, at, preferences, settings)


def in_words(
    event: str, facts: Mapping[str, Any], at: int, preferences: Preferences, settings: LiveSettings
) -> Happened:
    """An event in an account's words; `facts` with names beside ids."""
    language = cast(Language, preferences.language or settings.notify.language)
    link = settings.notify.topup_url or settings.public_url
    task = facts.get("task", "")
    return Happened(event=event, at=at, said=said(event, facts, language), language=language, link=link, task=str(task))


def message(target: Target, address: str, happened: Happened) -> OutboxRow:
    """A message to a target, due at once."""
    webhook = target.kind == "webhook"
    row = notices.message(
        user_id=target.user_id,
        webhook_id=target.id,
        form=target.format if webhook else target.kind,
        event=happened.event,
        url=address,
        headers=_JSON if webhook else (),
        signed=webhook and target.format == "standard",
        body=body(target, happened),
    )
    return replace(row, host=host_of(address))
