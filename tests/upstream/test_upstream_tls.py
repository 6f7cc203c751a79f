"""TLS: who is believed, and how an answer ends there."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
import trustme
from upstream_peer import CHUNKED, LONG, OK, POST, Peer, answering, chunk, sized, vendor

from support.waiting import until
from unigate.base.errors import StreamBroken, TookTooLong, Unreachable
from unigate.spec.channel import Timeouts
from unigate.upstream import Client, keep_freed_memory
from unigate.upstream.tls import Contexts

Make = Callable[..., Client]


def context_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return context_for(authority, "localhost", "127.0.0.1")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_with_a_certificate_that_is_trusted(
    client: Client, tls: ssl.SSLContext, ca_file: str, host: str
) -> None:
    async with vendor(answering(OK, CHUNKED + chunk(b"two") + chunk(b"")), tls=tls) as server:
        where = server.at(host=host, ca_file=ca_file)
        answer = await client.send(where, POST, b"{}", LONG)
        assert await answer.read(10) == b"ok"
        answer = await client.send(where, POST, b"{}", LONG)
        assert answer.reused and await answer.read(10) == b"two"


async def test_the_clients_own_file_of_certificates(make_client: Make, tls: ssl.SSLContext, ca_file: str) -> None:
    client = make_client(ca_file=ca_file)
    async with vendor(answering(OK), tls=tls) as server:
        assert await (await client.send(server.at(), POST, b"{}", LONG)).read(10) == b"ok"


async def test_a_server_that_nobody_vouches_for(client: Client, tls: ssl.SSLContext) -> None:
    async with vendor(answering(OK), tls=tls) as server:
        with pytest.raises(Unreachable) as error:
            await client.send(server.at(), POST, b"{}", LONG)
        assert "certificate" in error.value.detail.lower()
        answer = await client.send(server.at(verify=False), POST, b"{}", LONG)
        assert await answer.read(10) == b"ok"


async def test_a_certificate_for_another_name(client: Client, authority: trustme.CA, ca_file: str) -> None:
    async with vendor(answering(OK), tls=context_for(authority, "other.example")) as server:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(Unreachable):
                await client.send(server.at(host=host, ca_file=ca_file), POST, b"{}", LONG)
    assert client.open_connections == 0


async def test_the_servers_name_is_told(client: Client, authority: trustme.CA, ca_file: str) -> None:
    asked: list[str | None] = []
    protocols: list[str | None] = []
    tls = context_for(authority, "localhost")
    tls.sni_callback = lambda _s, name, _c: asked.append(name)
    tls.set_alpn_protocols(["h2", "http/1.1"])

    async def handler(peer: Peer) -> None:
        protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering(OK)(peer)

    async with vendor(handler, tls=tls) as server:
        await (await client.send(server.at(host="localhost", ca_file=ca_file), POST, b"{}", LONG)).read(10)
    assert (asked, protocols) == (["localhost"], ["http/1.1"])


async def test_a_file_of_certificates_that_is_not_there(client: Client, tls: ssl.SSLContext) -> None:
    async with vendor(answering(OK), tls=tls) as server:
        with pytest.raises(Unreachable):
            await client.send(server.at(ca_file="/no/such/file.pem"), POST, b"{}", LONG)


async def test_a_server_without_tls(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.read(10)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with vendor(handler) as server:
        server.tls = True
        with pytest.raises(Unreachable):
            await client.send(server.at(), POST, b"{}", LONG)


async def test_a_handshake_that_never_ends(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.gone()

    async with vendor(handler) as server:
        server.tls = True
        with pytest.raises(TookTooLong):
            await client.send(server.at(), POST, b"{}", Timeouts(connect=0.3))
        await until(lambda: client.open_connections == 0)


@pytest.mark.parametrize("in_order", [True, False])
async def test_an_answer_without_length_is_whole_only_if_tls_ended_in_order(
    client: Client, tls: ssl.SSLContext, ca_file: str, *, in_order: bool
) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\ndata: [DONE]\n\n")
        if in_order:
            peer.close()
        else:
            peer.abort()

    async with vendor(handler, tls=tls) as server:
        answer = await client.send(server.at(ca_file=ca_file), POST, b"{}", LONG)
        assert await answer.piece() == b"data: [DONE]\n\n"
        if in_order:
            assert await answer.piece() is None
            assert answer.complete and answer.end == "closed"
        else:
            with pytest.raises(StreamBroken):
                await answer.piece()
            assert answer.end == "cut" and not answer.complete


async def test_an_answer_with_a_length_that_is_cut_over_tls_is_broken(
    client: Client, tls: ssl.SSLContext, ca_file: str
) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"part"))
        peer.abort()

    async with vendor(handler, tls=tls) as server:
        answer = await client.send(server.at(ca_file=ca_file), POST, b"{}", LONG)
        with pytest.raises(StreamBroken):
            await answer.read(100)
        assert answer.end == "broken"


async def test_a_dead_pooled_connection_over_tls(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            await peer.request()
            peer.abort()
            return
        await peer.gone()

    async with vendor(handler, tls=tls) as server:
        where = server.at(ca_file=ca_file)
        await (await client.send(where, POST, b"{}", LONG)).read(10)
        answer = await client.send(where, POST, b"{}", LONG)
        assert await answer.read(10) == b"ok" and server.connections == 2


async def test_bytes_behind_an_answer_over_tls(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    async with vendor(answering(OK + OK, OK), tls=tls) as server:
        where = server.at(ca_file=ca_file)
        for _ in range(2):
            answer = await client.send(where, POST, b"{}", LONG)
            assert await answer.read(10) == b"ok" and not answer.reused


async def test_large_bodies_both_ways_over_tls(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    body = bytes(range(256)) * 20_000

    async def handler(peer: Peer) -> None:
        got = await peer.request()
        await asyncio.sleep(0.05)
        await peer.send(sized(got.body))
        await peer.gone()

    async with vendor(handler, tls=tls) as server:
        answer = await client.send(server.at(ca_file=ca_file), POST, body, LONG)
        await until(lambda: answer.paused)
        got, most = b"", 0
        while (piece := await answer.piece()) is not None:
            got += piece
            most = max(most, answer.buffered)
        assert got == body and most <= 64 * 1024 + 256 * 1024
        assert client.idle_connections == 1


async def test_a_caller_who_leaves_is_seen_over_tls(client: Client, tls: ssl.SSLContext, ca_file: str) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def handler(peer: Peer) -> None:
        await peer.request()
        came.set()
        await peer.gone()
        gone.set()

    async with vendor(handler, tls=tls) as server:
        task = asyncio.ensure_future(client.send(server.at(ca_file=ca_file), POST, b"{}", LONG))
        await came.wait()
        (connection,) = client._connections
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        task.cancel()
        async with asyncio.timeout(2):
            await gone.wait()
        await asyncio.wait([task])


def test_contexts_are_made_once_for_each_set_of_options(ca_file: str) -> None:
    contexts = Contexts()
    default = contexts.get(verify=True, ca_file=None)
    assert contexts.get(verify=True, ca_file=None) is default
    own, none = contexts.get(verify=True, ca_file=ca_file), contexts.get(verify=False, ca_file=None)
    assert len({default, own, none}) == 3
    assert contexts.get(verify=False, ca_file=ca_file) is none
    assert (default.verify_mode, own.verify_mode, none.verify_mode) == (
        ssl.CERT_REQUIRED,
        ssl.CERT_REQUIRED,
        ssl.CERT_NONE,
    )
    assert default.check_hostname and not none.check_hostname
    assert len(default.get_ca_certs()) > 10 and len(own.get_ca_certs()) == 1


def test_keeping_freed_memory_is_set_once_and_harmless() -> None:
    assert keep_freed_memory() is keep_freed_memory()
