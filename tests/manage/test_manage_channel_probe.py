"""Testing channels whose providers only make tasks: what is asked costs nothing, and tells a right channel from a wrong one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from unigate.base.errors import BadRequest
from unigate.base.settings import ChannelEntry, Secret, Url
from unigate.http.app import render_wire
from unigate.http.asgi import run_asgi
from unigate.http.exchange import Exchange
from unigate.http.listen import listen
from unigate.http.serving import Server
from unigate.manage import audit, channels
from unigate.manage.channel_test import try_channel
from unigate.manage.desk import Desk
from unigate.providers import catalogue
from unigate.sandbox.app import create
from unigate.sandbox.options import Options
from unigate.store.database import Database
from unigate.store.pages import Page

BASES = {"replicate": "/replicate/v1", "midjourney_proxy": "/midjourney"}


@pytest.fixture
def desk(sqlite_url: str, opening: Callable[..., Database]) -> Desk:
    return Desk(db=opening(sqlite_url), secret="a-secret-that-is-long-enough", providers=catalogue())


@pytest.fixture
async def sandbox() -> AsyncIterator[str]:
    """The sandbox's address."""
    app = create(Options())

    async def handle(x: Exchange) -> None:
        await run_asgi(app, x)

    server = Server(handle, render_wire)
    await server.start(listen("127.0.0.1", 0))
    yield "http://{}:{}".format(*server.addresses[0])
    await server.drain(0.1)


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """The address of a server that answers everything so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def channel(desk: Desk, provider: str, base_url: str, *credentials: str, **more: Any) -> None:
    secrets: list[Secret | dict[str, Secret]] = [Secret(one) for one in credentials or ("r8_sandbox",)]
    entry = ChannelEntry(
        name="main", provider=provider, base_url=Url(base_url), credentials=secrets, models="*", **more
    )
    await channels.create_channel(desk, entry)


@pytest.mark.parametrize("provider", BASES)
async def test_each_credential_is_tried_by_a_free_call(desk: Desk, sandbox: str, provider: str) -> None:
    await channel(desk, provider, sandbox + BASES[provider], "r8_sandbox_one", "r8_sandbox_two")
    tried = await try_channel(desk, "main", allow_private=True)
    assert [(one.ok, one.status, one.message) for one in tried] == [(True, 200, "")] * 2
    noted = (await audit.list_audit(desk, Page(limit=10), audit.AuditFilter(action="test"))).rows
    assert len(noted) == 1


@pytest.mark.parametrize("provider", BASES)
async def test_the_sandbox_refuses_an_invalid_credential(desk: Desk, sandbox: str, provider: str) -> None:
    await channel(desk, provider, sandbox + BASES[provider], "r8_good", "r8_invalid")
    good, bad = await try_channel(desk, "main", allow_private=True)
    assert good.ok and (bad.ok, bad.status) == (False, 401) and bad.message


@pytest.mark.parametrize("provider", BASES)
async def test_a_wrong_credential_is_told(desk: Desk, provider: str) -> None:
    async with answering(401, b'{"title":"Unauthenticated","detail":"r8_wrong is none","message":"r8_wrong"}') as url:
        await channel(desk, provider, url, "r8_wrong")
        (tried,) = await try_channel(desk, "main", allow_private=True)
    assert (tried.ok, tried.status) == (False, 401)
    assert "r8_wrong" not in tried.message and "***" in tried.message


@pytest.mark.parametrize("provider", BASES)
@pytest.mark.parametrize("body", [b"<html>a login page</html>", b"7"])
async def test_a_page_is_no_answer(desk: Desk, provider: str, body: bytes) -> None:
    """A base URL that leads to somebody's web page answers 200 to everything."""
    async with answering(200, body) as url:
        await channel(desk, provider, url)
        (tried,) = await try_channel(desk, "main", allow_private=True)
    assert (tried.ok, tried.status) == (False, 200) and tried.message


async def test_what_has_no_free_call_says_so(desk: Desk) -> None:
    bare = replace(catalogue()["replicate"], probe=None, read_probe=None)
    desk = replace(desk, providers={**desk.providers, "replicate": bare})
    await channel(desk, "replicate", "http://127.0.0.1:9/v1")
    with pytest.raises(BadRequest, match="only makes tasks: it cannot be tested without a charge"):
        await try_channel(desk, "main", allow_private=True)


async def test_an_operation_is_not_asked_of_it(desk: Desk) -> None:
    await channel(desk, "replicate", "http://127.0.0.1:9/v1")
    with pytest.raises(BadRequest, match="without an operation it is asked what is free"):
        await try_channel(desk, "main", operation="openai.chat", allow_private=True)
