"""Copies of files: over real HTTP, into a real folder, on each database; and what is never copied."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.gallery import FILM, PICTURE, Gallery, gallery
from support.waiting import until
from unigate.base.clock import now_ms
from unigate.base.errors import Unreachable
from unigate.base.live_settings import AssetSettings
from unigate.spec.channel import Timeouts
from unigate.spec.data_url import short
from unigate.spec.task import Output
from unigate.store import assets as rows
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Storages
from unigate.tasks import retention
from unigate.tasks.assets import asset_rows
from unigate.tasks.copying import Copier
from unigate.tasks.fetching import fetch
from unigate.upstream import Client, resolve

LONG = Timeouts(connect=20, first_byte=20, idle=20, total=30)
QUICK = AssetSettings(retry_seconds=0.01, tries=3, file_bytes=8_000_000)


@pytest.fixture
async def vendor() -> AsyncIterator[Gallery]:
    async with gallery() as made:
        yield made


class Desk:
    """A database with files to copy, and copiers for it."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.storages = Storages("file:///assets", data=folder, aws={})
        self.folder = folder / "assets"
        self._running: list[asyncio.Task[None]] = []
        self._clients: list[Client] = []

    async def add(
        self,
        *urls: str,
        kind: Any = "image",
        task: str = "t1",
        private: bool = True,
        days: int = 30,
        user: str = "usr_1",
    ) -> list[str]:
        made = asset_rows(
            task,
            user,
            [Output(url=url, kind=kind) for url in urls],
            keep=True,
            private=lambda _url: private,
            settings=AssetSettings(keep_days=days),
            now=now_ms(),
        )
        async with self.db.writing() as tx:
            await rows.add(tx, made)
        return [row.id for row in made]

    async def row(self, id: str) -> AssetRow:
        async with self.db.reading() as tx:
            found = await rows.find(tx, id)
        assert found is not None
        return found

    def start(self, settings: AssetSettings = QUICK, **more: Any) -> Copier:
        client = Client()
        self._clients.append(client)
        copier = Copier(self.db, client, self.storages, lambda: settings, look=0.05, **more)
        self._running.append(asyncio.create_task(copier.run()))
        return copier

    async def ends(self, id: str) -> AssetRow:
        """The row once it is no longer waited for."""
        await self.until(id, lambda row: row.state != "waiting")
        return await self.row(id)

    async def until(self, id: str, condition: Callable[[AssetRow], bool]) -> None:
        """Wait for a state of a row."""
        async with asyncio.timeout(20):
            while not condition(await self.row(id)):  # noqa: ASYNC110 - what a database says
                await asyncio.sleep(0.01)

    async def read(self, row: AssetRow) -> bytes:
        got = await self.storages.open(row.store).get(row.path)
        assert got is not None
        return b"".join([piece async for piece in got.pieces])

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()

    async def close(self) -> None:
        await self.stop()
        for client in self._clients:
            await client.close()


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(database, tmp_path)
    yield made
    await made.close()


