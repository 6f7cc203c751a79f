"""The config file, applied to both databases: created once, updated by name, whole or not at all."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unigate.access.keys import Keys
from unigate.access.passwords import verify_password
from unigate.base.config_reader import ConfigError, Reader
from unigate.base.money import NANO
from unigate.base.settings import Config
from unigate.manage import audit, channels, groups, keys, live, prices, users
from unigate.manage.apply import apply
from unigate.manage.desk import FILE as ACTOR
from unigate.manage.desk import Desk, OtherSecret
from unigate.manage.load import load_channels, load_prices, load_settings
from unigate.providers import catalogue
from unigate.store import generations
from unigate.store import users as user_rows
from unigate.store.database import Database
from unigate.store.open import connect, sqlite_path
from unigate.store.pages import Page

SECRET = "a secret that is long enough"
FILE = """
channels:
  - name: main
    provider: openai_compatible
    base_url: http://127.0.0.1:9000/v1
    credentials: [sk-upstream-one, {access_key: public, secret_key: hidden-part}]
    models: {gpt-4o-mini: gpt-4o-mini, fast: gpt-4o-mini}
    groups: [default, vip]
    limits: {concurrency: 64}
    timeouts: {connect: 0.25}
    options: {headers: {x-team: secret-team}, proxy: "http://user:pass@proxy.example:3128"}
prices:
  - {model: gpt-4o-mini, input: 0.15, output: 0.60}
  - {model: fast, per_call: 0.001}
