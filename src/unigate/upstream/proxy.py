"""Tunnels through outgoing proxies: HTTP CONNECT, and SOCKS5 by python-socks."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy

from unigate.base.errors import Unreachable
from unigate.upstream.endpoint import ProxyAddress
from unigate.upstream.head import basic

#: A proxy's answer to CONNECT ends within this.
_ANSWER_BYTES = 16 * 1024
#: python-socks wants a limit of its own; the caller's is the shorter one.
_LONG = 3600.0
_GRANTED = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")

Connect = Callable[[ProxyAddress], Awaitable[socket.socket]]


async def tunnel(proxy: ProxyAddress, host: str, port: int, connect: Connect) -> socket.socket:
    """A socket that reaches `host` (a name, or an address) through a proxy, which `connect` connects to.

    Raises Unreachable where the proxy refuses.
    """
    if proxy.scheme == "socks5":
        return await _socks5(proxy, host, port, connect)
    sock = await connect(proxy)
    try:
        await _connect(sock, proxy, host, port)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(sock: socket.socket, proxy: ProxyAddress, host: str, port: int) -> None:
    """HTTP CONNECT (RFC 9110 section 9.3.6). Nothing may follow the proxy's answer: the far end waits for us."""
    loop = asyncio.get_running_loop()
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {where} HTTP/1.1\r\nhost: {where}\r\n".encode()
    if proxy.user:
        request += b"proxy-authorization: " + basic(proxy) + b"\r\n"
    await loop.sock_sendall(sock, request + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = await loop.sock_recv(sock, 4096)
        if not data or len(answer) + len(data) > _ANSWER_BYTES:
            raise Unreachable(detail="the proxy gave no answer to CONNECT")
        answer += data
    if not _GRANTED.match(answer):
        raise Unreachable(detail=f"the proxy refused: {answer.splitlines()[0][:100].decode('latin-1')}")
    if not answer.endswith(b"\r\n\r\n"):
        raise Unreachable(detail="the proxy sent more than an answer to CONNECT")


async def _socks5(proxy: ProxyAddress, host: str, port: int, connect: Connect) -> socket.socket:
    socks = Proxy(
        ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        proxy.user or None,
        proxy.password or None,
        rdns=True,
        forward=_Way(proxy, connect),  # type: ignore[arg-type]  # of it only `connect` is used
    )
    try:
        return await socks.connect(host, port, timeout=_LONG)
    except ProxyError as error:
        raise Unreachable(detail=f"the proxy refused: {error}") from None


class _Way:
    """How python-socks gets to the proxy: by our own connecting, with all of its addresses and the cache of names."""

    def __init__(self, proxy: ProxyAddress, connect: Connect) -> None:
        self._proxy = proxy
        self._connect = connect

    async def connect(self, **_where: object) -> socket.socket:
        """A socket to the proxy; python-socks names the proxy's host and port again."""
        return await self._connect(self._proxy)
