"""Files that stand in their address: no row of a task carries their bytes, and each dialect shows links to them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.gallery import PICTURE
from support.task_rig import Rig, channel, rig
from support.task_vendor import ONE, PROVIDER, Vendor
from unigate.dialects import task_writer
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.spec.channel import Channel
from unigate.spec.data_url import short, without_data
from unigate.spec.task import Answered, Json, Output, Progress
from unigate.store import assets
from unigate.store.database import Database

WHOLE = "data:image/png;base64," + base64.b64encode(PICTURE).decode()


def _progress(handle: Json, answered: Answered) -> Progress:
    assert ONE.progress is not None
    told = ONE.progress(handle, answered)
    detail = {"output": [WHOLE], "imageUrl": WHOLE, "status": "SUCCESS", "logs": "data:text/plain,kept"}
    done = told.state == "succeeded"
    return replace(told, detail=detail, outputs=[Output(url=WHOLE, kind="image")] if done else ())


def _channels(vendor: Vendor) -> list[Channel]:
    provider = replace(PROVIDER, tasks={"test.one": replace(ONE, progress=_progress)})
    return [replace(channel(vendor), provider=provider)]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path, channels=_channels) as made:
        yield made


async def test_bytes_stand_in_one_place_until_they_are_kept_and_then_in_none(house: Rig, tmp_path: Path) -> None:
    node = await house.node(started=False)
    places = TaskPlaces(data=tmp_path, storage="file:///assets", keep=True, secret="s" * 32)
    parts = TaskParts(house.db, node.svc, node.client, places)
    node.tasks.engine.files = parts.tasks.engine.files
    node.tasks.start()
    task = await node.submit(steps=1)
    done = await node.ended(task.id)
    (row,) = await house.rows()
    assert "base64" not in row["detail"] and json.loads(row["detail"])["logs"] == "data:text/plain,kept"
    (asset,) = done.outputs
    assert asset.source == short(WHOLE) and len(asset.source) < 60
    async with house.db.reading() as tx:
        found = await assets.find(tx, asset.id)
    assert found is not None and found.source == WHOLE and found.state == "waiting"
    _shows_links(parts, replace(done, input={"input": {}}))
    copying = asyncio.create_task(parts._copier.run())
    async with asyncio.timeout(20):
        while True:
            async with house.db.reading() as tx:
                found = await assets.find(tx, asset.id)
            assert found is not None
            if found.state == "kept":
                break
            await asyncio.sleep(0.02)
    copying.cancel()
    await asyncio.gather(copying, return_exceptions=True)
    assert found.source == short(WHOLE) and found.size == len(PICTURE)
    kept = await node.get(task.id)
    assert kept.outputs[0].kept
    _shows_links(parts, replace(kept, input={"input": {}}))
    await parts.letters.close()
    await house.sound()


def _shows_links(parts: TaskParts, task: Any) -> None:
    view = parts._view(replace(task, base="http://gateway.test"))
    for name, member in (("replicate", "output"), ("midjourney", "imageUrl"), ("tasks", "assets")):
        written = task_writer(name).write_task(replace(task, dialect=name), view)
        shown = str(json.loads(written)[member])
        assert f"http://gateway.test/files/{task.outputs[0].id}." in shown, name
        assert b"data:image" not in written and b"sha256-" not in written, name


def test_only_addresses_of_files_are_shortened() -> None:
    value = {"a": [WHOLE, "data:,x"], "b": {"c": WHOLE}, "d": 7, "e": "https://v.example/1"}
    assert without_data(value, [WHOLE, "https://v.example/1"]) == {
        "a": [short(WHOLE), "data:,x"],
        "b": {"c": short(WHOLE)},
        "d": 7,
        "e": "https://v.example/1",
    }
    assert without_data(value, ["https://v.example/1"]) is value
    assert short(short(WHOLE)) == short(WHOLE) != short(WHOLE + "=")
    assert short("https://v.example/1") == "https://v.example/1"
    assert short("DATA:,x").startswith("data:,sha256-")
