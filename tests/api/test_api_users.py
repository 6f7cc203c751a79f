"""`/api/users` and `/api/me`: who may change whom, credit, lists, and what follows from a change."""

from dataclasses import replace
from typing import Any

import pytest
from api_kit import Api, fields, refused

from unigate.manage import audit
from unigate.manage.audit import AuditFilter
from unigate.store import users as rows
from unigate.store.pages import Page


async def test_a_user_is_made_shown_and_changed(api: Api) -> None:
    operator = await api.someone("operator")
    form = {"name": "bob", "email": "Bob@Example.com", "password": "long enough", "credit": "12.5"}
    made = await operator.post("/api/users", **form)
    assert made.status_code == 201, made.text
    bob = made.json()
    assert "password" not in made.text.replace("can_sign_in", "")
    assert (bob["email"], bob["role"], bob["group"], bob["can_sign_in"]) == ("bob@example.com", "user", "default", True)
    assert (bob["balance"], bob["used"], bob["in_use"]) == ("12.5", "0", "0")
    for name in (bob["id"], "bob", "BOB@example.com"):
        assert (await operator.get(f"/api/users/{name}")).json() == bob
    await operator.post("/api/groups", name="team")
    changed = await operator.patch("/api/users/bob", email=None, password=None, group="team", enabled=False)
    expected = {"email": None, "can_sign_in": False, "group": "team", "enabled": False}
    assert changed.json() == {**bob, **expected}
    assert (await operator.patch("/api/users/bob")).json() == changed.json()
    changes = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="user", subject_id=bob["id"]))).rows
    assert [change.action for change in changes] == ["set", "create"]
    assert changes[0].changes == {
        "email": ["bob@example.com", None],
        "password": ["***", None],
        "group": ["default", "team"],
        "enabled": [True, False],
    }
    assert changes[1].changes["credit"] == [None, "12.5"] and "argon2" not in repr(changes)


async def test_credit_is_given_and_taken_back_once_for_an_id(api: Api) -> None:
    operator = await api.someone("operator")
    await api.user("bob")
    for _ in range(2):
        reply = await operator.post("/api/users/bob/topup", amount="10.5", id="payment-1", note="cash")
        assert (reply.status_code, reply.json()["balance"]) == (200, "10.5")
    refused(await operator.post("/api/users/bob/topup", amount="9", id="payment-1"), 409, "conflict")
    for _ in range(2):
        taken = await operator.post("/api/users/bob/takeback", amount="4", id="refund-1")
        assert (taken.json()["taken"], taken.json()["user"]["balance"]) == ("4", "6.5")
    rest = await operator.post("/api/users/bob/takeback", amount="100")
    assert (rest.json()["taken"], rest.json()["user"]["balance"]) == ("6.5", "0")
    changes = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="user"))).rows
    assert [(row.action, row.changes["amount"][1]) for row in changes if row.action != "create"] == [
        ("takeback", "6.5"),
        ("takeback", "4"),
        ("topup", "10.5"),
    ]


@pytest.mark.parametrize("path", ["/api/users/bob/topup", "/api/users/bob/takeback"])
@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({}, {"amount"}),
        ({"amount": 5}, {"amount"}),
        ({"amount": "-5"}, {"amount"}),
        ({"amount": "1e3000000"}, {"amount"}),
        ({"amount": "0.0000000001"}, {"amount"}),
        ({"amount": "1000001"}, {"amount"}),
        ({"amount": "1", "id": ""}, {"id"}),
        ({"amount": "1", "note": "x" * 501}, {"note"}),
        ({"amount": "1", "currency": "EUR"}, {"currency"}),
    ],
)
async def test_amounts_that_are_none(sqlite_api: Api, path: str, form: dict[str, Any], names: set[str]) -> None:
    operator = await sqlite_api.someone("operator")
    await sqlite_api.user("bob")
    assert fields(await operator.post(path, **form)) == names
    assert (await operator.get("/api/users/bob")).json()["balance"] == "0"


