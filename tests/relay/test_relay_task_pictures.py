"""Pictures in base64 at providers that take addresses only: kept while the task may run, and sent as links."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.task_rig import Node, Rig, channel, rig
from support.task_vendor import ONE, PROVIDER, Vendor
from unigate.base.clock import now_ms
from unigate.base.errors import StoreUnavailable
from unigate.relay.files import Files
from unigate.spec.channel import Channel
from unigate.store.database import Database
from unigate.store.objects import Objects, Storages
from unigate.tasks.retention import delete_ended

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
LINK = "https://ours.test/files/"
HOUR = 3_600_000


def _channels(vendor: Vendor) -> list[Channel]:
    provider = replace(PROVIDER, tasks={"test.one": replace(ONE, addressed=("first", "last"))})
    return [replace(channel(vendor), provider=provider)]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, channels=_channels) as made:
        yield made


async def node_of(house: Rig) -> Node:
    """A process that keeps files, and signs links to them."""
    node = await house.node()
    node.svc.files = Files(house.db, node.client, Storages("file:///assets", data=house.folder, aws={}), keep=False)
    node.tasks._link = lambda asset, base, _now: f"{base.replace('http://gateway', 'https://ours')}/files/{asset.id}"
    return node


def lying(house: Rig) -> list[bytes]:
    return [path.read_bytes() for path in (house.folder / "assets").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "picture",
    [
        b64encode(PICTURE).decode(),
        f"data:image/png;base64,{b64encode(PICTURE).decode()}",
        urlsafe_b64encode(PICTURE).decode().rstrip("="),
    ],
)
async def test_a_picture_is_sent_as_a_link(house: Rig, picture: str) -> None:
    node = await node_of(house)
    began = now_ms()
    there = "https://pictures.example.com/a.png"
    task = await node.submit(first=picture, last=there, other=picture, draft_deadline=3600.0, steps=1)
    (job,) = house.vendor.jobs.values()
    assert job["order"]["first"].startswith(LINK)
    assert (job["order"]["last"], job["order"]["other"]) == (there, picture)
    row = await node.svc.files.find(job["order"]["first"].removeprefix(LINK))
    assert (row.state, row.media_type, row.size) == ("kept", "image/png", len(PICTURE))
    assert lying(house) == [PICTURE]
    assert began + HOUR <= row.ends_at <= now_ms() + HOUR, "as long as the task may run"
    done = await node.ended(task.id)
    assert [asset.source for asset in done.outputs] == [], "it is nothing that the task made"


async def test_it_is_deleted_when_its_time_is_over(house: Rig) -> None:
    node = await node_of(house)
    await node.submit(first=b64encode(PICTURE).decode(), draft_deadline=0.001)
    assert len(lying(house)) == 1
    while now_ms() <= (await node.svc.files.find(_id(house))).ends_at:
        pass
    await delete_ended(house.db, Storages("file:///assets", data=house.folder, aws={}))
    assert lying(house) == []


def _id(house: Rig) -> str:
    (job,) = house.vendor.jobs.values()
    return str(job["order"]["first"]).removeprefix(LINK)


async def test_nothing_is_sent_where_it_cannot_be_kept(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreUnavailable(detail="as ordered")

    node = await node_of(house)
    monkeypatch.setattr(Objects, "put", full)
    with pytest.raises(StoreUnavailable):
        await node.submit(first=b64encode(PICTURE).decode())
    assert house.vendor.orders == []
    await house.settled()
    (row,) = await house.rows()
    assert (row["state"], row["cost"]) == ("failed", 0)
    await house.sound()
