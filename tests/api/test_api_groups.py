"""`/api/groups`, and with it what holds for every noun: forms, pages, conflicts, the audit log."""

from dataclasses import replace

import pytest
from api_kit import Api, fields, refused

from unigate.manage import audit
from unigate.manage.audit import AuditFilter
from unigate.store import generations
from unigate.store import users as rows
from unigate.store.pages import Page


async def test_a_group_is_made_shown_listed_and_changed(api: Api) -> None:
    operator = await api.someone("operator")
    made = await operator.post("/api/groups", name="team a", multiplier="0.85")
    assert made.status_code == 201, made.text
    group = made.json()
    assert group.keys() == {"id", "name", "multiplier", "enabled", "owned_by", "created_at"}
    assert (group["name"], group["multiplier"], group["enabled"]) == ("team a", "0.85", True)
    assert group["created_at"].endswith("Z") and len(group["created_at"]) == 24
    for name in (group["id"], "team a"):
        assert (await operator.get(f"/api/groups/{name}")).json() == group
    changed = await operator.patch("/api/groups/team a", multiplier="1.5", enabled=False)
    assert changed.json() == {**group, "multiplier": "1.5", "enabled": False}
    stays = await operator.patch(f"/api/groups/{group['id']}")
    assert stays.json() == changed.json()
    listed = (await operator.get("/api/groups")).json()
    assert [one["name"] for one in listed["data"]] == ["default", "team a"] and listed["next"] is None


async def test_each_change_is_in_the_audit_log_once_and_reaches_all_processes(api: Api) -> None:
    operator = await api.someone("operator", "oscar")

    async def generation() -> int:
        async with api.desk.db.reading() as tx:
            return (await generations.read(tx))["keys"]

    made = await operator.post("/api/groups", name="team")
    before = await generation()
    changed = await operator.patch("/api/groups/team", multiplier="2")
    assert await generation() == before + 1
    await operator.patch("/api/groups/team", multiplier="2")
    assert (await operator.post("/api/groups", name="team")).status_code == 409
    found = await audit.list_audit(api.desk, Page(), AuditFilter(kind="group"))
    assert [(row.actor_id, row.actor, row.action, row.subject) for row in found.rows] == [
        (operator.id, "oscar", "set", "team"),
        (operator.id, "oscar", "create", "team"),
    ]
    assert found.rows[0].changes == {"multiplier": ["1", "2"]}
    assert found.rows[1].changes == {"multiplier": [None, "1"], "enabled": [None, True], "owned_by": [None, ""]}
    assert [row.request_id for row in found.rows] == [r.headers["x-request-id"] for r in (changed, made)]
    assert {row.address for row in found.rows} == {"127.0.0.1"}


async def test_pages_follow_each_other_whatever_comes_between(api: Api) -> None:
    operator = await api.someone("operator")
    for number in range(5):
        await operator.post("/api/groups", name=f"g{number}")
    first = (await operator.get("/api/groups", limit=2)).json()
    assert [one["name"] for one in first["data"]] == ["default", "g0"]
    await operator.post("/api/groups", name="a-first")
    second = (await operator.get("/api/groups", limit=2, cursor=first["next"])).json()
    third = (await operator.get("/api/groups", limit=2, cursor=second["next"])).json()
    assert [one["name"] for one in second["data"] + third["data"]] == ["g1", "g2", "g3", "g4"]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "two"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "WzFd"}, "cursor"),  # [1], of a list in another order
        ({"cursor": "WyJhIiwiYiJd"}, "cursor"),  # ["a","b"]
        ({"cursor": "WyJcdTAwMDAiXQ"}, "cursor"),  # a NUL character
        ({"cursor": "é"}, "cursor"),
        ({"offset": "3"}, "offset"),
        ({"cursor": "a\0b"}, "cursor"),
    ],
)
async def test_a_query_that_is_wrong_names_its_parameter(api: Api, query: dict[str, str], name: str) -> None:
    operator = await api.someone("operator")
    assert fields(await operator.get("/api/groups", **query)) == {name}


async def test_a_parameter_that_stands_twice_is_refused(api: Api) -> None:
    operator = await api.someone("operator")
    assert fields(await operator.client.get("/api/groups?limit=1&limit=2")) == {"limit"}


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({}, {"name"}),
        ({"name": 3}, {"name"}),
        ({"name": None}, {"name"}),
        ({"name": ""}, {"name"}),
        ({"name": "two\nlines"}, {"name"}),
        ({"name": "x" * 201}, {"name"}),
        ({"name": "g", "multiplier": 1.5}, {"multiplier"}),
        ({"name": "g", "multiplier": "1,5"}, {"multiplier"}),
        ({"name": "g", "multiplier": "1001"}, {"multiplier"}),
        ({"name": "g", "multiplier": "0.0000001"}, {"multiplier"}),
        ({"name": "g", "multiplier": "-1"}, {"multiplier"}),
        ({"name": "g", "multiplier": "NaN"}, {"multiplier"}),
        ({"name": "g", "multiplier": None}, {"multiplier"}),
        ({"multiplier": "x", "color": "red"}, {"name", "multiplier", "color"}),
    ],
)
async def test_a_form_that_is_wrong_names_its_fields(api: Api, form: dict[str, object], names: set[str]) -> None:
    operator = await api.someone("operator")
    assert fields(await operator.post("/api/groups", **form)) == names
    assert len((await operator.get("/api/groups")).json()["data"]) == 1


@pytest.mark.parametrize("form", [{"enabled": 1}, {"enabled": None}, {"enabled": "yes"}, {"name": "new"}])
async def test_a_change_that_is_wrong_changes_nothing(api: Api, form: dict[str, object]) -> None:
    operator = await api.someone("operator")
    assert fields(await operator.patch("/api/groups/default", **form)) == set(form)
    assert (await operator.get("/api/groups/default")).json()["enabled"]


async def test_what_is_not_there_and_what_is_there_already(api: Api) -> None:
    operator = await api.someone("operator")
    for path in ("/api/groups/nobody", "/api/groups/grp_01J", "/api/groups/a%00b"):
        refused(await operator.get(path), 404, "not_found")
        refused(await operator.patch(path, enabled=True), 404, "not_found")
    refused(await operator.post("/api/groups", name="default"), 409, "conflict")


async def test_what_the_config_file_owns_is_changed_there(api: Api) -> None:
    operator = await api.someone("operator")
    async with api.desk.db.writing() as tx:
        group = await rows.group_by_name(tx, "default")
        assert group is not None
        await rows.set_group(tx, replace(group, owned_by="file"))
    error = refused(await operator.patch("/api/groups/default", enabled=False), 409, "conflict")
    assert "config file" in error["message"]