async def test_a_picture_is_copied_with_its_type_size_and_digest(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/untyped"))
    desk.start()
    row = await desk.ends(id)
    assert (row.state, row.media_type, row.size) == ("kept", "image/png", len(PICTURE))
    assert row.digest == hashlib.sha256(PICTURE).digest()
    assert row.path.endswith(f"/t1/{id}.png") and row.store == "file:///assets"
    assert await desk.read(row) == PICTURE


async def test_a_film_larger_than_a_part_is_copied(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/film"), kind="video")
    desk.start()
    row = await desk.ends(id)
    assert (row.state, row.media_type) == ("kept", "video/mp4")
    assert await desk.read(row) == FILM


async def test_a_data_url_is_kept_too(desk: Desk) -> None:
    whole = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    good, broken = await desk.add(whole, "data:image/png;base64,@@@")
    desk.start()
    row = await desk.ends(good)
    assert row.state == "kept" and await desk.read(row) == PICTURE
    assert row.source == row.asset.source == short(whole) and len(row.source) < 60  # the bytes stand in one place only
    assert (await desk.ends(broken)).state == "lost"


@pytest.mark.parametrize("path", ["/page", "/empty", "/zipped", "/gone", "/torn"])
async def test_what_is_no_file_is_tried_again_and_then_lost(desk: Desk, vendor: Gallery, path: str) -> None:
    (id,) = await desk.add(vendor.url(path), kind="video" if path == "/torn" else "image")
    desk.start()
    row = await desk.ends(id)
    assert (row.state, row.tries) == ("lost", 3)
    assert vendor.asked[path] == 3
    assert desk.files() == []


async def test_a_server_that_recovers_is_asked_again(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/flaky"))
    desk.start()
    assert (await desk.ends(id)).state == "kept"
    assert vendor.asked["/flaky"] == 3


async def test_a_file_without_end_is_given_up_at_the_limit_and_not_asked_for_again(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/endless"), kind="video")
    desk.start()
    assert (await desk.ends(id)).state == "lost"
    assert vendor.asked["/endless"] == 1
    assert vendor.endless < 4 * QUICK.file_bytes
    assert desk.files() == []


async def test_redirects_are_followed_three_times(desk: Desk, vendor: Gallery) -> None:
    def to(url: str, times: int) -> str:
        for _ in range(times):
            url = vendor.url(f"/to?url={url.replace('?', '%3F').replace('%', '%25')}")
        return url

    near, far, ring = await desk.add(
        to(vendor.url("/picture.png"), 1), to(vendor.url("/picture.png"), 1), vendor.url("/round")
    )
    desk.start()
    assert (await desk.ends(near)).state == (await desk.ends(far)).state == "kept"
    assert (await desk.ends(ring)).state == "lost"
    assert vendor.asked["/round"] == 4


async def test_private_addresses_are_refused_unless_the_row_allows_them(desk: Desk, vendor: Gallery) -> None:
    urls = [
        vendor.url("/picture.png"),
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://[::1]/x",
    ]
    ids = await desk.add(*urls, private=False)
    desk.start()
    assert [(await desk.ends(id)).state for id in ids] == ["lost"] * 4
    assert not vendor.heads


@pytest.mark.parametrize(
    "to", ["http://127.0.0.2:1/x", "http://10.0.0.1/x", "http://inside.example/x", "ftp://127.0.0.1/x"]
)
async def test_a_redirect_is_checked_as_the_first_address_was(
    desk: Desk, vendor: Gallery, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    """The first address counts as public here; where it leads to does not, by its number or by its name."""
    monkeypatch.setattr(resolve, "is_public", lambda address: str(address) == "127.0.0.1")

    async def lookup(host: str) -> list[str]:
        return ["127.0.0.9"]

    client = Client(lookup=lookup)
    try:
        with pytest.raises(Unreachable) as refused:
            await fetch(client, vendor.url(f"/to?url={to}"), LONG, private=False)
    finally:
        await client.close()
    assert vendor.asked["/to"] == 1
    assert "not allowed" in refused.value.detail or "not an address" in refused.value.detail


async def test_two_copiers_share_the_work(desk: Desk, vendor: Gallery) -> None:
    ids = await desk.add(*[vendor.url("/picture.png")] * 40)
    desk.start(), desk.start()
    assert {(await desk.ends(id)).state for id in ids} == {"kept"}
    assert vendor.asked["/picture.png"] == 40
    assert len(desk.files()) == 40


async def test_what_a_stopped_copier_had_begun_another_takes_up_at_once(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/gate"), kind="video")
    desk.start()
    await until(lambda: vendor.halves == 1)
    await desk.stop()
    assert (await desk.row(id)).state == "waiting"
    vendor.gate.set()
    desk.start()
    row = await desk.ends(id)
    assert row.state == "kept" and await desk.read(row) == FILM
    assert desk.files() == [desk.folder / row.path]


async def test_a_long_copy_keeps_its_lease(desk: Desk, vendor: Gallery) -> None:
    (id,) = await desk.add(vendor.url("/gate"), kind="video")
    desk.start(lease=0.3), desk.start(lease=0.3)
    await until(lambda: vendor.halves == 1)
    before = (await desk.row(id)).lease_until

    await desk.until(id, lambda row: row.lease_until > before + 1000)
    vendor.gate.set()
    assert (await desk.ends(id)).state == "kept"
    assert vendor.asked["/gate"] == 1


async def test_a_storage_that_is_away_costs_no_try(desk: Desk, vendor: Gallery) -> None:
    desk.folder.parent.mkdir(exist_ok=True)
    desk.folder.write_text("in the way")
    (id,) = await desk.add(vendor.url("/picture.png"))
    desk.start()
    await desk.until(id, lambda row: row.due_at > row.created_at and not row.owner)
    desk.folder.unlink()
    row = await desk.ends(id)
    assert (row.state, row.tries) == ("kept", 0)


async def test_files_are_deleted_when_their_term_is_over(desk: Desk, vendor: Gallery) -> None:
    ids = await desk.add(*[vendor.url("/picture.png")] * 3)
    desk.start()
    for id in ids:
        assert (await desk.ends(id)).state == "kept"
    async with desk.db.writing() as tx:
        for id in ids[:2]:
            await rows.delete_later(tx, id, at=now_ms() - 1)
    assert await retention.delete_ended(desk.db, desk.storages) == 2
    assert len(desk.files()) == 1
    # Their task is not there, so their rows are not needed either.
    async with desk.db.reading() as tx:
        assert [await rows.find(tx, id) is None for id in ids] == [True, True, False]


async def test_a_file_that_cannot_be_deleted_now_is_deleted_later(
    desk: Desk, vendor: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id,) = await desk.add(vendor.url("/picture.png"))
    desk.start()
    row = await desk.ends(id)
    await desk.stop()
    async with desk.db.writing() as tx:
        await rows.move(tx, id, before=row.store, store="file:////dev/null/none", path=row.path)
        await rows.delete_later(tx, id, at=now_ms() - 1)
    assert await retention.delete_ended(desk.db, desk.storages) == 0
    after = await desk.row(id)
    assert (after.state, after.store, after.path) == ("deleted", "file:////dev/null/none", row.path)  # still named
    assert after.ends_at > now_ms() and desk.files()


async def test_what_killed_writers_left_is_removed(desk: Desk, tmp_path: Path) -> None:
    folder = desk.folder / "2026" / "11" / "t1"
    folder.mkdir(parents=True)
    (folder / "ast_1.png#1").write_bytes(b"half")
    (folder / "ast_2.png").write_bytes(b"whole")
    assert await desk.storages.tidy(older=3600) == 0
    assert await desk.storages.tidy(older=-1) == 1
    assert [path.name for path in desk.files()] == ["ast_2.png"]


async def test_a_file_that_its_copier_claims_anew_meanwhile(desk: Desk, vendor: Gallery) -> None:
    """Its lease ended, so that the same copier copies it twice at a time: the one that ends last is no failure."""
    (id,) = await desk.add(vendor.url("/gate"), kind="video")
    copier = desk.start(places=1)
    await until(lambda: vendor.halves == 1)
    copier._busy.clear()  # as the other copy leaves it
    with capture_logs() as said:
        vendor.gate.set()
        assert (await desk.ends(id)).state == "kept"
        await until(lambda: not copier._claims.at_work)
    assert [line for line in said if line["log_level"] == "error"] == []
