"""What is told of a task: by its dialect to the request's callback, by us to the user's webhooks; progress in order."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, cast

import pytest
from hooks_kit import QUICK, SECRETS, USER, delivering, ended, put, quick, webhook
from standardwebhooks.webhooks import Webhook as Checker

from support.receiver import Got, Receiver, receiving
from support.waiting import until
from unigate.dialects import TaskDialect
from unigate.relay.task_notices import TaskNotices
from unigate.spec.task import ENDED, Asset, Headers, Json, Notify, Task, TaskState, View
from unigate.store import outbox as rows
from unigate.store.database import Database
from unigate.store.pages import Page
from unigate.store.webhooks import Webhook
from unigate.tasks import notices as told
from unigate.tasks.notices import notices
from unigate.tasks.signing import user_secret


@dataclass
class Shown:
    """A view that shows our own addresses."""

    base: str = "https://gate.example"
    now: int = 0
    key_options: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    language: str = ""

    def link(self, asset: Asset) -> str:
        return f"{self.base}/files/{asset.id}"

    def secret(self, user_id: str) -> str:
        return user_secret("x", user_id)


class Plain:
    """A dialect that tells of each change, as the Midjourney convention does."""

    SIGNS: ClassVar[bool] = False

    def events(self, before: Task | None, after: Task) -> Sequence[str]:
        if before is not None and (before.state, before.percent) == (after.state, after.percent):
            return ()
        return ("ended",) if after.ended else ("changed",)

    def write_notice(self, task: Task, event: str, view: View) -> tuple[Headers, bytes]:
        body = {"id": task.id, "event": event, "percent": task.percent, "state": task.state, "base": view.base}
        return ((b"content-type", b"application/json"), (b"x-dialect", b"plain")), json.dumps(body).encode()

    def write_task(self, task: Task, view: View) -> bytes:
        return json.dumps({"id": task.id, "state": task.state, "by": view.base}).encode()


class Signed(Plain):
    """The same, signed, with a start and an end."""

    SIGNS: ClassVar[bool] = True

    def events(self, before: Task | None, after: Task) -> Sequence[str]:
        return ("start", "completed") if after.ended else ("output",)


DIALECTS: dict[str, Any] = {"plain": Plain(), "signed": Signed(), "tasks": Plain()}


def dialects(name: str) -> TaskDialect:
    return cast(TaskDialect, DIALECTS[name])


def task(**more: Any) -> Task:
    given: dict[str, Any] = {
        "id": "task_1",
        "called": "plain.make",
        "operation": "plain.make",
        "dialect": "plain",
        "user_id": USER,
        "key_id": "key_1",
        "model": "m",
        "state": "running",
    }
    return Task(**{**given, **more})


def hook(id: str, events: Sequence[str] = (), **more: Any) -> Webhook:
    return replace(Webhook(id, USER, f"https://{id}.example/", json.dumps(events), b"", 1, "", 0, 0), **more)


def test_an_end_is_told_to_the_callback_in_the_dialects_form() -> None:
    notify = Notify(url="https://app.example/hook?x=1")
    before, after = task(notify=notify), task(notify=notify, state="succeeded", percent=100)
    [row] = notices(before, after, Shown(), dialects=dialects)
    assert (row.form, row.event, row.url, row.signed, row.webhook_id) == ("plain", "ended", notify.url, 0, "")
    assert (row.task_id, row.user_id, row.host, row.state) == ("task_1", USER, "https://app.example", "waiting")
    assert row.id.startswith("msg_") and "_" not in row.id[4:]
    assert json.loads(row.body)["percent"] == 100
    assert told.headers_of(row) == ((b"content-type", b"application/json"), (b"x-dialect", b"plain"))
    assert notices(None, before, Shown(), dialects=dialects) == []
    assert notices(before, task(state="succeeded"), Shown(), dialects=dialects) == []


@pytest.mark.parametrize(
    ("events", "expected"), [((), ["start", "completed"]), (("completed",), ["completed"]), (("logs",), [])], ids=str
)
def test_only_the_moments_that_were_asked_for(events: tuple[str, ...], expected: list[str]) -> None:
    after = task(dialect="signed", state="failed", notify=Notify(url="https://app.example/", events=events))
    found = notices(None, after, Shown(), dialects=dialects)
    assert [row.event for row in found] == expected and all(row.signed for row in found)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_users_webhooks_are_told_of_the_ends_that_they_asked_for(state: TaskState) -> None:
    event = {"unknown": "task.failed"}.get(state, f"task.{state}")
    hooks = [hook("all"), hook("some", [event]), hook("other", [e for e in told.EVENTS if e != event])]
    hooks.append(hook("off", enabled=0))
    found = notices(None, task(state=state), Shown(), hooks, dialects=dialects)
    assert [(row.webhook_id, row.form, row.event, row.signed) for row in found] == [
        ("all", "standard", event, 1),
        ("some", "standard", event, 1),
    ]
    body = json.loads(found[0].body)
    assert body == {
        "type": event,
        "timestamp": body["timestamp"],
        "data": {"id": "task_1", "state": state, "by": "https://gate.example"},
    }
    assert body["timestamp"].endswith("Z") and len({row.id for row in found}) == 2
    assert notices(None, task(), Shown(), hooks, dialects=dialects) == []


async def test_both_arrive_signed_by_the_users_secret(database: Database) -> None:
    async with receiving() as receiver, delivering(database):
        after = task(dialect="signed", state="succeeded", notify=Notify(url=receiver.url, events=("completed",)))
        ids = await put(database, *notices(None, after, Shown(), dialects=dialects))
        await ended(database, ids)
    [got] = receiver.got
    Checker(SECRETS.of_user(USER)[0]).verify(got.body, got.headers)
    assert got.headers["x-dialect"] == "plain"


async def progressing(receiver_url: str, *percents: int, id: str = "task_1") -> list[tuple[Task, Task]]:
    notify = Notify(url=receiver_url)
    steps = [task(id=id, notify=notify, percent=percent) for percent in percents]
    return list(zip([task(id=id, notify=notify), *steps], steps, strict=False))


def came(receiver: Receiver, percent: int) -> bool:
    return bool(receiver.got) and receiver.got[-1].json["percent"] == percent


async def test_progress_comes_once_and_in_order(sqlite_url: str, opening: Any) -> None:
    async with receiving(200, 500, None, 200) as receiver, delivering(opening(sqlite_url), dialects=dialects) as outbox:
        await until(lambda: outbox._group is not None)
        for before, after in await progressing(receiver.url, 10, 20, 30, 40):
            outbox.progress(before, after, Shown())
            await until(partial(came, receiver, after.percent))
    assert [got.json["percent"] for got in receiver.got] == [10, 20, 30, 40]
    assert [got.json["event"] for got in receiver.got] == ["changed"] * 4


async def test_what_is_late_is_dropped_and_the_end_comes_last(sqlite_url: str, opening: Any) -> None:
    go_on = asyncio.Event()

    async def slowly(_got: Got) -> int:
        await go_on.wait()
        return 200

    database = opening(sqlite_url)
    async with (
        receiving(answering=slowly) as receiver,
        delivering(database, quick(seconds=30.0), dialects=dialects) as outbox,
    ):
        await until(lambda: outbox._group is not None)
        steps = await progressing(receiver.url, *range(10, 100, 10))
        for before, after in steps:
            outbox.progress(before, after, Shown())
        await until(lambda: len(receiver.got) == 1)
        outbox.progress(*steps[-1], Shown())
        last = steps[-1][1]
        end = replace(last, state="succeeded", percent=100)
        ids = await put(database, *notices(last, end, Shown(), dialects=dialects))
        outbox.poke()
        await until(lambda: outbox._progress.dropped == 9)
        assert len(receiver.got) == 1
        go_on.set()
        await ended(database, ids)
    assert [got.json["event"] for got in receiver.got] == ["changed", "ended"]


async def test_only_the_newest_wait_and_tasks_do_not_wait_for_each_other(sqlite_url: str, opening: Any) -> None:
    go_on = asyncio.Event()

    async def slowly(got: Got) -> int:
        if got.json["id"] == "slow":
            await go_on.wait()
        return 200

    async with (
        receiving(answering=slowly) as receiver,
        delivering(opening(sqlite_url), QUICK, dialects=dialects) as outbox,
    ):
        await until(lambda: outbox._group is not None)
        for before, after in await progressing(receiver.url, *range(1, 11), id="slow"):
            outbox.progress(before, after, Shown())
        [(before, after)] = await progressing(receiver.url, 50, id="other")
        outbox.progress(before, after, Shown())
        await until(lambda: "other" in [got.json["id"] for got in receiver.got])
        go_on.set()
        await until(lambda: len(receiver.got) >= 5)
    of_slow = [got.json["percent"] for got in receiver.got if got.json["id"] == "slow"]
    assert of_slow == sorted(of_slow) and of_slow[-4:] == [7, 8, 9, 10] and len(of_slow) <= 5


async def test_without_a_callback_nothing_is_told(sqlite_url: str, opening: Any) -> None:
    async with delivering(opening(sqlite_url), dialects=dialects) as outbox:
        await until(lambda: outbox._group is not None)
        outbox.progress(None, task(percent=5), Shown())
        assert not outbox._progress._lanes


class Broken(Plain):
    """A dialect that can't write."""

    def write_notice(self, task: Task, event: str, view: View) -> tuple[Headers, bytes]:
        raise KeyError(event)

    def write_task(self, task: Task, view: View) -> bytes:
        raise KeyError(task.id)


