"""`/api/prices`, `/api/models`, `/api/settings`, `/api/providers`: what is offered at which price, and what lacks one."""

from typing import Any

import pytest
from api_kit import Api, Someone, fields, refused

from unigate.base.settings import ChannelEntry, Secret, Url
from unigate.manage import audit, channels
from unigate.manage.audit import AuditFilter
from unigate.store.pages import Page

MISSING = "The model 'own' of the channel main has no price: calls of it are refused."


async def serve(api: Api, *models: str) -> None:
    entry = ChannelEntry(
        name="main",
        provider="openai_compatible",
        base_url=Url("http://127.0.0.1:9/v1"),
        credentials=[Secret("sk-upstream-one")],
        models=list(models),
    )
    await channels.create_channel(api.desk, entry)


async def price(operator: Someone, **form: Any) -> dict[str, Any]:
    reply = await operator.post("/api/prices", **form)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_price_is_set_replaced_and_withdrawn(api: Api) -> None:
    operator = await api.someone("operator", "oscar")
    await serve(api, "own")
    first = await price(operator, model="own", rates={"input": "0.15", "output": "0.6"})
    assert (first["rates"], first["source"], first["warnings"]) == ({"input": "0.15", "output": "0.6"}, "operator", [])
    second = await price(operator, model="own", rates={"per_call": {"high": "0.02", "default": "0.01"}})
    later = await price(operator, model="own", rates={"per_call": "1"}, starts_at="2999-01-01")
    assert (later["state"], later["starts"]) == ("to come", "2999-01-01T00:00:00+00:00")
    listed = (await operator.get("/api/prices", own="true", model="own")).json()["data"]
    assert [one["id"] for one in listed] == [second["id"], later["id"]]
    everything = (await operator.get("/api/prices", own="true", history="true")).json()["data"]
    assert {one["id"]: one["state"] for one in everything}[first["id"]] == "replaced"
    assert len((await operator.get("/api/prices")).json()["data"]) > 5
    gone = await operator.delete(f"/api/prices/{second['id']}")
    assert (gone.json()["state"], gone.json()["warnings"]) == ("withdrawn", [])
    assert (await operator.get(f"/api/prices/{first['id']}")).json()["state"] == "holds"
    left = await operator.delete(f"/api/prices/{first['id']}")
    assert left.json()["warnings"] == [MISSING]
    refused(await operator.get("/api/prices/price_none"), 404, "not_found")
    rows = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="price"))).rows
    assert [row.action for row in rows] == ["withdraw", "withdraw", "set", "set", "set"]
    assert rows[3].changes["rates"] == [
        {"input": "0.15", "output": "0.6"},
        {"per_call": {"high": "0.02", "default": "0.01"}},
    ]


async def test_a_change_that_leaves_a_model_without_price_warns(api: Api) -> None:
    operator, owner = await api.someone("operator"), await api.someone("owner")
    await serve(api, "gpt-4o-mini")
    assert (await operator.get("/api/prices/missing")).json()["data"] == []
    changed = (await operator.patch("/api/channels/main", models=["gpt-4o-mini", "own"])).json()
    assert changed["warnings"] == [MISSING]
    assert (await operator.patch("/api/channels/main", priority=2)).json()["warnings"] == []
    assert (await operator.get("/api/prices/missing")).json()["data"] == [{"model": "own", "channels": ["main"]}]
    off = await operator.patch("/api/channels/main", enabled=False)
    assert off.json()["warnings"] == [] and (await operator.get("/api/prices/missing")).json()["data"] == []
    assert (await operator.patch("/api/channels/main", enabled=True)).json()["warnings"] == [MISSING]
    assert (await owner.client.put("/api/settings/allow_unpriced", json={"value": True})).json()["warnings"] == []
    await operator.patch("/api/channels/main", models=["gpt-4o-mini"])
    free = (await operator.patch("/api/channels/main", models=["own"])).json()["warnings"]
    assert free == ["The model 'own' of the channel main has no price: calls of it are free of charge."]


