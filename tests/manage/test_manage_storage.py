"""`unigate storage`, and what doctor says of it, on each database, with folders and a bucket."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.bucket import Bucket, bucket
from unigate.base.errors import StoreUnavailable
from unigate.base.settings import Settings, load
from unigate.manage import doctor
from unigate.manage.desk import Desk
from unigate.manage.storage import check_storage, move_files, storages
from unigate.store import assets as rows
from unigate.store import own_files
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.store.own_files import FileRow

SECRET = "a-secret-that-is-long-enough"


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.fixture
async def s3() -> AsyncIterator[Bucket]:
    async with bucket() as made:
        yield made


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(db=database, secret=SECRET)


def settings_of(folder: Path, url: str, **environ: str) -> Settings:
    return load(data=folder, environ={"UNIGATE_SECRET": SECRET, "UNIGATE_STORAGE__URL": url, **environ})


async def keep(desk: Desk, at: Storages, name: str, body: bytes) -> AssetRow:
    """A file that is kept."""
    path = f"2026/11/t/{name}.png"
    stored = await at.open().put(path, once(body), most=1 << 30)
    row = AssetRow(
        id=name,
        task_id="t",
        user_id="u",
        kind="image",
        media_type="image/png",
        source="https://cdn.example/a.png",
        private=False,
        place=0,
        state="kept",
        store=at.name,
        path=path,
        size=stored.size,
        digest=stored.digest,
    )
    async with desk.db.writing() as tx:
        await rows.add(tx, [row])
    return row


async def read(at: Storages, row: AssetRow) -> bytes | None:
    found = await at.open(row.store).get(row.path)
    return None if found is None else b"".join([piece async for piece in found.pieces])


async def row_of(desk: Desk, id: str) -> AssetRow:
    async with desk.db.reading() as tx:
        found = await rows.find(tx, id)
    assert found is not None
    return found


async def test_settings_lead_to_a_folder_below_the_data_and_to_a_bucket(tmp_path: Path, s3: Bucket, desk: Desk) -> None:
    folder = storages(settings_of(tmp_path, "file:///assets"))
    assert (await check_storage(desk, folder, keep=True)).storage == "file:///assets"
    assert (tmp_path / "assets").is_dir() and not list((tmp_path / "assets").rglob("*.*"))
    far = storages(settings_of(tmp_path, "s3://films/all", **s3.environment))
    assert (await check_storage(desk, far, keep=True)).others == []
    assert s3.asked["PUT part"] == 2 and s3.files == {} and s3.refused == 0


async def test_files_move_to_the_storage_of_now(tmp_path: Path, s3: Bucket, desk: Desk) -> None:
    old = storages(settings_of(tmp_path, "file:///assets"))
    made = [await keep(desk, old, f"ast_{n:03}", b"picture %d" % n) for n in range(120)]
    far = storages(settings_of(tmp_path, "s3://films/all", **s3.environment))
    assert (await check_storage(desk, far, keep=True)).others == ["file:///assets"]
    done = await move_files(desk, far)
    assert (done.files, done.missing, done.failed) == (120, 0, 0)
    assert done.bytes == sum(row.size for row in made)
    for row in made[::50]:
        now = await row_of(desk, row.id)
        assert now.store == far.name
        found = await read(far, now)
        assert found is not None and hashlib.sha256(found).digest() == row.digest
    assert not [path for path in (tmp_path / "assets").rglob("*") if path.is_file()]
    assert (await move_files(desk, far)).files == 0
    back = storages(settings_of(tmp_path, "file:///elsewhere", **s3.environment))
    assert (await move_files(desk, back)).files == 120
    assert s3.files == {}


async def keep_own(desk: Desk, at: Storages, name: str, body: bytes) -> FileRow:
    """A file of a user."""
    path = f"users/2026/11/{name}"
    stored = await at.open().put(path, once(body), most=1 << 30)
    row = FileRow(
        id=name,
        user_id="u",
        purpose="evals",
        filename="a",
        media_type="",
        size=stored.size,
        digest=stored.digest,
        state="ready",
        store=at.name,
        path=path,
        counted=1,
        created_at=1,
    )
    async with desk.db.writing() as tx:
        assert await own_files.take(tx, "u", row.size, most_files=1000, most_bytes=1 << 30)
        await own_files.add(tx, row)
    return row


async def test_files_of_users_move_too(tmp_path: Path, s3: Bucket, desk: Desk) -> None:
    old = storages(settings_of(tmp_path, "file:///assets"))
    made = [await keep_own(desk, old, f"file-{n:03}", b"own %d" % n) for n in range(105)]
    damaged, gone = await keep_own(desk, old, "file-damaged", b"whole"), await keep_own(desk, old, "file-gone", b"gone")
    (tmp_path / "assets" / damaged.path).write_bytes(b"torn!")
    await old.open().delete(gone.path)
    far = storages(settings_of(tmp_path, "s3://films/all", **s3.environment))
    assert (await check_storage(desk, far, keep=True)).others == ["file:///assets"]
    done = await move_files(desk, far)
    assert (done.files, done.missing, done.failed) == (105, 1, 1)
    assert done.bytes == sum(row.size for row in made)
    async with desk.db.reading() as tx:
        moved = await own_files.find(tx, made[70].id, now=2)
        assert await own_files.totals(tx, "u") == own_files.Totals(files=107, bytes=done.bytes + 9)
        assert await own_files.due(tx, 1 << 60, 10) == [], "nothing is left to be removed"
    assert moved == replace(made[70], store=far.name)
    found = await far.open().get(moved.path)
    assert found is not None and b"".join([piece async for piece in found.pieces]) == b"own 70"
    assert [path.name for path in (tmp_path / "assets").rglob("*") if path.is_file()] == [damaged.id]
    async with desk.db.writing() as tx:
        assert not await own_files.gone(tx, made[70], due_at=1), "it is not where it was read to be"


async def test_what_is_missing_or_damaged_stays_as_it_is(tmp_path: Path, desk: Desk) -> None:
    old = Storages("file:///assets", data=tmp_path, aws={})
    gone = await keep(desk, old, "ast_gone", b"gone")
    damaged = await keep(desk, old, "ast_damaged", b"whole")
    away = await keep(desk, old, "ast_away", b"away")
    async with desk.db.writing() as tx:
        await rows.move(tx, away.id, before=old.name, store="file:////dev/null/none", path=away.path)
    await old.open().delete(gone.path)
    (tmp_path / "assets" / damaged.path).write_bytes(b"torn")
    new = Storages("file:///new", data=tmp_path, aws={})
    done = await move_files(desk, new)
    assert (done.files, done.missing, done.failed) == (0, 1, 2)
    assert (await row_of(desk, damaged.id)) == damaged
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]


async def test_doctor_tells_of_a_storage_that_fails_and_of_files_elsewhere(
    tmp_path: Path, desk: Desk, database_url: str, s3: Bucket
) -> None:
    settings = settings_of(tmp_path, "s3://films/all", **s3.environment)
    await keep(desk, Storages("file:///assets", data=tmp_path, aws={}), "ast_1", b"x")

    async def said(at: Storages, *, keep: bool = True) -> list[tuple[str, str]]:
        found = await doctor.examine(desk, database_url, tmp_path, (at, keep))
        return [(one.level, one.message) for one in found if one.about == "storage"]

    assert await said(storages(settings)) == [("notice", "files lie at file:///assets too: run `unigate storage move`")]
    other = replace(settings, storage=settings_of(tmp_path, "s3://nobody/x").storage)
    ((level, message),) = await said(storages(other))
    assert level == "problem" and "s3://nobody/x" in message and "secret-of" not in message
    with pytest.raises(StoreUnavailable):
        await check_storage(desk, storages(other), keep=True)
    assert [level for level, _ in await said(storages(other), keep=False)] == ["notice"]
