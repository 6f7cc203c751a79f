"""A process that is killed while it copies: the file is copied again by another, and is never there by half."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from support.gallery import FILM, Gallery, gallery
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.live_settings import AssetSettings
from unigate.spec.task import Output
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.tasks.assets import asset_rows

CHILD = Path(__file__).with_name("copying_child.py")


@pytest.fixture
async def vendor() -> AsyncIterator[Gallery]:
    async with gallery() as made:
        yield made


async def started(url: str, folder: Path, lease: float) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), url, str(folder), str(lease), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 60) == b"ready\n"
    return child


async def row_of(db: Database, id: str) -> AssetRow:
    async with db.reading() as tx:
        found = await rows.find(tx, id)
    assert found is not None
    return found


async def kept(db: Database, id: str) -> AssetRow:
    async with asyncio.timeout(30):
        while (row := await row_of(db, id)).state == "waiting":  # noqa: ASYNC110 - what a database says
            await asyncio.sleep(0.02)
    assert row.state == "kept"
    return row


async def ended(child: asyncio.subprocess.Process) -> None:
    child.kill()
    await child.communicate()


async def test_a_killed_copier_leaves_nothing_torn(
    database_url: str, opening: Callable[..., Database], tmp_path: Path, vendor: Gallery
) -> None:
    db, storages = opening(database_url), Storages("file:///assets", data=tmp_path, aws={})
    output = Output(url=vendor.url("/gate"), kind="video")
    (row,) = asset_rows(
        "t1", "u", [output], keep=True, private=lambda _url: True, settings=AssetSettings(), now=now_ms()
    )
    async with db.writing() as tx:
        await rows.add(tx, [row])
    first = await started(database_url, tmp_path, 1.0)
    await until(lambda: vendor.halves == 1, seconds=30)
    await ended(first)
    found = await row_of(db, row.id)
    assert found.state == "waiting" and found.owner
    assert not list((tmp_path / "assets").rglob("*.mp4"))

    vendor.gate.set()
    second = await started(database_url, tmp_path, 1.0)
    try:
        found = await kept(db, row.id)
    finally:
        await ended(second)
    got = await storages.open().get(found.path)
    assert got is not None and b"".join([piece async for piece in got.pieces]) == FILM
    assert vendor.asked["/gate"] == 2
    await storages.tidy(older=-1)
    assert [path.name for path in (tmp_path / "assets").rglob("*") if path.is_file()] == [f"{row.id}.mp4"]
