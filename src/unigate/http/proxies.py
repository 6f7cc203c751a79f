"""Reverse proxies in front of the gateway: whose word on a caller's address is believed, and what they say.

Each proxy appends the address that it was called from to `x-forwarded-for`, so the list is read from its right end, and
only as long as those who wrote it are trusted; what a caller wrote itself stands further left and is never reached.
"""

from collections.abc import Coroutine, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from unigate.http.exchange import Exchange
from unigate.http.state import Handler
from unigate.spec.exchange import Header

Network = IPv4Network | IPv6Network
#: Addresses whose reading is remembered.
_REMEMBERED = 4096
_NAME = b"x-forwarded-for"


def behind(trusted: Sequence[Network], handler: Handler) -> Handler:
    """The handler with `client` of its exchanges as trusted proxies tell it; the handler itself where none is trusted."""
    if not trusted:
        return handler
    callers = Callers(trusted)

    def handle(x: Exchange) -> Coroutine[Any, Any, None]:
        if _NAME in x.fields:
            x.client = callers.of(x.client, x.headers)
        return handler(x)

    return handle


class Callers:
    """Tells callers' addresses from what trusted proxies say."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(trusted)
        self._read = lru_cache(_REMEMBERED)(self._look_at)

    def of(self, peer: str, headers: Iterable[Header]) -> str:
        """The address of a caller: that of the peer, unless it is a trusted proxy's.

        Then it is the right-most untrusted one that the proxies name, or the farthest, where all are trusted. What can't
        be read ends the list: the last that was read before it counts.
        """
        found, trusted = self._read(peer)
        if not trusted:
            return peer
        told = b",".join(value for name, value in headers if name == _NAME).decode("latin-1")
        while trusted and told:
            told, _, last = told.rpartition(",")
            if last := last.strip():
                address, trusted = self._read(last)
                found = address or found
        return found

    def _look_at(self, text: str) -> tuple[str, bool]:
        """An address in its usual form ("" where it is none), and whether it is trusted. A port is left out."""
        if text.startswith("["):
            text, closed, port = text[1:].partition("]")
            sound = bool(closed) and (not port or _is_port(port))
        elif text.count(":") == 1:
            text, _, port = text.partition(":")
            sound = _is_port(":" + port)
        else:
            sound = True
        try:
            found = ip_address(text.partition("%")[0])
        except ValueError:
            sound = False
        if not sound:
            return "", False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return str(found), any(found in network for network in self._trusted)


def _is_port(text: str) -> bool:
    return text[:1] == ":" and text[1:].isascii() and text[1:].isdigit()
