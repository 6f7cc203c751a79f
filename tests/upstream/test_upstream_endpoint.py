"""Base URLs, proxies' URLs, and what of a request can be sent at all."""

import pytest

from unigate.base.errors import Unreachable
from unigate.spec.provider import Request
from unigate.upstream import endpoint
from unigate.upstream.endpoint import parse_proxy
from unigate.upstream.head import Head


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "authority", "path"),
    [
        ("https://api.example.com/v1", "https", "api.example.com", 443, "api.example.com", "/v1"),
        ("https://API.Example.com/v1/", "https", "api.example.com", 443, "api.example.com", "/v1"),
        ("http://127.0.0.1:9000", "http", "127.0.0.1", 9000, "127.0.0.1:9000", ""),
        ("http://127.0.0.1:80/", "http", "127.0.0.1", 80, "127.0.0.1", ""),
        ("http://[::1]:9000/openai/v1", "http", "::1", 9000, "[::1]:9000", "/openai/v1"),
        ("https://[2001:db8::1]", "https", "2001:db8::1", 443, "[2001:db8::1]", ""),
        ("https://bücher.example/é", "https", "xn--bcher-kva.example", 443, "xn--bcher-kva.example", "/%C3%A9"),
        ("https://my_host/a%20b", "https", "my_host", 443, "my_host", "/a%20b"),
    ],
)
def test_a_base_url(url: str, scheme: str, host: str, port: int, authority: str, path: str) -> None:
    where, base = endpoint(url)
    assert (where.scheme, where.host, where.port, where.authority, base) == (scheme, host, port, authority, path)
    assert where == endpoint(url)[0] and hash(where) == hash(endpoint(url)[0])
    assert not where.allow_private and where.verify and where.proxy is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com/v1",
        "ftp://api.example.com",
        "https://",
        "https:///v1",
        "https://user:secret@api.example.com",
        "https://api.example.com/v1?x=1",
        "https://api.example.com/v1?",
        "https://api.example.com/v1#top",
        "https://api.example.com:0",
        "https://api.example.com:99999",
        "https://api.example.com:http",
        "https://api.example.com/a b",
        "https://api.example.com/\r\nx: y",
        "https://api.exa\tmple.com",
        "https://api.example.com\\@evil.example",
        "https://[fe80::1%25eth0]/",
        "https://[::1",
        "https://a b/",
        "https://a*b/",
    ],
)
def test_what_is_no_base_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|port"):
        endpoint(url)


def test_a_proxys_url() -> None:
    proxy = parse_proxy("http://us%40er:p%3Aw@proxy.example:3128")
    assert (proxy.scheme, proxy.host, proxy.port, proxy.user, proxy.password) == (
        "http",
        "proxy.example",
        3128,
        "us@er",
        "p:w",
    )
    assert [parse_proxy(f"{s}://p").port for s in ("http", "socks5", "socks5h")] == [8080, 1080, 1080]
    assert parse_proxy("socks5h://[::1]:9").scheme == "socks5"


@pytest.mark.parametrize(
    "url",
    ["proxy:3128", "https://u:secret@p", "ftp://u:secret@p", "http://u:secret@p/x", "http://u:secret@:1", "socks4://p"],
)
def test_what_is_no_proxys_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"proxy|host") as error:
        endpoint("https://api.example.com", proxy=url)
    assert "secret" not in str(error.value)


def test_passwords_do_not_print() -> None:
    url = "http://user:hunter2@proxy:3128"
    assert "hunter2" not in repr(endpoint("https://a", proxy=url)[0])
    assert "hunter2" not in repr(parse_proxy(url))


WHERE = endpoint("https://api.example.com/v1")[0]


def test_a_head() -> None:
    head = Head(WHERE, Request("POST", "/v1/x?a=b", ((b"authorization", b"Bearer \xc3\xa9"),)))
    assert head.start == (
        b"POST /v1/x?a=b HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer \xc3\xa9\r\ncontent-length: "
    )
    assert head.bare.endswith(b"\r\ncontent-length: 0\r\n\r\n") and not head.is_head and not head.absolute
    assert Head(WHERE, Request("DELETE", "/")).bare == b"DELETE / HTTP/1.1\r\nhost: api.example.com\r\n\r\n"
    asked = Head(WHERE, Request("HEAD", "/"))
    assert asked.is_head and asked.bare == b"HEAD / HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("post", "/", None),
        ("CONNECT", "/", None),
        ("GET /x", "/", None),
        ("GET", "x", None),
        ("GET", "", None),
        ("GET", "/a b", None),
        ("GET", "/a\r\nx: y", None),
        ("GET", "/é", None),
        ("POST", "/", (b"content-length", b"5")),
        ("POST", "/", (b"transfer-encoding", b"chunked")),
        ("POST", "/", (b"connection", b"close")),
        ("POST", "/", (b"expect", b"100-continue")),
        ("POST", "/", (b"upgrade", b"h2c")),
        ("POST", "/", (b"X-Upper", b"1")),
        ("POST", "/", (b"", b"1")),
        ("POST", "/", (b"x y", b"1")),
        ("POST", "/", (b"x:", b"1")),
        ("POST", "/", (b"x", b"1\r\ny: 2")),
        ("POST", "/", (b"x", b"1\n")),
        ("POST", "/", (b"x", b"a\0b")),
    ],
)
def test_what_can_not_be_sent_is_a_route_that_can_not_be_used(
    method: str, target: str, header: tuple[bytes, bytes] | None
) -> None:
    with pytest.raises(Unreachable) as error:
        Head(WHERE, Request(method, target, (header,) if header else ()))
    assert error.value.detail and error.value.try_next


def test_a_proxy_is_asked_for_a_tunnel_unless_the_request_is_plain_and_the_address_not_ours_to_check() -> None:
    proxy = "http://us:pw@proxy:3128"
    ask = Request("POST", "/v1/x")
    plain = Head(endpoint("http://vendor.example:81", proxy=proxy, allow_private=True)[0], ask)
    assert plain.absolute and plain.start == (
        b"POST http://vendor.example:81/v1/x HTTP/1.1\r\nhost: vendor.example:81\r\n"
        b"proxy-authorization: Basic dXM6cHc=\r\ncontent-length: "
    )
    for where in (
        endpoint("http://vendor.example", proxy=proxy)[0],
        endpoint("https://vendor.example", proxy=proxy, allow_private=True)[0],
        endpoint("http://vendor.example", proxy="socks5://proxy", allow_private=True)[0],
    ):
        head = Head(where, ask)
        assert not head.absolute and b"proxy" not in head.start and head.start.startswith(b"POST /v1/x ")
