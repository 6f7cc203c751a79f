"""Users' own webhooks when messages go to them: what switches them off, and what becomes of what waits."""

from dataclasses import replace

from hooks_kit import SECRETS, USER, VAULT, delivering, ended, found, letter, put, quick, until_so, webhook
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import receiving
from unigate.base.clock import now_ms
from unigate.store import outbox as rows
from unigate.store import webhooks as webhook_rows
from unigate.store.database import Database
from unigate.store.pages import Page
from unigate.store.webhooks import Webhook
from unigate.tasks.signing import context, new_secret, to_seal

DAY = 86_400_000


async def stands(db: Database, id: str) -> Webhook:
    async with db.reading() as tx:
        return (await webhook_rows.by_ids(tx, [id]))[id]


async def test_its_own_secret_signs(database: Database) -> None:
    secret = new_secret()
    async with receiving() as receiver, delivering(database):
        mine = await webhook(database, receiver.url)
        sealed = VAULT.seal(to_seal(secret), context("hook_own")).encode()
        own = await webhook(database, receiver.url, id="hook_own", secret=sealed)
        ids = await put(database, *(letter(receiver.url, webhook_id=one.id) for one in (mine, own)))
        assert {row.state for row in await ended(database, ids)} == {"delivered"}
    by_id = {got.id: got for got in receiver.got}
    for id, expected in zip(ids, (SECRETS.of_user(USER)[0], secret), strict=True):
        Checker(expected).verify(by_id[id].body, by_id[id].headers)


async def test_gone_switches_it_off_and_ends_what_waits(database: Database) -> None:
    async with receiving(410) as receiver, delivering(database):
        hook = await webhook(database, receiver.url)
        later = letter(receiver.url, webhook_id=hook.id, due_at=now_ms() + DAY)
        ids = await put(database, letter(receiver.url, webhook_id=hook.id), later)
        assert {row.state for row in await ended(database, ids)} == {"failed"}
        assert len(receiver.got) == 1
        after = await stands(database, hook.id)
        assert (after.enabled, after.disabled_because) == (0, "its address answered 410")
        [late] = await ended(database, await put(database, letter(receiver.url, webhook_id=hook.id)))
    assert (late.state, late.tries, len(receiver.got)) == ("failed", 0, 1)


async def test_three_days_of_failures_switch_it_off_and_one_success_forgives_them(database: Database) -> None:
    async with receiving(500, 200, 500) as receiver, delivering(database, quick(tries=(0.0, 3600.0))):
        hook = await webhook(database, receiver.url, failing_since=now_ms() - 2 * DAY)

        async def message(since: int) -> Webhook:
            before = await stands(database, hook.id)
            async with database.writing() as tx:
                await webhook_rows.change(tx, replace(before, failing_since=since))
            count = len(receiver.got)
            [id] = await put(database, letter(receiver.url, webhook_id=hook.id))

            async def noted() -> bool:
                return len(receiver.got) > count and bool((await found(database, id)).tries)

            await until_so(noted)
            return await stands(database, hook.id)

        failing = await message(now_ms() - 2 * DAY)
        assert failing.enabled and failing.failing_since
        assert (await message(failing.failing_since)).failing_since == 0
        again = await message(0)
        assert again.enabled and abs(again.failing_since - now_ms()) < 60_000
        off = await message(now_ms() - 3 * DAY)
        assert off.enabled == 0 and off.disabled_because == "for 3 days it took nothing: it answered 500"
        async with database.reading() as tx:
            page = await rows.page(tx, Page(), state="waiting")
        assert page.rows == []


async def test_a_webhook_that_was_deleted_gets_nothing(database: Database) -> None:
    async with receiving() as receiver, delivering(database):
        hook = await webhook(database, receiver.url)
        async with database.writing() as tx:
            assert await webhook_rows.drop(tx, hook.id) and not await webhook_rows.drop(tx, hook.id)
        [row] = await ended(database, await put(database, letter(receiver.url, webhook_id=hook.id)))
    assert (row.state, receiver.got) == ("failed", [])


async def test_what_waits_follows_a_changed_address(database: Database) -> None:
    async with receiving(500) as old, receiving() as new, delivering(database, quick(tries=(0.0, 3600.0))) as outbox:
        hook = await webhook(database, old.url)
        [id] = await put(database, letter(old.url, webhook_id=hook.id))

        async def tried() -> bool:
            return (await found(database, id)).tries == 1

        await until_so(tried)
        async with database.writing() as tx:
            await rows.readdress(tx, hook.id, new.url, new.url)
            await rows.again(tx, id, now_ms(), url=new.url, host=new.url)
        outbox.poke()
        [row] = await ended(database, [id])
    assert (row.state, [got.id for got in new.got]) == ("delivered", [id])
