"""What callers are told of tasks: which ends, how often, and with links that last."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.task_rig import Node, Rig, rig
from support.task_vendor import Vendor
from unigate.base.clock import now_ms
from unigate.base.live_settings import AssetSettings, LiveSettings, NotifySettings
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.spec.task import Asset
from unigate.store.database import Database
from unigate.tasks.outbox import lasts


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


def parts(node: Node, folder: Path) -> TaskParts:
    places = TaskPlaces(data=folder, storage="file:///assets", keep=True, secret="s" * 32)
    return TaskParts(node.db, node.svc, node.client, places)


@pytest.mark.parametrize(("hours", "tries"), [(1, (0, 86400)), (24, NotifySettings().tries), (72, (0, 5))])
async def test_links_in_notices_last_as_long_as_the_notice_is_tried(
    house: Rig, tmp_path: Path, hours: int, tries: tuple[float, ...]
) -> None:
    notify = NotifySettings(tries=tries)
    house.settings = LiveSettings(notify=notify, assets=AssetSettings(link_hours=hours))
    node = await house.node(started=False)
    made = parts(node, tmp_path)
    task = await node.submit(steps=99)
    asset = Asset(id="ast_1", task_id=task.id, kind="image", media_type="image/png", source="https://v.example/1")
    link = made._view(task).link(asset)
    left = int(parse_qs(urlsplit(link).query)["until"][0]) - now_ms() / 1000
    longest = sum(tries) * (1 + notify.jitter) + len(tries) * notify.seconds
    assert left > longest and left > hours * 3600 - 60
    assert lasts(notify) > longest
    assert left < max(lasts(notify), hours * 3600) + 60
    assert made.links.check("ast_1", *(parse_qs(urlsplit(link).query)[name][0] for name in ("until", "sig"))) > longest
    await made.letters.close()
