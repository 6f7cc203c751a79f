"""Callers who leave: their handlers are stopped, and nobody else's reply suffers."""

import asyncio
import gc
import socket
import struct

import pytest
from http_kit import chunked, get, head, post, until, wire

from unigate.http.exchange import Exchange


class Leaving:
    """A handler that waits, and remembers how it was stopped."""

    def __init__(self, *, started: bool) -> None:
        self.started = started
        self.x: Exchange | None = None
        self.stopped = asyncio.Event()
        self.gone = False

    async def __call__(self, x: Exchange) -> None:
        self.x = x
        if self.started:
            x.start(200, (), None)
            x.write(b"a")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gone = x.gone
            for _ in range(10):  # nobody is there: nothing happens, nothing raises
                x.write(b"b")
            await x.drain()
            if not x.started_reply:
                x.reply(200, (), b"late")
            x.end()
            x.cut()
            self.stopped.set()
            raise


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("how", ["close", "reset", "half"])
async def test_leaving_stops_the_handler(how: str, *, started: bool) -> None:
    handler = Leaving(started=started)
    async with wire(handler) as w:
        caller = await w.ask(post(b"abc") + get(b"/behind"))
        await until(lambda: handler.x)
        if how == "close":
            caller.close()
        elif how == "reset":
            _reset(caller.sock)
        else:
            caller.sock.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(5):
            await handler.stopped.wait()
        assert handler.gone
        await until(lambda: not w.server.state.connections)
        assert handler.x is not None
        assert handler.x.path == b"/"  # the one behind never ran


async def test_leaving_is_known_in_the_same_turn() -> None:
    handler = Leaving(started=True)
    async with wire(handler) as w:
        await w.ask(get())
        await until(lambda: handler.x)
        x = handler.x
        assert x is not None
        assert x.task is not None
        w.connection().eof_received()
        assert x.gone
        assert x.task.cancelling()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert handler.stopped.is_set()
        w.connection().drop()


async def test_leaving_during_an_upload() -> None:
    handled = asyncio.Event()

    async def handler(x: Exchange) -> None:
        try:
            await x.read(1000)
        finally:
            handled.set()

    async with wire(handler) as w:
        caller = await w.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        await until(w.serving)
        caller.close()
        async with asyncio.timeout(5):
            await handled.wait()


async def test_a_truncated_body_is_never_taken_for_a_whole_one() -> None:
    """Also by a handler that does not stop when it is told to."""
    outcome: list[object] = []

    async def handler(x: Exchange) -> None:
        x.leave = lambda: None
        try:
            outcome.append(await x.read(1000))
        except Exception as error:
            outcome.append(type(error).__name__)
            raise

    async with wire(handler) as w:
        for raw in (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc", chunked([b"abc"])[:-5]):
            caller = await w.ask(raw)
            await until(w.serving)
            caller.close()
            await until(lambda: not w.server.state.tasks and not w.server.state.connections)
        assert outcome == ["CallerLeft", "CallerLeft"]


async def test_leaving_after_the_reply_stops_nothing() -> None:
    go = asyncio.Event()
    done = asyncio.Event()

    async def handler(x: Exchange) -> None:
        x.reply(200, (), b"")
        await go.wait()
        done.set()

    async with wire(handler) as w:
        caller = await w.ask(get())
        await caller.reply()
        caller.close()
        await until(lambda: not w.server.state.connections)
        go.set()
        async with asyncio.timeout(5):
            await done.wait()


async def test_writes_to_transports_that_closed_under_us() -> None:
    """A group of replies is written in one turn of the loop; one caller's end must not stop the others' replies."""
    waiting: list[Exchange] = []

    async def handler(x: Exchange) -> None:
        x.promised = True
        waiting.append(x)

    async with wire(handler) as w:
        callers = [await w.ask(get(b"/%d" % n)) for n in range(6)]
        await until(lambda: len(waiting) == 6)
        waiting.sort(key=lambda x: x.path)
        for x in waiting[:4]:
            x._line.transport.abort()
        await asyncio.sleep(0)
        for number, x in enumerate(waiting):
            assert number >= 4 or x._line.transport.is_closing()
            x.gone = False  # as if nothing had been told yet
            if number % 2:
                x.reply(200, (), b"x" * (50_000 if number == 3 else 5))
            else:
                x.start(200, (), None)
                x.write(b"x" * 5)
                x.end()
        assert (await callers[4].reply()).body == b"xxxxx"
        assert (await callers[5].reply()).body == b"xxxxx"


SENT = b"x" * 1_000_000


@pytest.mark.parametrize(
    "sent",
    [
        head(b"Host: a", b"Content-Length: 2000000") + SENT,
        head(b"Host: a", b"Transfer-Encoding: chunked") + b"f4240\r\n" + SENT + b"\r\nnot a chunk\r\n",
    ],
)
async def test_what_a_caller_sent_in_vain_is_given_up_without_a_round_of_the_garbage_collector(sent: bytes) -> None:
    async def handler(x: Exchange) -> None:
        await x.read(1 << 30)

    def there() -> int:
        return sum(isinstance(one, Exchange) for one in gc.get_objects())

    gc.collect()
    before = there()
    gc.disable()
    try:
        async with wire(handler) as w:
            caller = await w.ask(sent[:-20])
            await until(lambda: there() > before)
            await caller.send(sent[-20:])
            caller.close()
            await until(lambda: not w.server.state.connections)
            await until(lambda: there() == before)
    finally:
        gc.enable()
