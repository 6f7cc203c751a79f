"""Users, groups, keys and settings, on both databases."""

import pytest

from unigate.access.keys import Digest
from unigate.base.errors import BadRequest, CallerError, Conflict, NotFound
from unigate.base.money import MAX_AMOUNT, NANO
from unigate.manage import groups, keys, live, users
from unigate.manage.desk import Desk
from unigate.manage.keys import KeyForm
from unigate.manage.load import load_settings
from unigate.manage.users import UserChanges
from unigate.store import generations, settings_rows
from unigate.store import keys as key_rows
from unigate.store.database import Database
from unigate.store.settings_rows import SettingRow


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret="s")


async def generation(desk: Desk, kind: str) -> int:
    async with desk.db.reading() as tx:
        return (await generations.read(tx))[kind]


async def test_a_user_has_a_wallet_and_is_found_by_name_id_and_address(desk: Desk) -> None:
    made = await users.create_user(desk, "alice", email="Alice@Example.com", role="owner", credit=3 * NANO)
    assert (made.email, made.balance, made.used, made.in_use) == ("alice@example.com", 3 * NANO, 0, 0)
    for name in ("alice", made.id, "ALICE@example.com"):
        assert (await users.show_user(desk, name)).id == made.id
    assert not made.can_sign_in
    assert (await users.set_user(desk, "alice", UserChanges(password="12345678"))).can_sign_in


async def test_credit_with_an_id_is_given_once(desk: Desk) -> None:
    await users.create_user(desk, "alice")
    for _ in range(3):
        view = await users.topup(desk, "alice", 5, id="topup:payment-1")
    assert view.balance == 5
    with pytest.raises(Conflict):
        await users.topup(desk, "alice", 6, id="topup:payment-1")
    assert (await users.topup(desk, "alice", 6)).balance == 11
    for amount in (0, -1, MAX_AMOUNT + 1):
        with pytest.raises(BadRequest):
            await users.topup(desk, "alice", amount)


async def test_what_is_taken_or_not_there_is_refused_and_nothing_is_left(desk: Desk) -> None:
    await users.create_user(desk, "alice", email="a@x.org")
    refused: list[tuple[type[CallerError], dict[str, str]]] = [
        (Conflict, {"name": "alice"}),
        (Conflict, {"name": "bob", "email": "A@X.org"}),
        (BadRequest, {"name": "bob", "group": "nobody"}),
        (BadRequest, {"name": "bob", "role": "god"}),
        (BadRequest, {"name": "bob", "email": "bob"}),
        (BadRequest, {"name": "bob", "password": "1234567"}),
        (BadRequest, {"name": ""}),
        (BadRequest, {"name": "two\nlines"}),
        (BadRequest, {"name": "x" * 201}),
    ]
    for kind, arguments in refused:
        with pytest.raises(kind):
            await users.create_user(desk, **arguments)  # type: ignore[arg-type]
    assert [user.name for user in await users.list_users(desk)] == ["alice"]
    with pytest.raises(Conflict):
        await groups.create_group(desk, "default")
    with pytest.raises(NotFound):
        await groups.set_group(desk, "nobody", 1)
    await users.create_user(desk, "bob")
    with pytest.raises(Conflict):
        await users.set_user(desk, "bob", UserChanges(email="a@x.org"))


async def test_the_last_owner_stays(desk: Desk) -> None:
    await users.create_user(desk, "alice", role="owner")
    for changes in (UserChanges(enabled=False), UserChanges(role="user")):
        with pytest.raises(Conflict, match="only owner"):
            await users.set_user(desk, "alice", changes)
    await users.create_user(desk, "bob", role="owner")
    assert not (await users.set_user(desk, "alice", UserChanges(enabled=False))).enabled


async def test_changes_of_people_reach_those_who_remember_keys(desk: Desk) -> None:
    await groups.create_group(desk, "team")
    await users.create_user(desk, "alice")
    before = await generation(desk, "keys")
    await users.set_user(desk, "alice", UserChanges(group="team"))
    await groups.set_group(desk, "team", 2_000_000)
    await keys.create_key(desk, "alice", "app")
    await keys.set_key(desk, "app", KeyForm(rpm=1))
    await keys.rotate_key(desk, "app")
    assert await generation(desk, "keys") == before + 5
    with pytest.raises(Conflict):
        await keys.create_key(desk, "alice", "app")
    assert await generation(desk, "keys") == before + 5, "a refused change raises nothing"


