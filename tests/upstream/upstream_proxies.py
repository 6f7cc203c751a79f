"""Two small real proxies: HTTP (CONNECT and absolute form) and SOCKS5 (names, addresses, user and password)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from upstream_peer import PATIENCE


@dataclass
class Seen:
    """What a proxy was asked for."""

    port: int = 0
    #: `host:port` of each tunnel, as it was asked for.
    tunnels: list[str] = field(default_factory=list)
    #: Request lines in absolute form.
    lines: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes = b"") -> None:
    """Carry bytes both ways. Whatever host was asked for, it is on this machine."""
    there, back = await asyncio.open_connection("127.0.0.1", port)
    back.write(first)
    tasks = [asyncio.ensure_future(_carry(reader, back)), asyncio.ensure_future(_carry(there, writer))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        back.close()


@contextlib.asynccontextmanager
async def _serving(handler: object) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)  # type: ignore[operator]
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tuple(tasks), timeout=PATIENCE)


@contextlib.asynccontextmanager
async def http_proxy(
    *,
    granted: tuple[bytes, ...] = (b"HTTP/1.1 200 Connection established\r\n\r\n",),
    authorization: bytes | None = None,
) -> AsyncIterator[Seen]:
    """A proxy that answers CONNECT by `granted`, part by part, and forwards requests in absolute form."""
    seen = Seen()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.heads.append(head)
        if authorization is not None and b"\r\nproxy-authorization: " + authorization + b"\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        if method == b"CONNECT":
            seen.tunnels.append(target.decode())
            for part in granted:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)
            if granted[0].startswith(b"HTTP/1.1 200"):
                await _join(reader, writer, int(target.rpartition(b":")[2]))
            return
        seen.lines.append(head.split(b"\r\n", 1)[0])
        authority, _, path = target.removeprefix(b"http://").partition(b"/")
        first = head.replace(target, b"/" + path, 1)
        await _join(reader, writer, int(authority.rpartition(b":")[2]), first)

    async with _serving(handler) as seen.port:
        yield seen


@contextlib.asynccontextmanager
async def socks_proxy(*, user: bytes = b"", password: bytes = b"", reply: int = 0) -> AsyncIterator[Seen]:
    """A SOCKS5 proxy (RFC 1928, RFC 1929) that answers each request by `reply` (0: granted)."""
    seen = Seen()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        method = 2 if user else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            return
        writer.write(bytes((5, method)))
        if user:
            _, size = await reader.readexactly(2)
            name = await reader.readexactly(size)
            secret = await reader.readexactly((await reader.readexactly(1))[0])
            good = (name, secret) == (user, password)
            writer.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        elif kind == 1:
            host = str(IPv4Address(await reader.readexactly(4)))
        else:
            host = str(IPv6Address(await reader.readexactly(16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        seen.tunnels.append(f"{host}:{port}")
        writer.write(bytes((5, reply, 0, 1)) + bytes(6))
        if reply == 0:
            await _join(reader, writer, port)

    async with _serving(handler) as seen.port:
        yield seen
