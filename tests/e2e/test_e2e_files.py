"""Files of tasks with a real gateway: copied by its workers, served by signed links, moved and looked after from the shell."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from support.bucket import Bucket, bucket
from support.gallery import FILM, PICTURE, Gallery, gallery
from support.stage import MAIN, Stage, set_stage
from support.world import Process
from unigate.base.clock import now_ms
from unigate.base.live_settings import AssetSettings
from unigate.spec.task import Output
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.open import connect
from unigate.tasks.assets import Links, asset_rows

SECRET = "e2e-secret-e2e-secret-e2e"


@pytest.fixture
async def vendor() -> AsyncIterator[Gallery]:
    async with gallery() as made:
        yield made


@pytest.fixture
async def s3() -> AsyncIterator[Bucket]:
    async with bucket() as made:
        yield made


def made_by(vendor: Gallery) -> list[AssetRow]:
    """Rows of a task that made a picture and a film."""
    outputs = [Output(url=vendor.url("/untyped"), kind="image"), Output(url=vendor.url("/film"), kind="video")]
    return asset_rows("t1", "u", outputs, keep=True, private=lambda _url: True, settings=AssetSettings(), now=now_ms())


async def copied(database: str, made: list[AssetRow]) -> list[AssetRow]:
    """The rows once the gateway has copied the files."""
    db = connect(database)
    try:
        async with db.writing() as tx:
            await rows.add(tx, made)
        async with asyncio.timeout(40):
            while True:
                async with db.reading() as tx:
                    found = [await rows.find(tx, row.id) for row in made]
                if all(row is not None and row.state == "kept" for row in found):
                    return [row for row in found if row is not None]
                await asyncio.sleep(0.05)
    finally:
        await db.close()


async def fetched(stage: Stage, row: AssetRow, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.get(Links(SECRET).link(row.asset, stage.url), headers=headers)


async def test_a_gateway_copies_serves_and_moves_files(
    tmp_path: Path, vendors: Process, vendor: Gallery, s3: Bucket
) -> None:
    stage = await asyncio.to_thread(set_stage, tmp_path, vendors, MAIN, workers=2)
    try:
        picture, film = await copied(f"sqlite:///{stage.data}/unigate.db", made_by(vendor))
        got = await fetched(stage, picture)
        assert (got.status_code, got.content, got.headers["content-type"]) == (200, PICTURE, "image/png")
        part = await fetched(stage, film, range="bytes=1000-1999")
        assert (part.status_code, part.content) == (206, FILM[1000:2000])
        asked = vendor.asked.total()
        assert (stage.data / "assets" / picture.path).read_bytes() == PICTURE
        found = await asyncio.to_thread(stage.manage, "storage", "check")
        assert found == {"storage": "file:///assets", "keep": True, "others": []}
        code, said, _ = await asyncio.to_thread(stage.shell, "storage", "move")
        assert (code, said) == (0, "moved 0 files (0 bytes) to file:///assets\n")
        assert vendor.asked.total() == asked
    finally:
        await asyncio.to_thread(stage.stop)


async def test_files_go_to_a_bucket_where_one_is_configured(
    tmp_path: Path, vendors: Process, vendor: Gallery, s3: Bucket
) -> None:
    text = MAIN + 'storage: {url: "s3://films/all"}\n'
    stage = await asyncio.to_thread(partial(set_stage, tmp_path, vendors, text, **s3.environment))  # type: ignore[arg-type]
    try:
        picture, film = await copied(f"sqlite:///{stage.data}/unigate.db", made_by(vendor))
        assert s3.files == {f"all/{picture.path}": PICTURE, f"all/{film.path}": FILM}
        assert s3.refused == 0
        assert (await fetched(stage, film)).content == FILM
        assert (await fetched(stage, film, range="bytes=-10")).content == FILM[-10:]
    finally:
        await asyncio.to_thread(stage.stop)
    log = stage.process.log.read_text()
    assert "secret-of-the-bucket" not in log
