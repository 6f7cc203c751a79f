"""`/api/keys`: secrets shown once, one's own and everybody's, what a key that manages may not do."""

from dataclasses import replace
from typing import Any

import pytest
from api_kit import Api, fields, refused
from sqlalchemy import insert

from unigate.access.keys import Digest
from unigate.base.clock import now_ms, utc
from unigate.base.money import NANO
from unigate.manage import audit, keys
from unigate.manage.audit import AuditFilter
from unigate.store import keys as rows
from unigate.store.ledger_tables import windows
from unigate.store.pages import Page

FULL: dict[str, Any] = {
    "scopes": ["relay", "manage"],
    "models": ["gpt-*", "o3"],
    "addresses": ["10.0.0.0/8", "::1"],
    "expires_at": "2031-05-06T07:08:09.5+02:00",
    "budgets": {"day": "1.5", "total": "100"},
    "limits": {"rpm": 60, "tpm": 0, "concurrency": 4},
    "user_view": False,
    "options": {"midjourney_mode": "relax", "midjourney_numeric_ids": None},
}


async def test_a_key_is_made_and_its_secret_shown_this_once(api: Api) -> None:
    bob = await api.someone(name="bob")
    made = await bob.post("/api/keys", name="app", **FULL)
    assert made.status_code == 201, made.text
    key = made.json()
    secret = key.pop("secret")
    assert secret.startswith("sk-") and key["last4"] == secret[-4:]
    assert (key["user"], key["user_id"], key["enabled"]) == ("bob", bob.id, True)
    assert key["expires_at"] == "2031-05-06T05:08:09.500Z"
    assert key["addresses"] == ["10.0.0.0/8", "::1/128"]
    assert key["budgets"] == {"day": "1.5", "month": None, "total": "100"}
    assert key["used"] == {"day": "0", "month": "0", "total": "0"}
    assert {name: key[name] for name in ("scopes", "models", "limits", "user_view", "options")} == {
        name: FULL[name] for name in ("scopes", "models", "limits", "user_view", "options")
    }
    for name in (key["id"], "app", "bob/app"):
        shown = await bob.get(f"/api/keys/{name.replace('/', '%2F')}")
        if "/" in name:
            refused(shown, 404, "unknown_url")
            continue
        assert shown.json() == key
    assert (await bob.get("/api/keys")).json() == {"data": [key], "next": None}
    async with api.desk.db.reading() as tx:
        assert await rows.by_digest(tx, Digest(api.desk.secret)(secret.encode())) is not None


async def test_a_change_changes_what_it_names(api: Api) -> None:
    bob = await api.someone(name="bob")
    key = (await bob.post("/api/keys", name="app", **FULL)).json()
    del key["secret"]
    changed = await bob.patch(
        "/api/keys/app", budgets={"day": None, "month": "7"}, limits={"rpm": 0}, expires_at=None, enabled=False
    )
    expected = {
        **key,
        "budgets": {"day": None, "month": "7", "total": "100"},
        "limits": {"rpm": 0, "tpm": 0, "concurrency": 4},
        "expires_at": None,
        "enabled": False,
    }
    assert changed.json() == expected
    assert (await bob.patch("/api/keys/app")).json() == expected
    changes = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="key"))).rows
    assert [(row.action, row.subject) for row in changes] == [("set", "bob/app"), ("create", "bob/app")]
    assert changes[0].changes == {
        "budgets": [{"day": "1.5", "total": "100"}, {"month": "7", "total": "100"}],
        "enabled": [True, False],
        "expires": ["2031-05-06T05:08:09.500000+00:00", None],
        "rpm": [60, 0],
    }


async def test_rotation_shows_another_secret_and_ends_the_old_one(api: Api) -> None:
    bob = await api.someone(name="bob")
    made = (await bob.post("/api/keys", name="app", scopes=["manage"])).json()
    old = api.client(authorization=f"Bearer {made['secret']}")
    assert (await old.get("/api/me")).json()["id"] == bob.id
    rotated = (await bob.post("/api/keys/app/rotate")).json()
    assert rotated["secret"] != made["secret"] and rotated["last4"] == rotated["secret"][-4:]
    refused(await old.get("/api/me"), 401, "invalid_api_key")
    new = api.client(authorization=f"Bearer {rotated['secret']}")
    assert (await new.get("/api/me")).json()["id"] == bob.id
    found = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="key"))).rows
    assert [row.action for row in found] == ["rotate", "create"]
    assert found[0].changes == {"secret": ["***", "***"]}
    assert not any(secret in repr(found) for secret in (made["secret"], rotated["secret"]))


