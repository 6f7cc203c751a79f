"""What workers note of channels, prices, keys and backlogs: told once, however many of them see it, and again after it was well."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from unigate.base.clock import now_ms
from unigate.base.errors import Forbidden
from unigate.billing.bank import Bank
from unigate.billing.prices import Prices
from unigate.manage import keys, users
from unigate.manage.desk import Desk
from unigate.manage.keys import KeyForm
from unigate.relay import alerts
from unigate.relay.alerts import Alerts
from unigate.routing.choice import Router
from unigate.routing.judging import Event
from unigate.spec.caller import Group
from unigate.spec.channel import Channel
from unigate.spec.price import Price, Rate
from unigate.spec.provider import Credential, Provider
from unigate.store import marks as mark_rows
from unigate.store import outbox
from unigate.store.database import Database
from unigate.store.news import News
from unigate.store.notice_tables import marks, news
from unigate.store.tables import keys as key_table
from unigate.tasks.notices import message

DAY = 86_400_000
GROUP = Group(id="grp_1", name="default")
CREDENTIAL = Credential("crd_1", "sk-upstream-wxyz")


@dataclass
class Worker:
    """One worker as its alerts see it."""

    db: Database
    bank: Bank
    router: Router
    prices: Prices = field(default_factory=lambda: Prices(()))
    alerts: Alerts = field(init=False)

    def __post_init__(self) -> None:
        self.alerts = Alerts(self.db, self)  # type: ignore[arg-type] # of the services these are what it asks
        self.prices = Prices((), missing=self.alerts.unpriced)

    def event(self, kind: str, credential: str = "", *, gated: bool = True) -> None:
        channel = self.router.health["chn_1"].channel
        self.alerts.channel(Event(kind=kind, channel=channel, credential=credential, reason="forbidden", gated=gated))


def channel() -> Channel:
    provider = Provider(name="openai", title="OpenAI", base_url="https://api.openai.com/v1")
    return Channel(
        id="chn_1",
        name="main",
        provider=provider,
        base_url="https://a.example",
        credentials=(CREDENTIAL,),
        models={"gpt-9": "gpt-9"},
    )


async def worker(db: Database, folder: Path, name: str = "1") -> Worker:
    """A worker whose process counts as alive."""
    bank = Bank(db, folder / name, f"node_{name}", alarm=lambda _what, _text: None)
    await bank.start()
    router = Router([channel()])
    return Worker(db, bank, router)


async def told(db: Database) -> list[News]:
    async with db.reading() as tx:
        return [News(*row) for row in await tx.all(select(news).order_by(news.c.id))]


async def marked(db: Database) -> list[str]:
    async with db.reading() as tx:
        return [row[0] for row in await tx.all(select(marks.c.subject).order_by(marks.c.subject))]


async def test_many_workers_tell_of_a_channel_once(
    database_url: str, opening: Callable[..., Database], tmp_path: Path
) -> None:
    workers = [await worker(opening(database_url, wait=60.0, statement=60.0), tmp_path, str(n)) for n in range(3)]
    db = workers[0].db
    for turn in range(1, 3):
        for one in workers:
            one.event("channel.parked")
        await asyncio.gather(*(one.alerts.write() for one in workers))
        assert [row.event for row in await told(db)][-1] == "channel.parked"
        for one in workers:
            one.event("channel.recovered")
        await asyncio.gather(*(one.alerts.write() for one in workers))
        assert [row.event for row in await told(db)] == ["channel.parked", "channel.recovered"] * turn
    first = (await told(db))[0]
    assert (first.user_id, first.facts) == ("", {"channel": "main", "channel_id": "chn_1", "reason": "forbidden"})
    for one in workers:
        await one.bank.close()


async def test_a_credential_is_told_with_its_last_characters_and_what_only_waits_is_not(
    database: Database, tmp_path: Path
) -> None:
    one = await worker(database, tmp_path)
    one.event("credential.parked", "crd_1")
    one.event("channel.parked", gated=False)
    await one.alerts.write()
    [row] = await told(database)
    assert (row.event, row.facts["last4"], row.facts["channel"]) == ("credential.parked", "wxyz", "main")
    one.event("credential.recovered", "crd_1")
    await one.alerts.write()
    assert len(await told(database)) == 1 and await marked(database) == []
    await one.bank.close()


async def test_a_dead_workers_mark_is_taken_away_by_one_that_knows_better(
    database_url: str, opening: Callable[..., Database], tmp_path: Path
) -> None:
    db = opening(database_url, wait=60.0, statement=60.0)
    dead, living = await worker(db, tmp_path, "a"), await worker(db, tmp_path, "b")
    dead.event("channel.parked")
    await dead.alerts.write()
    health = living.router.health["chn_1"]
    health.good = 3.0
    await living.alerts.look_at_marks()
    assert await marked(db) == ["parked/chn_1"]  # its owner lives, and knows
    await dead.bank.close()
    health.failures = 1
    await living.alerts.look_at_marks()
    assert len(await told(db)) == 1
    health.failures = 0
    await living.alerts.look_at_marks()
    await living.alerts.look_at_marks()
    assert [row.event for row in await told(db)] == ["channel.parked", "channel.recovered"]
    await living.bank.close()


async def test_what_the_operator_has_set_right_is_told_again_next_time(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)
    health = one.router.health["chn_1"]
    health.park(0.0, 60.0, "failing", gated=True)
    one.event("channel.parked")
    await one.alerts.write()
    await one.alerts.look_at_marks()
    assert await marked(database) == ["parked/chn_1"]
    health.forget(0.0)
    await one.alerts.look_at_marks()
    one.event("channel.parked")
    await one.alerts.write()
    assert [row.event for row in await told(database)] == ["channel.parked", "channel.recovered", "channel.parked"]
    await one.bank.close()


async def test_a_credential_that_was_set_right_is_no_channel_that_came_back(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)
    one.router.health["chn_1"].credentials[0].park(0.0, 60.0, "forbidden", gated=True)
    one.event("credential.parked", "crd_1")
    await one.alerts.write()
    await one.alerts.look_at_marks()
    assert await marked(database) == ["parked/chn_1/crd_1"]
    one.router.health["chn_1"].credentials[0].lift()
    await one.alerts.look_at_marks()
    assert await marked(database) == [] and len(await told(database)) == 1
    await one.bank.close()


async def test_any_name_of_a_model_can_be_written_down(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)
    for name in ("a\0b", "\ud800", "meta/llama/3", "x" * 100_000, ""):
        with suppress(Forbidden):
            one.prices.quote("openai.chat", name, GROUP, now_ms())
    await one.alerts.write()
    assert sorted(len(row.facts["model"]) for row in await told(database)) == [1, 3, 11, 12, 200]
    await one.alerts.look_at_marks()
    assert len(await marked(database)) == 5
    await one.bank.close()


async def test_a_missing_price_is_told_until_there_is_one(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)

    def call() -> None:
        try:
            one.prices.quote("openai.chat", "gpt-9", GROUP, now_ms())
        except Forbidden as error:
            assert error.code == "price_missing"  # noqa: PT017 - it may be served

    for _ in range(3):
        call()
        await one.alerts.write()
    [row] = await told(database)
    assert (row.event, row.facts) == ("price.missing", {"model": "gpt-9", "operation": "openai.chat"})
    await one.alerts.look_at_marks()
    assert await marked(database) == ["unpriced/openai.chat/gpt-9"]
    price = Price(
        id="prc_1", model="gpt-9", operation=None, when={}, rates={"input": Rate(amount=1, per=1)}, starts_at=0
    )
    bare = one.prices
    one.prices = Prices([price])
    await one.alerts.look_at_marks()
    assert await marked(database) == []
    one.prices = bare
    call()
    await one.alerts.write()
    assert len(await told(database)) == 2
    await one.bank.close()


async def test_keys_are_told_of_a_week_and_a_day_before(
    database_url: str, opening: Callable[..., Database], tmp_path: Path
) -> None:
    workers = [await worker(opening(database_url, wait=60.0, statement=60.0), tmp_path, str(n)) for n in range(2)]
    db = workers[0].db
    desk, now = Desk(db=db, secret="s"), now_ms()
    user = (await users.create_user(desk, "alice")).id
    made: dict[str, str] = {}
    for name, days in {"far": 8.0, "week": 6.9, "day": 0.9}.items():
        view, _ = await keys.create_key(desk, "alice", name, KeyForm(expires_at=now + int(days * DAY)))
        made[view.id] = name
    await older(db)
    for _ in range(2):
        await asyncio.gather(*(one.alerts.look_at_keys() for one in workers))
    rows = await told(db)
    assert sorted(made[row.facts["key_id"]] for row in rows) == ["day", "week"]
    assert {(row.event, row.user_id) for row in rows} == {("key.expiring", user)}
    for one in workers:
        await one.bank.close()


async def test_many_keys_are_told_of_in_portions(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_TOGETHER", 2)
    one, desk = await worker(database, tmp_path), Desk(db=database, secret="s")
    await users.create_user(desk, "alice")
    made = [await keys.create_key(desk, "alice", f"k{n}", KeyForm(expires_at=now_ms() + DAY // 2)) for n in range(5)]
    await older(database)
    for _ in range(2):
        await one.alerts.look_at_keys()
    assert sorted(row.facts["key_id"] for row in await told(database)) == sorted(view.id for view, _ in made)
    await one.bank.close()


async def test_marks_of_days_and_months_that_are_over_are_forgotten(database: Database, tmp_path: Path) -> None:
    one, now = await worker(database, tmp_path), now_ms()
    ages = {
        "budget/key_1/20261101": 9,
        "budget/key_1/20261120": 7,
        "budget/key_1/202610": 41,
        "budget/key_1/202611": 31,
        "budget/key_1/0": 400,
        "expiring/key_1/1": 31,
        "low/wal_1": 400,
    }
    async with database.writing() as tx:
        for subject, days in ages.items():
            await mark_rows.put(tx, mark_rows.Mark(subject=subject, at=now - days * DAY))
    await one.alerts.look_at_keys()
    assert await marked(database) == ["budget/key_1/0", "budget/key_1/202611", "budget/key_1/20261120", "low/wal_1"]
    await one.bank.close()


async def older(db: Database) -> None:
    """As if all keys had been made a month ago: one that lives for less than a week is not told of it at once."""
    async with db.writing() as tx:
        await tx.run(update(key_table).values(created_at=key_table.c.created_at - 30 * DAY))


async def test_a_backlog_is_told_once_until_it_is_gone(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)
    late = message(
        user_id="u", form="standard", event="test", url="http://a.example", headers=(), signed=True, body=b""
    )
    async with database.writing() as tx:
        await outbox.add(tx, [replace(late, due_at=now_ms() - 420_000)])
    for _ in range(2):
        await one.alerts.look_at_backlog()
    [row] = await told(database)
    assert (row.event, row.facts) == ("system.backlog", {"what": "messages", "figure": "7 min"})
    async with database.writing() as tx:
        await outbox.again(tx, late.id, now_ms(), url="x", host="")
    await one.alerts.look_at_backlog()
    assert await marked(database) == []
    one.bank.journal.ready = False
    for _ in range(2):
        await one.alerts.look_at_backlog()
    assert [row.facts["what"] for row in await told(database)] == ["messages", "journal"]
    await one.bank.close()


async def test_what_could_not_be_written_stays_noted(database: Database, tmp_path: Path) -> None:
    one = await worker(database, tmp_path)
    one.event("channel.parked")
    real: Any = one.alerts._db
    one.alerts._db = _Away()  # type: ignore[assignment]
    try:
        await one.alerts.write()
    except ConnectionError:
        one.alerts._db = real
    assert await told(database) == []
    await one.alerts.write()
    assert len(await told(database)) == 1
    await one.bank.close()


class _Away:
    def writing(self) -> Any:
        raise ConnectionError
