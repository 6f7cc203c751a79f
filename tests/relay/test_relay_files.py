"""Pictures of answers on their way to our storage: their rows say first what is to be written, so none is left unnamed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unigate.base.clock import now_ms
from unigate.base.errors import Gone, StoreUnavailable
from unigate.relay import files
from unigate.relay.files import Files
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Objects, Storages
from unigate.tasks.retention import delete_ended
from unigate.upstream import Client

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)


@dataclass
class Rig:
    """The parts, and what tests ask of them."""

    db: Database
    folder: Path
    storages: Storages
    files: Files

    async def add(self, *, until: int = 0) -> AssetRow:
        made = await self.files.add("req_1", "u", 0, PICTURE, "", until=until)
        return await self.files.find(made.id)

    async def all(self) -> list[AssetRow]:
        async with self.db.reading() as tx:
            return await rows.ended(tx, now_ms() + (1 << 40), 10)

    def lying(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def rig(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    storages = Storages("file:///assets", data=tmp_path, aws={})
    client = Client()
    yield Rig(database, tmp_path / "assets", storages, Files(database, client, storages))
    await client.close()


async def test_a_picture_is_kept_until_its_term(rig: Rig) -> None:
    until = now_ms() + 60_000
    row = await rig.add(until=until)
    assert (row.state, row.ends_at, row.media_type, row.size) == ("kept", until, "image/png", len(PICTURE))
    assert rig.lying() == [f"{row.id}.png"]
    assert (await rig.add()).ends_at == 0, "for ever"
    await delete_ended(rig.db, rig.storages)
    assert len(rig.lying()) == 2


async def test_a_killed_writer_leaves_a_row_that_says_what_to_remove(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed does nothing more: neither after the file is there, nor in the middle of it."""
    stopped = asyncio.Event()
    put = Objects.put

    async def nothing(*_: object, **__: object) -> None:
        pass

    async def dies(self: Objects, path: str, pieces: AsyncIterator[bytes], **more: Any) -> None:
        await put(self, path, pieces, **more)
        (rig.folder / f"{path}#1").write_bytes(b"half of another try")
        stopped.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Objects, "put", dies)
    monkeypatch.setattr(Files, "_give_up", nothing)
    call = asyncio.create_task(rig.add())
    await stopped.wait()
    call.cancel()
    await asyncio.wait([call])
    (row,) = await rig.all()
    assert rig.lying() == [f"{row.id}.png", f"{row.id}.png#1"]
    with pytest.raises(Gone):  # nobody is led to it
        await rig.files.find(row.id)
    await delete_ended(rig.db, rig.storages)
    assert len(rig.lying()) == 2, "it may be being written still"
    async with rig.db.writing() as tx:
        await rows.delete_later(tx, row.id, at=now_ms() - 1)
    await delete_ended(rig.db, rig.storages)
    assert (rig.lying(), await rig.all()) == ([], [])


async def test_nothing_is_left_of_what_could_not_be_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Objects.put

    async def fails(self: Objects, path: str, pieces: AsyncIterator[bytes], **more: Any) -> None:
        await put(self, path, pieces, **more)
        raise StoreUnavailable(detail="full")

    monkeypatch.setattr(Objects, "put", fails)
    with pytest.raises(StoreUnavailable):
        await rig.add()
    assert (rig.lying(), await rig.all()) == ([], [])

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Objects, "put", never)
    monkeypatch.setattr(files, "SECONDS", 0.01)
    with pytest.raises(StoreUnavailable):
        await rig.add()
    assert (rig.lying(), await rig.all()) == ([], [])


async def test_what_was_given_up_meanwhile_is_not_shown(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Objects.put

    async def takes_an_hour(self: Objects, path: str, pieces: AsyncIterator[bytes], **more: Any) -> None:
        await delete_ended(rig.db, rig.storages)
        await put(self, path, pieces, **more)

    monkeypatch.setattr(Objects, "put", takes_an_hour)
    monkeypatch.setattr(files, "ABANDONED_MS", -1)
    with pytest.raises(StoreUnavailable):
        await rig.add()
    assert (rig.lying(), await rig.all()) == ([], [])