async def test_an_amount_of_nothing_and_a_user_who_is_not_there(api: Api) -> None:
    operator = await api.someone("operator")
    await api.user("bob")
    for path in ("topup", "takeback"):
        refused(await operator.post(f"/api/users/bob/{path}", amount="0"), 400, "invalid_request")
        refused(await operator.post(f"/api/users/nobody/{path}", amount="1"), 404, "not_found")


async def test_operators_never_touch_owners_and_roles_are_given_by_owners(api: Api) -> None:
    operator, owner = await api.someone("operator"), await api.someone("owner")
    await api.user("bob")
    for reply in (
        await operator.patch(f"/api/users/{owner.id}", email="mine@example.com"),
        await operator.patch(f"/api/users/{owner.id}", password="long enough"),
        await operator.patch(f"/api/users/{owner.id}", enabled=False),
        await operator.post(f"/api/users/{owner.id}/topup", amount="1"),
        await operator.post(f"/api/users/{owner.id}/takeback", amount="1"),
        await operator.delete(f"/api/users/{owner.id}/sessions"),
        await operator.post("/api/keys", name="k", user=owner.name),
        await operator.post("/api/users", name="eve", role="owner"),
        await operator.post("/api/users", name="eve", role="operator"),
        await operator.patch("/api/users/bob", role="operator"),
        await operator.patch(f"/api/users/{operator.id}", role="owner"),
        await operator.patch(f"/api/users/{operator.id}", password="long enough"),
    ):
        refused(reply, 403, "insufficient_permissions")
    assert (await owner.get("/api/me")).json()["email"] is None
    assert (await owner.patch("/api/users/bob", role="operator")).json()["role"] == "operator"
    assert (await owner.post("/api/users", name="eve", role="owner")).json()["role"] == "owner"
    assert (await owner.patch("/api/users/eve", role="user")).json()["role"] == "user"
    refused(await owner.patch(f"/api/users/{owner.id}", role="user"), 409, "conflict")
    refused(await owner.patch(f"/api/users/{owner.id}", enabled=False), 409, "conflict")


async def test_another_role_and_a_revoked_session_count_at_once(api: Api) -> None:
    owner, operator = await api.someone("owner"), await api.someone("operator")
    assert (await operator.get("/api/users")).status_code == 200
    await owner.patch(f"/api/users/{operator.id}", role="user")
    refused(await operator.get("/api/users"), 403, "insufficient_permissions")
    assert (await owner.delete(f"/api/users/{operator.id}/sessions")).status_code == 204
    refused(await operator.get("/api/me"), 401, "invalid_session")


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({}, {"name"}),
        ({"name": "bob", "email": "bob"}, {"email"}),
        ({"name": "bob", "password": "short"}, {"password"}),
        ({"name": "bob", "role": "god"}, {"role"}),
        ({"name": "bob", "group": "nobody"}, {"group"}),
        ({"name": "bob", "credit": "much"}, {"credit"}),
        ({"name": "bob", "wallet_id": "wal_x", "id": "usr_x"}, {"wallet_id", "id"}),
    ],
)
async def test_a_form_that_is_wrong(sqlite_api: Api, form: dict[str, Any], names: set[str]) -> None:
    operator = await sqlite_api.someone("owner")
    assert fields(await operator.post("/api/users", **form)) == names
    if "name" in form:
        await operator.post("/api/users", name="bob")
        shared = {name: value for name, value in form.items() if name not in ("name", "credit")}
        if shared:
            assert fields(await operator.patch("/api/users/bob", **shared)) == names & shared.keys()


async def test_names_and_addresses_are_taken_once(api: Api) -> None:
    operator = await api.someone("operator")
    await api.user("bob", email="bob@example.com")
    refused(await operator.post("/api/users", name="bob"), 409, "conflict")
    refused(await operator.post("/api/users", name="bobby", email="BOB@example.com"), 409, "conflict")
    await operator.post("/api/users", name="bobby")
    refused(await operator.patch("/api/users/bobby", email="bob@example.com"), 409, "conflict")


