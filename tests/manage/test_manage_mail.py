"""The setting for mails: its password is sealed where it is kept, shown to nobody, and survives a change of the secret."""

import pytest

from unigate.base.config_reader import ConfigError, Reader
from unigate.base.errors import BadRequest
from unigate.base.settings import Config
from unigate.manage import audit, live
from unigate.manage.apply import apply
from unigate.manage.desk import Desk, check_secret
from unigate.manage.load import load_settings
from unigate.manage.secret import reseal
from unigate.store import settings_rows
from unigate.store.database import Database
from unigate.store.pages import Page
from unigate.tasks.account_post import MAIL_CONTEXT

MAIL = {"host": "smtp.example.com", "from_address": "no-reply@example.com", "username": "u", "password": "open sesame"}
FILE = 'settings: {mail: {host: smtp.example.com, from_address: a@example.com, password: "$SMTP"}}'


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret="one secret")


async def password(desk: Desk) -> str:
    """What is kept, opened."""
    kept = (await load_settings(desk.db)).mail.password
    return desk.vault.open(kept, MAIL_CONTEXT) if kept else ""


async def kept(desk: Desk) -> str:
    async with desk.db.reading() as tx:
        row = await settings_rows.setting(tx, "mail")
    assert row is not None
    return row.value


async def test_a_password_is_sealed_and_hidden(desk: Desk) -> None:
    view = await live.set_setting(desk, "mail", MAIL)
    assert view.value["password"] == "***" and view.value["host"] == "smtp.example.com"
    assert "sesame" not in await kept(desk) and await password(desk) == "open sesame"
    assert (await live.show_setting(desk, "mail")).value["password"] == "***"
    assert next(one for one in await live.list_settings(desk) if one.name == "mail").value["password"] == "***"
    await live.set_setting(desk, "mail", {**MAIL, "password": "***", "port": 587, "starttls": True})
    assert await password(desk) == "open sesame"
    await live.set_setting(desk, "mail", {**MAIL, "password": "another"})
    assert await password(desk) == "another"
    await live.set_setting(desk, "mail", {**MAIL, "password": ""})
    assert await password(desk) == ""
    log = (await audit.list_audit(desk, Page())).rows
    assert [row.changes.get("password") for row in log] == [["***", "***"], ["***", "***"], None, [None, "***"]]
    assert "sesame" not in str(log) and "another" not in str(log)


async def test_the_files_password_comes_from_the_environment_and_changes_nothing_twice(desk: Desk) -> None:
    def config(word: str) -> Config:
        read: Config = Reader("f", {"SMTP": word}).parse(FILE.encode(), Config)
        return read

    assert (await apply(desk, config("w1"))).changed
    before = await kept(desk)
    assert not (await apply(desk, config("w1"))).changed and await kept(desk) == before
    assert "w1" not in before and await password(desk) == "w1"
    assert (await apply(desk, config("w2"))).changed and await password(desk) == "w2"


async def test_it_is_sealed_anew_with_another_secret(database: Database) -> None:
    old = Desk(db=database, secret="one secret")
    await check_secret(old)
    await live.set_setting(old, "mail", MAIL)
    await reseal(Desk(db=database, secret="two secret", others=("one secret",)))
    assert await password(Desk(db=database, secret="two secret")) == "open sesame"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "a b"),
        ("port", 0),
        ("from_address", "nobody"),
        ("from_name", "a\r\nBcc: b"),
        ("from_name", "a\n"),
        ("from_name", "a\u2028b"),
        ("from_name", "a\x85b"),
        ("tls", "maybe"),
    ],
)
async def test_what_no_server_can_be_is_refused(desk: Desk, name: str, value: object) -> None:
    with pytest.raises(BadRequest):
        await live.set_setting(desk, "mail", {**MAIL, name: value})


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", "0.5"), ('"1.250"', "1.25"), ("0", "0"), ("2000000", None), ("-1", None), ("much", None)],
)
async def test_an_amount_of_the_file_is_exact(desk: Desk, text: str, value: str | None) -> None:
    source = f"settings: {{notify: {{low_balance_usd: {text}}}}}".encode()
    if value is None:
        with pytest.raises(ConfigError, match="amount of USD"):
            Reader("f", {}).parse(source, Config)
        return
    await apply(desk, Reader("f", {}).parse(source, Config))
    assert (await load_settings(desk.db)).notify.low_balance_usd == value