def test_what_cant_be_written_stops_no_task_from_ending() -> None:
    def broken(_name: str) -> TaskDialect:
        return cast(TaskDialect, Broken())

    after = task(state="failed", notify=Notify(url="https://app.example/"))
    assert notices(None, after, Shown(), [hook("one")], dialects=broken) == []
    unknown = task(dialect="nothing", state="failed", notify=Notify(url="https://app.example/"))
    [row] = notices(None, unknown, Shown(), [hook("one")], dialects=dialects)
    assert row.webhook_id == "one"


async def test_the_engines_word_is_kept_with_its_transaction(database: Database) -> None:
    async with receiving() as receiver, delivering(database, dialects=dialects) as outbox:
        mine = await webhook(database, receiver.url)
        await webhook(database, receiver.url, user_id="usr_other")
        teller = TaskNotices(outbox, lambda _task: Shown())
        before = task(notify=Notify(url=receiver.url))
        after = replace(before, state="succeeded", percent=100)
        quiet = task(id="task_2", user_id="usr_nobody", state="failed")

        async def failing() -> None:
            async with database.writing() as tx:
                await teller.add(tx, [(before, after)])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await failing()
        async with database.writing() as tx:
            await teller.add(tx, [(before, after), (replace(quiet, state="running"), quiet)])
        teller.added()
        async with database.reading() as tx:
            page = await rows.page(tx, Page())
        assert sorted((row.form, row.webhook_id) for row in page.rows) == [("plain", ""), ("standard", mine.id)]
        await ended(database, [row.id for row in page.rows])
        teller.progress(before, replace(before, percent=7))
        await until(lambda: len(receiver.got) == 3)
    assert receiver.got[-1].json["percent"] == 7