async def test_what_a_call_would_cost(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    await operator.post("/api/groups", name="dear", multiplier="2")
    made = await price(operator, model="own", rates={"input": "1", "cached_input": "0.5", "output": "2"})
    await price(operator, model="own", when={"service_tier": "flex"}, rates={"input": "0.1"})
    asked = (await alice.get("/api/prices/quote", model="own", input=1000, cached_input=100, output=10)).json()
    assert (asked["cost"], asked["price_id"], asked["group"], asked["multiplier"]) == (
        "0.00107",
        made["id"],
        "default",
        "1",
    )
    dear = (await operator.get("/api/prices/quote", model="own", input=1000, group="dear")).json()
    assert (dear["cost"], dear["multiplier"]) == ("0.002", "2")
    flex = (await alice.get("/api/prices/quote", model="own", input=1000, service_tier="flex")).json()
    assert flex["cost"] == "0.0001"
    refused(await alice.get("/api/prices/quote", model="own", group="dear"), 403, "insufficient_permissions")
    refused(await alice.get("/api/prices/quote", model="none"), 403, "price_missing")
    assert fields(await alice.get("/api/prices/quote", model="own", input="-1")) == {"input"}
    assert fields(await alice.get("/api/prices/quote", model="own", operation="nope")) == {"operation"}


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({"model": "a"}, {"rates"}),
        ({"model": "a", "rates": {}}, {"rates"}),
        ({"model": "a", "rates": {"inputs": "1", "x": "1"}}, {"rates.inputs", "rates.x"}),
        ({"model": "a", "rates": {"input": "1"}, "starts_at": "soon"}, {"starts_at"}),
    ],
)
async def test_a_price_that_is_wrong_names_its_fields(sqlite_api: Api, form: dict[str, Any], names: set[str]) -> None:
    operator = await sqlite_api.someone("operator")
    assert fields(await operator.post("/api/prices", **form)) == names
    for amount in (1, "x", "-1", "0.0000000001"):
        reply = await operator.post("/api/prices", model="a", rates={"input": amount})
        assert reply.status_code == 400 and reply.json()["error"]["param"].startswith("rates.input")
    for other in ({"rates": {"input": "1"}}, {"model": "a*b", "rates": {"input": "1"}}):
        refused(await operator.post("/api/prices", **other), 400, "invalid_request")
    assert (await operator.get("/api/prices", own="true")).json()["data"] == []


async def test_models_are_shown_to_whom_they_are_served(api: Api) -> None:
    operator, alice = await api.someone("operator"), await api.someone("user", "alice")
    await serve(api, "gpt-4o-mini", "vendor/own")
    await price(operator, model="vendor/own", rates={"input": "1"})
    seen = {one["name"]: one for one in (await alice.get("/api/models")).json()["data"]}
    assert seen.keys() == {"gpt-4o-mini", "vendor/own"}
    assert (seen["vendor/own"]["source"], seen["vendor/own"]["channels"]) == ("", None)
    assert seen["vendor/own"]["prices"][0]["rates"] == {"input": "1"} and seen["gpt-4o-mini"]["prices"]
    said = await operator.client.put("/api/models/vendor/own", json={"owner": "us", "output_limit": 100})
    assert said.status_code == 200, said.text
    assert (said.json()["output_limit"], said.json()["source"], said.json()["channels"]) == (100, "operator", ["main"])
    assert (await operator.get("/api/models/vendor/own")).json() == said.json()
    assert (await operator.delete("/api/models/vendor/own")).status_code == 204
    refused(await operator.delete("/api/models/vendor/own"), 404, "not_found")
    refused(await operator.get("/api/models/none"), 404, "not_found")
    assert fields(await operator.client.put("/api/models/a", json={"output_limit": 0})) == {"output_limit"}
    assert len((await operator.get("/api/models", all="true")).json()["data"]) > 10
    found = (await operator.get("/api/models", search="OWN")).json()["data"]
    assert [one["name"] for one in found] == ["vendor/own"]
    await operator.post("/api/groups", name="team")
    await operator.patch("/api/channels/main", groups=["team"])
    assert (await alice.get("/api/models")).json()["data"] == []


async def test_settings_belong_to_owners(api: Api) -> None:
    owner, operator = await api.someone("owner"), await api.someone("operator")
    refused(await operator.get("/api/settings"), 403, "insufficient_permissions")
    found = {one["name"]: one for one in (await owner.get("/api/settings")).json()["data"]}
    assert found["credits_per_usd"]["value"] == found["credits_per_usd"]["default"] == 500_000
    path = "/api/settings/credits_per_usd"
    changed = await owner.client.put(path, json={"value": 1000})
    assert (changed.json()["value"], changed.json()["default"]) == (1000, 500_000)
    assert (await owner.get(path)).json()["value"] == 1000
    assert (await owner.delete(path)).json()["value"] == 500_000
    for value in ("many", 0, None, {"a": 1}):
        assert fields(await owner.client.put(path, json={"value": value})) == {"value"}
    hold = await owner.client.put("/api/settings/hold", json={"value": {"output_tokens": 9}})
    assert hold.json()["value"] == {"output_tokens": 9}
    for name in ("nope", "_secret", "_unparked"):
        refused(await owner.get(f"/api/settings/{name}"), 404, "not_found")
        refused(await owner.client.put(f"/api/settings/{name}", json={"value": 1}), 404, "not_found")
    rows = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="setting"))).rows
    assert [(row.action, row.subject) for row in rows] == [
        ("set", "hold"),
        ("reset", "credits_per_usd"),
        ("set", "credits_per_usd"),
    ]
    assert rows[1].changes == {"value": [1000, None]}


async def test_providers_are_listed(sqlite_api: Api) -> None:
    operator = await sqlite_api.someone("operator")
    names = [one["name"] for one in (await operator.get("/api/providers")).json()["data"]]
    assert names == sorted(sqlite_api.desk.providers) and "openai" in names
