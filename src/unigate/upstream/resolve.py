"""Names to addresses, kept for a short while; and which addresses are public."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from unigate.base.errors import Unreachable

Address = IPv4Address | IPv6Address
Lookup = Callable[[str], Awaitable[list[str]]]
#: Kept names; a configuration has far fewer.
KEPT = 1000
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
#: All that is global unicast today: https://www.iana.org/assignments/ipv6-address-space
_GLOBAL = IPv6Network("2000::/3")
#: Networks that the registries, or some versions of Python, call global, and that lead to a cloud's own parts or to nobody.
_NOT_PUBLIC = (
    # Azure's DNS, DHCP and agent: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.0/24"),  # IETF protocol assignments; Oracle's metadata lies at 192.0.0.192
    IPv4Network("100.64.0.0/10"),  # carriers' NAT; Alibaba's metadata lies at 100.100.100.200
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, given up by RFC 7526
)
#: Interface identifiers of ISATAP (RFC 5214), whose last 32 bits are an IPv4 address.
_ISATAP = (0x00005EFE, 0x02005EFE)


class Resolver:
    """The addresses of names, in the system's order of preference.

    The system's look-up runs in the few threads that the loop has for it, so that calls for one name share one.
    """

    def __init__(self, seconds: float, lookup: Lookup | None = None, *, at_once: int = 0) -> None:
        """`at_once`: look-ups that run beside each other at most; 0: any number."""
        self._seconds = seconds
        self._lookup = lookup or _system
        self._places = asyncio.Semaphore(at_once) if at_once else None
        self._kept: dict[str, tuple[float, list[Address]]] = {}
        self._running: dict[str, asyncio.Task[list[Address]]] = {}

    async def addresses(self, host: str, *, allow_private: bool) -> list[Address]:
        """The addresses of a host that may be connected to: public ones only unless `allow_private`.

        Raises Unreachable where there is none.
        """
        try:
            found = [ip_address(host)]
        except ValueError:
            found = await self._named(host)
        allowed = found if allow_private else [a for a in found if is_public(a)]
        if not allowed:
            raise Unreachable(detail=f"{host} has no public address, and private ones are not allowed")
        return allowed

    def close(self) -> None:
        """Nobody waits for names any more."""
        for task in self._running.values():
            task.cancel()

    async def _named(self, host: str) -> list[Address]:
        now = asyncio.get_running_loop().time()
        kept = self._kept.get(host)
        if kept is not None and kept[0] > now:
            return kept[1]
        task = self._running.get(host)
        if task is None:
            task = self._running[host] = asyncio.get_running_loop().create_task(self._find(host))
            task.add_done_callback(lambda done: self._found(host, done))
        return await asyncio.shield(task)

    async def _find(self, host: str) -> list[Address]:
        try:
            async with self._places or nullcontext():
                texts = await self._lookup(host)
        except (OSError, UnicodeError) as error:
            raise Unreachable(detail=f"no address for {host}: {error}") from None
        return [ip_address(text.partition("%")[0]) for text in dict.fromkeys(texts)]

    def _found(self, host: str, task: asyncio.Task[list[Address]]) -> None:
        """Keep what a look-up found; a failure is forgotten (every caller who waits for it is told)."""
        del self._running[host]
        if task.cancelled() or task.exception() is not None:
            return
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[host] = (task.get_loop().time() + self._seconds, task.result())


async def _system(host: str) -> list[str]:
    """Ask the system (hosts file, DNS)."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in infos]


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody may reach; IPv6 addresses that hold an IPv4 one are judged by it."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None and not is_public(inner):
            return False
        if inner is not None and address not in _GLOBAL:
            return True
        if address not in _GLOBAL or address in _TEREDO:
            return False
        return address.is_global or address in _6TO4
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to by itself."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return address.sixtofour
    number = int(address)
    if address in _NAT64 or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return None
