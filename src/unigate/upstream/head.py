"""The bytes of a request's head, made once for each request and endpoint. Refuses what would change the framing."""

import base64
import re

from unigate.base.errors import Unreachable
from unigate.spec.provider import Headers, Request
from unigate.upstream.endpoint import Endpoint, ProxyAddress, parse_proxy

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_METHOD = re.compile(r"[A-Z]+")
#: How a message is framed and how long its connection lives is the client's own business.
_OURS = frozenset((b"connection", b"content-length", b"expect", b"keep-alive", b"te", b"trailer", b"transfer-encoding"))
_OURS |= {b"upgrade", b"proxy-connection", b"proxy-authorization"}
_BODILESS = frozenset(("GET", "HEAD", "DELETE", "OPTIONS"))


class Head:
    """A request's head as it goes on the wire.

    Raises Unreachable for what can't be sent, so that the next route is tried and the operator sees why.
    """

    __slots__ = ("absolute", "bare", "is_head", "start")

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        proxy = parse_proxy(endpoint.proxy) if endpoint.proxy else None
        #: A proxy is sent the request itself instead of being asked for a tunnel.
        self.absolute = proxy is not None and forwards(endpoint, proxy)
        #: The answer to HEAD has no body, whatever its headers say; httptools can't be told.
        self.is_head = request.method == "HEAD"
        lines = _lines(endpoint, request, proxy if self.absolute else None)
        #: Up to the value of `content-length`.
        self.start = lines + b"content-length: "
        #: All of it, where there is no body.
        self.bare = lines + (b"\r\n" if request.method in _BODILESS else b"content-length: 0\r\n\r\n")


def upgrade(endpoint: Endpoint, request: Request, more: Headers) -> bytes:
    """The head of a request to speak another protocol on the connection, which `more` headers name. Unreachable."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in more)
    return _lines(endpoint, request, None) + b"connection: Upgrade\r\nupgrade: websocket\r\n" + lines + b"\r\n"


def forwards(endpoint: Endpoint, proxy: ProxyAddress) -> bool:
    """Whether a proxy gets plain requests in absolute form.

    Many proxies refuse CONNECT to other ports than 443. Where the address is ours to check it must be a tunnel: an
    absolute form would leave the choice of the address to the proxy.
    """
    return proxy.scheme == "http" and endpoint.scheme == "http" and endpoint.allow_private


def basic(proxy: ProxyAddress) -> bytes:
    """The value of `proxy-authorization`."""
    return b"Basic " + base64.b64encode(f"{proxy.user}:{proxy.password}".encode())


def _lines(endpoint: Endpoint, request: Request, forwarder: ProxyAddress | None) -> bytes:
    """Request line and headers, each with its line end."""
    if not _METHOD.fullmatch(request.method) or request.method == "CONNECT" or not _TARGET.fullmatch(request.target):
        raise Unreachable(detail="the request's method or target can't be sent")
    target = f"http://{endpoint.authority}{request.target}" if forwarder else request.target
    lines = [f"{request.method} {target} HTTP/1.1".encode()]
    if not any(name == b"host" for name, _ in request.headers):
        lines.append(b"host: " + endpoint.authority.encode())
    for name, value in request.headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in _OURS:
            raise Unreachable(detail=f"the header {name.decode('latin-1')!r} can't be sent")
        lines.append(name + b": " + value)
    if forwarder is not None and forwarder.user:
        lines.append(b"proxy-authorization: " + basic(forwarder))
    if request.method == "HEAD":
        lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n"
