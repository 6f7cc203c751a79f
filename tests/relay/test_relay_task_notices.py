"""What callers are told of tasks: which ends, how often, and with links that last."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from support.task_rig import Node, Rig, channel, rig
from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError, QueueFull, StoreUnavailable
from unigate.base.live_settings import AssetSettings, LiveSettings, NotifySettings
from unigate.relay.task_notices import TaskNotices
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.spec.task import Asset
from unigate.store import outbox, webhooks
from unigate.store.database import Database
from unigate.store.pages import Page
from unigate.store.webhooks import Webhook
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


class Told:
    """A node whose user has a webhook, and what it was told."""

    def __init__(self, house: Rig, node: Node) -> None:
        self.house, self.node = house, node
        self.made = parts(node, house.folder)
        node.tasks.engine.notices = TaskNotices(self.made._outbox, self.made._view)

    async def events(self) -> list[tuple[str, str]]:
        """Task and event of each message."""
        async with self.house.db.reading() as tx:
            found = await outbox.page(tx, Page(limit=50))
        return [(row.task_id, row.event) for row in found.rows]

    async def failed(self) -> list[str]:
        """Tasks that have failed, or of which nobody knows."""
        return [row["id"] for row in await self.house.rows() if row["state"] in {"failed", "unknown"}]


@pytest.fixture
async def told(house: Rig) -> AsyncIterator[Told]:
    hook = Webhook("hook_1", "usr_1", "https://hooks.example/in", "[]", b"", 1, "", 0, now_ms())
    async with house.db.writing() as tx:
        await webhooks.add(tx, hook)
    house.channels = [channel(house.vendor, concurrency=1)]
    found = Told(house, await house.node())
    yield found
    await found.made.letters.close()


@pytest.mark.parametrize("fault", ["refuse", "fail", "auth", "refused_as_200", "cannot_send"])
async def test_nobody_is_told_of_a_task_whose_caller_read_an_error(told: Told, fault: str) -> None:
    """They never learnt its id."""
    with pytest.raises(GatewayError):
        await told.node.submit(fault=fault)
    assert len(await told.failed()) == 1
    assert await told.events() == []
    await told.house.sound()


async def test_nobody_is_told_of_a_task_that_was_abandoned(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database went away behind the hold: its caller reads 503, and what stands written ends without a word."""

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable(detail="as ordered")

    monkeypatch.setattr(told.node.tasks._submitter._sender, "send", away)
    with pytest.raises(StoreUnavailable):
        await told.node.submit()
    await told.house.settled()
    assert len(await told.failed()) == 1
    assert await told.events() == []


async def test_the_end_of_a_task_that_waited_and_was_refused_is_told_once(told: Told) -> None:
    node = told.node
    first = await node.submit()
    second = await node.submit(fault="refuse", draft_may_wait=True)
    assert second.state == "waiting"
    told.house.vendor.end(first.id)
    assert (await node.ended(second.id)).state == "failed"
    await node.ended(first.id)
    assert sorted(await told.events()) == sorted([(first.id, "task.succeeded"), (second.id, "task.failed")])


async def test_the_end_of_a_task_without_an_answer_is_told_once(told: Told) -> None:
    task = await told.node.submit(fault="hang_up")
    assert task.state == "submitting"
    assert (await told.node.ended(task.id)).state == "unknown"
    assert await told.events() == [(task.id, "task.failed")]


@pytest.mark.parametrize("shows", [True, False])
async def test_a_task_without_room_is_told_of_where_its_caller_reads_its_id(
    told: Told, monkeypatch: pytest.MonkeyPatch, shows: bool
) -> None:
    """Midjourney's answer for a full queue names the task; what others answer does not."""
    spoken = SimpleNamespace(shown_id=lambda task_id, _view: task_id) if shows else None
    monkeypatch.setattr("unigate.relay.task_submit.spoken_by", lambda _call: spoken)
    first = await told.node.submit()
    with pytest.raises(QueueFull) as full:
        await told.node.submit(draft_task_id="17", draft_may_wait=False)
    assert full.value.task_id == "17"
    assert await told.events() == ([("17", "task.failed")] if shows else [])
    told.house.vendor.end(first.id)
    await told.node.ended(first.id)


@pytest.mark.parametrize("shows", [True, False])
async def test_the_same_where_the_room_was_taken_meanwhile(
    told: Told, monkeypatch: pytest.MonkeyPatch, shows: bool
) -> None:
    spoken = SimpleNamespace(shown_id=lambda task_id, _view: task_id) if shows else None
    monkeypatch.setattr("unigate.relay.task_submit.spoken_by", lambda _call: spoken)
    first = await told.node.submit()

    async def not_yet(*_: object) -> None:
        """As if there had been a place when it was looked for."""

    monkeypatch.setattr(told.node.tasks._submitter, "_refuse_if_full", not_yet)
    with pytest.raises(QueueFull) as full:
        await told.node.submit(draft_task_id="17", draft_may_wait=False)
    assert full.value.task_id == "17"
    assert await told.events() == ([("17", "task.failed")] if shows else [])
    told.house.vendor.end(first.id)
    await told.node.ended(first.id)
