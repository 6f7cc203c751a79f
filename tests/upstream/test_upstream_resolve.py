"""Which addresses are connected to."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from upstream_peer import LONG, OK, POST, Peer, answering, vendor

from support.waiting import until
from unigate.base.errors import Unreachable
from unigate.spec.channel import Timeouts
from unigate.upstream import Client, endpoint
from unigate.upstream.resolve import Resolver, is_public

Make = Callable[..., Client]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "64:ff9b::7f00:1",
        "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "fd20:ce::254", "5f00::1",
        # of clouds: Azure, Oracle, Alibaba; bare, and in each form that holds an IPv4 address
        "168.63.129.16", "192.0.0.192", "100.100.100.200", "192.0.0.9", "192.88.99.1",
        "::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "2002:a83f:8110::1", "::ffff:0:168.63.129.16",
        "::ffff:100.100.100.200", "64:ff9b::192.0.0.192", "2002:a9fe:a9fe::1", "64:ff9b:1::808:808",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:a83f:8110::1", "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:168.63.129.16",
    ],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "172.32.0.1", "168.63.129.15", "168.63.129.17", "2606:4700::1111", "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1", "2606:4700::5efe:8.8.8.8",
    ],
)  # fmt: skip
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "127.1", "2130706433", "0x7f.1"])
async def test_private_hosts_are_not_connected_to(client: Client, host: str) -> None:
    async with vendor(answering(OK)) as server:
        url = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
        with pytest.raises(Unreachable) as error:
            await client.send(endpoint(url)[0], POST, b"{}", LONG)
        assert "private" in error.value.detail
        assert server.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_they_are_where_that_is_allowed(client: Client, host: str) -> None:
    async with vendor(answering(OK)) as server:
        answer = await client.send(server.at(host=host), POST, b"{}", LONG)
        assert await answer.read(10) == b"ok"


async def test_of_several_addresses_only_public_ones_are_tried(make_client: Make) -> None:
    """The name has a public address that nobody answers at, and a private one where a server waits."""

    async def lookup(host: str) -> list[str]:
        return ["255.255.255.255", "127.0.0.1", "::ffff:127.0.0.1"]

    client = make_client(lookup=lookup)
    async with vendor(answering(OK)) as server:
        with pytest.raises(Unreachable):
            await client.send(endpoint(f"http://vendor.example:{server.port}")[0], POST, b"{}", LONG)
        assert server.connections == 0


async def test_the_checked_address_is_the_one_connected_to() -> None:
    """A name that changes its address between check and use: it is asked for once, and the answer is used."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]

    async def lookup(host: str) -> list[str]:
        return answers.pop(0)

    resolver = Resolver(0.0, lookup)
    assert [str(a) for a in await resolver.addresses("rebind.example", allow_private=False)] == ["93.184.215.14"]
    with pytest.raises(Unreachable):
        await resolver.addresses("rebind.example", allow_private=False)


async def test_a_name_is_asked_for_once_for_all_who_wait_and_kept_for_a_while() -> None:
    asked = []
    go = asyncio.Event()

    async def lookup(host: str) -> list[str]:
        asked.append(host)
        await go.wait()
        return ["192.0.2.1", "192.0.2.1", "fe80::1%eth0"]

    resolver = Resolver(0.2, lookup)
    waiting = [asyncio.ensure_future(resolver.addresses("a", allow_private=True)) for _ in range(5)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()  # the others still get it
    go.set()
    results = await asyncio.gather(*waiting[1:])
    assert asked == ["a"] and [str(a) for a in results[0]] == ["192.0.2.1", "fe80::1"]
    await resolver.addresses("a", allow_private=True)
    assert asked == ["a"]
    await asyncio.sleep(0.25)
    await resolver.addresses("a", allow_private=True)
    assert asked == ["a", "a"]


async def test_a_failed_look_up_is_told_to_all_and_forgotten() -> None:
    results: list[object] = [socket.gaierror(-2, "Name or service not known"), ["192.0.2.1"]]

    async def lookup(host: str) -> list[str]:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, list)
        return result

    resolver = Resolver(30, lookup)
    failed = await asyncio.gather(
        *(resolver.addresses("a", allow_private=True) for _ in range(2)), return_exceptions=True
    )
    assert all(isinstance(f, Unreachable) for f in failed)
    assert len(await resolver.addresses("a", allow_private=True)) == 1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example"])
async def test_a_name_without_address_is_unreachable(client: Client, host: str) -> None:
    with pytest.raises(Unreachable):
        await client.send(endpoint(f"http://{host}/", allow_private=True)[0], POST, b"{}", LONG)


async def test_a_port_where_nobody_listens_is_unreachable(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable):
        await client.send(endpoint(f"http://127.0.0.1:{port}", allow_private=True)[0], POST, b"{}", LONG)
    assert client.open_connections == 0


async def test_the_next_address_is_tried_where_one_refuses_or_stays_silent(make_client: Make) -> None:
    with socket.socket() as silent:  # its queue is full, and nobody accepts
        silent.bind(("127.0.0.2", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        server = await asyncio.start_server(_answer, "127.0.0.1", port)

        async def lookup(host: str) -> list[str]:
            return ["127.0.0.3", "127.0.0.2", "127.0.0.1"]  # refuses, is silent, answers

        client = make_client(lookup=lookup)
        where = endpoint(f"http://vendor.example:{port}", allow_private=True)[0]
        answer = await client.send(where, POST, b"{}", Timeouts(connect=10))
        assert await answer.read(10) == b"ok"
        await client.close()
        server.close()
        for filler in fillers:
            filler.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = Peer(reader, writer, 0)
    await peer.request()
    await peer.send(OK)
    await peer.gone()
    writer.close()


async def test_giving_up_while_connecting_leaves_nothing_behind(make_client: Make) -> None:
    async def lookup(host: str) -> list[str]:
        await asyncio.sleep(0.05)
        return ["127.0.0.1"]

    client = make_client(lookup=lookup)
    async with vendor(answering(OK)) as server:
        for delay in (0.0, 0.02, 0.04, 0.05, 0.051, 0.052, 0.06):
            where = endpoint(f"http://v{delay}.example:{server.port}", allow_private=True)[0]
            task = asyncio.ensure_future(client.send(where, POST, b"{}", LONG))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
        await until(lambda: client._connecting == 0 and all(c._answer is None for c in client._connections))
