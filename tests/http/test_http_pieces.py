"""Answers in pieces while the gateway stops: one without end ends then, the others end as they are, or are cut."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from http_kit import BOUND, SHORT, get, until, wire

from unigate.http.app import _pour
from unigate.http.exchange import Exchange
from unigate.spec.reply import Pieces


class Answer:
    """Two pieces, and what lies between them."""

    def __init__(self, *, endless: bool) -> None:
        self.go = asyncio.Event()
        self._endless = endless

    async def __call__(self, x: Exchange) -> None:
        await _pour(x, Pieces(self._pieces(), (), endless=self._endless), [])

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        yield b"one"
        await self.go.wait()
        yield b"two"
        if self._endless:
            await asyncio.Event().wait()
        yield b"three"


@pytest.mark.parametrize("endless", [True, False])
async def test_the_gateway_stops_meanwhile(endless: bool) -> None:
    answer = Answer(endless=endless)
    async with wire(answer) as w:
        caller = await w.ask(get())
        await until(lambda: len(w.server.state.tasks) == 1)
        draining = asyncio.ensure_future(w.server.drain(BOUND))
        await until(lambda: w.server.state.draining)
        answer.go.set()
        reply = await caller.reply()
        assert (reply.body, reply.complete) == (b"onetwo" if endless else b"onetwothree", True)
        assert await draining is True


async def test_one_that_needs_longer_than_there_is_time_is_cut() -> None:
    answer = Answer(endless=False)
    async with wire(answer) as w:
        caller = await w.ask(get())
        await until(lambda: len(w.server.state.tasks) == 1)
        assert await w.server.drain(SHORT) is False
        reply = await caller.reply()
        assert (reply.body, reply.complete) == (b"one", False)
