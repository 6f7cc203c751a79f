"""`/api/channels`: what goes in, what never comes out, calls that try them, and parking that every worker forgets."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from api_kit import Api, Someone, fields, refused

from unigate.base.clock import now_ms
from unigate.base.errors import UpstreamRefused
from unigate.dialects import operations
from unigate.http.app import render_wire
from unigate.http.asgi import run_asgi
from unigate.http.listen import listen
from unigate.http.serving import Server
from unigate.manage import audit, load
from unigate.manage.audit import AuditFilter
from unigate.routing.choice import Router
from unigate.routing.snapshot import snapshot
from unigate.sandbox.app import create as sandbox
from unigate.sandbox.options import Options
from unigate.store import channels as rows
from unigate.store import generations
from unigate.store.pages import Page

FORM: dict[str, Any] = {
    "name": "main",
    "provider": "openai_compatible",
    "base_url": "http://127.0.0.1:9/v1",
    "credentials": ["sk-upstream-one", {"key": "k", "secret": "sk-upstream-two"}],
    "models": {"fast": "gpt-4o-mini", "own": "own-1"},
    "limits": {"rpm": 60},
    "timeouts": {"connect": 2, "total": 30.5},
    "options": {"headers": {"x-team": "hidden"}, "region": "eu"},
}


async def make(operator: Someone, **other: Any) -> dict[str, Any]:
    reply = await operator.post("/api/channels", **{**FORM, **other})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_channel_is_made_shown_listed_and_changed(api: Api) -> None:
    operator = await api.someone("operator")
    made = await make(operator)
    assert (made["limits"], made["timeouts"]["connect"], made["timeouts"]["total"], made["timeouts"]["idle"]) == (
        {"concurrency": 0, "rpm": 60},
        2.0,
        30.5,
        60.0,
    )
    assert [one["last4"] for one in made["credentials"]] == ["-one", "-two"]
    assert "hidden" not in str(made) and "sk-upstream" not in str(made)
    assert made["warnings"] == ["The model 'own' of the channel main has no price: calls of it are refused."] or (
        len(made["warnings"]) == 2
    )
    plain = {**made, "warnings": []}
    for name in ("main", made["id"]):
        assert (await operator.get(f"/api/channels/{name}")).json() == plain
    assert (await operator.get("/api/channels")).json()["data"] == [plain]
    assert (await operator.get("/api/channels", provider="openai")).json()["data"] == []
    changed = await operator.patch(
        "/api/channels/main", enabled=False, limits={"concurrency": 3}, options={"region": None}, models=["own"]
    )
    found = changed.json()
    assert (found["enabled"], found["limits"], found["models"]) == (
        False,
        {"concurrency": 3, "rpm": 60},
        {"own": "own"},
    )
    assert found["options"] == {"headers": {"x-team": "***"}} and found["credentials"] == made["credentials"]
    assert found["timeouts"] == made["timeouts"]
    refused(await operator.post("/api/channels", **FORM), 409, "conflict")
    refused(await operator.get("/api/channels/nothing"), 404, "not_found")


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({"name": ""}, {"name"}),
        ({"weight": -1}, {"weight"}),
        ({"priority": "high"}, {"priority"}),
        ({"limits": {"rpm": -1, "rps": 1}}, {"limits.rpm", "limits.rps"}),
        ({"timeouts": {"connect": 0}}, {"timeouts.connect"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
async def test_a_form_that_is_wrong_names_its_fields(sqlite_api: Api, form: dict[str, Any], names: set[str]) -> None:
    operator = await sqlite_api.someone("operator")
    assert fields(await operator.post("/api/channels", **{**FORM, **form})) == names
    for other in ({"provider": "nope"}, {"groups": ["nobody"]}, {"base_url": "nonsense"}, {"models": {"a*b": "x"}}):
        refused(await operator.post("/api/channels", **{**FORM, **other}), 400, "invalid_request")
    assert (await operator.get("/api/channels")).json()["data"] == []


async def test_credentials_are_added_switched_and_removed(api: Api) -> None:
    operator = await api.someone("operator", "oscar")
    made = await make(operator)
    path = "/api/channels/main/credentials"
    added = (await operator.post(path, secret="sk-upstream-three")).json()
    assert [one["last4"] for one in added["credentials"]] == ["-one", "-two", "hree"]
    error = refused(await operator.post(path, secret="sk-upstream-one"), 409, "conflict")
    assert "sk-upstream" not in error["message"]
    first = made["credentials"][0]["id"]
    off = (await operator.patch(f"{path}/{first}", enabled=False)).json()
    assert [one["enabled"] for one in off["credentials"]] == [False, True, True]
    await operator.patch(f"{path}/{first}", enabled=False)
    (channel,) = await load.load_channels(api.desk.db, api.desk.vault, api.desk.providers)
    assert [one.secret for one in channel.credentials] == ["sk-upstream-two", "sk-upstream-three"]
    left = (await operator.delete(f"{path}/{first}")).json()
    assert [one["last4"] for one in left["credentials"]] == ["-two", "hree"]
    for method in (operator.patch(f"{path}/{first}", enabled=True), operator.delete(f"{path}/{first}")):
        refused(await method, 404, "not_found")
    noted = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="channel"))).rows
    assert [row.action for row in noted] == ["remove_credential", "disable_credential", "add_credential", "create"]
    assert (
        {row.actor for row in noted} == {"oscar"} and "sk-upstream" not in repr(noted) and "hidden" not in repr(noted)
    )


@pytest.fixture
async def vendors() -> AsyncIterator[str]:
    """The address of a sandbox on this loop."""
    app = sandbox(Options())
    server = Server(lambda x: run_asgi(app, x), render_wire)
    await server.start(listen("127.0.0.1", 0))
    host, port = server.addresses[0]
    yield f"http://{host}:{port}"
    await server.drain(1.0)


async def test_a_channel_is_tried_and_asked_for_its_models(api: Api, vendors: str) -> None:
    operator = await api.someone("operator", "oscar")
    await make(operator, provider="openai", base_url=f"{vendors}/openai/v1", models={"fast": "gpt-4o-mini"})
    tried = await operator.post("/api/channels/main/test")
    assert tried.status_code == 200, tried.text
    assert [(one["ok"], one["status"]) for one in tried.json()["data"]] == [(True, 200)] * 2
    offered = (await operator.get("/api/channels/main/models")).json()["data"]
    assert {"name": "gpt-4o-mini", "served_as": ["fast"]} in offered and len(offered) > 3
    (noted,) = (await audit.list_audit(api.desk, Page(), AuditFilter(kind="channel", action="test"))).rows
    assert noted.changes["operation"] == [None, "openai.chat"]
    assert set(noted.changes["ok"][1].values()) == {True}
    await operator.patch("/api/channels/main", models=["text-embedding-3-small"])
    fitting = await operator.post("/api/channels/main/test")
    assert [(one["ok"], one["status"]) for one in fitting.json()["data"]] == [(True, 200)] * 2, fitting.text
    chat = await operator.post("/api/channels/main/test", operation="openai.chat")
    assert [one["status"] for one in chat.json()["data"]] == [404] * 2, chat.text
    error = refused(await operator.post("/api/channels/main/test", operation="openai.songs"), 400, "invalid_request")
    assert "openai.embeddings" in error["message"] and error["param"] == "operation"
    await operator.patch("/api/channels/main", models={"fast": "gpt-4o-mini"})
    await operator.patch("/api/channels/main", base_url=f"{vendors}/fault/500/openai/v1")
    failed = (await operator.post("/api/channels/main/test", model="fast")).json()["data"]
    assert [(one["ok"], one["status"]) for one in failed] == [(False, 500)] * 2
    assert "sk-upstream" not in str(failed)
    refused(await operator.get("/api/channels/main/models"), 502, "upstream_error")
    refused(await operator.get("/api/channels/main/models", credential="cred_x"), 400, "invalid_request")
    await operator.patch("/api/channels/main", base_url="http://127.0.0.1:9/v1")
    refused(await operator.get("/api/channels/main/models"), 502, "upstream_error")
    refused(await operator.get("/api/channels/nothing/models"), 404, "not_found")
    refused(await operator.post("/api/channels/nothing/test"), 404, "not_found")


async def test_parking_is_shown_and_forgotten_everywhere(api: Api) -> None:
    """Two routers stand for two workers: what one learnt is shown, and the word reaches both."""
    operator = await api.someone("operator", "oscar")
    made = await make(operator, models=["own"])
    first, _ = made["credentials"]

    async def channels() -> list[Any]:
        return await load.load_channels(api.desk.db, api.desk.vault, api.desk.providers)

    workers = [Router(await channels()), Router(await channels())]
    chat = next(row for row in operations() if row.name == "openai.chat")
    for router in workers:
        for candidate in router.routes("own", "default", chat):
            assert candidate.take()
            router.failed(candidate, UpstreamRefused(401))
            candidate.done()
    api.worker.health = lambda: snapshot(workers[0], now_ms())  # type: ignore[method-assign]
    (shown,) = (await operator.get("/api/channels/health", parked="true")).json()["data"]
    assert [one["parked"]["until"] is not None for one in shown["credentials"]] == [True, True]
    assert shown["id"] == (await operator.get("/api/channels/main/health")).json()["id"] == made["id"]

    async def parked() -> list[bool]:
        found = []
        for router in workers:
            router.replace(await channels())
            (health,) = router.health.values()
            found += [credential.parked for credential in health.credentials]
        return found

    assert await parked() == [True] * 4
    async with api.desk.db.reading() as tx:
        before = (await generations.read(tx))["channels"]
    reply = await operator.client.post(f"/api/channels/main/credentials/{first['id']}/unpark")
    assert reply.status_code == 204, reply.text
    async with api.desk.db.reading() as tx:
        assert (await generations.read(tx))["channels"] == before + 1
    assert await parked() == [False, True, False, True]
    assert (await operator.client.post("/api/channels/main/unpark")).status_code == 204
    assert await parked() == [False] * 4
    assert (await operator.get("/api/channels/health", parked="true")).json()["data"] == []
    refused(await operator.client.post("/api/channels/main/credentials/cred_x/unpark"), 404, "not_found")


async def test_the_word_counts_once(api: Api) -> None:
    """What is parked after it stays parked, however often channels are loaded anew."""
    operator = await api.someone("operator")
    await make(operator, models=["own"])
    await operator.client.post("/api/channels/main/unpark")
    router = Router(await load.load_channels(api.desk.db, api.desk.vault, api.desk.providers))
    chat = next(row for row in operations() if row.name == "openai.chat")
    (candidate, *_) = router.routes("own", "default", chat)
    assert candidate.take()
    router.failed(candidate, UpstreamRefused(401))
    await operator.patch("/api/channels/main", priority=3)
    router.replace(await load.load_channels(api.desk.db, api.desk.vault, api.desk.providers))
    (health,) = router.health.values()
    assert [credential.parked for credential in health.credentials].count(True) == 1


async def test_what_the_config_file_owns_is_changed_there(api: Api) -> None:
    operator = await api.someone("operator")
    made = await make(operator)
    async with api.desk.db.writing() as tx:
        row = await rows.channel_by_name(tx, "main")
        assert row is not None
        await rows.set_channel(tx, replace(row, owned_by="file"))
    credential = made["credentials"][0]["id"]
    for call in (
        operator.patch("/api/channels/main", enabled=False),
        operator.post("/api/channels/main/credentials", secret="x"),
        operator.patch(f"/api/channels/main/credentials/{credential}", enabled=False),
        operator.delete(f"/api/channels/main/credentials/{credential}"),
    ):
        refused(await call, 409, "conflict")
    assert (await operator.client.post("/api/channels/main/unpark")).status_code == 204
