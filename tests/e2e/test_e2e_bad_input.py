"""Bad input gets OpenAI's error object with the right status and code, a request id, no stack trace, no charge."""

import json
import socket
from typing import Any

import httpx
import pytest

from support.world import World, rows_until

GOOD = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
TEXT = json.dumps(GOOD)


def refused(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error object of a refusal, after looking at everything that each must have."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.headers["x-request-id"].startswith("req_")
    assert "x-unigate-cost" not in reply.headers
    assert "Traceback" not in reply.text and ".py" not in reply.text
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["code"] == code, error
    return error


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"not json", "invalid_json"),
        (b'{"model": "gpt-4o-mini", "messages": [],}', "invalid_json"),
        (b"[1, 2]", None),
        (b'"text"', None),
        (b"null", None),
        (TEXT.replace("gpt-4o-mini", "\\ud800").encode(), "invalid_json"),
        (TEXT.replace('"hi"', '"\\udc00"').encode(), "invalid_json"),
        (TEXT.encode().replace(b'"hi"', b'"\xff\xfe"'), "invalid_json"),
        (TEXT.encode().replace(b'"hi"', b'"\xed\xa0\x80"'), "invalid_json"),
        (TEXT.replace("{", '{"model": "gpt-4o", ', 1).encode(), None),
        (TEXT.replace("{", '{"mod\\u0065l": "gpt-4o", ', 1).encode(), None),
        (TEXT.replace("{", '{"stream": true, "stream": false, ', 1).encode(), None),
        (TEXT.replace('"hi"', "[" * 100_000 + "]" * 100_000).encode(), "invalid_json"),
        (TEXT.replace("{", '{"temperature": NaN, ', 1).encode(), "invalid_json"),
    ],
)
def test_broken_bodies(world: World, body: bytes, code: str | None) -> None:
    reply = world.post(body)
    assert reply.status_code == 400, reply.text
    refused(reply, 400, code or reply.json()["error"]["code"])
    assert reply.json()["error"]["code"] in ("invalid_json", "invalid_request")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"n": "two"}, "n"),
        ({"n": -1}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"stream_options": 3, "stream": True}, "stream_options"),
    ],
)
def test_wrong_types_of_what_we_read(world: World, change: dict[str, object], param: str) -> None:
    error = refused(world.post({**GOOD, **change}), 400, "invalid_request")
    assert (error["param"] or "").startswith(param)


def test_no_model(world: World) -> None:
    assert refused(world.post({"messages": GOOD["messages"]}), 400, "invalid_request")["param"] == "model"


def test_keys(world: World) -> None:
    refused(httpx.post(world.base + "/chat/completions", json=GOOD), 401, "invalid_api_key")
    refused(world.post(GOOD, key="sk-wrong"), 401, "invalid_api_key")
    refused(world.post(GOOD, key="odd one"), 401, "invalid_api_key")
    refused(world.post(GOOD, key="sk-expired-0123456789"), 401, "key_expired")
    refused(world.post(GOOD, key="sk-disabled-0123456789"), 401, "invalid_api_key")
    refused(world.post(GOOD, key="sk-narrow-0123456789"), 403, "model_not_allowed")
    refused(world.post(GOOD, key="sk-elsewhere-0123456789"), 403, "address_not_allowed")
    refused(world.post(GOOD, key="sk-scopeless-0123456789"), 403, "insufficient_permissions")


def test_an_expired_key_still_sees_its_usage(world: World) -> None:
    assert world.usage("sk-expired-0123456789")["used"] == 0


@pytest.mark.parametrize("header", ["api-key", "x-api-key", "x-goog-api-key", "x-key", "token"])
def test_keys_in_other_vendors_places(world: World, header: str) -> None:
    reply = httpx.get(world.base + "/models", headers={header: world.key})
    assert reply.status_code == 200
    assert httpx.get(world.base + "/models", headers={header: "sk-no"}).status_code == 401


def test_models_routes_methods(world: World) -> None:
    refused(world.post({**GOOD, "model": "no-such-model"}), 404, "model_not_found")
    refused(world.post({**GOOD, "model": "unpriced"}), 403, "price_missing")
    auth = {"authorization": f"Bearer {world.key}"}
    refused(httpx.post(world.base + "/nothing", headers=auth, json=GOOD), 404, "unknown_url")
    refused(httpx.get(world.url + "/", headers=auth), 404, "unknown_url")
    wrong = httpx.delete(world.base + "/chat/completions", headers=auth)
    refused(wrong, 405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"]
    refused(httpx.get(world.base + "/chat/completions", headers=auth), 405, "method_not_allowed")


def test_media_types_and_sizes(world: World) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        refused(world.post(TEXT.encode(), **{"content-type": kind}), 415, "unsupported_media_type")
    assert world.post(TEXT.encode(), **{"content-type": "application/json; charset=utf-8"}).status_code == 200
    large = TEXT.replace('"hi"', '"' + "x" * 300_000 + '"').encode()
    refused(world.post(large), 413, "request_too_large")


def test_an_upload_over_the_limit_is_refused_without_reading_it(world: World) -> None:
    host, port = world.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as s:
        s.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\ncontent-length: 100000000\r\n\r\n{" % world.key.encode()
        )
        assert s.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_money_gone(world: World) -> None:
    error = refused(world.post(GOOD, key="sk-poor-0123456789"), 402, "insufficient_quota")
    assert error["type"] == "insufficient_quota"
    refused(world.post(GOOD, key="sk-spent-0123456789"), 402, "insufficient_quota")


def test_over_a_rate(world: World) -> None:
    replies = [world.post(GOOD, key="sk-slow-0123456789") for _ in range(4)]
    assert [r.status_code for r in replies[:2]] == [200, 200]
    assert replies[0].headers["x-ratelimit-limit-requests"] == "2"
    assert replies[0].headers["x-ratelimit-remaining-requests"] == "1"
    refused(replies[-1], 429, "rate_limit_exceeded")
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert replies[-1].headers["x-ratelimit-remaining-requests"] == "0"


def test_a_refusal_leaves_the_connection_usable(world: World) -> None:
    auth = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    with httpx.Client(base_url=world.url, limits=httpx.Limits(max_connections=1)) as one:
        for _ in range(3):
            assert one.post("/v1/chat/completions", headers=auth, content=b"{").status_code == 400
            assert one.post("/v1/chat/completions", headers=auth, content=TEXT).status_code == 200


async def test_nothing_of_this_was_charged(world: World) -> None:
    async def ids_after(fence: httpx.Response) -> set[str]:
        """Ids of all rows, once the row of a good call is among them; records are moved in order."""
        last = fence.headers["x-request-id"]
        return {row["id"] for row in await rows_until(world, lambda rows: any(row["id"] == last for row in rows))}

    before = await ids_after(world.post(GOOD))
    for body in (b"{", TEXT.replace("gpt-4o-mini", "no-such-model").encode()):
        assert world.post(body).status_code in (400, 404)
    assert len(await ids_after(world.post(GOOD)) - before) == 1
