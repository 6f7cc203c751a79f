"""What is an answer, what is not, and what stays of a connection behind it."""

import asyncio
from collections.abc import Callable

import pytest
from upstream_peer import CHUNKED, GET, HEAD, LONG, OK, POST, Peer, answering, chunk, sized, vendor

from unigate.base.errors import BadAnswer, StreamBroken, Unreachable
from unigate.upstream import Answer, Client

Make = Callable[..., Client]

#: Answers that stand: bytes, body, whether the connection may be used again.
GOOD = {
    "length": (sized(b"hello"), b"hello", True),
    "empty": (sized(b""), b"", True),
    "chunked": (CHUNKED + chunk(b"hel") + chunk(b"lo") + chunk(b""), b"hello", True),
    "chunk extensions": (CHUNKED + b"5;a=b;c\r\nhello\r\n0;x\r\n\r\n", b"hello", True),
    "trailers": (CHUNKED + chunk(b"hello") + b"0\r\nx-sum: 1\r\nkeep-alive: timeout=1\r\n\r\n", b"hello", True),
    "coding as trailer": (CHUNKED + chunk(b"x") + b"0\r\ntransfer-encoding: gzip\r\n\r\n", b"x", False),
    "closing trailer": (CHUNKED + chunk(b"x") + b"0\r\nconnection: close\r\n\r\n", b"x", False),
    "chunked in capitals": (CHUNKED.replace(b"chunked", b"Chunked") + chunk(b"x") + chunk(b""), b"x", True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", b"", True),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\n\r\nsurprise", b"", False),
    "1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", False),
    "1.0 kept": (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", b"ok", True),
    "close": (sized(b"bye", b"connection: close"), b"bye", False),
    "bytes behind": (OK + b"x", b"ok", False),
    "second answer behind": (OK + OK, b"ok", False),
    "half an answer behind": (OK + b"HTTP/1.1 200 OK\r\nx-", b"ok", False),
    "bytes behind chunks": (CHUNKED + chunk(b"ok") + chunk(b"") + b"0\r\n\r\n", b"ok", False),
    "bytes behind close": (sized(b"bye", b"connection: close") + b"more", b"bye", False),
    "one 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok", True),
    "eight interim": (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 8 + OK, b"ok", True),
    "offers an upgrade": (sized(b"ok", b"upgrade: h2,h2c", b"connection: upgrade, keep-alive"), b"ok", True),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", b"ok", True),
    "599": (b"HTTP/1.1 599 x\r\ncontent-length: 2\r\n\r\nok", b"ok", True),
    "256 headers": (sized(b"ok", *[b"x: y"] * 255), b"ok", True),
    "head of 60 KB": (sized(b"ok", b"x: " + b"y" * 60_000), b"ok", True),
    "large body behind a head": (sized(b"b" * 200_000), b"b" * 200_000, True),
    "no keeping": (sized(b"ok", b"keep-alive: timeout=1"), b"ok", False),
    "keeping": (sized(b"ok", b"keep-alive: timeout=5, max=100"), b"ok", True),
}
#: Answers that no one can read.
BAD = {
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "000": b"HTTP/1.1 000 x\r\ncontent-length: 0\r\n\r\n",
    "099": b"HTTP/1.1 099 x\r\ncontent-length: 0\r\n\r\n",
    "600": b"HTTP/1.1 600 x\r\ncontent-length: 0\r\n\r\n",
    "999": b"HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "nine interim": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + OK,
    "closing 103": b"HTTP/1.1 103 Early Hints\r\nconnection: close\r\n\r\n" + OK,
    "gzip coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nxyz",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nxyz",
    "chunked twice": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "signed length": b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "folded header": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok",
    "257 headers": sized(b"ok", *[b"x: y"] * 256),
    "head of 70 KB": sized(b"ok", b"x: " + b"y" * 70_000),
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    "large interim heads": (b"HTTP/1.1 103 E\r\nx: " + b"y" * 20_000 + b"\r\n\r\n") * 4 + OK,
}
#: Answers that break after their head.
BROKEN = {
    "bad chunk size": CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "chunk longer than told": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "huge chunk": CHUNKED + b"fffffffffffffffff\r\n",
    "framing without content": CHUNKED + b"5;" + b"x" * 200_000,
    "endless trailers": CHUNKED + chunk(b"hello") + b"0\r\n" + b"x: y\r\n" * 40_000,
}


async def answered_and_again(client: Client, answer: bytes, *, cut: int = 0) -> tuple[Answer, bytes, int]:
    """Send to a vendor that gives `answer` (in pieces of `cut` bytes); then a second request. Connections used."""
    sent = asyncio.Event()

    async def handler(peer: Peer) -> None:
        if peer.number == 0:
            await peer.request()
            try:
                for start in range(0, len(answer), cut or len(answer)):
                    peer.writer.write(answer[start : start + (cut or len(answer))])
                    await peer.writer.drain()
                    await asyncio.sleep(0)
            finally:
                sent.set()
        await peer.request()
        await peer.send(sized(b"second"))
        await peer.gone()

    async with vendor(handler) as server:
        where = server.at()
        first = await client.send(where, POST, b"{}", LONG)
        body = await first.read(1 << 20)
        await sent.wait()
        second = await client.send(where, POST, b"{}", LONG)
        assert (second.status, await second.read(100)) == (200, b"second")
        assert second.reused == (server.connections == 1)
        return first, body, server.connections


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("name", GOOD)
async def test_a_good_answer_stands_and_its_connection_is_used_again_only_where_it_may(
    client: Client, name: str, cut: int
) -> None:
    answer, body, kept = GOOD[name]
    if cut and len(answer) > 10_000:
        cut *= 4_000
    first, got, connections = await answered_and_again(client, answer, cut=cut)
    assert got == body
    assert first.complete and first.end == "whole" and not first.reused
    assert connections == (1 if kept else 2)


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_answer_is_refused_and_its_connection_closed(client: Client, name: str, cut: int) -> None:
    data = BAD[name]
    cut = cut and (500 if len(data) > 10_000 else 1)

    async def handler(peer: Peer) -> None:
        await peer.request()
        for start in range(0, len(data), cut or len(data)):
            peer.writer.write(data[start : start + (cut or len(data))])
            await asyncio.sleep(0)
        await peer.gone()

    async with vendor(handler) as server:
        with pytest.raises(BadAnswer) as error:
            await client.send(server.at(), POST, b"{}", LONG)
        assert error.value.detail
    assert client.idle_connections == 0


