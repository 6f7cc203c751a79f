"""What the management API refuses to read, its place beside the relay, and what it says when it fails."""

import asyncio
import json
import re

import pytest
from api_kit import Api, refused
from openapi_spec_validator import validate

from unigate.base.errors import StoreUnavailable
from unigate.http.api.reading import MAX_BODY
from unigate.store.sqlite import SqliteDatabase

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"name": "x"}', None, 415, "unsupported_media_type"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"name": "x"}', "text/plain", 415, "unsupported_media_type"),
        (b'{"name": "x"}', "application/json-patch+json", 415, "unsupported_media_type"),
        (b"", "application/json", 400, "invalid_json"),
        (b"  ", "application/json", 400, "invalid_json"),
        (b"{", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
        (b'"name"', "application/json", 400, "invalid_json"),
        (b"null", "application/json", 400, "invalid_json"),
        (b'{"name": NaN}', "application/json", 400, "invalid_json"),
        (b'{"name": "\xff"}', "application/json", 400, "invalid_json"),
        (b'\xef\xbb\xbf{"name": "x"}', "application/json", 400, "invalid_json"),
        (b'{"name": "\\ud800"}', "application/json", 400, "invalid_json"),
        (b'{"name": "a\\u0000b"}', "application/json", 400, "invalid_json"),
        (b'{"a\\u0000b": 1}', "application/json", 400, "invalid_json"),
        (b'{"name": "x", "name": "y"}', "application/json", 400, "invalid_json"),
        (b'{"x": {"name": 1, "name": 2}}', "application/json", 400, "invalid_json"),
        (b'{"x": ' + b"[" * 200 + b"]" * 200 + b"}", "application/json", 400, "invalid_json"),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json", 400, "invalid_json"),
        (b'{"x": ' + b"9" * 5000 + b"}", "application/json", 400, "invalid_json"),
        (b'{"name": "' + b"x" * MAX_BODY + b'"}', "application/json", 413, "request_too_large"),
    ],
)
async def test_bodies_that_are_refused(sqlite_api: Api, body: bytes, kind: str | None, status: int, code: str) -> None:
    operator = await sqlite_api.someone("operator")
    headers = {} if kind is None else {"content-type": kind}
    refused(await operator.client.post("/api/groups", content=body, headers=headers), status, code)
    assert len((await operator.get("/api/groups")).json()["data"]) == 1


async def test_a_body_of_the_type_with_a_parameter_is_read(sqlite_api: Api) -> None:
    operator = await sqlite_api.someone("operator")
    headers = {"content-type": "application/json; charset=utf-8"}
    made = await operator.client.post("/api/groups", content='{"name": "Größe 😀"}'.encode(), headers=headers)
    assert (made.status_code, made.json()["name"]) == (201, "Größe 😀")
    assert (await operator.get("/api/groups/Größe 😀")).json() == made.json()


async def test_nobody_is_told_what_is_wrong_with_a_body_before_they_are_known(sqlite_api: Api) -> None:
    refused(await sqlite_api.client().post("/api/groups", content=b"{", headers=JSON), 401, "invalid_session")


async def test_relay_and_management_share_a_connection(sqlite_api: Api) -> None:
    owner = await sqlite_api.someone("owner")
    host, port = sqlite_api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    auth = f"authorization: Bearer {owner.token}"
    form = b'{"name": "team"}'
    for request in (
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
        f"POST /api/groups HTTP/1.1\r\nhost: x\r\n{auth}\r\ncontent-type: application/json\r\n".encode()
        + b"content-length: %d\r\n\r\n%b" % (len(form), form),
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n",
        f"GET /api/groups/team HTTP/1.1\r\nhost: x\r\n{auth}\r\n\r\n".encode(),
        b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ):
        writer.write(request)
    async with asyncio.timeout(30):
        told = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    assert re.findall(rb"HTTP/1.1 (\d+) ", told) == [b"200", b"401", b"201", b"401", b"200", b"200"]


async def test_readiness_and_metrics_are_still_there(sqlite_api: Api) -> None:
    client = sqlite_api.client()
    assert (await client.get("/readyz")).json() == {"status": "ok", "checks": {"store": "ok"}}
    sqlite_api.worker.ready["store"] = "away"
    assert (await client.get("/readyz")).status_code == 503
    assert "unigate_calls" in (await client.get("/metrics")).text


async def test_a_store_that_is_away_is_told_without_a_trace(sqlite_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await sqlite_api.someone("owner")

    def away(_self: object) -> None:
        raise StoreUnavailable(detail="secret detail")

    monkeypatch.setattr(SqliteDatabase, "reading", away)
    error = refused(await owner.get("/api/groups"), 503, "store_unavailable")
    assert "secret" not in json.dumps(error)


async def test_a_bug_is_told_without_a_trace(sqlite_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await sqlite_api.someone("owner")

    def broken(_self: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(SqliteDatabase, "writing", broken)
    error = refused(await owner.post("/api/groups", name="x"), 500, "internal_error")
    assert "secret" not in json.dumps(error) and "req_" in error["message"]


async def test_the_document_of_the_routes_names_roles_and_errors(sqlite_api: Api) -> None:
    document = sqlite_api.app.openapi()
    validate(document)
    for path, methods in document["paths"].items():
        assert path.startswith("/api/"), path
        for method, operation in methods.items():
            assert operation["summary"] and operation["tags"], (method, path)
            assert "422" not in operation["responses"] and "400" in operation["responses"]
            assert ("x-unigate-role" in operation) is (operation["security"] != [])
    operations = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) == len(set(operations))
    assert {"session", "key", "cookie"} == document["components"]["securitySchemes"].keys()
