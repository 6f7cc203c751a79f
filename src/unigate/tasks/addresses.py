"""Addresses that callers give us to be told at: which ones we take, and how they go on the wire. Opens nothing."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from string import printable
from urllib.parse import quote, urlsplit

from unigate.base.errors import BadRequest
from unigate.upstream import Endpoint, endpoint
from unigate.upstream.resolve import is_public

LONGEST = 2000
CODE = "invalid_callback"
_AS_IT_IS = "".join(c for c in printable if "!" <= c <= "~")
_LOCAL = ("localhost", ".localhost")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads."""

    endpoint: Endpoint
    #: Path and query as they go on the wire.
    target: str
    #: Scheme and authority.
    host: str


def check_address(url: str, allow_private: bool, *, param: str | None = None) -> None:
    """BadRequest (`invalid_callback`) for an address that nothing can be sent to, or must not be.

    It opens nothing: names are looked up, and what they lead to is judged, with each sending. `param` is what the address
    is called in the request.
    """
    if len(url) > LONGEST:
        raise BadRequest(f"The address has more than {LONGEST} characters.", code=CODE, param=param)
    try:
        host = place(url, allow_private=allow_private).endpoint.host
    except ValueError as error:
        raise BadRequest(f"This is not an address that can be called back: {error}.", code=CODE, param=param) from None
    if not allow_private and _is_private(host):
        raise BadRequest("The address leads to a private network.", code=CODE, param=param)


def place(url: str, *, allow_private: bool) -> Place:
    """Where an address leads; ValueError, whose message does not show the address, for what is none."""
    try:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        if any(c <= " " or c in "\x7f\\" for c in url):
            raise ValueError
        where, _ = endpoint(base, allow_private=allow_private)
    except ValueError:
        raise ValueError("it is to be http(s)://host[:port][/path] without a user name") from None
    rest = url[len(base) :].partition("#")[0]
    target = quote(rest if rest.startswith("/") else f"/{rest}", safe=_AS_IT_IS)
    return Place(where, target, f"{where.scheme}://{where.authority}")


def _is_private(host: str) -> bool:
    """Whether a host is not public by itself, without asking anybody."""
    host = host.rstrip(".")
    if host == _LOCAL[0] or host.endswith(_LOCAL[1]):
        return True
    with suppress(ValueError):
        return not is_public(ip_address(host))
    with suppress(OSError):  # 127.1, 0x7f000001 and the like, which the system reads as addresses
        return not is_public(ip_address(socket.inet_aton(host)))
    return False