@pytest.mark.parametrize("name", BROKEN)
async def test_an_answer_that_breaks_after_its_head_says_so(client: Client, name: str) -> None:
    async with vendor(answering(BROKEN[name])) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(StreamBroken):
            await answer.read(1 << 20)
        assert not answer.complete and answer.end == "broken"
    assert client.idle_connections == 0


async def test_pieces_before_a_break_are_delivered_first(client: Client) -> None:
    async with vendor(answering(CHUNKED + chunk(b"one") + chunk(b"two") + b"zz\r\n")) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert [await answer.piece(), await answer.piece()] == [b"one", b"two"]
        for _ in range(2):
            with pytest.raises(StreamBroken):
                await answer.piece()


async def test_an_answer_without_length_ends_with_its_connection(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n", b"all of ", b"it")
        peer.close()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.read(100) == b"all of it"
        assert answer.complete and answer.end == "closed"
    assert client.idle_connections == 0


@pytest.mark.parametrize(
    "data", [sized(b"hello")[:-1], CHUNKED + chunk(b"hello"), CHUNKED + b"5\r\nhel", CHUNKED + b"0\r\n"]
)
async def test_an_answer_with_a_length_that_ends_too_early_is_broken(client: Client, data: bytes) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        peer.close()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(StreamBroken):
            await answer.read(100)
        assert answer.end == "broken"


async def test_a_reset_breaks_an_answer_without_length(client: Client) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\npart", b"")
        peer.writer.get_extra_info("socket").setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER 0: close resets
        peer.abort()

    async with vendor(handler) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.piece() == b"part"
        with pytest.raises(StreamBroken):
            await answer.piece()


@pytest.mark.parametrize(("sent", "error"), [(b"", Unreachable), (b"HTTP/1.1 200 OK\r\nx", BadAnswer)])
async def test_a_close_before_the_end_of_the_head(client: Client, sent: bytes, error: type[Exception]) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        peer.close()

    async with vendor(handler) as server:
        with pytest.raises(error):
            await client.send(server.at(), POST, b"{}", LONG)
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n",
        CHUNKED,
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + sized(b"a body all the same"),
    ],
)
async def test_the_answer_to_head_ends_with_its_head(client: Client, answer: bytes) -> None:
    async with vendor(answering(answer)) as server:
        got = await client.send(server.at(), HEAD, b"", LONG)
        assert got.complete and await got.read(0) == b""
        assert await got.piece() is None
        again = await client.send(server.at(), HEAD, b"", LONG)
        assert again.complete and not again.reused
        assert server.connections == 2


async def test_headers_are_lower_case_stripped_and_in_order(client: Client) -> None:
    async with vendor(answering(sized(b"ok", b"X-Two:  2 \t", b"x-one: 1", b"X-Two: 3"))) as server:
        answer = await client.send(server.at(), GET, b"", LONG)
        assert answer.headers == [(b"x-two", b"2"), (b"x-one", b"1"), (b"x-two", b"3"), (b"content-length", b"2")]
        assert (answer.header(b"x-two"), answer.header(b"x-three")) == (b"2", None)
        assert answer.sent_at <= answer.headers_at


async def test_trailers_never_become_headers(client: Client) -> None:
    trailed = CHUNKED + chunk(b"x") + b"0\r\nauthorization: secret\r\n\r\n"
    async with vendor(answering(trailed, sized(b"second"))) as server:
        for _ in range(2):
            answer = await client.send(server.at(), POST, b"{}", LONG)
            await answer.read(100)
            assert answer.header(b"authorization") is None


async def test_a_status_of_an_error_is_an_answer(client: Client) -> None:
    async with vendor(answering(b"HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\n{}")) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert (answer.status, answer.header(b"retry-after"), await answer.read(10)) == (429, b"3", b"{}")


@pytest.mark.parametrize("body", [b"x" * 101, b"x" * 300_000])
@pytest.mark.parametrize("framed", [sized, lambda b: CHUNKED + chunk(b) + chunk(b"")])
async def test_a_body_above_the_readers_limit_is_a_bad_answer(
    client: Client, body: bytes, framed: Callable[[bytes], bytes]
) -> None:
    async with vendor(answering(framed(body), framed(body))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(BadAnswer):
            await answer.read(100)
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert await answer.read(len(body)) == body


async def test_a_length_above_the_readers_limit_is_refused_before_it_is_read(client: Client) -> None:
    async with vendor(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n")) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        with pytest.raises(BadAnswer):
            await answer.read(1 << 40)
        assert answer.end == "aborted"


async def test_a_coded_body_passes_as_it_is(client: Client) -> None:
    squeezed = bytes.fromhex("1f8b08000000000000034b040043beb7e801000000")
    async with vendor(answering(sized(squeezed, b"content-encoding: gzip"))) as server:
        answer = await client.send(server.at(), POST, b"{}", LONG)
        assert (await answer.read(100), answer.header(b"content-encoding")) == (squeezed, b"gzip")
