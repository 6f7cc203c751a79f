"""The walk over all routes of the management API: who is let in, with what, and who is not."""

import re

import httpx
import pytest
from api_kit import Api, refused

from unigate.http.api.app import ROUTERS
from unigate.http.api.routes import ROUTES, Guarded, Rule
from unigate.http.api.who import SAFE
from unigate.manage.desk import ROLES

IDS = [f"{rule.method} {rule.path}" for rule in ROUTES]


async def call(client: httpx.AsyncClient, rule: Rule, **headers: str) -> httpx.Response:
    """A call of a route, with an empty form where it may take one."""
    path = re.sub(r"\{\w+\}", "nothing", rule.path)
    body: dict[str, str] | None = None if rule.method in ("GET", "DELETE") else {}
    return await client.request(rule.method, path, json=body, headers=headers)


def let_in(reply: httpx.Response) -> bool:
    """Whether the request came as far as being read."""
    return reply.status_code < 500 and reply.status_code not in (401, 403, 405)


def test_the_table_has_all_routes_and_nothing_twice() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, Guarded) for route in routes)
    served = {(method, route.path) for route in routes if isinstance(route, Guarded) for method in route.methods or ()}
    assert served == {(rule.method, rule.path) for rule in ROUTES}
    assert len(ROUTES) == len(served)


def test_only_signing_in_is_open() -> None:
    assert [(rule.method, rule.path) for rule in ROUTES if rule.role is None] == [("POST", "/api/sessions")]


def test_what_changes_something_names_its_row_of_the_audit_log() -> None:
    for rule in ROUTES:
        assert (rule.audit is None) is (rule.method in SAFE), rule
        assert rule.audit is None or re.fullmatch(r"[a-z]+\.[a-z_]+", rule.audit), rule


@pytest.mark.parametrize("rule", ROUTES, ids=IDS)
async def test_each_route_lets_in_who_has_the_role_by_session_and_by_key(sqlite_api: Api, rule: Rule) -> None:
    api = sqlite_api
    nobody = api.client()
    if rule.role is None:
        assert let_in(await call(nobody, rule))
        return
    refused(await call(nobody, rule), 401, "invalid_session")
    refused(await call(nobody, rule, authorization="Bearer ses_nothing"), 401, "invalid_session")
    refused(await call(nobody, rule, authorization="Bearer sk-nothing"), 401, "invalid_api_key")
    refused(await call(nobody, rule, authorization="Basic eDp5"), 401, "invalid_api_key")
    for role in ROLES:
        someone = await api.someone(role, role)
        manage, relay = await api.key(role, "manage"), await api.key(role, "relay")
        enough = ROLES.index(role) >= ROLES.index(rule.role)
        for shown in (someone.token, manage):
            reply = await call(nobody, rule, authorization=f"Bearer {shown}")
            if enough:
                assert let_in(reply), (role, reply.text)
            else:
                refused(reply, 403, "insufficient_permissions")
        refused(await call(nobody, rule, authorization=f"Bearer {relay}"), 403, "insufficient_permissions")


@pytest.mark.parametrize("rule", ROUTES, ids=IDS)
async def test_no_page_of_another_origin_may_change_or_preflight(sqlite_api: Api, rule: Rule) -> None:
    api = sqlite_api
    owner = await api.someone("owner")
    cookie, host = f"unigate_session={owner.token}", api.url.removeprefix("http://")
    browser = api.client(cookie=cookie)
    for origin in ("https://evil.example", "null", "", f"http://{host}.evil.example"):
        reply = await call(browser, rule, origin=origin)
        refused(reply, 403, "origin_not_allowed")
        assert not [name for name in reply.headers if name.startswith("access-control-")]
    if rule.method not in SAFE and rule.role is not None:
        refused(await call(browser, rule), 403, "origin_not_allowed")
    assert let_in(await call(browser, rule, origin=f"http://{host}"))
    preflight = await browser.options(rule.path, headers={"origin": "https://evil.example"})
    assert not [name for name in preflight.headers if name.startswith("access-control-")]
    refused(preflight, 405, "method_not_allowed")


async def test_other_paths_and_methods(sqlite_api: Api) -> None:
    client = sqlite_api.client()
    refused(await client.get("/api"), 404, "unknown_url")
    refused(await client.get("/api/nothing"), 404, "unknown_url")
    refused(await client.get("/api/groups/"), 404, "unknown_url")
    reply = await client.delete("/api/groups")
    refused(reply, 405, "method_not_allowed")
    assert reply.headers["allow"] == "GET, POST"