async def test_a_name_that_looks_like_an_id_is_nobody_else(api: Api) -> None:
    operator, bob = await api.someone("operator"), await api.someone()
    made = await operator.post("/api/users", name=bob.id)
    assert made.json()["id"] != bob.id
    assert (await operator.get(f"/api/users/{bob.id}")).json()["name"] == bob.name
    assert (await bob.get("/api/me")).json()["name"] == bob.name


async def test_lists_are_narrowed_and_paged(api: Api) -> None:
    operator = await api.someone("operator", "the operator")
    await operator.post("/api/groups", name="team")
    for number in range(3):
        await api.user(f"u_{number}", group="team", email=f"{number}%@example.com")
    await operator.patch("/api/users/u_2", enabled=False)

    async def names(**query: Any) -> list[str]:
        reply = await operator.get("/api/users", **query)
        assert reply.status_code == 200, reply.text
        return [user["name"] for user in reply.json()["data"]]

    assert await names() == ["u_2", "u_1", "u_0", "the operator"]
    assert await names(role="operator") == ["the operator"]
    assert await names(group="team", enabled="true") == ["u_1", "u_0"]
    assert await names(text="U_1") == ["u_1"]
    assert await names(text="0%@EX") == ["u_0"]
    assert await names(text="u%") == [] and await names(text="\\") == []
    first = (await operator.get("/api/users", limit=3, group="team", enabled="true")).json()
    assert first["next"] is None
    first = (await operator.get("/api/users", limit=2, group="team")).json()
    assert await names(limit=2, group="team", cursor=first["next"]) == ["u_0"]
    assert fields(await operator.get("/api/users", role="god")) == {"role"}
    assert fields(await operator.get("/api/users", group="nobody")) == {"group"}
    assert fields(await operator.get("/api/users", enabled="perhaps", color="red")) in ({"enabled"}, {"color"})


async def test_one_sees_and_changes_oneself(api: Api) -> None:
    bob = await api.someone(name="bob")
    other = await api.someone()
    await api.user("taken", email="taken@example.com")
    me = (await bob.get("/api/me")).json()
    assert (me["id"], me["name"], me["role"], me["group"], me["balance"]) == (bob.id, "bob", "user", "default", "0")
    changed = await bob.patch("/api/me", email="bob@example.com")
    assert changed.json() == {**me, "email": "bob@example.com"}
    assert (await bob.patch("/api/me")).json() == changed.json()
    assert (await bob.patch("/api/me", email=None)).json() == me
    refused(await bob.patch("/api/me", email="taken@example.com"), 409, "conflict")
    assert fields(await bob.patch("/api/me", role="owner", group="vip")) == {"role", "group"}
    assert fields(await bob.patch("/api/me", email="nonsense")) == {"email"}
    for path in (f"/api/users/{other.id}", f"/api/users/{bob.id}", "/api/users", "/api/audit", "/api/groups"):
        refused(await bob.get(path), 403, "insufficient_permissions")


async def test_what_the_config_file_owns_is_changed_there(api: Api) -> None:
    operator, bob = await api.someone("operator"), await api.someone(name="bob")
    async with api.desk.db.writing() as tx:
        row = await rows.user_by_id(tx, bob.id)
        assert row is not None
        await rows.set_user(tx, replace(row, owned_by="file"))
    refused(await operator.patch("/api/users/bob", enabled=False), 409, "conflict")
    refused(await bob.patch("/api/me", email="bob@example.com"), 409, "conflict")
    refused(await bob.post("/api/me/password", current="x", new="long enough"), 409, "conflict")
    assert (await operator.post("/api/users/bob/topup", amount="1")).json()["balance"] == "1"
