"""Signing in and out: tokens, cookies, ends of sessions, and what guessing meets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from api_kit import HOUR, Api, fields, refused, serving
from sqlalchemy import select

from unigate.access import passwords
from unigate.access.passwords import hash_password
from unigate.manage import audit, users
from unigate.manage.audit import AuditFilter
from unigate.manage.sessions import MOST, SessionTerms
from unigate.manage.users import UserChanges
from unigate.store import sessions as rows
from unigate.store import users as user_rows
from unigate.store.database import Database
from unigate.store.gateway_tables import sessions
from unigate.store.pages import Page

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def hashed() -> str:
    """The password's hash, made once: it is made to take long."""
    return asyncio.run(hash_password(PASSWORD))


@pytest.fixture
async def alice(api: Api, hashed: str) -> str:
    """Alice with a password; her id."""
    id = await api.user("alice", email="alice@example.com")
    async with api.desk.db.writing() as tx:
        row = await user_rows.user_by_id(tx, id)
        assert row is not None
        await user_rows.set_user(tx, replace(row, password=hashed))
    return id


async def test_a_token_is_shown_once_kept_as_its_hash_and_works_until_it_is_given_back(api: Api, alice: str) -> None:
    client = api.client()
    for login in ({"email": "Alice@Example.com"}, {"name": "alice"}):
        reply = await client.post("/api/sessions", json={**login, "password": PASSWORD})
        assert reply.status_code == 201, reply.text
        session = reply.json()
        assert session["user"] == {"id": alice, "name": "alice", "email": "alice@example.com", "role": "user"}
        token = session["token"]
        assert token.startswith("ses_") and len(token) == 47
        assert "set-cookie" not in reply.headers
        async with api.desk.db.reading() as tx:
            found = await tx.one(select(sessions).where(sessions.c.id == session["id"]))
        assert found is not None and sha256(token.encode()).digest() in found and token not in found
        auth = {"authorization": f"Bearer {token}"}
        me = (await client.get("/api/me", headers=auth)).json()
        assert (me["id"], me["via"], me["session_id"]) == (alice, "session", session["id"])
        assert (await client.delete("/api/sessions/current", headers=auth)).status_code == 204
        refused(await client.get("/api/me", headers=auth), 401, "invalid_session")
    found_rows = await audit.list_audit(api.desk, Page(), AuditFilter(kind="session"))
    assert [row.action for row in found_rows.rows] == ["sign_out", "sign_in"] * 2
    assert {row.actor_id for row in found_rows.rows} == {alice}


async def test_a_cookie_is_for_browsers_of_this_origin_only(api: Api, alice: str) -> None:
    client, host = api.client(), api.url.removeprefix("http://")
    form = {"name": "alice", "password": PASSWORD, "cookie": True}
    forged = await client.post("/api/sessions", json=form, headers={"origin": "https://evil.example"})
    refused(forged, 403, "origin_not_allowed")
    reply = await client.post("/api/sessions", json=form, headers={"origin": f"http://{host}"})
    assert reply.json()["token"] is None
    parts = set(reply.headers["set-cookie"].lower().split("; "))
    assert {"httponly", "samesite=strict", "path=/api", "max-age=2592000"} <= parts and "secure" not in parts
    assert (await client.get("/api/me")).json()["id"] == alice
    refused(await client.delete("/api/sessions/current"), 403, "origin_not_allowed")
    ended = await client.delete("/api/sessions/current", headers={"origin": f"http://{host}"})
    assert ended.status_code == 204 and "max-age=0" in ended.headers["set-cookie"].lower()
    refused(await client.get("/api/me"), 401, "invalid_session")
    secure = await client.post("/api/sessions", json=form, headers={"x-forwarded-proto": "https"})
    assert "secure" in secure.headers["set-cookie"].lower().split("; ")


async def test_a_token_that_was_planted_is_never_taken_over(api: Api, alice: str) -> None:
    client = api.client(cookie="unigate_session=ses_planted")
    reply = await client.post("/api/sessions", json={"name": "alice", "password": PASSWORD})
    assert reply.status_code == 201 and reply.json()["token"] != "ses_planted"
    refused(await client.get("/api/me"), 401, "invalid_session")


