"""What the sandbox keeps for an account, once its time is over. The sandbox runs in the test, whose clock is set forward."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from unigate.base import clock
from unigate.sandbox.app import create
from unigate.sandbox.options import Options

HOUR_MS = 3_600_000


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a sandbox without a socket."""
    transport = httpx.ASGITransport(app=create(Options(tokens_per_second=0, task_speed=50)))
    head = {"authorization": "Bearer sk-sandbox-0001"}
    async with httpx.AsyncClient(transport=transport, base_url="http://box/openai/v1", headers=head) as client:
        yield client


def later(monkeypatch: pytest.MonkeyPatch, ms: int) -> None:
    """Set the clock forward."""
    told = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: told + ms)


async def kept(http: httpx.AsyncClient, path: str, **body: Any) -> str:
    """The id of something new."""
    reply = await http.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


async def uploaded(http: httpx.AsyncClient, **fields: str) -> str:
    """The id of a new file."""
    reply = await http.post("/files", files={"file": ("a.txt", b"Hello")}, data={"purpose": "evals", **fields})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


async def told(http: httpx.AsyncClient, method: str, path: str, **body: Any) -> tuple[int, str]:
    """Status and message of a refusal."""
    reply = await http.request(method, path, json=body or None)
    return reply.status_code, reply.json().get("error", {}).get("message", "")


async def test_files(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    short = await uploaded(http, **{"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"})
    long = await uploaded(http)
    store = await kept(http, "/vector_stores", file_ids=[short, long])
    later(monkeypatch, HOUR_MS + 1000)
    assert [one["id"] for one in (await http.get("/files")).json()["data"]] == [long]
    assert await told(http, "GET", f"/files/{short}/content") == (404, f"No such File object: {short}")
    assert [one["id"] for one in (await http.get(f"/vector_stores/{store}/files")).json()["data"]] == [long]


async def test_vector_stores(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await kept(http, "/vector_stores", expires_after={"anchor": "last_active_at", "days": 1})
    later(monkeypatch, 23 * HOUR_MS)
    assert (await told(http, "POST", f"/vector_stores/{store}/search", query="x"))[0] == 200
    later(monkeypatch, 23 * HOUR_MS)
    assert (await http.get(f"/vector_stores/{store}")).json()["status"] == "completed"
    later(monkeypatch, 2 * HOUR_MS)
    assert (await http.get(f"/vector_stores/{store}")).json()["status"] == "expired"
    gone = 400, f"Vector store '{store}' has expired."
    assert await told(http, "POST", f"/vector_stores/{store}/search", query="x") == gone
    tool = {"type": "file_search", "vector_store_ids": [store]}
    assert await told(http, "POST", "/responses", model="gpt-4o", input="x", tools=[tool]) == gone


async def test_containers(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    box = await kept(http, "/containers", name="box")
    later(monkeypatch, HOUR_MS // 4)
    assert (await http.get(f"/containers/{box}/files")).status_code == 200
    later(monkeypatch, HOUR_MS // 4)
    assert (await http.get(f"/containers/{box}")).json()["status"] == "running"
    later(monkeypatch, HOUR_MS // 4)
    assert (await http.get(f"/containers/{box}")).json()["status"] == "expired"
    assert await told(http, "GET", f"/containers/{box}/files") == (400, "Container is expired.")


async def test_uploads(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = await kept(http, "/uploads", bytes=1, filename="a.txt", mime_type="text/plain", purpose="evals")
    later(monkeypatch, HOUR_MS + 1000)
    status, message = await told(http, "POST", f"/uploads/{upload}/cancel")
    assert status == 400 and "is expired" in message