async def test_a_key_is_shown_once_and_kept_as_its_hmac(desk: Desk) -> None:
    await users.create_user(desk, "alice")
    view, secret = await keys.create_key(desk, "alice", "app")
    assert secret.startswith("sk-") and len(secret) == 51
    assert (view.scopes, view.models, view.last4) == (["relay"], ["*"], secret[-4:])
    async with desk.db.reading() as tx:
        row, _ = await keys.key_named(tx, "app")
        assert await key_rows.by_digest(tx, Digest("s")(secret.encode())) is not None
    assert secret not in repr(row) and row.digest == Digest("s")(secret.encode())
    with pytest.raises(Conflict):
        await keys.create_key(desk, "alice", "other", secret=secret)


async def test_a_form_changes_what_it_names_and_nothing_else(desk: Desk) -> None:
    await users.create_user(desk, "alice")
    await keys.create_key(
        desk, "alice", "app", KeyForm(models=("gpt-*",), budgets={"day": 1, "total": 5}, rpm=3, expires_at=10_000)
    )
    view = await keys.set_key(desk, "app", KeyForm(addresses=("10.0.0.0/8", "::1"), budgets={"day": None, "month": 7}))
    assert (view.models, view.rpm, view.budgets) == (["gpt-*"], 3, {"month": 7, "total": 5})
    assert (view.addresses, view.expires) == (["10.0.0.0/8", "::1/128"], "1970-01-01T00:00:10+00:00")
    view = await keys.set_key(desk, "app", KeyForm(expires_at=0, enabled=False, user_view=False))
    assert (view.expires, view.enabled, view.user_view) == (None, False, False)


@pytest.mark.parametrize(
    "form",
    [
        KeyForm(models=("a*b*",)),
        KeyForm(models=("",)),
        KeyForm(addresses=("10.0.0.1/8",)),
        KeyForm(scopes=("everything",)),
        KeyForm(budgets={"week": 1}),
        KeyForm(budgets={"day": -1}),
        KeyForm(budgets={"day": MAX_AMOUNT + 1}),
        KeyForm(rpm=-1),
        KeyForm(tpm=10**10),
    ],
)
async def test_a_form_without_sense_is_refused(desk: Desk, form: KeyForm) -> None:
    await users.create_user(desk, "alice")
    with pytest.raises(BadRequest):
        await keys.create_key(desk, "alice", "app", form)
    assert await keys.list_keys(desk) == []


async def test_two_users_may_have_keys_of_one_name(desk: Desk) -> None:
    for user in ("alice", "bob"):
        await users.create_user(desk, user)
        await keys.create_key(desk, user, "app")
    with pytest.raises(Conflict, match="alice/app"):
        await keys.show_key(desk, "app")
    assert (await keys.show_key(desk, "bob/app")).user == "bob"
    assert [key.user for key in await keys.list_keys(desk, "bob")] == ["bob"]
    with pytest.raises(NotFound):
        await keys.show_key(desk, "carol/app")


async def test_settings_are_checked_kept_and_put_back(desk: Desk) -> None:
    before = await generation(desk, "settings")
    assert (await live.set_setting(desk, "hold", {"output_tokens": 10})).value == {"output_tokens": 10}
    await live.set_setting(desk, "operations", {"openai.chat": "off"})
    found = await load_settings(desk.db)
    assert (found.hold.output_tokens, found.operations) == (10, {"openai.chat": "off"})
    for name, value in (
        ("hold", {"output_tokens": 0}),
        ("credits_per_usd", "x"),
        ("operations", {"a": "of"}),
        ("no", 1),
    ):
        with pytest.raises(BadRequest):
            await live.set_setting(desk, name, value)
    view = await live.set_setting(desk, "hold", None)
    assert view.value == view.default == {"output_tokens": 4096}
    assert (await load_settings(desk.db)).hold.output_tokens == 4096
    assert await generation(desk, "settings") == before + 3


async def test_a_setting_that_cannot_be_read_counts_as_not_set(desk: Desk) -> None:
    async with desk.db.writing() as tx:
        for name, value in (("hold", '{"output_tokens": "many"}'), ("credits_per_usd", "7"), ("of_tomorrow", "1")):
            await settings_rows.put_setting(tx, SettingRow(name=name, value=value, owned_by="", changed_at=0))
    found = await load_settings(desk.db)
    assert (found.hold.output_tokens, found.credits_per_usd) == (4096, 7)
