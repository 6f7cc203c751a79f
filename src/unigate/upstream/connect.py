"""Connecting: resolve, check, connect to the checked address, through a proxy where there is one, then TLS."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TypeVar

from aiohappyeyeballs import start_connection
from aiohappyeyeballs.types import AddrInfoType

from unigate.upstream.endpoint import Endpoint, ProxyAddress, parse_proxy
from unigate.upstream.head import forwards
from unigate.upstream.limits import ClientLimits
from unigate.upstream.proxy import tunnel
from unigate.upstream.resolve import Address, Resolver
from unigate.upstream.tls import Contexts

Made = TypeVar("Made", bound=asyncio.BaseProtocol)


class Connector:
    """Opens connections to endpoints."""

    def __init__(self, limits: ClientLimits, resolver: Resolver, contexts: Contexts) -> None:
        self._limits = limits
        self._resolver = resolver
        self._contexts = contexts

    async def open(self, endpoint: Endpoint, make: Callable[[], Made], *, through: bool = False) -> Made:
        """A connection to an endpoint, ready for a request. Raises OSError (and so ssl.SSLError), Unreachable.

        `through`: a proxy is asked for a tunnel even where it would forward requests.
        """
        sock = await self._socket(endpoint, through=through)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            loop = asyncio.get_running_loop()
            if endpoint.scheme == "https":
                context = self._contexts.get(verify=endpoint.verify, ca_file=endpoint.ca_file)
                _, connection = await loop.create_connection(
                    make, sock=sock, ssl=context, server_hostname=endpoint.host
                )
            else:
                _, connection = await loop.create_connection(make, sock=sock)
        except BaseException:
            sock.close()
            raise
        return connection

    async def _socket(self, endpoint: Endpoint, *, through: bool) -> socket.socket:
        if endpoint.proxy is None:
            found = await self._resolver.addresses(endpoint.host, allow_private=endpoint.allow_private)
            return await self._connect(found, endpoint.port)
        proxy = parse_proxy(endpoint.proxy)
        if forwards(endpoint, proxy) and not through:
            return await self._to_proxy(proxy)
        host = endpoint.host
        if not endpoint.allow_private:  # the proxy gets the address that was checked, not a name to resolve again
            host = str((await self._resolver.addresses(host, allow_private=False))[0])
        return await tunnel(proxy, host, endpoint.port, self._to_proxy)

    async def _to_proxy(self, proxy: ProxyAddress) -> socket.socket:
        """Proxies are named by operators only, and mostly private."""
        return await self._connect(await self._resolver.addresses(proxy.host, allow_private=True), proxy.port)

    async def _connect(self, addresses: list[Address], port: int) -> socket.socket:
        """The first of the addresses that answers; the next is tried beside it after a short while (RFC 8305)."""
        return await start_connection(
            [_info(address, port) for address in addresses],
            happy_eyeballs_delay=self._limits.next_address_seconds,
            loop=asyncio.get_running_loop(),
        )


def _info(address: Address, port: int) -> AddrInfoType:
    if isinstance(address, IPv4Address):
        return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port))
    return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (str(address), port, 0, 0))
