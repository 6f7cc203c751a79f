"""Changing the secret: nothing that was sealed or known before is lost, and the old secret is no longer needed."""

import asyncio
from pathlib import Path

import pytest

from unigate.access.keys import Keys
from unigate.base.config_reader import Reader
from unigate.base.errors import Conflict
from unigate.base.settings import ChannelEntry, Config, load
from unigate.manage import channels, doctor, keys, users, webhooks
from unigate.manage.apply import apply
from unigate.manage.desk import Desk, OtherSecret, check_secret
from unigate.manage.keys import KeyForm
from unigate.manage.load import load_channels
from unigate.manage.secret import reseal
from unigate.providers import catalogue
from unigate.store import keys as key_rows
from unigate.store import webhooks as webhook_rows
from unigate.store.database import Database

OLD, NEW = "the old secret of this gateway", "the new secret of this gateway"
CHANNEL = """
name: main
provider: openai
credentials: [sk-upstream-one, {secret: sk-two, region: eu}]
models: [gpt-4o]
options: {headers: {x-team: private}}
"""


def desk_with(db: Database, secret: str, *others: str) -> Desk:
    return Desk(db=db, secret=secret, others=others, providers=catalogue())


@pytest.fixture
async def old(database: Database) -> Desk:
    desk = desk_with(database, OLD)
    await check_secret(desk)
    entry: ChannelEntry = Reader("f", {}).parse(CHANNEL.encode(), ChannelEntry)
    await channels.create_channel(desk, entry)
    await users.create_user(desk, "alice")
    return desk


async def opened(desk: Desk) -> tuple[list[str], object]:
    (channel,) = await load_channels(desk.db, desk.vault, desk.providers)
    return [credential.secret for credential in channel.credentials], channel.options["headers"]


EVERYTHING = (["sk-upstream-one", "sk-two"], {"x-team": "private"})


async def test_while_both_are_known_everything_is_open_to_both(old: Desk) -> None:
    new = desk_with(old.db, NEW, OLD)
    await check_secret(new)
    assert await opened(new) == EVERYTHING
    await reseal(new)
    before = desk_with(old.db, OLD, NEW)
    await check_secret(before)
    assert await opened(before) == EVERYTHING


async def test_afterwards_the_old_one_is_not_needed_and_opens_nothing(old: Desk) -> None:
    done = await reseal(desk_with(old.db, NEW, OLD))
    assert (done.credentials, done.options) == (2, 1)
    alone = desk_with(old.db, NEW)
    await check_secret(alone)
    assert await opened(alone) == EVERYTHING
    with pytest.raises(OtherSecret):
        await check_secret(old)
    again = await reseal(alone)
    assert (again.credentials, again.options) == (0, 0)


async def test_webhooks_are_signed_by_their_secret_as_before(old: Desk) -> None:
    form = webhooks.WebhookForm(url="https://example.com/", secret="whsec_" + "A" * 32)
    view, _ = await webhooks.create_webhook(old, "alice", form)
    assert (await reseal(desk_with(old.db, NEW, OLD))).webhooks == 1
    assert (await reseal(desk_with(old.db, NEW))).webhooks == 0
    _, _ = await webhooks.rotate_webhook(desk_with(old.db, NEW), view.id)
    async with old.db.reading() as tx:
        [row] = await webhook_rows.sealed(tx)
    signs = webhooks.secrets_of(desk_with(old.db, NEW)).of_webhook(row.id, row.user_id, row.secret, 0)
    assert len(signs) == 2 and signs[1] == form.secret


async def test_credentials_given_again_are_known_by_either_secret(old: Desk) -> None:
    (before,) = await load_channels(old.db, old.vault, old.providers)
    new = desk_with(old.db, NEW, OLD)
    await channels.set_channel(new, "main", {}, credentials=["sk-upstream-one", {"secret": "sk-two", "region": "eu"}])
    (after,) = await load_channels(new.db, new.vault, new.providers)
    assert [c.id for c in after.credentials] == [c.id for c in before.credentials]


async def test_what_no_known_secret_opens_stops_it_and_changes_nothing(old: Desk) -> None:
    with pytest.raises(Conflict, match="sealed with another secret"):
        await reseal(desk_with(old.db, NEW))
    assert await opened(old) == EVERYTHING


async def test_a_key_is_taken_over_when_it_is_used(old: Desk) -> None:
    view, secret = await keys.create_key(old, "alice", "app", KeyForm())
    _, unused = await keys.create_key(old, "alice", "unused", KeyForm())
    new = desk_with(old.db, NEW, OLD)
    assert (await reseal(new)).keys_left == 2
    both = Keys(new.db, NEW, [OLD])
    found = await asyncio.gather(*(both.load(secret.encode()) for _ in range(5)))
    assert {key.id for key in found if key is not None} == {view.id}
    assert both.find(secret.encode()) is found[0]
    async with new.db.reading() as tx:
        assert await key_rows.count_older(tx, new.vault.id) == 1
    alone = Keys(new.db, NEW)
    taken = await alone.load(secret.encode())
    assert taken is not None and taken.id == view.id
    assert await alone.load(unused.encode()) is None
    assert await Keys(new.db, NEW, [OLD]).load(b"sk-unknown-key") is None


async def test_the_file_brings_its_keys_over_by_itself(old: Desk) -> None:
    config: Config = Reader("f", {}).parse(
        b"users: [{name: bob}]\nkeys: [{name: app, user: bob, secret: sk-of-the-file}]", Config
    )
    await apply(old, config)
    new = desk_with(old.db, NEW, OLD)
    await apply(new, config)
    assert await Keys(new.db, NEW).load(b"sk-of-the-file") is not None


async def test_the_doctor_tells_what_still_needs_the_old_one(old: Desk, tmp_path: Path, database_url: str) -> None:
    await keys.create_key(old, "alice", "app", KeyForm())
    new = desk_with(old.db, NEW, OLD)

    async def told() -> str:
        found = await doctor.examine(new, database_url, tmp_path)
        return " ".join(finding.message for finding in found if finding.about == "secret")

    assert "secret rotate" in await told() and "1 keys" in await told()
    await reseal(new)
    assert "secret rotate" not in await told() and "1 keys" in await told()


def test_other_secrets_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("secret: $NEW\nother_secrets: [$OLD, $NEW]\n")
    variables = {"NEW": NEW, "OLD": OLD, "UNIGATE_OTHER_SECRET": "third"}
    settings = load(file, data=tmp_path, environ=variables)
    assert [other.reveal() for other in settings.others] == [OLD, "third"]
    assert OLD not in repr(settings) and NEW not in repr(settings)
