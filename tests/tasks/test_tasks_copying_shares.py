"""What keeps one user's files from holding up everybody's: shares of the places, and a least rate."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_tasks_copying import QUICK, Desk

from support.gallery import FILM, Gallery, gallery
from support.waiting import until
from unigate.store.database import Database
from unigate.tasks.sources import Rate


@pytest.fixture
async def vendor() -> AsyncIterator[Gallery]:
    async with gallery() as made:
        yield made


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(database, tmp_path)
    yield made
    await made.close()


async def test_one_user_has_half_of_the_places(desk: Desk, vendor: Gallery) -> None:
    """Six files of one user hang; another's is copied all the same, and so are theirs once they come."""
    mine = await desk.add(*[vendor.url("/gate")] * 6, kind="video")
    desk.start(places=4)
    await until(lambda: vendor.halves == 2)
    (theirs,) = await desk.add(vendor.url("/picture.png"), task="t2", user="usr_2")
    assert (await desk.ends(theirs)).state == "kept"
    assert vendor.halves == 2
    vendor.gate.set()
    assert {(await desk.ends(id)).state for id in mine} == {"kept"}


class Dripping:
    """A server that sends a film's beginning, and then a byte at a time for as long as anybody listens."""

    def __init__(self) -> None:
        self.port = 0
        self.asked = 0
        self.left = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 X\r\ncontent-type: video/mp4\r\ncontent-length: %d\r\n\r\n" % len(FILM))
            writer.write(FILM[:20])
            for byte in FILM[20:]:
                await writer.drain()
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            self.left += 1
            writer.close()


async def test_a_file_that_comes_drop_by_drop_is_given_up_and_tried_again(desk: Desk) -> None:
    dripping = Dripping()
    server = await asyncio.start_server(dripping.serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        (id,) = await desk.add(f"http://127.0.0.1:{port}/film.mp4", kind="video")
        desk.start(least=Rate(bytes=4096, seconds=0.2))
        row = await desk.ends(id)
        assert (row.state, row.tries, dripping.asked) == ("lost", QUICK.tries, QUICK.tries)
        await until(lambda: dripping.left == QUICK.tries)
        assert desk.files() == []
    finally:
        server.close()
        await server.wait_closed()


async def test_waiting_for_our_own_storage_does_not_count(
    desk: Desk, vendor: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is there at once is copied, however slowly our storage takes it."""
    storage = desk.storages.open()
    put = storage.put

    async def slow(path: str, pieces: AsyncIterator[bytes], *, most: int, media_type: str = "") -> object:
        async def later() -> AsyncIterator[bytes]:
            async for piece in pieces:
                await asyncio.sleep(0.05)
                yield piece

        return await put(path, later(), most=most, media_type=media_type)

    monkeypatch.setattr(storage, "put", slow)
    (id,) = await desk.add(vendor.url("/film"), kind="video")
    desk.start(least=Rate(bytes=1 << 30, seconds=5.0))
    assert (await desk.ends(id)).state == "kept"
