"""Processes that tell accounts and are killed again and again: every event arrives, and is written down once."""

import asyncio
import random
import signal
from pathlib import Path

from hooks_kit import until_so
from notify_kit import account, desk, happen, wants

from support.receiver import receiving
from support.world import start
from unigate.manage import live
from unigate.manage.notification_forms import TargetForm
from unigate.store import outbox
from unigate.store.database import Database
from unigate.store.pages import Page

PROGRAM = Path(__file__).parents[1] / "support" / "herald_process.py"
EVENTS, KILLS = 120, 4


async def test_none_is_lost_and_none_is_written_twice(database: Database, database_url: str, tmp_path: Path) -> None:
    await live.set_setting(desk(database), "notify", {"allow_private_targets": True})
    user = await account(database)

    async def delivered() -> int:
        async with database.reading() as tx:
            return len((await outbox.page(tx, Page(limit=200), state="delivered")).rows)

    async with receiving() as receiver:
        await wants(database, user, TargetForm(kind="webhook", url=receiver.url, format="newapi"))
        for number in range(EVENTS):
            await happen(database, "topup.done", user, amount=(number + 1) * 10_000_000)
        for _ in range(KILLS):
            process = start([database_url, "0.5"], tmp_path / "herald.log", program=PROGRAM)
            await asyncio.sleep(random.uniform(0.01, 0.3))  # it is killed wherever it happens to be
            process.stop(sig=signal.SIGKILL)
        process = start([database_url, "0.5"], tmp_path / "herald.log", program=PROGRAM)

        async def all_delivered() -> bool:
            return await delivered() == EVENTS

        await until_so(all_delivered, seconds=90)
        process.stop(sig=signal.SIGKILL)
    amounts = {got.json["values"][0] for got in receiver.got}
    assert len(amounts) == EVENTS
    async with database.reading() as tx:
        rows = (await outbox.page(tx, Page(limit=200))).rows
    assert len(rows) == len({row.body for row in rows}) == EVENTS
