"""What is wrong on a realtime WebSocket: the vendor's own words where it is the vendor's to say, RFC 6455's codes where not."""

import asyncio
import base64
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.realtime import BOUND, PRICES, Talker, talking
from support.stage import Stage, set_stage
from support.waiting import until
from support.world import Process

CONFIG = (
    """
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-main,
     models: [gpt-realtime, sandbox-unpriced]}
  - {name: silent, provider: openai, base_url: SANDBOX/fault/hang/openai/v1, credentials: sk-silent, models: {talk: gpt-realtime},
     priority: 5, timeouts: {first_byte: 1}}
settings: {realtime: {event_bytes: 200000}}
users: [{name: alice, credit: 100}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: narrow, user: alice, secret: sk-narrow-0123456789, models: [gpt-realtime]}
  - {name: managing, user: alice, secret: sk-managing-0123456789, scopes: [manage]}
"""
    + PRICES
)
HANDSHAKE = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway that takes short events."""
    built = set_stage(tmp_path_factory.mktemp("bad"), vendors, CONFIG)
    yield built
    built.stop()


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_charged(stage: Stage) -> Iterator[None]:
    """All that is wrong is free, but for the two answers that prove that a session goes on."""
    yield
    stage.settled()
    paid = [row for row in stage.rows().values() if row["cost"]]
    assert {row["status"] for row in paid} <= {200}
    assert len(paid) <= 5


async def test_frames_that_are_no_events_get_the_vendors_error_and_the_session_goes_on(stage: Stage) -> None:
    async with talking(stage) as talker:
        for frame in ("{", "[1]", '"x"', b"\x00\x01", "{}", '{"type": "no.such"}', '{"type": 7}'):
            await talker.socket.send(frame)
            event = await talker.next()
            assert event["type"] == "error" and event["error"]["type"] == "invalid_request_error", (frame, event)
        assert (await talker.answer("[[reply:Still here]]"))["status"] == "completed"


async def test_what_the_vendor_refuses_names_the_event(stage: Stage) -> None:
    async with talking(stage) as talker:
        await talker.say("input_audio_buffer.commit", event_id="mine")
        event = await talker.next()
        assert event["error"]["code"] == "input_audio_buffer_commit_empty" and event["error"]["event_id"] == "mine"
        await talker.say("session.update", session={"type": "realtime", "audio": {"output": {"voice": "nobody"}}})
        assert (await talker.next())["error"]["param"] == "session.audio.output.voice"
        await talker.say("input_audio_buffer.append", audio="%%%")
        assert (await talker.next())["error"]["param"] == "audio"


async def test_models_inside_a_session_are_those_of_the_key(stage: Stage) -> None:
    async with talking(stage, key="sk-narrow-0123456789") as talker:
        await talker.say("session.update", event_id="one", session={"type": "realtime", "model": "gpt-4o"})
        event = await talker.next()
        assert (event["error"]["param"], event["error"]["event_id"]) == ("session.model", "one")
        sound = {"input": {"transcription": {"model": "whisper-1"}}}
        await talker.say("session.update", session={"type": "realtime", "audio": sound})
        assert (await talker.next())["error"]["code"] == "model_not_allowed"
        assert (await talker.answer("[[reply:Still here]]"))["status"] == "completed"
    async with talking(stage) as talker:
        sound = {"input": {"transcription": {"model": "sandbox-unpriced"}}}
        await talker.say("session.update", session={"type": "realtime", "audio": sound})
        assert (await talker.next())["error"]["code"] == "price_missing"


async def test_an_event_that_is_too_large_ends_it(stage: Stage) -> None:
    async with talking(stage) as talker:
        await talker.say("input_audio_buffer.append", audio=base64.b64encode(bytes(120_000)).decode())
        await talker.say("input_audio_buffer.clear")
        await talker.until("input_audio_buffer.cleared")
        await talker.say("input_audio_buffer.append", audio=base64.b64encode(bytes(200_000)).decode())
        assert (await talker.closed())[0] == 1009


async def test_fragments_are_put_together_and_broken_text_is_refused(stage: Stage) -> None:
    async with talking(stage) as talker:
        await talker.socket.send(iter(['{"type": "input_au', "dio_buffer", '.clear"}']))
        await talker.until("input_audio_buffer.cleared")
        await talker.socket.send(b"\xff\xfe", text=True)
        assert (await talker.closed())[0] == 1007


async def test_pings_are_answered_and_close_codes_passed_on(stage: Stage) -> None:
    async with talking(stage) as talker:
        async with asyncio.timeout(BOUND):
            await (await talker.socket.ping(b"abc"))
        await talker.socket.close(4321, "done here")
        assert talker.socket.close_code == 4321
    rows = [row for row in stage.rows().values() if row["status"] == 101]
    await until(lambda: len([r for r in stage.rows().values() if r["status"] == 101]) >= len(rows))


@pytest.mark.parametrize("raw", [b"\x81\x05hello", b"\xc1\x80\x00\x00\x00\x00", b"\x83\x80\x00\x00\x00\x00"])
async def test_frames_that_break_the_protocol_end_it(stage: Stage, raw: bytes) -> None:
    async with talking(stage) as talker:
        talker.socket.transport.write(raw)
        assert (await talker.closed())[0] == 1002


async def test_who_says_nothing_is_not_waited_for_and_no_session_lasts_for_ever(
    tmp_path: Path, vendors: Process
) -> None:
    text = CONFIG.replace("event_bytes: 200000", "idle_seconds: 2, session_seconds: 5")
    stage = await asyncio.to_thread(set_stage, tmp_path, vendors, text)
    try:
        async with talking(stage) as talker:
            assert await talker.closed() == (1008, "session_idle")
            assert talker.seen[-1]["error"]["code"] == "session_idle"
        async with talking(stage) as talker:
            with pytest.raises(ConnectionClosed) as end:
                await _chatter(talker)
            assert end.value.rcvd is not None and end.value.rcvd.reason == "session_expired"
    finally:
        await asyncio.to_thread(stage.stop)


async def _chatter(talker: Talker) -> None:
    """Say something now and then, until it ends."""
    async with asyncio.timeout(BOUND):
        while True:
            await talker.say("input_audio_buffer.clear")
            await talker.next()
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 426, "upgrade_required"),
        ({**HANDSHAKE, "upgrade": "h2c", "sec-websocket-key": "AQIDBAUGBwgJCgsMDQ4PEA=="}, 426, "upgrade_required"),
        (HANDSHAKE, 400, "invalid_request"),
        ({**HANDSHAKE, "sec-websocket-key": "short"}, 400, "invalid_request"),
        (
            {**HANDSHAKE, "sec-websocket-version": "8", "sec-websocket-key": "AQIDBAUGBwgJCgsMDQ4PEA=="},
            400,
            "invalid_request",
        ),
        ({"authorization": "Bearer sk-nobody"}, 401, "invalid_api_key"),
        ({"authorization": "Bearer ek_v1.x.y"}, 401, "invalid_api_key"),
        ({"authorization": "Bearer sk-managing-0123456789"}, 403, "insufficient_permissions"),
    ],
)
def test_what_is_no_handshake_is_answered_over_http(
    stage: Stage, headers: dict[str, str], status: int, code: str
) -> None:
    told = {"authorization": f"Bearer {stage.key}", **headers}
    reply = httpx.get(f"{stage.base}/realtime?model=gpt-realtime", headers=told)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("x=1", 400, "missing_model"),
        ("model=", 400, "missing_model"),
        ("call_id=rtc_1", 400, "invalid_request"),
        ("model=sandbox-unpriced", 403, "price_missing"),
        ("model=nobodys", 404, "model_not_found"),
        ("model=talk", 504, "upstream_timeout"),
    ],
)
async def test_what_cannot_be_served_is_told_before_the_upgrade(
    stage: Stage, query: str, status: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with talking(stage, query=query):
            pass
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body or b"{}")["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("key", "model", "status", "code"),
    [
        ("sk-app-0123456789", "nobodys", 404, "model_not_found"),
        ("sk-app-0123456789", "sandbox-unpriced", 403, "price_missing"),
        ("sk-narrow-0123456789", "nobodys", 403, "model_not_allowed"),
    ],
)
def test_a_secret_for_a_model_that_cannot_be_served_is_refused_alike(
    stage: Stage, key: str, model: str, status: int, code: str
) -> None:
    body = {"session": {"type": "realtime", "model": model}}
    head = {"authorization": f"Bearer {key}"}
    reply = httpx.post(f"{stage.base}/realtime/client_secrets", json=body, headers=head)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


async def test_a_caller_that_is_only_half_there_leaves_nothing_behind(stage: Stage) -> None:
    """Heads that never end, bytes behind a handshake, and connections that are dropped in its middle."""
    host, port = stage.url.removeprefix("http://").split(":")
    head = "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    head += f"authorization: Bearer {stage.key}\r\nsec-websocket-version: 13\r\n"
    key = base64.b64encode(os.urandom(16)).decode()

    def send(text: str, *, answer: bool) -> bytes:
        with socket.create_connection((host, int(port)), timeout=BOUND) as sock:
            sock.sendall(text.encode())
            return sock.recv(4096) if answer else b""

    for cut in (20, len(head)):
        await asyncio.to_thread(send, head[:cut], answer=False)
    for _ in range(5):
        await asyncio.to_thread(send, f"{head}sec-websocket-key: {key}\r\n\r\n", answer=False)
    early = await asyncio.to_thread(send, f"{head}sec-websocket-key: {key}\r\n\r\n\x01\x02", answer=True)
    assert early.startswith(b"HTTP/1.1 400 ")
    await until(lambda: stage.usage()["cache_used"] == 0, seconds=30)
    async with talking(stage) as talker:
        assert (await talker.answer("[[reply:Here]]"))["status"] == "completed"
