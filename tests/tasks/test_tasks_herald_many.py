"""Events that very many accounts have asked for: told in portions, each account once."""

import pytest
from notify_kit import account, desk, happen, settings, wants
from sqlalchemy import func, select

from unigate.manage import live
from unigate.manage.notification_forms import TargetForm
from unigate.store.database import Database
from unigate.store.notice_tables import news
from unigate.store.task_tables import outbox
from unigate.tasks import herald
from unigate.tasks.herald import Herald

PRICE = {"title": "gpt-4o", "old": "input 1", "new": "input 2", "at": 1_739_950_503_000}


async def told(db: Database) -> list[str]:
    """Who was sent a message, so often."""
    async with db.reading() as tx:
        return sorted(str(row[0]) for row in await tx.all(select(outbox.c.user_id)))


async def waiting(db: Database) -> int:
    async with db.reading() as tx:
        row = await tx.one(select(func.count()).select_from(news))
    return int(row[0]) if row else 0


async def test_who_has_asked_is_told_once_in_portions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(herald, "_AUDIENCE", 3)
    await live.set_setting(desk(database), "notify", {"allow_private_targets": True})
    names = [f"user{n}" for n in range(6)]
    people = [await account(database, name, "operator" if name == "user4" else "user") for name in names]
    for id in people:
        await wants(database, id, TargetForm(kind="webhook", url="http://127.0.0.1:1/", events=("price.changed",)))
    silent = await account(database, "silent", "operator")
    await wants(database, silent, TargetForm(kind="webhook", url="http://127.0.0.1:1/"))
    await account(database, "bob")
    await happen(database, "price.changed", "", prices=[PRICE], count=1)
    terms = settings()
    telling = Herald(database, lambda: terms, lambda: None)
    steps = []
    while await telling.tell():
        steps.append(len(await told(database)))
    assert await told(database) == sorted([*people, silent]) and await waiting(database) == 0
    assert len(steps) == 3 and steps[-1] == 7 and max(b - a for a, b in zip([0, *steps], steps, strict=False)) <= 5
