"""Reading together: nobody is forgotten, whenever they come."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from unigate.store.database import Database, Tx
from unigate.tasks.pace import Rates
from unigate.tasks.reads import Reads


class Shelf:
    """A database whose transactions end when the test says so."""

    def __init__(self) -> None:
        self.gates: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        yield

    async def read(self, _tx: Tx, keys: Sequence[str]) -> Mapping[str, str]:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        return {key: key.upper() for key in keys}


async def test_who_comes_in_the_turn_in_which_the_others_end_is_read_too() -> None:
    shelf = Shelf()
    reads = Reads(cast(Database, shelf), shelf.read)
    first = asyncio.ensure_future(reads.get("a"))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(reads.get("b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for gate in shelf.gates:
        gate.set_result(None)
    late = asyncio.ensure_future(
        reads.get("c")
    )  # its turn comes right behind theirs, before anybody hears of their end
    assert (await first, await second) == ("A", "B")
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(shelf.gates) == 3, "somebody reads what came last"
    shelf.gates[2].set_result(None)
    assert await asyncio.wait_for(late, 5) == "C"


def test_silence_that_was_asked_for_is_kept_without_a_rate_too() -> None:
    now = 100.0
    rates = Rates(lambda: now)
    assert (rates.wait("c", 0), rates.full("c", 1.0)) == (0.0, False)
    rates.hold("c", 5)
    assert (rates.wait("c", 0), rates.wait("c", 0)) == (5.0, 5.0)
    assert rates.full("c", 1.0)
    now = 106.0
    assert (rates.wait("c", 0), rates.full("c", 1.0)) == (0.0, False)
