"""Storages: the same promises in a folder and in an S3-compatible bucket, over real HTTP."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.bucket import Bucket, bucket
from unigate.base.config_reader import ConfigError
from unigate.base.errors import StoreUnavailable, StreamBroken, TooLarge
from unigate.base.storage_place import aws_access, check_storage
from unigate.store.objects import PART, Objects, Storages

SMALL, LARGE = b"small file", os.urandom(PART * 2 + 12345)
ALL = 1 << 30


async def pieces(body: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def breaking(body: bytes) -> AsyncIterator[bytes]:
    async for piece in pieces(body):
        yield piece
    raise StreamBroken(detail="in the middle")


def at(bucket: Bucket, prefix: str = "assets") -> Storages:
    aws = {name: value.reveal() for name, value in aws_access(bucket.environment).items()}
    return Storages(f"s3://films/{prefix}", data=Path("/nowhere"), aws=aws)


@pytest.fixture
async def s3() -> AsyncIterator[Bucket]:
    async with bucket() as made:
        yield made


@pytest.fixture(params=["folder", "bucket"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path, s3: Bucket) -> Objects:
    if request.param == "folder":
        return Storages("file:///assets", data=tmp_path, aws={}).open()
    return at(s3).open()


async def read(storage: Objects, path: str, start: int = 0, stop: int | None = None) -> bytes:
    found = await storage.get(path, start, stop)
    assert found is not None
    return b"".join([piece async for piece in found.pieces])


@pytest.mark.parametrize("body", [SMALL, LARGE, b"", bytes(PART), bytes(PART + 1)])
async def test_what_was_put_is_there(storage: Objects, body: bytes) -> None:
    stored = await storage.put("2026/11/t/a.png", pieces(body), most=ALL, media_type="image/png")
    assert (stored.size, stored.digest) == (len(body), hashlib.sha256(body).digest())
    assert await storage.size("2026/11/t/a.png") == len(body)
    assert await read(storage, "2026/11/t/a.png") == body


async def test_ranges(storage: Objects) -> None:
    await storage.put("a", pieces(LARGE), most=ALL)
    assert await read(storage, "a", 10, 20) == LARGE[10:20]
    assert await read(storage, "a", len(LARGE) - 7) == LARGE[-7:]
    assert await read(storage, "a", PART - 5, PART + 700_000) == LARGE[PART - 5 : PART + 700_000]
    found = await storage.get("a", 10, 20)
    assert found is not None and found.size == len(LARGE)


async def test_what_is_not_there(storage: Objects) -> None:
    assert await storage.get("nothing") is None
    assert await storage.size("nothing") is None
    await storage.delete("nothing")


async def test_deleting(storage: Objects) -> None:
    await storage.put("a/b/c.png", pieces(SMALL), most=ALL)
    await storage.delete("a/b/c.png")
    assert await storage.get("a/b/c.png") is None


async def test_deleting_what_begins_alike(storage: Objects) -> None:
    paths = ["a/b/c.png", "a/b/c.mp4", "a/b/cc.png", "a/bc/c.png", "c.png"]
    for path in paths:
        await storage.put(path, pieces(SMALL), most=ALL)
    await storage.delete_all("a/b/c.")
    assert [path for path in paths if await storage.size(path) is not None] == paths[2:]
    await storage.delete_all("nothing/here.")


async def test_a_file_is_replaced_as_a_whole(storage: Objects) -> None:
    await storage.put("a", pieces(SMALL), most=ALL)
    with pytest.raises(StreamBroken, match="broke off"):
        await storage.put("a", breaking(LARGE), most=ALL)
    assert await read(storage, "a") == SMALL
    await storage.put("a", pieces(LARGE), most=ALL)
    assert await read(storage, "a") == LARGE


@pytest.mark.parametrize("body", [SMALL, LARGE])
async def test_nothing_is_left_of_a_file_that_breaks_off_or_is_too_large(
    storage: Objects, body: bytes, s3: Bucket, tmp_path: Path
) -> None:
    with pytest.raises(StreamBroken):
        await storage.put("x/a", breaking(body), most=ALL)
    with pytest.raises(TooLarge):
        await storage.put("x/b", pieces(body), most=len(body) - 1)
    assert await storage.get("x/a") is await storage.get("x/b") is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert (s3.files, s3.uploads) == ({}, {})


async def test_nothing_is_there_when_it_is_cancelled(storage: Objects, tmp_path: Path) -> None:
    reached, end = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for piece in pieces(LARGE):
            yield piece
        reached.set()
        await end.wait()

    task = asyncio.create_task(storage.put("a", stuck(), most=ALL))
    await asyncio.wait_for(reached.wait(), 20)
    task.cancel()
    await asyncio.wait([task])
    end.set()
    assert task.cancelled()
    assert await storage.get("a") is None


async def test_the_folders_that_lead_to_a_file_are_synced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a row would say `kept`, and after a power cut the folder that was new would not be there."""
    synced: list[int] = []
    fsync = os.fsync

    def noted(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        fsync(number)

    monkeypatch.setattr(os, "fsync", noted)
    storage = Storages("file:///srv/assets", data=tmp_path, aws={}).open()
    root = tmp_path / "srv" / "assets"
    assert {tmp_path.stat().st_ino, root.parent.stat().st_ino} <= set(synced)  # their entries are what is new
    for path in ("2026/11/t/a.png", "2026/11/t/b.png"):  # whoever made the folders first may not have come so far
        synced.clear()
        await storage.put(path, pieces(SMALL), most=ALL)
        there = [root / path, *(root / path).parents][:5]
        assert there[-1] == root
        assert synced == [one.stat().st_ino for one in there]


async def test_a_bucket_is_told_the_type_and_needs_a_right_signature(s3: Bucket) -> None:
    storage = at(s3).open()
    await storage.put("a.png", pieces(SMALL), most=ALL, media_type="image/png")
    await storage.put("b.mp4", pieces(LARGE), most=ALL, media_type="video/mp4")
    assert s3.types == {"assets/a.png": "image/png", "assets/b.mp4": "video/mp4"}
    assert s3.asked["PUT file"] == 1 and s3.asked["PUT part"] == 3
    assert s3.refused == 0
    forged = Storages(
        "s3://films/assets",
        data=Path("/nowhere"),
        aws={"endpoint": s3.environment["AWS_ENDPOINT_URL"], "access_key_id": "AKIDTEST", "secret_access_key": "x"},
    )
    with pytest.raises(StoreUnavailable):
        await forged.open().get("a.png")
    assert s3.refused == 1


async def test_a_storage_that_fails_is_unavailable(s3: Bucket, tmp_path: Path) -> None:
    storage = at(s3).open()
    s3.broken = True
    with pytest.raises(StoreUnavailable) as failed:
        await storage.put("a", pieces(SMALL), most=ALL)
    assert "\n" not in failed.value.detail and "secret-of-the-bucket" not in failed.value.detail
    (tmp_path / "assets").write_text("in the way")
    with pytest.raises(StoreUnavailable):
        Storages("file:///assets", data=tmp_path, aws={}).open()


async def test_names_remember_where_files_lie(s3: Bucket, tmp_path: Path) -> None:
    """A file put before another storage was configured is still found, by the name alone."""
    old = Storages("file:///assets/", data=tmp_path, aws={})
    await old.open().put("a", pieces(SMALL), most=ALL)
    new = at(s3)
    new = Storages(
        "s3://films/assets", data=tmp_path, aws={n: v.reveal() for n, v in aws_access(s3.environment).items()}
    )
    assert old.name == "file:///assets"
    assert new.name == f"s3://films/assets?endpoint=http://127.0.0.1:{s3.port}"
    assert "secret" not in new.name
    assert await read(new.open(old.name), "a") == SMALL
    absolute = Storages(f"file:///{tmp_path}/assets", data=Path("/nowhere"), aws={})
    assert await read(absolute.open(), "a") == SMALL


@pytest.mark.parametrize(
    "url", ["file:///assets", "file:////srv/assets", "s3://bucket", "s3://bucket/", "s3://bucket/a/b"]
)
def test_addresses_of_storages(url: str) -> None:
    check_storage(url)


@pytest.mark.parametrize(
    "url",
    ["", "file:///", "file:////", "assets", "/srv", "http://x/y", "s3://", "s3://key:secret@bucket", "s3://b?x=1"],
)
def test_what_is_no_address_of_a_storage(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_storage(url)
    assert "secret" not in str(refused.value)


def test_the_environment_that_reaches_a_bucket() -> None:
    found = aws_access(
        {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b", "AWS_DEFAULT_REGION": "x", "AWS_REGION": ""}
    )
    assert {name: value.reveal() for name, value in found.items()} == {"endpoint": "http://b", "region": "x"}
    assert "http" not in repr(found)
