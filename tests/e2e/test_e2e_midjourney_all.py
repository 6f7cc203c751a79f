"""`Imagine all`: one press draws every prompt of a described picture, each as a task of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.midjourney import ENDS, Client, drawn, picture
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import start

CHANNELS = """
channels:
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-all, models: [midjourney]}
  - {name: narrow, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-narrow, models: [midjourney],
     limits: {concurrency: 2}, options: {queue: 1}, groups: [narrow]}
settings: {tasks: {poll_scale: 0.05}, midjourney: {numeric_ids: true}}
groups: [{name: narrow}]
users: [{name: alice, credit: 100}, {name: thin, credit: "0.44"}, {name: squeezed, credit: 100, group: narrow}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: thin, user: thin, secret: sk-thin-0123456789}
  - {name: squeezed, user: squeezed, secret: sk-squeezed-0123456789}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox."""
    home = tmp_path_factory.mktemp("all")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "10"], home / "sandbox.log")
    stage = set_stage(home, vendors, CHANNELS)
    yield stage
    stage.stop()
    vendors.stop()


def cost(stage: Stage, key: str, before: dict[str, Any]) -> float:
    """What a key's user has paid since then, in USD."""
    return float(stage.settled(key)["used"]) - float(before["used"])


@pytest.mark.endpoint("M5")
def test_four_tasks_of_one_press(stage: Stage) -> None:
    client = Client(stage, before="/mj-relax")
    described = client.done("/submit/describe", base64=drawn((220, 30, 30)))
    before = stage.settled()
    told = client.submit(
        "/submit/action",
        taskId=described["id"],
        customId="MJ::Job::PicReader::all",
        state="order-9",
        chooseSameChannel=True,
    )
    assert (told["code"], told["description"]) == (1, "提交成功")
    ids = told["result"].split(",")
    assert len(set(ids)) == 4 and all(len(id) == 16 and id.isdecimal() for id in ids)
    tasks = [client.until(id) for id in ids]
    lines = [line for line in described["properties"]["finalPrompt"].splitlines() if line]
    for number, (task, line) in enumerate(zip(tasks, lines, strict=True), start=1):
        assert (task["status"], task["action"], task["mode"]) == ("SUCCESS", "IMAGINE", "RELAX")
        assert line.endswith(task["prompt"]) and task["prompt"]
        assert (task["state"], task["parentId"]) == ("order-9", described["id"])
        assert task["customId"] == f"MJ::Job::PicReader::{number}"
        assert picture(task["imageUrl"]).size[0] > 0 and len(task["buttons"]) == 9
    assert cost(stage, stage.key, before) == pytest.approx(4 * 0.05)
    assert client.until(client.press(tasks[2], "U2"))["status"] == "SUCCESS"
    listed = client.call("POST", "/task/list-by-condition", {"ids": ids}).json()
    assert [task["id"] for task in listed] == ids


def test_the_same_press_again_names_the_same_tasks(stage: Stage) -> None:
    client = Client(stage, headers={"idempotency-key": "pressed-once"})
    described = Client(stage).done("/submit/describe", base64=drawn((30, 220, 30)))
    press = {"taskId": described["id"], "customId": "MJ::Job::PicReader::all"}
    first, second = (client.submit("/submit/action", **press)["result"] for _ in range(2))
    assert first == second and first.count(",") == 3
    for id in first.split(","):
        client.until(id)


def test_money_for_three_of_them_makes_none(stage: Stage) -> None:
    """0.44 USD: 0.05 are spent on the describe, and four pictures are 0.4."""
    key = "sk-thin-0123456789"
    client = Client(stage, key=key)
    described = client.done("/submit/describe", base64=drawn((30, 30, 220)))
    before = stage.settled(key)
    known = len(client.call("GET", "/task/list").json())
    reply = client.post("/submit/action", taskId=described["id"], customId="MJ::Job::PicReader::all")
    assert (reply.status_code, reply.json()["code"], reply.json()["description"]) == (403, 4, "quota_not_enough")
    assert len(client.call("GET", "/task/list").json()) == known
    assert cost(stage, key, before) == 0
    window = client.press(described, "1️⃣", code=21)
    assert client.until(client.taken("/submit/modal", taskId=window))["status"] == "SUCCESS"


def test_where_there_is_place_for_three(stage: Stage) -> None:
    """Two run, one waits, the fourth ends as its queue says; three are paid for."""
    key = "sk-squeezed-0123456789"
    client = Client(stage, key=key)
    described = client.done("/submit/describe", base64=drawn((90, 90, 20)))
    before = stage.settled(key)
    ids = client.submit("/submit/action", taskId=described["id"], customId="MJ::Job::PicReader::all")["result"].split(
        ","
    )
    found: list[dict[str, Any]] = []

    def ended() -> bool:
        found[:] = client.call("POST", "/task/list-by-condition", {"ids": ids}).json()
        return all(task["status"] in ENDS for task in found)

    wait_until(ended, seconds=60, what="four ends")
    assert [task["id"] for task in found] == ids and found[0]["status"] == "SUCCESS"
    assert sorted(task["status"] for task in found) == ["FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert [task["failReason"] for task in found if task["status"] == "FAILURE"] == ["队列已满"]
    assert cost(stage, key, before) == pytest.approx(0.3)


def test_someone_else_s_picture(stage: Stage) -> None:
    described = Client(stage).done("/submit/describe", base64=drawn((1, 1, 1)))
    told = Client(stage, key="sk-thin-0123456789").submit(
        "/submit/action", taskId=described["id"], customId="MJ::Job::PicReader::all"
    )
    assert (told["code"], told["description"]) == (3, "关联任务不存在或已失效")


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
