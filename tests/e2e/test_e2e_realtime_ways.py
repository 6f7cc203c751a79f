"""Realtime by other ways: over several workers, by secrets that end, and past the gateway for groups that may."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.realtime import PRICES, Talker, cost, talking
from support.stage import Stage, set_stage, workers_of
from support.waiting import until
from support.world import Process
from unigate.access.secrets import Vault
from unigate.base.clock import now_ms
from unigate.relay.realtime_secrets import Ephemeral, sealed

CONFIG = (
    """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-main, groups: [default, staff],
     models: {gpt-realtime: gpt-realtime, talk: gpt-realtime, hear: whisper-1, no more: no-more}}
settings: {realtime: {direct_groups: [staff]}}
groups: [{name: default}, {name: staff}]
users:
  - {name: alice, credit: 10}
  - {name: carol, credit: 0, group: staff}
  - {name: thrifty, credit: "0.004"}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: staff, user: carol, secret: sk-staff-0123456789}
  - {name: narrow, user: carol, secret: sk-narrow-0123456789, models: [talk]}
  - {name: thrifty, user: thrifty, secret: sk-thrifty-0123456789}
"""
    + PRICES
    + "  - {model: hear, per_minute: 0.006}\n  - {model: no more, input: 1}\n"
)
STAFF = "sk-staff-0123456789"
SDP = {"content-type": "application/sdp"}
HANDSHAKE = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AQIDBAUGBwgJCgsMDQ4PEA==",
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """Two workers, and a group that may connect to vendors directly."""
    built = set_stage(tmp_path_factory.mktemp("ways"), vendors, CONFIG, workers=2)
    yield built
    built.stop()


def worker_of(stage: Stage, port: int) -> int | None:
    """The worker that has accepted the connection from a port of ours."""
    mine = int(stage.url.rpartition(":")[2])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        cells = line.split()
        if [int(cells[at].partition(":")[2], 16) for at in (1, 2)] != [mine, port]:
            continue
        for worker in workers_of(stage):
            for opened in Path(f"/proc/{worker}/fd").iterdir():
                if opened.is_symlink() and str(opened.readlink()) == f"socket:[{cells[9]}]":
                    return worker
    return None


def at(stage: Stage, talker: Talker) -> int | None:
    """The worker that serves a session."""
    return worker_of(stage, talker.socket.transport.get_extra_info("sockname")[1])


def offer(stage: Stage, *, key: str = STAFF, query: str = "", **more: Any) -> httpx.Response:
    """Make an offer of WebRTC."""
    head = {"authorization": f"Bearer {key}", **more.pop("headers", {})}
    return httpx.post(f"{stage.base}/realtime/calls{query}", headers=head, **more)


def form(session: object, *, twice: bool = False) -> dict[str, Any]:
    """An offer as a form, as the vendor's own examples send it."""
    told = session if isinstance(session, str) else json.dumps(session)
    parts = [("sdp", (None, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n", "application/sdp"))]
    parts += [("session", (None, told, "application/json"))] * (2 if twice else 1)
    return {"files": parts}


#: A session whose part is named in a way that some readers don't know.
HIDDEN = (
    b"--b\r\nContent-Disposition: form-data; name*=utf-8''session\r\n\r\n"
    b'{"type":"realtime","model":"gpt-realtime"}\r\n--b--\r\n'
)


def test_who_may_connect_directly_gets_the_vendors_own_secret(stage: Stage) -> None:
    head = {"authorization": f"Bearer {STAFF}"}
    body = {"session": {"type": "realtime", "model": "talk"}}
    made = httpx.post(f"{stage.base}/realtime/client_secrets", json=body, headers=head)
    assert made.status_code == 200, made.text
    assert made.json()["value"].startswith("ek_") and "." not in made.json()["value"]
    assert made.json()["session"]["model"] == "gpt-realtime"
    mine = httpx.post(
        f"{stage.base}/realtime/client_secrets", json=body, headers={"authorization": f"Bearer {stage.key}"}
    )
    assert mine.json()["value"].startswith("ek_v1.")


def test_a_bare_offer_is_passed_on(stage: Stage) -> None:
    reply = offer(stage, query="?model=talk", content=b"v=0\r\n", headers=SDP)
    assert reply.status_code == 201, reply.text
    assert reply.headers["content-type"].startswith("application/sdp")
    assert reply.headers["location"].startswith("/v1/realtime/calls/rtc_")
    assert reply.content.startswith(b"v=0\r\n")
    assert not [row for row in stage.rows().values() if row["cost"]]


def test_an_offer_with_its_session_names_the_vendors_models(stage: Stage) -> None:
    session = {
        "type": "realtime",
        "model": "talk",
        "instructions": "Answer in mark-of-an-offer words.",
        "audio": {"input": {"transcription": {"model": "hear"}}, "output": {"voice": "cedar"}},
    }
    reply = offer(stage, **form(session))
    assert reply.status_code == 201, reply.text
    (seen,) = stage.received("mark-of-an-offer")
    assert '"model":"gpt-realtime"' in seen["body"] and '"model":"whisper-1"' in seen["body"]
    assert "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n" in seen["body"] and '"voice":"cedar"' in seen["body"]
    # A model that stands in the query alone is told there.
    bare = offer(stage, query="?model=talk", files={"sdp": (None, "v=0\r\n", "application/sdp")})
    assert bare.status_code == 201, bare.text


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"content": b"v=0", "headers": SDP}, 400, "session.model"),
        (form({"type": "realtime"}), 400, "session.model"),
        (form("{"), 400, "session"),
        (form("[]"), 400, "session"),
        (form({"model": "talk"}, twice=True), 400, "session"),
        (
            {"query": "?model=talk", "content": HIDDEN, "headers": {"content-type": "multipart/form-data; boundary=b"}},
            400,
            None,
        ),
        ({"query": "?model=talk", "content": b"hello", "headers": SDP}, 400, "sdp"),
        (form({"model": "talk", "audio": {"output": {"voice": "nobody"}}}), 400, "session.audio.output.voice"),
        ({"query": "?model=no%20more", "content": b"v=0", "headers": SDP}, 404, None),
        ({"key": "sk-narrow-0123456789", **form({"model": "gpt-realtime"}), "query": "?model=talk"}, 403, "model"),
        (
            {
                "key": "sk-narrow-0123456789",
                **form({"model": "talk", "audio": {"input": {"transcription": {"model": "hear"}}}}),
            },
            403,
            "model",
        ),
        ({"key": "sk-app-0123456789", **form({"model": "talk"})}, 403, None),
        ({"key": "sk-nobody", **form({"model": "talk"})}, 401, None),
    ],
)
def test_offers_that_are_refused(stage: Stage, more: dict[str, Any], status: int, param: str | None) -> None:
    reply = offer(stage, **more)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["param"] == param, reply.text
    assert reply.headers["x-request-id"].startswith("req_") and "x-unigate-cost" not in reply.headers