settings: {credits_per_usd: 1000, hold: {output_tokens: 100}}
groups: [{name: vip, multiplier: 0.5}]
users: [{name: alice, email: Alice@example.com, password: correct-horse, group: vip, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789, models: [gpt-*], budget: {total: 50}, limits: {rpm: 60}}]
"""


FILE_ORDER = [
    "group vip", "user alice", "key alice/app", "channel main", "price gpt-4o-mini", "price fast",
    "setting credits_per_usd", "setting hold",
]  # fmt: skip


def config(text: str) -> Config:
    read: Config = Reader("unigate.yaml", {}).parse(text.encode(), Config)
    return read


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret=SECRET, providers=catalogue())


async def numbers(desk: Desk) -> dict[str, int]:
    async with desk.db.reading() as tx:
        return await generations.read(tx)


async def test_a_file_is_brought_about_and_read_back(desk: Desk) -> None:
    before = await numbers(desk)
    done = await apply(desk, config(FILE))
    assert done.created == FILE_ORDER
    after = await numbers(desk)
    assert all(after[kind] == before[kind] + 1 for kind in ("channels", "keys", "prices", "settings"))

    alice = await users.show_user(desk, "alice@EXAMPLE.com")
    assert (alice.name, alice.group, alice.balance, alice.owned_by) == ("alice", "vip", 100 * NANO, "file")
    key = await Keys(desk.db, SECRET).load(b"sk-app-0123456789")
    assert key is not None
    assert (key.user_name, key.group.multiplier, key.models) == ("alice", 500_000, ("gpt-*",))
    assert (dict(key.budgets), key.rpm, key.tpm, set(key.scopes)) == ({"total": 50 * NANO}, 60, 0, {"relay"})
    (channel,) = await load_channels(desk.db, desk.vault, desk.providers)
    assert [(c.secret, dict(c.parts)) for c in channel.credentials] == [
        ("sk-upstream-one", {}),
        ("", {"access_key": "public", "secret_key": "hidden-part"}),
    ]
    assert (channel.timeouts.connect, channel.timeouts.total, channel.concurrency) == (0.25, 600.0, 64)
    assert channel.models == {"gpt-4o-mini": "gpt-4o-mini", "fast": "gpt-4o-mini"}
    assert channel.options["headers"] == {"x-team": "secret-team"}
    assert {price.model: dict(price.rates) for price in await load_prices(desk.db)}.keys() == {"gpt-4o-mini", "fast"}
    settings = await load_settings(desk.db)
    assert (settings.credits_per_usd, settings.hold.output_tokens, settings.allow_unpriced) == (1000, 100, False)


async def test_applied_again_nothing_changes(desk: Desk) -> None:
    await apply(desk, config(FILE))
    before = await numbers(desk)
    done = await apply(desk, config(FILE))
    assert not done.changed, done
    assert await numbers(desk) == before
    assert (await users.show_user(desk, "alice")).balance == 100 * NANO


async def test_what_is_named_is_updated_and_keeps_its_identity(desk: Desk) -> None:
    await apply(desk, config(FILE))
    old_key, old_channel = await keys.show_key(desk, "app"), await channels.show_channel(desk, "main")
    text = FILE.replace("sk-upstream-one", "sk-upstream-two").replace("rpm: 60", "rpm: 30").replace("0.60", "0.70")
    text = text.replace("multiplier: 0.5", "multiplier: 2").replace("correct-horse", "another-horse")
    text = text.replace("total: 50", "day: 1").replace("credit: 100", "credit: 200")
    done = await apply(desk, config(text))
    assert done.created == []
    assert done.updated == ["group vip", "user alice", "key alice/app", "channel main", "price gpt-4o-mini"]

    new_key, new_channel = await keys.show_key(desk, "app"), await channels.show_channel(desk, "main")
    assert (new_key.id, new_key.rpm, new_key.budgets) == (old_key.id, 30, {"day": NANO})
    assert new_channel.id == old_channel.id
    # The credential that stayed is the same row, so that what is bound to it stays bound.
    assert new_channel.credentials[1].id == old_channel.credentials[1].id
    assert new_channel.credentials[0].id != old_channel.credentials[0].id
    assert (await users.show_user(desk, "alice")).balance == 100 * NANO, "credit is granted once"
    async with desk.db.reading() as tx:
        row = await user_rows.user_by_name(tx, "alice")
    assert row is not None and await verify_password(row.password, "another-horse")
    assert not await verify_password(row.password, "correct-horse")


async def test_what_is_no_longer_named_stays_and_is_marked(desk: Desk) -> None:
    await apply(desk, config(FILE))
    done = await apply(desk, config("settings: {hold: {output_tokens: 100}}"))
    assert sorted(done.left, key=FILE_ORDER.index) == FILE_ORDER[:-1]
    assert await Keys(desk.db, SECRET).load(b"sk-app-0123456789") is not None
    assert (await channels.show_channel(desk, "main")).owned_by == "left"
    assert (await load_settings(desk.db)).credits_per_usd == 1000
    await groups.set_group(desk, "vip", 3_000_000)
    done = await apply(desk, config(FILE))
    assert "group vip" in done.updated and done.created == []
    assert [group.multiplier for group in await groups.list_groups(desk)] == [1_000_000, 500_000]


@pytest.mark.parametrize(
    ("extra", "where", "what"),
    [
        ("channels: [{name: a, provider: nope}]", "2:12", "no provider 'nope'"),
        ("channels: [{name: a, provider: openai_compatible}]", "2:12", "needs a base_url"),
        (
            "channels: [{name: a, provider: azure_openai, base_url: 'http://x'}]",
            "2:12",
            "needs the options api_version",
        ),
        ("channels: [{name: a, provider: openai, base_url: 'ftp://x'}]", "2:12", "http"),
        ("channels: [{name: a, provider: openai, groups: [nobody]}]", "2:12", "no group 'nobody'"),
        ("channels: [{name: a, provider: openai, models: ['*x']}]", "2:12", "at its end only"),
        ("channels: [{name: a, provider: openai, credentials: [k, k]}]", "2:12", "twice"),
        ("channels:\n- {name: a, provider: openai}\n- {name: a, provider: openai}", "4:3", "'a' stands here twice"),
        ("users: [{name: bob, group: nobody}]", "2:9", "no group 'nobody'"),
        ("users: [{name: bob, email: bob}]", "2:9", "e-mail"),
        ("users: [{name: bob, password: short}]", "2:9", "characters"),
        ("keys: [{name: k, user: nobody, secret: sk-12345678}]", "2:8", "no user 'nobody'"),
        ("keys: [{name: k, user: kept, secret: sk-kept-key}]", "2:8", "the key kept/kept has the same secret"),
        ("keys: [{name: k, user: kept, secret: 'with space'}]", "2:8", "without spaces"),
        ("keys: [{name: k, user: kept, secret: sk-12345678, scopes: [all]}]", "2:8", "scope"),
        ("prices: [{input: 1}]", "2:10", "names a model"),
        ("prices: [{model: a}]", "2:10", "at least one of"),
        ("prices: [{model: a, per_minute: 1, per_second: 1}]", "2:10", "not both"),
        ("prices: [{model: 'a*b', input: 1}]", "2:10", "at its end only"),
        ("prices:\n- {model: a, input: 1}\n- {model: a, output: 1}", "4:3", "have a price already"),
    ],
)
async def test_a_bad_entry_is_named_and_nothing_is_applied(desk: Desk, extra: str, where: str, what: str) -> None:
    await users.create_user(desk, "kept")
    await keys.create_key(desk, "kept", "kept", secret="sk-kept-key")
    text = f"groups: [{{name: new}}]\n{extra}\n"
    with pytest.raises(ConfigError) as caught:
        await apply(desk, config(text))
    assert str(caught.value).startswith(f"unigate.yaml:{where}: "), str(caught.value)
    assert what in str(caught.value)
    assert [group.name for group in await groups.list_groups(desk)] == ["default"]


async def test_the_file_takes_over_what_is_there_and_nobody_else_changes_it(desk: Desk) -> None:
    await users.create_user(desk, "alice", credit=5 * NANO)
    await apply(desk, config(FILE))
    alice = await users.show_user(desk, "alice")
    assert (alice.balance, alice.group) == (105 * NANO, "vip")
    attempts: list[Any] = [
        users.set_user(desk, "alice", users.UserChanges(enabled=False)),
        groups.set_group(desk, "vip", 1),
        keys.set_key(desk, "app", keys.KeyForm(enabled=False)),
        keys.rotate_key(desk, "app"),
        channels.set_channel(desk, "main", {"enabled": False}),
        live.set_setting(desk, "credits_per_usd", 1),
        prices.withdraw_price(desk, next(p.id for p in await prices.list_prices(desk) if p.model == "fast")),
    ]
    for attempt in attempts:
        with pytest.raises(Exception, match="belongs to the config file"):
            await attempt
    assert (await users.topup(desk, "alice", NANO)).balance == 106 * NANO


async def log(desk: Desk) -> list[str]:
    """What the audit log tells, in the order in which it happened."""
    rows = (await audit.list_audit(desk, Page(limit=100))).rows
    assert {(row.actor_id, row.actor) for row in rows if row.actor == ACTOR.name} == {(ACTOR.id, ACTOR.name)}
    told = [f"{row.actor} {row.action} {row.kind} {row.subject}: {', '.join(row.changes)}" for row in reversed(rows)]
    assert not any(word in repr(rows) for word in ("sk-", "hidden", "secret-team", "user:pass"))
    return told


OFFER = """
channels: [{name: main, provider: openai, credentials: sk-one, models: [a]}]
prices: [{model: a, input: 1}, {model: a, from: 2100-01-01, input: 2}, {model: gone, input: 3}]
settings: {credits_per_usd: 1000}
"""


async def test_every_change_of_the_file_is_in_the_log_and_nothing_else(desk: Desk) -> None:
    await apply(desk, config(OFFER))
    told = await log(desk)
    name = ACTOR.name
    assert [line.partition(":")[0] for line in told] == [
        f"{name} create channel main",
        f"{name} set price a",
        f"{name} set price a",
        f"{name} set price gone",
        f"{name} set setting credits_per_usd",
    ]
    await apply(desk, config(OFFER))
    assert await log(desk) == told
    changed = (
        OFFER.replace("sk-one", "sk-two").replace("input: 1", "input: 4").replace("2100", "2101").replace("1000", "9")
    )
    await apply(desk, config(changed.replace(", {model: gone, input: 3}", "")))
    later = (await log(desk))[len(told) :]
    assert [line for line in later if "price a" not in line] == [
        f"{name} set channel main: credentials",
        f"{name} set price gone: owned_by",
        f"{name} set setting credits_per_usd: value",
    ]
    assert [line for line in later if "price a" in line] == [
        f"{name} set price a: rates, starts",
        f"{name} set price a: model, owned_by, rates, starts, when",
        f"{name} withdraw price a: model, owned_by, rates, starts, when",
    ]
    told += later
    await apply(desk, config("settings: {}"))
    later = (await log(desk))[len(told) :]
    assert later == [
        f"{name} set channel main: owned_by",
        *[f"{name} set price a: owned_by"] * 3,
        f"{name} set setting credits_per_usd: owned_by",
    ]
    told += later
    await apply(desk, config("settings: {}"))
    assert await log(desk) == told
    await live.set_setting(desk, "credits_per_usd", 9)
    await apply(desk, config("settings: {credits_per_usd: 9}\nprices: [{model: gone, input: 3}]"))
    assert (await log(desk))[len(told) + 1 :] == [
        f"{name} set price gone: owned_by",
        f"{name} set setting credits_per_usd: owned_by",
    ]


async def test_a_demo_owns_without_locking(desk: Desk) -> None:
    await apply(desk, config(FILE), owner="demo")
    await channels.set_channel(desk, "main", {"priority": 3})
    assert (await channels.show_channel(desk, "main")).priority == 3


async def test_two_processes_may_apply_it_at_once(database_url: str, opening: Callable[..., Database]) -> None:
    several = [opening(database_url, wait=60.0, statement=60.0) for _ in range(4)]  # each waits for those before it
    desks = [Desk(db=db, secret=SECRET, providers=catalogue()) for db in several]
    done = await asyncio.gather(*(apply(desk, config(FILE)) for desk in desks))
    assert [one.created for one in done if one.created] == [FILE_ORDER]
    # Passwords are hashed before anything is locked, so those who come later keep their own hash of the same one.
    assert {name for one in done for name in one.updated + one.left} <= {"user alice"}
    assert len(await prices.list_prices(desks[0], history=True)) == 2
    assert (await users.show_user(desks[0], "alice")).balance == 100 * NANO
    assert len((await channels.show_channel(desks[0], "main")).credentials) == 2


async def test_another_secret_is_refused(desk: Desk) -> None:
    await apply(desk, config(FILE))
    with pytest.raises(OtherSecret):
        await apply(Desk(db=desk.db, secret="another", providers=desk.providers), config(FILE))


async def test_secrets_are_nowhere_in_the_database(sqlite_url: str, tmp_path: Path) -> None:
    db = connect(sqlite_url)
    await apply(Desk(db=db, secret=SECRET, providers=catalogue()), config(FILE))
    await db.close()
    path = sqlite_path(sqlite_url)
    kept = b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
    assert b"gpt-4o-mini" in kept
    hidden = (b"sk-upstream-one", b"hidden-part", b"secret-team", b"pass@", b"sk-app-0123456789", b"correct-horse")
    assert [secret for secret in hidden if secret in kept] == []
