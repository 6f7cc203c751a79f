"""Any bytes as answers, in any cuts: no hang, no strange error, and never a byte of one answer in another.

Each request has a name, and everything that the vendor sends because of it is marked with that name.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st
from upstream_peer import LONG, POST, Peer, chunk, vendor

from unigate.base.errors import UpstreamError
from unigate.spec.channel import Timeouts
from unigate.upstream import Answer, Client, ClientLimits

NAMES = (b"~A~", b"~B~", b"~C~", b"~D~")  # the requests' bodies
MARK = b"<#>"  # stands for the name of the request in its answer
SOUND = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n<#>"
SHORT = Timeouts(connect=5, first_byte=0.15, idle=0.15, total=1)
BOUND = 20.0

loops = pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
calm = settings(max_examples=60)


@dataclass
class Script:
    """What the vendor does about one request."""

    data: bytes
    #: Where it is cut, as parts of a thousand.
    cuts: tuple[int, ...] = ()
    #: What follows: nothing, a close, a reset.
    then: str = "stay"

    def parts(self, name: bytes) -> list[bytes]:
        """The pieces to send; a mark is replaced by something as long."""
        data = self.data.replace(MARK, name)
        edges = sorted({0, len(data), *(len(data) * cut // 1000 for cut in self.cuts)})
        return [data[a:b] for a, b in pairwise(edges)]


@st.composite
def sound(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A sound answer with its body."""
    items = draw(st.lists(st.sampled_from([MARK, b"x", b"\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"]), max_size=4))
    body = b"".join(items)
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 x\r\nlink: <#>\r\n\r\n"]))
    extra = draw(st.sampled_from([b"", b"x-y: <#>\r\n", b"keep-alive: timeout=30\r\n", b"connection: close\r\n"]))
    status = draw(st.sampled_from([b"200 OK", b"404 Not Found", b"500", b"204 None"]))
    if status.startswith(b"204"):
        return b"%bHTTP/1.1 %b\r\n%b\r\n" % (interim, status, extra), b""
    if draw(st.booleans()):
        framed = b"%bcontent-length: %d\r\n\r\n%b" % (extra, len(body), body)
    else:
        trailer = draw(st.sampled_from([b"", b"x-sum: <#>\r\n"]))
        framed = (
            extra + b"transfer-encoding: chunked\r\n\r\n" + b"".join(map(chunk, items)) + b"0\r\n" + trailer + b"\r\n"
        )
    return b"%bHTTP/1.1 %b\r\n%b" % (interim, status, framed), body


cuts = st.lists(st.integers(1, 999), max_size=6).map(tuple)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Sound answers, damaged ones, several at once, and noise."""
    kind = draw(st.sampled_from(["sound", "damaged", "followed", "torn", "cut", "rest", "noise"]))
    data = draw(sound())[0]
    if kind == "followed":
        data += draw(st.one_of(sound().map(lambda pair: pair[0]), st.just(b"x"), st.just(b"HTTP/1.1 200 <#>")))
    elif kind == "torn":
        other = draw(sound())[0]
        data += other[: len(other) * draw(st.integers(0, 999)) // 1000]
    elif kind == "rest":
        data = data[len(data) * draw(st.integers(0, 999)) // 1000 :]
    elif kind == "cut":
        data = data[: len(data) * draw(st.integers(0, 999)) // 1000]
    elif kind == "noise":
        data = draw(st.binary(max_size=60))
    elif kind == "damaged":
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 3)) :]
    return Script(data, draw(cuts), draw(st.sampled_from(["stay", "stay", "close", "reset"])))


class Play:
    """A vendor that follows scripts, one for each request in turn."""

    def __init__(self, given_scripts: list[Script]) -> None:
        self._scripts = given_scripts
        self._turn = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, peer: Peer) -> None:
        while True:
            got = await peer.request()
            script = self._scripts[min(self._turn, len(self._scripts) - 1)]
            self._turn += 1
            self.idle.clear()
            try:
                for part in script.parts(got.body):
                    peer.writer.write(part)
                    await peer.writer.drain()
                    await asyncio.sleep(0)
                if script.then == "close":
                    peer.close()
                elif script.then == "reset":
                    peer.abort()
            finally:
                self.idle.set()
            if script.then != "stay":
                return


async def play(given_scripts: list[Script], timeouts: Timeouts = SHORT) -> list[tuple[int, bytes] | None]:
    """Send a request for each script; what was answered, None for a failure."""
    results: list[tuple[int, bytes] | None] = []
    handler = Play(given_scripts)
    client = Client(ClientLimits(sweep_seconds=0.02))
    async with vendor(handler) as server, asyncio.timeout(BOUND):
        where = server.at()
        for number in range(len(given_scripts)):
            try:
                answer = await client.send(where, POST, NAMES[number], timeouts, may_repeat=False)
                body = await answer.read(1 << 20) if number % 2 else await by_pieces(answer)
            except UpstreamError:
                results.append(None)
            else:
                told = b" ".join([body, *(value for _, value in answer.headers)])
                for other in range(len(given_scripts)):
                    assert other == number or NAMES[other] not in told, (number, told)
                assert answer.complete
                results.append((answer.status, body))
            await handler.idle.wait()  # all bytes of this turn are out before the next request
        await client.close()
        assert client.open_connections == 0
    return results


async def by_pieces(answer: Answer) -> bytes:
    got = []
    while (piece := await answer.piece()) is not None:
        assert piece
        got.append(piece)
    return b"".join(got)


@loops
@calm
@given(given_scripts=st.lists(scripts(), min_size=1, max_size=4))
@example(given_scripts=[Script(SOUND + b"HTTP/1.1 200 OK\r\nx: <#>\r\ncontent-length: 2"), Script(b"\r\n\r\nok")])
@example(given_scripts=[Script(SOUND + SOUND), Script(SOUND)])
def test_whatever_a_vendor_sends(
    new_loop: Callable[[], asyncio.AbstractEventLoop], given_scripts: list[Script]
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(play(given_scripts))


@loops
@calm
@given(answers=st.lists(st.tuples(sound(), cuts), min_size=1, max_size=4))
def test_sound_answers_are_understood_in_any_cuts(
    new_loop: Callable[[], asyncio.AbstractEventLoop], answers: list[tuple[tuple[bytes, bytes], tuple[int, ...]]]
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        got = runner.run(play([Script(data, where) for (data, _), where in answers], LONG))
    assert [body for _, body in filter(None, got)] == [
        body.replace(MARK, NAMES[number]) for number, ((_, body), _) in enumerate(answers)
    ]
