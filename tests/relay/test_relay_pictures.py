"""Pictures that are answered themselves: what was opened for them is closed, however it ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from support.waiting import until
from unigate.base.errors import BadAnswer
from unigate.relay.pictures import Parting, _inline
from unigate.relay.services import Services
from unigate.spec.task import Asset
from unigate.tasks.sources import Opened


class Drawer:
    """Files, of which some do not come at once."""

    def __init__(self, waits: Sequence[str] = (), lost: Sequence[str] = ()) -> None:
        self._waits, self._lost = waits, lost
        self.opened: list[str] = []
        self.closed: list[str] = []

    async def open(self, id: str, *, most: int) -> Opened:
        if id in self._lost:
            raise BadAnswer(detail=f"at most {most} bytes, as ordered")
        if id in self._waits:
            await asyncio.Event().wait()
        self.opened.append(id)
        return Opened(media_type="image/png", pieces=_nothing(), close=lambda: self.closed.append(id))


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


async def _answer(drawer: Drawer) -> Any:
    svc = SimpleNamespace(settings=SimpleNamespace(relay=SimpleNamespace(answer_bytes=7)), files=drawer)
    assets = [Asset(id=id, task_id="t1", kind="image", media_type="image/png", source="") for id in "abc"]
    return await _inline(cast(Services, svc), cast(Parting, None), [], assets, ())


async def test_a_caller_who_leaves_while_they_are_opened_leaves_none_open() -> None:
    drawer = Drawer(waits=["b"])
    asking = asyncio.create_task(_answer(drawer))
    await until(lambda: drawer.opened == ["a", "c"])
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert sorted(drawer.closed) == ["a", "c"]


async def test_one_that_is_not_to_be_had_closes_the_others() -> None:
    drawer = Drawer(lost=["b"])
    with pytest.raises(BadAnswer):
        await _answer(drawer)
    assert sorted(drawer.closed) == ["a", "c"]
