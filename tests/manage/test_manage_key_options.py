"""Options of keys: from the file and the forms to the key that calls are made with."""

import pytest

from unigate.access.keys import Keys
from unigate.base.config_reader import ConfigError, Reader
from unigate.base.errors import BadRequest
from unigate.base.settings import Config
from unigate.manage import groups, keys, users
from unigate.manage.apply import apply
from unigate.manage.desk import Desk
from unigate.manage.keys import KeyForm
from unigate.providers import catalogue
from unigate.store.database import Database

SECRET = "a secret of thirty-two characters"


@pytest.fixture
async def desk(database: Database) -> Desk:
    return Desk(db=database, secret=SECRET, providers=catalogue())


def config(options: str) -> Config:
    text = f"""
groups: [{{name: vip}}]
users: [{{name: alice, group: vip}}]
keys: [{{name: app, user: alice, secret: sk-app-0123456789, options: {options}}}]
"""
    read: Config = Reader("unigate.yaml", {}).parse(text.encode(), Config)
    return read


async def known(desk: Desk) -> object:
    """What calls that are made with the key know of its options."""
    key = await Keys(desk.db, SECRET).load(b"sk-app-0123456789")
    assert key is not None
    return key.options


async def test_a_file_says_all_of_them(desk: Desk) -> None:
    await apply(desk, config("{midjourney_mode: relax, midjourney_numeric_ids: true}"))
    assert await known(desk) == {"midjourney_mode": "relax", "midjourney_numeric_ids": True}
    await apply(desk, config("{midjourney_numeric_ids: false}"))
    assert await known(desk) == {"midjourney_numeric_ids": False}
    assert (await keys.show_key(desk, "app")).options == {"midjourney_numeric_ids": False}
    assert not (await apply(desk, config("{midjourney_numeric_ids: false}"))).updated


async def test_a_form_changes_those_that_it_names(desk: Desk) -> None:
    await groups.create_group(desk, "vip")
    await users.create_user(desk, "alice", group="vip")
    made, _ = await keys.create_key(desk, "alice", "app", secret="sk-app-0123456789")
    assert made.options == {}
    await keys.set_key(desk, "app", KeyForm(options={"midjourney_mode": "turbo", "midjourney_numeric_ids": True}))
    await keys.set_key(desk, "app", KeyForm(options={"midjourney_mode": None}))
    assert await known(desk) == {"midjourney_numeric_ids": True}


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"midjourney_speed": "fast"}, "There is no option 'midjourney_speed'"),
        ({"midjourney_speed": None}, "There is no option 'midjourney_speed'"),
        ({"at": {}}, "There is no option 'at'"),
        ({"midjourney_mode": "slow"}, "Invalid enum value 'slow'"),
        ({"midjourney_numeric_ids": "yes"}, "Expected `bool | null`, got `str`"),
    ],
)
async def test_a_bad_one_is_named(desk: Desk, options: dict[str, object], what: str) -> None:
    await groups.create_group(desk, "vip")
    await users.create_user(desk, "alice", group="vip")
    with pytest.raises(BadRequest, match=what.replace("|", r"\|")):
        await keys.create_key(desk, "alice", "app", KeyForm(options=options))
    assert await keys.list_keys(desk) == []


@pytest.mark.parametrize("options", ["{midjourney_speed: fast}", "{midjourney_mode: slow}", "[fast]"])
def test_a_bad_one_in_the_file(options: str) -> None:
    with pytest.raises(ConfigError, match=r"unigate.yaml:4:\d+"):
        config(options)
