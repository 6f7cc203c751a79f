"""Who is told of what, in which form, how often, and what becomes of it: heralds and outboxes over real HTTP and SMTP."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

from hooks_kit import quick, until_so
from notify_kit import account, desk, happen, mail_server, mail_settings, settings, telling, wants
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import Got, receiving
from support.waiting import until
from unigate.manage import live
from unigate.manage.notification_forms import TargetForm
from unigate.manage.users import UserChanges, set_user
from unigate.store import news, outbox
from unigate.store import notifications as rows
from unigate.store.database import Database, Tx
from unigate.store.notifications import Target
from unigate.store.outbox import OutboxRow
from unigate.store.pages import Page
from unigate.tasks.account_forms import signature
from unigate.tasks.herald import Herald

PARKED = {"channel": "main", "channel_id": "chn_1", "reason": "unreachable"}
LOW = {"balance": 420_000_000, "threshold": 1_000_000_000}


def hook(url: str, **more: object) -> TargetForm:
    return TargetForm(kind="webhook", url=url, **more)  # type: ignore[arg-type]


async def messages(db: Database) -> list[OutboxRow]:
    async with db.reading() as tx:
        return (await outbox.page(tx, Page(limit=200))).rows


async def stands(db: Database, id: str) -> Target:
    async with db.reading() as tx:
        return (await rows.by_ids(tx, [id]))[id]


async def test_all_targets_are_told_each_in_its_form(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    async with receiving() as receiver, mail_server() as box:
        _, made = await wants(
            database,
            user,
            hook(f"{receiver.url}/standard", headers={"X-Team": "blue"}),
            hook(f"{receiver.url}/newapi", format="newapi", secret="s3"),
            TargetForm(kind="bark", url=f"{receiver.url}/key/{{{{title}}}}/{{{{content}}}}"),
            TargetForm(kind="gotify", url=f"{receiver.url}/push", token="tok", priority=9),
            TargetForm(kind="email"),
        )
        terms = settings(mail=mail_settings(box), public_url="https://relay.example")
        async with telling(database, terms):
            await happen(database, "balance.low", user, **LOW)
            await until(lambda: len(receiver.got) == 4 and len(box.mails) == 1, seconds=60)
            await until_so(lambda: all_in(database, "delivered"), seconds=60)
    got = {one.target.split("?")[0].split("/")[1]: one for one in receiver.got}
    [secret] = made.values()
    standard = got["standard"]
    Checker(secret).verify(standard.body, standard.headers)
    assert standard.json["type"] == "balance.low" and standard.headers["x-team"] == "blue"
    assert standard.json["data"]["balance_usd"] == "0.42"
    newapi = got["newapi"]
    assert newapi.headers["x-webhook-signature"].encode() == signature("s3", newapi.body)[0][1]
    assert newapi.json["type"] == "quota_exceed" and newapi.json["values"][2:] == ["https://relay.example"] * 2
    assert "authorization" not in newapi.headers and "webhook-id" not in newapi.headers
    bark = got["key"]
    assert (bark.method, bark.target, bark.body) == ("GET", "/key/Your%20balance%20is%20low/%240.42%20left.", b"")
    gotify = got["push"]
    assert gotify.target == "/push/message?token=tok"
    assert gotify.json == {"title": "Your balance is low", "message": "$0.42 left.", "priority": 9}
    [(envelope, mail)] = box.mails
    assert envelope.rcpt_tos == ["alice@example.com"] and mail["Subject"] == "Your balance is low"
    assert mail.get_content().strip() == "$0.42 left. Top up: https://relay.example"


async def test_who_has_said_nothing_gets_mails_where_there_can_be_any(database: Database) -> None:
    user, silent = await account(database), await account(database, "bob", email=None)
    async with mail_server() as box:
        async with telling(database, settings()):
            await happen(database, "topup.done", user, amount=5_000_000_000)
            await until_so(lambda: told_all(database), seconds=60)
        assert await messages(database) == []
        async with database.reading() as tx:
            assert await rows.of_user(tx, user) is None
        async with telling(database, settings(quick(language="zh"), mail_settings(box))):
            for id in (user, silent, "usr_of_nobody"):
                await happen(database, "topup.done", id, amount=5_000_000_000)
            await happen(database, "task.failed", user, task_id="task_1", operation="o", task="{}")
            await until(lambda: len(box.mails) == 1, seconds=60)
            await until_so(lambda: told_all(database), seconds=60)
    assert [row.url for row in await messages(database)] == ["mailto:alice@example.com"]
    assert box.mails[0][1]["Subject"] == "充值成功"


async def test_operators_are_told_of_the_house_and_users_only_of_what_they_asked_for(database: Database) -> None:
    await set_private(database)
    people = {name: await account(database, name, role) for name, role in ROLES.items()}
    async with receiving() as receiver:
        for name, id in people.items():
            await wants(database, id, hook(f"{receiver.url}/{name}"))
        asked = ("price.changed", "task.failed")
        await wants(database, people["carol"], hook(f"{receiver.url}/carol", events=asked))
        await wants(database, people["oscar"], hook(f"{receiver.url}/oscar", events=("user.balance_low",)))
        await set_user(desk(database), "gone", UserChanges(enabled=False))
        async with telling(database, settings()):
            await happen(database, "channel.parked", "", **PARKED)
            await happen(database, "price.changed", "", prices=[PRICE], count=1)
            await happen(database, "balance.low", people["alice"], **LOW)
            await until_so(lambda: told_all(database), seconds=60)
            await until_so(lambda: all_in(database, "delivered"), seconds=60)
    told = sorted((one.target, one.json["type"]) for one in receiver.got)
    assert told == [
        ("/alice", "balance.low"),
        ("/carol", "price.changed"),
        ("/olga", "channel.parked"),
        ("/olga", "price.changed"),
        ("/oscar", "user.balance_low"),
    ]
    [about] = [one.json["data"] for one in receiver.got if one.target == "/oscar"]
    assert (about["user"], about["balance_usd"]) == ("alice", "0.42")


ROLES = {"alice": "user", "carol": "user", "olga": "operator", "oscar": "owner", "gone": "operator"}
PRICE = {"title": "gpt-4o", "old": "input 1", "new": "input 2", "at": 1_739_950_503_000}


async def test_two_of_one_type_are_enough_for_ten_minutes(database: Database) -> None:
    await set_private(database)
    user = await account(database, "olga", "operator")
    async with receiving() as receiver:
        await wants(database, user, hook(f"{receiver.url}/a"), hook(f"{receiver.url}/b"))
        async with telling(database, settings()):
            for _ in range(3):
                await happen(database, "channel.parked", "", **PARKED)
            await happen(database, "channel.recovered", "", **PARKED)
            await until_so(lambda: told_all(database), seconds=60)
            await happen(database, "credential.parked", "", **PARKED, last4="abcd")
            for _ in range(4):
                await happen(database, "system.backlog", "", what="tasks", figure="6 min")
            await until_so(lambda: told_all(database), seconds=60)
            await until_so(lambda: all_in(database, "delivered"), seconds=60)
    counts = {(one.target, one.json["type"]) for one in receiver.got}
    assert counts == {(path, kind) for path in ("/a", "/b") for kind in ("channel.parked", "system.backlog")}
    by_kind = [one.json["type"] for one in receiver.got]
    assert (by_kind.count("channel.parked"), by_kind.count("system.backlog")) == (4, 8)


async def test_of_many_heralds_one_tells_each_event_once(database_url: str, opening: Callable[..., Database]) -> None:
    databases = [opening(database_url, wait=60.0, statement=60.0) for _ in range(3)]
    await set_private(databases[0])
    users = [await account(databases[0], name) for name in ("alice", "bob", "carol")]
    for user in users:
        await wants(databases[0], user, hook("http://127.0.0.1:1/"))
    for number in range(60):
        await happen(databases[0], "topup.done", users[number % 3], amount=number + 1)
    terms = settings()
    heralds = [Herald(db, lambda: terms, lambda: None) for db in databases]

    async def tell(herald: Herald) -> None:
        while await herald.tell():
            pass

    await asyncio.gather(*(tell(herald) for herald in heralds))
    written = [json.loads(row.body)["data"]["amount_usd"] for row in await messages(databases[0])]
    assert len(written) == len(set(written)) == 60


async def test_an_outage_of_the_receiver_is_outlasted(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    async with receiving(500, None, 503, 200) as receiver, mail_server() as box:
        await wants(database, user, hook(receiver.url), TargetForm(kind="email", address="other@example.com"))
        box.answers = ["451 later", "550 never heard of", "250 ok"]
        async with telling(database, settings(mail=mail_settings(box))):
            await happen(database, "topup.done", user, amount=1)
            await until_so(lambda: all_in(database, "delivered", 2), seconds=60)
    assert len({got.id for got in receiver.got}) == 1 and len(receiver.got) == 4
    assert [envelope.rcpt_tos for envelope, _ in box.mails] == [["other@example.com"]]
    mine = [row for row in await messages(database) if row.form == "email"]
    async with database.reading() as tx:
        tries = (await outbox.tries(tx, [mine[0].id]))[mine[0].id]
    assert [one.status for one in tries] == [451, 550, 250]


async def test_gone_switches_a_target_off_and_its_owner_is_told_by_mail(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    async with receiving(410) as receiver, mail_server() as box:
        [id], _ = await wants(database, user, hook(receiver.url))
        async with telling(database, settings(mail=mail_settings(box))):
            await happen(database, "topup.done", user, amount=1)
            await until(lambda: len(box.mails) == 1, seconds=60)
            target = await stands(database, id)
            assert (target.enabled, target.disabled_because) == (0, "its address answered 410")
            await happen(database, "topup.done", user, amount=2)
            await until_so(lambda: told_all(database), seconds=60)
    assert len(receiver.got) == 1
    envelope, mail = box.mails[0]
    assert envelope.rcpt_tos == ["alice@example.com"]
    assert f"Nothing is sent to {receiver.url} any more: its address answered 410." in mail.get_content()


async def test_three_days_of_failures_switch_a_target_off(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    async with receiving(500) as receiver:
        [id], _ = await wants(database, user, hook(receiver.url))
        async with telling(database, settings(quick(failing_days=0, tries=(0.0, 3600.0)))):
            await happen(database, "topup.done", user, amount=1)
            await until_so(lambda: off(database, id), seconds=60)
    assert (await stands(database, id)).disabled_because.startswith("for 0 days it took nothing")
    assert [row.state for row in await messages(database)] == ["failed"]


async def test_an_outage_of_the_mail_server_switches_nobody_off(database: Database) -> None:
    user = await account(database)
    async with mail_server() as box:
        [id], _ = await wants(database, user, TargetForm(kind="email"))
        terms = settings(quick(failing_days=0, tries=(0.0,)), mail_settings(box))
        for answer, enabled in (("451 later", 1), ("550 never heard of", 0)):
            box.answers = [answer]
            async with telling(database, terms):
                await happen(database, "topup.done", user, amount=1)
                await until_so(lambda: told_all(database), seconds=60)
                await until_so(lambda: all_in(database, "failed"), seconds=60)
            assert (await stands(database, id)).enabled == enabled


async def test_what_waits_goes_to_the_new_address(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    told: list[Got] = []
    async with receiving(500) as old, receiving() as new:
        [id], _ = await wants(database, user, hook(old.url, format="newapi"))
        async with telling(database, settings(quick(tries=(0.0, *[0.3] * 8)))):
            await happen(database, "topup.done", user, amount=1)
            await until(lambda: bool(old.got), seconds=60)
            await wants(database, user, TargetForm(id=id, kind="webhook", url=new.url, secret="s"))
            await until(lambda: bool(new.got), seconds=60)
            told += new.got
            await until_so(lambda: all_in(database, "delivered"), seconds=60)
    assert told[0].headers["x-webhook-signature"].encode() == signature("s", told[0].body)[0][1]
    assert (await messages(database))[0].url == new.url


async def set_private(db: Database) -> None:
    """The receivers of these tests are on this machine."""
    await live.set_setting(desk(db), "notify", {"allow_private_targets": True})


async def told_all(db: Database) -> bool:
    """No news is left."""
    async with db.reading() as tx:
        return not await news.waits(tx)


async def all_in(db: Database, state: str, count: int = 1) -> bool:
    """All messages, of which there are enough, are in a state."""
    found = await messages(db)
    return len(found) >= count and all(row.state == state for row in found)


async def off(db: Database, id: str) -> bool:
    return not (await stands(db, id)).enabled


async def test_what_cannot_be_opened_any_more_fails_like_all_else(database: Database) -> None:
    await set_private(database)
    user = await account(database)
    async with receiving() as receiver, mail_server() as box:
        [id, _], _ = await wants(database, user, hook(receiver.url), TargetForm(kind="email"))
        async with database.writing() as tx:
            await rows.put_target(tx, replace(await stands_in(tx, id), sealed=b"v1.other.AAAA"))
        terms = settings(quick(tries=(0.0,)), mail_settings(box, username="u", password="v1.other.AAAA"))
        async with telling(database, terms):
            await happen(database, "topup.done", user, amount=1)
            await until_so(lambda: all_in(database, "failed", 2), seconds=60)
    assert receiver.got == [] and box.mails == []


async def stands_in(tx: Tx, id: str) -> Target:
    return (await rows.by_ids(tx, [id]))[id]