async def test_other_peoples_keys_are_not_there(api: Api) -> None:
    alice, bob, operator = [await api.someone(name=name) for name in ("alice", "bob")] + [await api.someone("operator")]
    made = (await alice.post("/api/keys", name="app")).json()
    for name in (made["id"], "app"):
        refused(await bob.get(f"/api/keys/{name}"), 404, "not_found")
        refused(await bob.patch(f"/api/keys/{name}", enabled=False), 404, "not_found")
        refused(await bob.post(f"/api/keys/{name}/rotate"), 404, "not_found")
    there = refused(await bob.post("/api/keys", name="k", user="alice"), 404, "not_found")["message"]
    nobody = refused(await bob.post("/api/keys", name="k", user="nobody"), 404, "not_found")["message"]
    assert there.replace("alice", "nobody") == nobody
    refused(await bob.get("/api/keys", user="alice"), 404, "not_found")
    await bob.post("/api/keys", name="app")
    assert [key["user"] for key in (await bob.get("/api/keys")).json()["data"]] == ["bob"]
    assert (await bob.get("/api/keys/app")).json()["user"] == "bob"
    assert [key["user"] for key in (await operator.get("/api/keys")).json()["data"]] == ["bob", "alice"]
    assert [key["user"] for key in (await operator.get("/api/keys", user="alice")).json()["data"]] == ["alice"]
    refused(await operator.get("/api/keys/app"), 409, "conflict")
    assert (await operator.patch(f"/api/keys/{made['id']}", enabled=False)).json()["enabled"] is False
    assert (await operator.post("/api/keys", name="more", user="alice")).json()["user_id"] == alice.id


async def test_operators_do_not_touch_owners_keys(api: Api) -> None:
    owner, operator = await api.someone("owner", "the owner"), await api.someone("operator")
    made = (await owner.post("/api/keys", name="root", scopes=["manage"])).json()
    assert (await operator.get(f"/api/keys/{made['id']}")).status_code == 200
    refused(await operator.patch(f"/api/keys/{made['id']}", enabled=False), 403, "insufficient_permissions")
    refused(await operator.post(f"/api/keys/{made['id']}/rotate"), 403, "insufficient_permissions")
    refused(await operator.post("/api/keys", name="k", user="the owner"), 403, "insufficient_permissions")


async def test_a_key_that_manages_makes_no_others_like_it_and_lifts_no_bounds(api: Api) -> None:
    bob = await api.someone(name="bob")
    made = (await bob.post("/api/keys", name="robot", scopes=["relay", "manage"], addresses=["127.0.0.1"])).json()
    robot = api.client(authorization=f"Bearer {made['secret']}")
    relay = await robot.post("/api/keys", json={"name": "customer"})
    assert relay.status_code == 201
    for reply in (
        await robot.post("/api/keys", json={"name": "twin", "scopes": ["manage"]}),
        await robot.patch("/api/keys/robot", json={"addresses": []}),
        await robot.post("/api/keys/robot/rotate"),
        await robot.patch("/api/keys/customer", json={"scopes": ["manage"]}),
    ):
        refused(reply, 403, "insufficient_permissions")
    assert (await robot.patch("/api/keys/customer", json={"limits": {"rpm": 5}})).json()["limits"]["rpm"] == 5
    await bob.patch("/api/keys/robot", addresses=["203.0.113.0/24"])
    refused(await robot.get("/api/me"), 403, "address_not_allowed")
    await bob.patch("/api/keys/robot", addresses=[], expires_at="2020-01-01")
    refused(await robot.get("/api/me"), 401, "key_expired")
    await bob.patch("/api/keys/robot", expires_at=None, enabled=False)
    refused(await robot.get("/api/me"), 401, "invalid_api_key")


