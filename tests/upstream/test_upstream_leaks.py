"""Whatever fails or is given up, no descriptor stays open."""

import asyncio
import contextlib
import socket
import ssl
import sys
from pathlib import Path

import pytest
import trustme
from upstream_peer import OK, POST, Peer, vendor

from support.waiting import until
from unigate.base.errors import UpstreamError
from unigate.spec.channel import Timeouts
from unigate.upstream import Client, Endpoint, endpoint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def attempt(client: Client, where: Endpoint, seconds: float) -> None:
    """Send, and give up after a while."""
    task = asyncio.ensure_future(client.send(where, POST, b"{}", Timeouts(connect=0.2, first_byte=0.1)))
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    with contextlib.suppress(UpstreamError, asyncio.CancelledError):
        answer = await task
        answer.abort()


@pytest.mark.parametrize("kind", ["refused", "plain", "untrusted", "handshake", "connect", "socks5"])
async def test_descriptors(client: Client, authority: trustme.CA, kind: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)

    async def handler(peer: Peer) -> None:
        if kind in ("plain", "untrusted"):
            await peer.request()
            await peer.send(OK)
        await peer.gone()

    async with vendor(handler, tls=tls if kind == "untrusted" else None) as server:
        where = {
            "plain": server.at(),
            "untrusted": server.at(host="localhost"),
            "handshake": endpoint(f"https://localhost:{server.port}", allow_private=True)[0],
            "connect": server.at(host="vendor.example", proxy=f"http://127.0.0.1:{server.port}"),
            "socks5": server.at(host="vendor.example", proxy=f"socks5://127.0.0.1:{server.port}"),
            "refused": endpoint(f"http://127.0.0.1:{unused_port()}", allow_private=True)[0],
        }[kind]
        await attempt(client, where, 5)
        await settled(client)
        before = open_files()
        for turn in range(30):
            await attempt(client, where, turn / 3000)
        await settled(client)
        await until(lambda: open_files() <= before)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def settled(client: Client) -> None:
    """Wait until nothing is connecting and nobody is busy, and close what is idle."""
    await until(lambda: client._connecting == 0 and client.open_connections == client.idle_connections)
    for pool in client._pools.values():
        for connection in pool.idle:
            connection.abort()
    await until(lambda: client.open_connections == 0)