async def test_whatever_is_wrong_is_told_in_the_same_words(api: Api, alice: str) -> None:
    await api.user("silent")  # has no password
    await api.user("gone")
    await users.set_user(api.desk, "gone", UserChanges(enabled=False))
    client = api.client()
    told = set()
    for login in ({"name": "alice"}, {"email": "nobody@example.com"}, {"name": "silent"}, {"name": "gone"}):
        reply = await client.post("/api/sessions", json={**login, "password": "wrong password"})
        told.add(refused(reply, 401, "invalid_login")["message"])
    assert len(told) == 1
    await users.set_user(api.desk, "alice", UserChanges(enabled=False))
    reply = await client.post("/api/sessions", json={"name": "alice", "password": PASSWORD})
    told.add(refused(reply, 401, "invalid_login")["message"])
    assert len(told) == 1


async def test_a_name_that_is_not_there_takes_the_same_work(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    work: list[str | None] = []
    real = passwords._verify

    def counted(kept: str | None, password: str) -> bool:
        work.append(kept)
        return real(kept, password)

    monkeypatch.setattr(passwords, "_verify", counted)
    await api.client().post("/api/sessions", json={"name": "nobody", "password": PASSWORD})
    await api.client().post("/api/sessions", json={"name": "nobody", "password": PASSWORD})
    assert work == [None, None]


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({}, {"password"}),
        ({"password": "x"}, {""}),
        ({"name": "a", "email": "b", "password": "x"}, {""}),
        ({"name": "a", "password": 3}, {"password"}),
        ({"name": ["a"], "password": "x"}, {"name"}),
        ({"name": "a", "password": "x" * 1025}, {"password"}),
        ({"name": "a", "password": "x", "cookie": "yes"}, {"cookie"}),
        ({"name": "a", "password": "x", "admin": True}, {"admin"}),
    ],
)
async def test_a_form_that_is_wrong(sqlite_api: Api, form: dict[str, object], names: set[str]) -> None:
    assert fields(await sqlite_api.client().post("/api/sessions", json=form)) == names


async def test_guessing_is_stopped_for_the_name_and_not_for_others(api: Api, alice: str) -> None:
    client = api.client()
    wrong = [client.post("/api/sessions", json={"name": "alice", "password": f"guess {n}"}) for n in range(30)]
    replies = await asyncio.gather(*wrong)
    statuses = [reply.status_code for reply in replies]
    assert set(statuses) == {401, 429} and statuses.count(401) == 10
    stopped = await client.post("/api/sessions", json={"name": "ALICE", "password": PASSWORD})
    assert "authorization" not in refused(stopped, 429, "rate_limit_exceeded")["message"]
    assert 0 < int(stopped.headers["retry-after"]) <= 900
    assert (
        await client.post("/api/sessions", json={"email": "alice@example.com", "password": PASSWORD})
    ).status_code == 201


async def test_a_session_is_seen_and_ended_by_its_owner_only(api: Api) -> None:
    alice, bob = await api.someone(name="al"), await api.someone(name="bo")
    other = await api.session(alice.id)
    listed = (await alice.get("/api/sessions")).json()["data"]
    assert [one["current"] for one in listed] == [False, True]
    assert listed[0].keys() == {"id", "created_at", "expires_at", "used_at", "address", "agent", "current"}
    for mine in listed:
        refused(await bob.delete(f"/api/sessions/{mine['id']}"), 404, "not_found")
    first, second = [(await alice.get("/api/sessions", limit=1)).json(), None]
    second = (await alice.get("/api/sessions", limit=1, cursor=first["next"])).json()
    assert [first["data"][0], second["data"][0]] == listed and second["next"] is None
    assert (await alice.delete("/api/sessions")).status_code == 204
    refused(await api.client(authorization=f"Bearer {other}").get("/api/me"), 401, "invalid_session")
    assert [one["id"] for one in (await alice.get("/api/sessions")).json()["data"]] == [listed[1]["id"]]
    assert (await alice.delete(f"/api/sessions/{listed[1]['id']}")).status_code == 204
    refused(await alice.get("/api/me"), 401, "invalid_session")
    assert (await bob.get("/api/me")).status_code == 200


