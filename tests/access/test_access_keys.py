"""Keys on the hot path: found in memory, loaded once, forgotten when something changed, and what they may do."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from support.waiting import until
from unigate.access.keys import UNKNOWN_FOR, Digest, Keys, new_secret
from unigate.base import clock
from unigate.base.errors import Forbidden, InvalidKey, StoreUnavailable
from unigate.manage import groups, users
from unigate.manage import keys as manage
from unigate.manage.desk import Desk
from unigate.manage.keys import KeyForm
from unigate.spec.caller import Group, Key
from unigate.spec.operation import Operation
from unigate.store.database import Database, Tx

SECRET = "the gateway's secret"
CHAT = Operation(name="chat", method="POST", path="/c", dialect="d", family="f")
BALANCE = Operation(name="balance", method="GET", path="/b", dialect="d", family="f", answers_expired=True, free=True)
OPEN = Operation(name="open", method="GET", path="/o", dialect="d", family="f", scope=None)
KEY = Key(id="key_1", name="k", last4="1234", user_id="u", user_name="u", group=Group(id="g", name="g"), wallet_id="w")


class Counting:
    """A database that counts its reading transactions and can be held up."""

    kind: Any = "sqlite"

    def __init__(self, db: Database) -> None:
        self.db = db
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.down = False

    @asynccontextmanager
    async def reading(self, *, statement: float | None = None) -> AsyncIterator[Tx]:
        self.reads += 1
        if self.down:
            raise StoreUnavailable
        async with self.db.reading(statement=statement) as tx:
            yield tx
        if self.gate is not None:
            await self.gate.wait()

    def writing(self) -> Any:
        return self.db.writing()

    async def close(self) -> None:
        await self.db.close()


@pytest.fixture
async def made(database: Database) -> tuple[Counting, str]:
    desk = Desk(db=database, secret=SECRET)
    await users.create_user(desk, "alice")
    _, secret = await manage.create_key(desk, "alice", "app")
    return Counting(database), secret


def test_a_new_key_has_the_promised_form() -> None:
    secret = new_secret()
    assert secret.startswith("sk-") and len(secret) == 51 and secret[3:].isalnum()
    assert new_secret() != secret


@pytest.mark.parametrize("secret", ["", "short", "x" * 64, "x" * 65, "ünï" * 40])
@pytest.mark.parametrize("presented", [b"", b"sk-123", b"\xff" * 300])
def test_what_is_kept_is_the_hmac(secret: str, presented: bytes) -> None:
    assert Digest(secret)(presented) == hmac.digest(secret.encode(), presented, "sha256")


async def test_a_key_is_loaded_once_and_then_found(made: tuple[Counting, str]) -> None:
    db, secret = made
    keys = Keys(db, SECRET)
    assert keys.find(secret.encode()) is None
    key = await keys.load(secret.encode())
    assert key is not None and key.user_name == "alice" and key.last4 == secret[-4:]
    assert keys.find(secret.encode()) is key
    assert db.reads == 1
    assert await Keys(db, "another secret").load(secret.encode()) is None


async def test_callers_of_one_key_share_a_look_up(made: tuple[Counting, str]) -> None:
    db, secret = made
    keys = Keys(db, SECRET)
    db.gate = asyncio.Event()
    waiting = [asyncio.ensure_future(keys.load(secret.encode())) for _ in range(20)]
    await until(lambda: db.reads == 1)
    waiting[0].cancel()
    db.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(key, Key) for key in found[1:]), "one caller's leaving must not disturb the others"
    assert db.reads == 1


async def test_an_unknown_key_is_not_asked_after_again(
    made: tuple[Counting, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, _ = made
    keys = Keys(db, SECRET, unknown=2)
    for name in (b"sk-a", b"sk-a", b"sk-b", b"sk-a"):
        assert await keys.load(name) is None
    assert db.reads == 2
    assert await keys.load(b"sk-c") is None  # the oldest, sk-a, leaves
    assert await keys.load(b"sk-b") is None
    assert db.reads == 3
    assert await keys.load(b"sk-a") is None
    assert db.reads == 4
    assert await keys.load(b"x" * 513) is None
    assert db.reads == 4, "too long to be a key"
    now = clock.monotonic()
    monkeypatch.setattr("unigate.access.keys.monotonic", lambda: now + UNKNOWN_FOR + 1)
    assert await keys.load(b"sk-a") is None
    assert db.reads == 5


async def test_memory_is_bounded(database: Database) -> None:
    desk = Desk(db=database, secret=SECRET)
    await users.create_user(desk, "alice")
    secrets = [(await manage.create_key(desk, "alice", f"k{n}"))[1].encode() for n in range(3)]
    keys = Keys(database, SECRET, known=2)
    for secret in secrets:
        assert await keys.load(secret) is not None
    assert [keys.find(secret) is not None for secret in secrets] == [False, True, True]


async def test_a_change_is_seen_after_forgetting(made: tuple[Counting, str], database: Database) -> None:
    db, secret = made
    desk = Desk(db=database, secret=SECRET)
    keys = Keys(db, SECRET)
    presented = secret.encode()
    assert await keys.load(presented) is not None
    assert await keys.load(b"sk-chosen-later") is None
    await manage.set_key(desk, "app", KeyForm(enabled=False))
    await manage.create_key(desk, "alice", "later", secret="sk-chosen-later")
    keys.forget()
    assert keys.find(presented) is None
    key = await keys.load(presented)
    assert key is not None and not key.enabled
    assert await keys.load(b"sk-chosen-later") is not None
    _, rotated = await manage.rotate_key(desk, "app")
    keys.forget()
    assert await keys.load(presented) is None
    assert await keys.load(rotated.encode()) is not None


async def test_a_look_up_from_before_a_change_is_not_remembered(made: tuple[Counting, str]) -> None:
    db, secret = made
    keys = Keys(db, SECRET)
    db.gate = asyncio.Event()
    early = asyncio.ensure_future(keys.load(secret.encode()))
    await until(lambda: db.reads == 1)
    keys.forget()
    late = asyncio.ensure_future(keys.load(secret.encode()))
    await until(lambda: db.reads == 2)
    db.gate.set()
    assert await early is not None
    assert await late is not None
    assert keys.find(secret.encode()) is await late


async def test_a_dead_database_is_told_and_nothing_is_remembered(made: tuple[Counting, str]) -> None:
    db, secret = made
    keys = Keys(db, SECRET)
    db.down = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await keys.load(secret.encode())
    db.down = False
    assert await keys.load(secret.encode()) is not None


@pytest.mark.parametrize("switched_off", ["user", "group"])
async def test_a_disabled_owner_disables_the_key(database: Database, switched_off: str) -> None:
    desk = Desk(db=database, secret=SECRET)
    await groups.create_group(desk, "team")
    await users.create_user(desk, "alice", group="team")
    _, secret = await manage.create_key(desk, "alice", "app")
    if switched_off == "user":
        await users.set_user(desk, "alice", users.UserChanges(enabled=False))
    else:
        await groups.set_group(desk, "team", enabled=False)
    keys = Keys(database, SECRET)
    key = await keys.load(secret.encode())
    assert key is not None
    with pytest.raises(InvalidKey) as caught:
        keys.check(key, None, "127.0.0.1", 0, CHAT)
    assert caught.value.code == "invalid_api_key"


def allowed(key: Key, model: str | None = None, address: str = "192.0.2.7", now: int = 1000) -> str:
    """The code of the refusal, "" where there is none."""
    return code(key, CHAT, model, address, now)


def code(key: Key, operation: Operation, model: str | None = None, address: str = "192.0.2.7", now: int = 1000) -> str:
    keys = Keys.__new__(Keys)
    try:
        keys.check(key, model, address, now, operation)
    except InvalidKey as error:
        return error.code
    except Forbidden as error:
        return error.code
    return ""


def test_expiry() -> None:
    key = replace(KEY, expires_at=1000)
    assert (allowed(key, now=999), allowed(key, now=1000)) == ("", "key_expired")
    assert code(key, BALANCE, now=1000) == "", "balance and usage also answer an expired key"
    assert code(replace(key, enabled=False), BALANCE, now=1000) == "invalid_api_key", "but not a disabled one"


def test_scopes() -> None:
    assert allowed(replace(KEY, scopes=frozenset({"manage"}))) == "insufficient_permissions"
    assert code(replace(KEY, scopes=frozenset()), OPEN) == ""


@pytest.mark.parametrize(
    ("models", "model", "may"),
    [
        (("*",), "anything", True),
        (("gpt-4o",), "gpt-4o", True),
        (("gpt-4o",), "gpt-4o-mini", False),
        (("gpt-*", "o1"), "gpt-4o", True),
        (("gpt-*", "o1"), "o1", True),
        (("gpt-*", "o1"), "o1-mini", False),
        (("gpt-*-mini",), "gpt-4o-mini", True),
        (("gpt-*-mini",), "gpt-mini", False),
        (("*-mini",), "gpt-4o-mini", True),
        (("ab*ba",), "aba", False),
        ((), "gpt-4o", False),
        (("gpt-4o",), None, True),
    ],
)
def test_models(models: tuple[str, ...], model: str | None, may: bool) -> None:
    assert allowed(replace(KEY, models=models), model) == ("" if may else "model_not_allowed")


@pytest.mark.parametrize(
    ("networks", "address", "may"),
    [
        ((), "203.0.113.9", True),
        (("192.0.2.0/24",), "192.0.2.7", True),
        (("192.0.2.0/24",), "192.0.3.7", False),
        (("192.0.2.7", "2001:db8::/32"), "2001:db8::1", True),
        (("192.0.2.7", "2001:db8::/32"), "192.0.2.7", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.7", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.0.2.0/24",), "not an address", False),
    ],
)
def test_addresses(networks: tuple[str, ...], address: str, may: bool) -> None:
    key = replace(KEY, addresses=tuple(ip_network(text) for text in networks))
    assert allowed(key, address=address) == ("" if may else "address_not_allowed")