async def test_what_settled_calls_cost_stands_beside_the_budget(api: Api) -> None:
    bob = await api.someone(name="bob")
    key = (await bob.post("/api/keys", name="app", budgets={"day": "5"})).json()
    day = utc(now_ms()).strftime("%Y%m%d")
    async with api.desk.db.writing() as tx:
        for window, used in ((day, 2), (day[:6], 3), ("0", 4), ("20200101", 9)):
            values = {"id": f"{key['id']}/{window}", "key_id": key["id"], "wallet_id": "w", "budget": 5 * NANO}
            await tx.run(insert(windows), {**values, "held": 0, "captured": used * NANO})
    assert (await bob.get("/api/keys/app")).json()["used"] == {"day": "2", "month": "3", "total": "4"}
    assert (await bob.get("/api/keys")).json()["data"][0]["used"] == {"day": "2", "month": "3", "total": "4"}


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({"name": ""}, {"name"}),
        ({"scopes": ["god"]}, {"scopes.0"}),
        ({"scopes": None}, {"scopes"}),
        ({"models": "gpt-4o"}, {"models"}),
        ({"models": ["a*b*"]}, {"models"}),
        ({"addresses": ["10.0.0.1/8"]}, {"addresses"}),
        ({"addresses": ["localhost"]}, {"addresses"}),
        ({"expires_at": "tomorrow"}, {"expires_at"}),
        ({"expires_at": "2031-01-01T00:00:00"}, {"expires_at"}),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, {"expires_at"}),
        ({"expires_at": 1700000000}, {"expires_at"}),
        ({"budgets": {"day": 5}}, {"budgets.day"}),
        ({"budgets": {"year": "5"}}, {"budgets.year"}),
        ({"limits": {"rpm": -1}}, {"limits.rpm"}),
        ({"limits": {"rpm": 10**40}}, {"limits.rpm"}),
        ({"limits": {"rpm": "5"}}, {"limits.rpm"}),
        ({"limits": {"rpm": None, "tpm": 1.5}}, {"limits.rpm", "limits.tpm"}),
        ({"enabled": "no"}, {"enabled"}),
        ({"options": {"midjourney_mode": "slow", "speed": 1}}, {"options.midjourney_mode", "options.speed"}),
        ({"secret": "sk-mine-0123456789"}, {"secret"}),
    ],
)
async def test_a_form_that_is_wrong(sqlite_api: Api, form: dict[str, Any], names: set[str]) -> None:
    bob = await sqlite_api.someone(name="bob")
    assert fields(await bob.post("/api/keys", **{"name": "app", **form})) == names
    assert (await bob.get("/api/keys")).json()["data"] == []
    if "name" not in form:
        await bob.post("/api/keys", name="app")
        assert fields(await bob.patch("/api/keys/app", **form)) == names


async def test_conflicts(api: Api) -> None:
    bob = await api.someone(name="bob")
    made = (await bob.post("/api/keys", name="app")).json()
    refused(await bob.post("/api/keys", name="app"), 409, "conflict")
    async with api.desk.db.writing() as tx:
        row, _ = await keys.key_named(tx, made["id"])
        await rows.change(tx, replace(row, owned_by="file"))
    refused(await bob.patch("/api/keys/app", enabled=False), 409, "conflict")
    refused(await bob.post("/api/keys/app/rotate"), 409, "conflict")


async def test_lists_are_narrowed_and_paged(api: Api) -> None:
    bob = await api.someone(name="bob")
    for name in ("One", "two", "three"):
        await bob.post("/api/keys", name=name)
    await bob.patch("/api/keys/two", enabled=False)

    async def names(**query: Any) -> list[str]:
        return [key["name"] for key in (await bob.get("/api/keys", **query)).json()["data"]]

    assert await names() == ["three", "two", "One"]
    assert await names(enabled="true") == ["three", "One"]
    assert await names(text="ONE") == ["One"]
    first = (await bob.get("/api/keys", limit=2)).json()
    assert await names(limit=2, cursor=first["next"]) == ["One"]
