"""Outgoing proxies: HTTP and SOCKS5, plain and with TLS inside."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
import trustme
from upstream_peer import LONG, OK, POST, Peer, answering, sized, vendor
from upstream_proxies import http_proxy, socks_proxy

from unigate.base.errors import TookTooLong, Unreachable
from unigate.spec.channel import Timeouts
from unigate.upstream import Client, endpoint

Make = Callable[..., Client]


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("vendor.example").configure_cert(context)
    return context


async def test_plain_requests_go_through_an_http_proxy_in_absolute_form(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        while True:
            await peer.send(sized((await peer.request()).head))

    async with vendor(handler) as server, http_proxy() as proxy:
        where = server.at(host="vendor.example", proxy=f"http://127.0.0.1:{proxy.port}")
        for turn in range(2):
            answer = await client.send(where, POST, b"{}", LONG)
            assert b"\r\nhost: vendor.example:%d\r\n" % server.port in await answer.read(1000)
            assert answer.reused is bool(turn)
        assert proxy.lines == [b"POST http://vendor.example:%d/v1/chat HTTP/1.1" % server.port]
        assert not proxy.tunnels


async def test_tls_goes_through_a_tunnel_of_an_http_proxy(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async with vendor(answering(OK, OK), tls=tls) as server, http_proxy() as proxy:
        where = server.at(host="vendor.example", proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file)
        for _ in range(2):
            assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"
        assert proxy.tunnels == [f"vendor.example:{server.port}"]
        assert proxy.heads == [
            b"CONNECT vendor.example:%d HTTP/1.1\r\nhost: vendor.example:%d\r\n\r\n" % ((server.port,) * 2)
        ]


@pytest.mark.parametrize(
    "granted",
    [
        (b"HTTP/1.1 200 OK\r\n", b"via: 1.1 p\r\n\r\n"),
        (b"HTTP/1.1 200", b" OK\r\n\r", b"\n"),
        (b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n",),
    ],
)
async def test_an_answer_to_connect_may_come_in_pieces(
    client: Client, tls: ssl.SSLContext, ca_file: str, granted: tuple[bytes, ...]
) -> None:
    async with vendor(answering(OK), tls=tls) as server, http_proxy(granted=granted) as proxy:
        where = server.at(host="vendor.example", proxy=f"http://127.0.0.1:{proxy.port}", ca_file=ca_file)
        assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"


@pytest.mark.parametrize(
    "granted",
    [
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n",),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
        (b"SSH-2.0-x\r\n\r\n",),
        (b"\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise",),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5000,),
        (b"HTTP/1.1 ",),
    ],
)
async def test_a_proxy_that_refuses_or_talks_nonsense(
    client: Client, tls: ssl.SSLContext, granted: tuple[bytes, ...]
) -> None:
    async with vendor(answering(OK), tls=tls) as server, http_proxy(granted=granted) as proxy:
        where = server.at(host="vendor.example", proxy=f"http://127.0.0.1:{proxy.port}")
        short = Timeouts(connect=1)
        with pytest.raises((Unreachable, TookTooLong)):
            await client.send(where, POST, b"{}", short)
        assert server.connections <= 1 and client.open_connections == 0


async def test_credentials_for_an_http_proxy(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async with http_proxy(authorization=b"Basic dXM6cCB3") as proxy:  # us:p w
        good, bad = f"http://us:p%20w@127.0.0.1:{proxy.port}", f"http://us:other@127.0.0.1:{proxy.port}"
        async with vendor(answering(OK), tls=tls) as server:
            where = server.at(host="vendor.example", proxy=good, ca_file=ca_file)
            assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"
            with pytest.raises(Unreachable) as error:
                await client.send(server.at(host="vendor.example", proxy=bad, ca_file=ca_file), POST, b"{}", LONG)
            assert "407" in error.value.detail and "other" not in error.value.detail
        async with vendor(answering(OK)) as server:
            where = server.at(host="vendor.example", proxy=good)
            assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"
            with pytest.raises(Unreachable):
                await client.send(server.at(host="vendor.example", proxy=bad), POST, b"{}", LONG)
            assert server.connections == 1


async def test_a_407_of_a_vendor_is_its_answer(client: Client) -> None:
    async with vendor(answering(b"HTTP/1.1 407 x\r\ncontent-length: 0\r\n\r\n")) as server:
        assert (await client.send(server.at(), POST, b"{}", LONG)).status == 407


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_plain_and_with_tls(client: Client, tls: ssl.SSLContext, ca_file: str, scheme: str) -> None:
    async with socks_proxy() as proxy:
        by = f"{scheme}://127.0.0.1:{proxy.port}"
        async with vendor(answering(OK, OK)) as plain, vendor(answering(OK, OK), tls=tls) as secure:
            for where in (
                plain.at(host="vendor.example", proxy=by),
                secure.at(host="vendor.example", proxy=by, ca_file=ca_file),
            ):
                for _ in range(2):
                    assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"
            assert proxy.tunnels == [f"vendor.example:{plain.port}", f"vendor.example:{secure.port}"]


async def test_credentials_for_a_socks_proxy(client: Client) -> None:
    async with socks_proxy(user=b"us", password=b"pw") as proxy, vendor(answering(OK)) as server:
        for user in ("us:other@", ""):
            with pytest.raises(Unreachable):
                await client.send(server.at(proxy=f"socks5://{user}127.0.0.1:{proxy.port}"), POST, b"{}", LONG)
        where = server.at(proxy=f"socks5://us:pw@127.0.0.1:{proxy.port}")
        assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"


@pytest.mark.parametrize("reply", [1, 2, 5, 9])
async def test_a_socks_proxy_that_refuses(client: Client, reply: int) -> None:
    async with socks_proxy(reply=reply) as proxy, vendor(answering(OK)) as server:
        with pytest.raises(Unreachable):
            await client.send(server.at(proxy=f"socks5://127.0.0.1:{proxy.port}"), POST, b"{}", LONG)
        assert server.connections == 0


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there_or_silent(client: Client, scheme: str) -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with vendor(silent) as server:
        where = endpoint("https://vendor.example", proxy=f"{scheme}://127.0.0.1:{server.port}", allow_private=True)[0]
        with pytest.raises(TookTooLong):
            await client.send(where, POST, b"{}", Timeouts(connect=0.3))
    with pytest.raises(Unreachable):
        await client.send(where, POST, b"{}", LONG)


@pytest.mark.parametrize("way", ["http", "socks5"])
async def test_behind_a_proxy_too_only_checked_addresses_are_reached(make_client: Make, way: str) -> None:
    """The name is resolved here, and the proxy is given the address: it has no name that it could resolve otherwise."""

    async def lookup(host: str) -> list[str]:
        return {"public.example": ["93.184.215.14"], "v6.example": ["2606:4700::1111"]}.get(host, ["10.0.0.1"])

    client = make_client(lookup=lookup)
    make = http_proxy if way == "http" else socks_proxy
    async with make() as proxy, vendor(answering(OK)) as server:
        by = f"{way}://127.0.0.1:{proxy.port}"
        for host in ("private.example", "10.0.0.1", "[::1]"):
            with pytest.raises(Unreachable):
                await client.send(server.at(host=host, proxy=by, allow_private=False), POST, b"{}", LONG)
        assert not proxy.tunnels and not proxy.lines
        for host in ("public.example", "v6.example"):
            where = server.at(host=host, proxy=by, allow_private=False)
            assert await (await client.send(where, POST, b"{}", LONG)).read(10) == b"ok"
        v6 = "[2606:4700::1111]" if way == "http" else "2606:4700::1111"
        assert proxy.tunnels == [f"93.184.215.14:{server.port}", f"{v6}:{server.port}"]


async def test_giving_up_while_a_proxy_hesitates(client: Client) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def hesitant(peer: Peer) -> None:
        await peer.head()
        came.set()
        await peer.gone()
        gone.set()

    async with vendor(hesitant) as server:
        where = endpoint("https://vendor.example", proxy=f"http://127.0.0.1:{server.port}", allow_private=True)[0]
        task = asyncio.ensure_future(client.send(where, POST, b"{}", LONG))
        await came.wait()
        task.cancel()
        async with asyncio.timeout(5):
            await gone.wait()
        await asyncio.wait([task])
