"""Users' files against a real database and a real folder: counted exactly, and gone in time, whoever died in between."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable, StreamBroken, TooLarge
from unigate.base.live_settings import FileQuota, FileSettings
from unigate.relay import own_files
from unigate.relay.file_house import FileHouse
from unigate.relay.own_files import ABANDONED_MS, OwnFiles
from unigate.relay.own_uploads import LASTS_MS, Ended, OwnUploads
from unigate.spec.caller import Group, Key
from unigate.spec.form import FilePart
from unigate.spec.own_file import Completion, Listed, NewFile, NewUpload
from unigate.store import own_files as rows
from unigate.store import uploads
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow, Totals
from unigate.store.spool import Spool
from unigate.store.uploads import UploadRow
from unigate.tasks.assets import Links

KEY = Key(
    id="k", name="k", last4="1234", user_id="u", user_name="u", group=Group(id="g", name="default"), wallet_id="w"
)
HOUR = 3_600_000


@dataclass
class Rig:
    """The parts, and what tests ask of them."""

    db: Database
    folder: Path
    files: OwnFiles
    parts: OwnUploads
    house: FileHouse
    settings: FileSettings
    spool: Spool

    def part(self, body: bytes) -> FilePart:
        source = self.spool.file()
        source.add(body)
        return FilePart(name="file", filename="a.txt", media_type="text/plain", size=len(body), source=source)

    async def keep(self, body: bytes, *, lasts: int = 0, key: Key = KEY) -> FileRow:
        new = NewFile(part=self.part(body), purpose="user_data", filename="a.txt", lasts=lasts)
        return await self.files.create(key, new)

    async def begin(self, size: int) -> UploadRow:
        new = NewUpload(purpose="user_data", filename="a.txt", media_type="text/plain", size=size)
        return await self.parts.create(KEY, new)

    def lying(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    async def totals(self, user_id: str = "u") -> Totals:
        async with self.db.reading() as tx:
            return await rows.totals(tx, user_id)


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    storages = Storages("file:///assets", data=tmp_path, aws={})
    spool = Spool(tmp_path / "spool", reserve=0)
    settings = FileSettings(total_bytes=100_000, total_files=10, groups={"large": FileQuota(total_files=20)})
    files = OwnFiles(database, storages, Links("secret"), spool, lambda: settings)
    parts = OwnUploads(database, storages, files, lambda: settings)
    house = FileHouse(database, files, parts)
    return Rig(database, tmp_path / "assets", files, parts, house, settings, spool)


async def test_what_is_kept_counts_until_it_is_deleted(rig: Rig) -> None:
    first, second = await rig.keep(b"x" * 100), await rig.keep(b"y" * 50)
    assert await rig.totals() == Totals(files=2, bytes=150)
    assert rig.lying() == sorted([first.id, second.id])
    assert await rig.files.delete(first)
    assert not await rig.files.delete(first), "only one call deletes it"
    assert await rig.totals() == Totals(files=1, bytes=50)
    assert rig.lying() == [second.id]
    assert await rig.files.find(second.id, "other") is None


async def test_calls_side_by_side_do_not_get_beyond_the_limit(rig: Rig) -> None:
    done = await asyncio.gather(*(rig.keep(b"x" * 10) for _ in range(25)), return_exceptions=True)
    assert sum(isinstance(one, TooLarge) for one in done) == 15
    assert await rig.totals() == Totals(files=10, bytes=100)
    assert len(rig.lying()) == 10
    larger = replace(KEY, group=Group(id="l", name="large"))
    for _ in range(10):
        await rig.keep(b"x", key=larger)
    with pytest.raises(TooLarge):
        await rig.keep(b"x", key=larger)


async def test_nothing_is_left_of_what_could_not_be_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: OwnFiles, _part: FilePart) -> AsyncIterator[bytes]:
        yield b"some of it"
        raise StreamBroken(detail="in the middle")

    monkeypatch.setattr(OwnFiles, "pieces", broken)
    with pytest.raises(StreamBroken):
        await rig.keep(b"x" * 100)
    assert (await rig.totals(), rig.lying()) == (Totals(), [])
    started = asyncio.Event()

    async def endless(_self: OwnFiles, _part: FilePart) -> AsyncIterator[bytes]:
        yield b"some of it"
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(OwnFiles, "pieces", endless)
    call = asyncio.create_task(rig.keep(b"x" * 100))
    await started.wait()
    assert await rig.totals() == Totals(files=1, bytes=100), "what is being written counts"
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await rig.totals(), rig.lying()) == (Totals(), [])
    monkeypatch.setattr(own_files, "SECONDS", 0.01)
    with pytest.raises(StoreUnavailable):
        await rig.keep(b"x" * 100)
    assert (await rig.totals(), rig.lying()) == (Totals(), [])


async def test_what_expired_is_not_found_and_goes(rig: Rig) -> None:
    kept = await rig.keep(b"x" * 100, lasts=3600)
    assert kept.expires_at == kept.created_at + HOUR
    forever = await rig.keep(b"y")
    await rig.house.tidy()
    assert rig.lying() == sorted([kept.id, forever.id]), "not yet"
    async with rig.db.writing() as tx:
        await rows.gone(tx, kept, due_at=0)
        await rows.forget(tx, kept.id)
        await rows.take(tx, "u", 100, most_files=10, most_bytes=1000)
        past = now_ms() - 1
        await rows.add(tx, replace(kept, expires_at=past, due_at=past))
    assert await rig.files.find(kept.id, "u") is None
    found, more = await rig.files.page("u", Listed(limit=10))
    assert ([row.id for row in found], more) == ([forever.id], False)
    assert await rig.totals() == Totals(files=2, bytes=101), "until it was removed"
    await rig.house.tidy()
    await rig.house.tidy()
    assert (await rig.totals(), rig.lying()) == (Totals(files=1, bytes=1), [forever.id])
    async with rig.db.reading() as tx:
        assert await rows.due(tx, now_ms() + 100 * HOUR, 10) == []


async def test_what_dead_writers_left_goes(rig: Rig) -> None:
    """One died while it wrote, one after it had said that its file is no more."""
    writing = rig.files.begun("u", "evals", "a", "", 100)
    deleted = replace(rig.files.begun("u", "evals", "b", "", 50), state="deleted", counted=0, due_at=now_ms() - 1)
    fresh = rig.files.begun("u", "evals", "c", "", 25)
    async with rig.db.writing() as tx:
        for row in (replace(writing, due_at=now_ms() - 1), deleted, fresh):
            if row.counted:
                await rig.files.take(tx, KEY, row.size)
            await rows.add(tx, row)
    (rig.folder / writing.path).parent.mkdir(parents=True)
    for row in (writing, deleted, fresh):
        (rig.folder / row.path).write_bytes(b"some")
    half = rig.folder / f"{writing.path}#1"  # as a folder has what is not whole
    half.write_bytes(b"so")
    half.with_name(f"{writing.id}#2").write_bytes(b"")
    assert fresh.due_at >= fresh.created_at + ABANDONED_MS
    await rig.house.tidy()
    assert rig.lying() == [fresh.id], "what is being written stays"
    assert await rig.totals() == Totals(files=1, bytes=25)
    stored = await rig.files.put(writing, rig.files.pieces(rig.part(b"x" * 100)))
    async with rig.db.writing() as tx:
        with pytest.raises(StoreUnavailable):  # it lives after all, but far too long
            await rig.files.settle(tx, writing, stored, 0)
    assert await rig.totals() == Totals(files=1, bytes=25)


async def test_an_upload_ends_after_its_hour(rig: Rig) -> None:
    row = await rig.begin(1000)
    assert row.expires_at == row.created_at + LASTS_MS
    part = await rig.parts.add_part(row, rig.part(b"x" * 1000))
    await rig.house.tidy()
    assert (await rig.totals(), rig.lying()) == (Totals(files=1, bytes=1000), [part.id])
    old = replace(row, id="upload_old", expires_at=now_ms() - 1, due_at=now_ms() - 1)
    async with rig.db.writing() as tx:
        await rig.files.take(tx, KEY, 1000)
        await uploads.add(tx, old)
        dead = replace(part, id="part_dead", upload_id=old.id, path="users/part_dead", created_at=1)
        await tx.run(uploads._ADD_PART, asdict(dead))
    (rig.folder / "users" / "part_dead").write_bytes(b"x")
    seen = await rig.parts.find(old.id, "u")
    assert seen is not None and seen.state == "expired"
    with pytest.raises(Ended):
        await rig.parts.add_part(old, rig.part(b"x"))
    await rig.house.tidy()
    assert (await rig.totals(), rig.lying()) == (Totals(files=1, bytes=1000), [part.id])
    async with rig.db.reading() as tx:
        assert await uploads.parts(tx, old.id) == []
    with pytest.raises(Ended):
        await rig.parts.cancel(old)
    done, kept = await rig.parts.complete(row, Completion(part_ids=(part.id,)))
    assert (done.state, done.file_id, kept.size) == ("completed", kept.id, 1000)
    assert (await rig.totals(), rig.lying()) == (Totals(files=1, bytes=1000), [kept.id])


async def test_parts_are_bounded(rig: Rig) -> None:
    row = await rig.begin(10)
    most = 2 * row.size + (64 << 20)
    async with rig.db.writing() as tx:
        large = uploads.PartRow(
            id="part_large", upload_id=row.id, size=most - 5, store="s", path="p", created_at=now_ms()
        )
        assert await uploads.add_part(tx, large, now=now_ms(), most=most, most_parts=10)
    with pytest.raises(TooLarge):
        await rig.parts.add_part(row, rig.part(b"x" * 6))
    await rig.parts.add_part(row, rig.part(b"x" * 5))