async def test_a_key_has_no_session_to_end(api: Api) -> None:
    await api.user("al")
    client = api.client(authorization=f"Bearer {await api.key('al', 'manage')}")
    refused(await client.delete("/api/sessions/current"), 404, "not_found")
    assert (await client.get("/api/me")).json()["via"] == "key"


async def test_sessions_end_with_their_time_and_with_their_user(api: Api) -> None:
    alice = await api.someone(name="al")
    over = await api.session(alice.id, expires_in=-1)
    refused(await api.client(authorization=f"Bearer {over}").get("/api/me"), 401, "invalid_session")
    await users.set_user(api.desk, "al", UserChanges(enabled=False))
    refused(await alice.get("/api/me"), 401, "invalid_session")
    await users.set_user(api.desk, "al", UserChanges(enabled=True))
    refused(await alice.get("/api/me"), 401, "invalid_session")


async def test_a_change_of_the_password_ends_all_other_sessions(api: Api, alice: str) -> None:
    client = api.client()
    tokens = [await api.session(alice) for _ in range(2)]
    auth = [{"authorization": f"Bearer {token}"} for token in tokens]
    path = "/api/me/password"
    wrong = await client.post(path, json={"current": "wrong", "new": "another password"}, headers=auth[0])
    assert fields(wrong) == {"current"}
    short = await client.post(path, json={"current": PASSWORD, "new": "short"}, headers=auth[0])
    assert fields(short) == {"new"}
    assert (await client.get("/api/me", headers=auth[1])).status_code == 200
    changed = await client.post(path, json={"current": PASSWORD, "new": "another password"}, headers=auth[0])
    assert changed.status_code == 204 and changed.content == b""
    assert (await client.get("/api/me", headers=auth[0])).status_code == 200
    refused(await client.get("/api/me", headers=auth[1]), 401, "invalid_session")
    (row,) = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="user", action="set"))).rows
    assert row.changes == {"password": ["***", "***"]} and row.actor_id == alice
    refused(await client.post("/api/sessions", json={"name": "alice", "password": PASSWORD}), 401, "invalid_login")
    again = await client.post("/api/sessions", json={"name": "alice", "password": "another password"})
    assert again.status_code == 201


async def test_one_user_has_a_bounded_number_of_sessions(api: Api, alice: str) -> None:
    for _ in range(MOST + 3):
        await api.session(alice)
    await api.session(alice, expires_in=-1)
    reply = await api.client().post("/api/sessions", json={"name": "alice", "password": PASSWORD})
    async with api.desk.db.reading() as tx:
        kept = [row[0] for row in await tx.all(select(sessions.c.id))]
    assert len(kept) == MOST and reply.json()["id"] in kept


@pytest.fixture
async def hasty(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    """An API whose sessions write down each use."""
    async with serving(database, tmp_path, SessionTerms(idle=HOUR, longest=24 * HOUR, noted_after=0)) as running:
        yield running


async def test_use_moves_the_end_of_a_session_and_never_beyond_its_longest_time(hasty: Api) -> None:
    alice = await hasty.someone(name="al")
    near = await hasty.session(alice.id, expires_in=60_000)
    client = hasty.client(authorization=f"Bearer {near}")

    async def end() -> int:
        async with hasty.desk.db.reading() as tx:
            found = await tx.one(select(sessions.c.expires_at, sessions.c.created_at).order_by(sessions.c.id.desc()))
        assert found is not None
        return int(found[0]) - int(found[1])

    assert await end() == 60_000
    await client.get("/api/me")
    assert HOUR <= await end() < HOUR + 60_000
    async with hasty.desk.db.writing() as tx:
        (page,) = [(await rows.page(tx, Page(), alice.id, 0)).rows]
        old = page[0]
        await rows.touch(tx, old.id, used_at=old.used_at, expires_at=old.created_at + 24 * HOUR)
    await client.get("/api/me")
    assert await end() == 24 * HOUR
