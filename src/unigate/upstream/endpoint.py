"""Endpoint: where a vendor is reached, and by which way. Parses URLs; opens nothing."""

from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

Scheme = Literal["http", "https"]
_UP = "/../"
_PORTS = {"http": 80, "https": 443}
_PROXY_PORTS = {"http": 8080, "socks5": 1080, "socks5h": 1080}
_SAFE = "/%:@!$&'()*+,;=~-._"  # stays as it is in a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Connections to equal endpoints are interchangeable: they share a pool."""

    scheme: Scheme
    #: Lower case, in ASCII (IDNA); an IPv6 address without brackets.
    host: str
    port: int
    #: `http://[user:password@]host:port` or `socks5://...`; carries a secret, so it does not print.
    proxy: str | None = field(default=None, repr=False)
    #: False: the server's certificate is not checked.
    verify: bool = True
    #: Certificates to trust in place of the system's.
    ca_file: str | None = None
    #: False: only public addresses are connected to.
    allow_private: bool

    @property
    def authority(self) -> str:
        """The value of `host`: with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAddress:
    """An outgoing proxy, as parsed from its URL."""

    scheme: Literal["http", "socks5"]
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


def endpoint(
    base_url: str,
    *,
    proxy: str | None = None,
    verify: bool = True,
    ca_file: str | None = None,
    allow_private: bool = False,
) -> tuple[Endpoint, str]:
    """The endpoint of a base URL, and the URL's path without a slash at its end (`/v1`, or ``).

    ValueError for anything but `http(s)://host[:port][/path]`, and for a proxy that we can't speak to.
    """
    parts = _split(base_url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"a base URL begins with http:// or https://: {base_url!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a base URL holds no user name and no password")
    if parts.query or parts.fragment or base_url.rstrip("/").endswith(("?", "#")):
        raise ValueError(f"a base URL has no query and no fragment: {base_url!r}")
    if proxy is not None:
        parse_proxy(proxy)
    where = Endpoint(
        scheme=cast(Scheme, parts.scheme),
        host=_host(parts, base_url),
        port=_port(parts, _PORTS[parts.scheme]),
        proxy=proxy,
        verify=verify,
        ca_file=ca_file,
        allow_private=allow_private,
    )
    return where, quote(parts.path, safe=_SAFE).rstrip("/")


def below(base: str, target: str) -> str:
    """The path of a base URL with a target behind it: each `/..` at the target's beginning takes a step of it back."""
    while target.startswith(_UP):
        base, target = base.rpartition("/")[0], target[len(_UP) - 1 :]
    return base + target


def parse_proxy(url: str) -> ProxyAddress:
    """Read a proxy's URL: `http`, `socks5` or `socks5h` (the same here: who resolves names is the endpoint's matter).

    The messages of its ValueErrors do not show the URL, since that may hold a password.
    """
    parts = _split(url, shown="the proxy's URL")
    if parts.scheme not in _PROXY_PORTS:
        raise ValueError("a proxy's URL begins with http:// or socks5://")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a proxy's URL ends after host and port")
    return ProxyAddress(
        scheme="http" if parts.scheme == "http" else "socks5",
        host=_host(parts, "the proxy's URL"),
        port=_port(parts, _PROXY_PORTS[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def _split(url: str, shown: str | None = None) -> SplitResult:
    """`urlsplit`, which by itself drops tabs and line ends in silence."""
    if any(c <= " " or c in "\x7f\\" for c in url):
        raise ValueError(f"not a URL: {shown or repr(url)}")
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(f"not a URL: {shown or repr(url)}") from None


def _host(parts: SplitResult, shown: str) -> str:
    host = parts.hostname or ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            host = ""
    if not host or "%" in host or not all(c.isalnum() or c in ".-_:" for c in host):
        raise ValueError(f"no usable host: {shown!r}")
    return host


def _port(parts: SplitResult, default: int) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        return default
    if not port:
        raise ValueError("a port lies between 1 and 65535")
    return port
