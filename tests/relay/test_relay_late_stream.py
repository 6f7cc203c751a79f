"""A stream that waits for what is there all at once: comments meanwhile, then the answer or what went wrong."""

import asyncio

import pytest

from unigate.base.errors import BadAnswer, BadRequest, GatewayError
from unigate.relay.late_stream import COMMENT, in_time
from unigate.spec.reply import Pieces, Reply

GOOD = Reply(b"data: picture\n\n")
SHORT = 0.02


class Work:
    """Something that takes until the test says so."""

    def __init__(self, error: GatewayError | None = None) -> None:
        self.open = asyncio.Event()
        self.error = error
        self.stopped = False

    async def __call__(self) -> Reply:
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise
        if self.error is not None:
            raise self.error
        return GOOD


def late(told: Reply | GatewayError) -> bytes:
    return told.body if isinstance(told, Reply) else told.message.encode()


async def begun(work: Work) -> Pieces:
    found = await in_time(work(), late, seconds=SHORT)
    assert isinstance(found, Pieces)
    assert (b"content-type", b"text/event-stream") in found.headers
    return found


async def test_what_is_there_soon_is_answered_as_it_is() -> None:
    work = Work()
    work.open.set()
    assert await in_time(work(), late) is GOOD
    work.error = BadRequest("no")
    with pytest.raises(BadRequest):
        await in_time(work(), late)


@pytest.mark.parametrize("error", [None, BadAnswer("broken")])
async def test_what_takes_long_is_waited_for_with_comments(error: GatewayError | None) -> None:
    work = Work(error)
    pieces = (await begun(work)).pieces
    assert [await anext(pieces) for _ in range(3)] == [COMMENT] * 3
    work.open.set()
    rest = [piece async for piece in pieces]
    assert rest[-1] == (b"broken" if error else GOOD.body)
    assert set(rest[:-1]) <= {COMMENT}
    assert not work.stopped


async def test_a_caller_who_leaves_stops_the_work() -> None:
    work = Work()
    pieces = (await begun(work)).pieces
    assert await anext(pieces) == COMMENT
    await pieces.aclose()
    assert work.stopped
    other = Work()
    waiting = asyncio.ensure_future(in_time(other(), late))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert other.stopped
