"""Forms through a real gateway: whole, by a second channel, refused early, left by their caller, killed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import support.form_gateway
from support.form_vendor import FormVendor, form_vendor
from support.stage import Stage, set_stage

PROGRAM = Path(support.form_gateway.__file__)
CHANNEL = "  - {{name: {name}, provider: openai, base_url: {url}/{name}, credentials: sk-up, models: {models}{more}}}\n"
BOOKS = """
prices: [{model: "*", input: 1, output: 1}]
users: [{name: alice, email: alice@example.com, credit: 100}]
keys: [{name: app, user: alice, secret: sk-app-0123456789}]
"""


def channel(name: str, vendor: FormVendor, models: str, more: str = "") -> str:
    return CHANNEL.format(name=name, url=vendor.url, models=models, more=more)


async def start(home: Path, *channels: str) -> Stage:
    nobody: Any = SimpleNamespace(url="")
    text = "channels:\n" + "".join(channels) + BOOKS
    return await asyncio.to_thread(set_stage, home, nobody, text, program=PROGRAM)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[tuple[Stage, FormVendor]]:
    async with form_vendor() as vendor:
        made = await start(tmp_path, channel("good", vendor, "{echo: echo, other: real-name}"))
        yield made, vendor
        await asyncio.to_thread(made.stop)


def caller(stage: Stage) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stage.url, headers={"authorization": f"Bearer {stage.key}"}, timeout=60)


async def test_a_form_arrives_as_it_was(stage: tuple[Stage, FormVendor]) -> None:
    gateway, vendor = stage
    sound = bytes(range(256)) * 4000
    async with caller(gateway) as client:
        reply = await client.post(
            "/v1/form",
            data={"model": "other", "prompt": "ü \r\n--x", "include[]": ["a", "b"]},
            files=[("file", ('a"b.mp3', sound, "audio/mpeg")), ("image[]", ("small.png", b"png", "image/png"))],
        )
    assert reply.status_code == 200, reply.text
    (asked,) = vendor.asked
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert asked.headers["authorization"] == "bearer sk-up"
    assert asked.parts() == [
        ("model", None, "", b"real-name"),
        ("prompt", None, "", "ü \r\n--x".encode()),
        ("include[]", None, "", b"a"),
        ("include[]", None, "", b"b"),
        ("file", "a%22b.mp3", "audio/mpeg", sound),
        ("image[]", "small.png", "image/png", b"png"),
    ]
    row = gateway.row(reply.headers["x-request-id"])
    assert (row["model"], row["units"]) == ("other", {"input": 10, "output": 5})
    assert row["cost"] == 15 * 1000