async def test_a_secret_works_at_the_other_worker(stage: Stage) -> None:
    made: dict[int | None, str] = {}
    async with AsyncExitStack() as stack:
        for _ in range(50):
            client = await stack.enter_async_context(
                httpx.AsyncClient(headers={"authorization": f"Bearer {stage.key}"})
            )
            reply = await client.post(
                f"{stage.base}/realtime/client_secrets", json={"session": {"type": "realtime", "model": "talk"}}
            )
            port = reply.extensions["network_stream"].get_extra_info("client_addr")[1]
            made.setdefault(worker_of(stage, port), reply.json()["value"])
            if len(made) == 2:
                break
    assert set(made) == set(workers_of(stage)), "one worker made all secrets"
    used = set()
    for _ in range(50):
        for maker, secret in made.items():
            async with talking(stage, key=secret, model="talk") as talker:
                if (server := at(stage, talker)) != maker and server not in used:
                    done = await talker.answer("[[reply:Over here]]")
                    assert done["status"] == "completed"
                    used.add(server)
        if len(used) == 2:
            break
    assert used == set(made), "each secret was used where it was made"


@pytest.mark.parametrize(("ms", "code"), [(-1, "key_expired"), (60_000, "invalid_api_key")])
def test_a_secret_ends_with_its_time_and_with_its_key(stage: Stage, ms: int, code: str) -> None:
    key, *_ = [one for one in stage.manage("key", "list") if one["name"] == "app"]
    channel = stage.manage("channel", "show", "main")
    gone = Ephemeral(
        key=key["id"] if ms < 0 else "key_of_nobody",
        model="talk",
        channel=channel["id"],
        credential="cred_x",
        secret="ek_of_the_vendor",
        ends_at=now_ms() + ms,
    )
    presented = sealed(Vault("e2e-secret-e2e-secret-e2e"), gone)
    head = {**HANDSHAKE, "authorization": f"Bearer {presented}"}
    reply = httpx.get(f"{stage.base}/realtime?model=talk", headers=head)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, code)


async def test_who_only_writes_is_held_for_by_the_prices_of_text(stage: Stage) -> None:
    """By those of sound, the hold for the first 1,024 tokens and what was said would be more than all there is."""
    async with talking(stage, key="sk-thrifty-0123456789") as talker:
        first = await talker.answer("[[tokens:300]]")
        assert first["usage"]["output_tokens"] >= 300
    await until(lambda: stage.usage("sk-thrifty-0123456789")["cache_used"] == 0, seconds=30)
    used = round(stage.usage("sk-thrifty-0123456789")["used"] * 10**9)
    assert used == cost(first["usage"]) < 4_000_000


async def test_a_killed_worker_ends_its_own_sessions_only(stage: Stage) -> None:
    async with AsyncExitStack() as stack:
        found: dict[int, Talker] = {}
        for _ in range(50):
            talker = await stack.enter_async_context(talking(stage))
            found.setdefault(at(stage, talker) or 0, talker)
            if len(found) == 2:
                break
        assert set(found) == set(workers_of(stage))
        (killed, ended), (_, other) = found.items()
        await ended.ask("[[pace:20]][[tokens:500]]")
        await ended.until("response.output_text.delta")
        os.kill(killed, signal.SIGKILL)
        assert (await ended.closed())[0] == 1006
        assert (await other.answer("[[reply:Still here]]"))["status"] == "completed"
    await until(lambda: stage.usage()["cache_used"] == 0, seconds=60, what="what was held is back")
    await asyncio.to_thread(stage.sound)
