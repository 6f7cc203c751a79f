"""What callers read where no Midjourney server takes a submission: the convention's own words, whatever stood in the way."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.midjourney import Client, drawn
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import start

#: A dead server before the one that answers; and one with a single place.
CHANNELS = """
channels:
  - {name: dead, provider: midjourney_proxy, base_url: "http://127.0.0.1:9", credentials: sk-mj-dead, models: [midjourney],
     priority: 1}
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-last,
     models: [midjourney]}
  - {name: single, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-single, models: [midjourney],
     limits: {concurrency: 1}, options: {queue: 0}, groups: [single]}
settings: {tasks: {poll_scale: 0.05}}
groups: [{name: single}]
users: [{name: alice, credit: 100}, {name: sole, credit: 100, group: single}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: sole, user: sole, secret: sk-sole-0123456789}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway before a sandbox, and before a server that is not there."""
    home = tmp_path_factory.mktemp("refusals")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "10"], home / "sandbox.log")
    stage = set_stage(home, vendors, CHANNELS)
    yield stage
    stage.stop()
    vendors.stop()


@pytest.mark.parametrize(
    ("word", "code", "told"),
    [("sandbox-full", 23, "沙箱队列已满"), ("sandbox-failed", 9, "沙箱提交失败")],
)
def test_the_last_server_s_word_reaches_the_caller(stage: Stage, word: str, code: int, told: str) -> None:
    """The last server refuses, after one that can't be reached."""
    before, name = stage.settled(), mark()
    client = Client(stage)
    found: dict[str, Any] = {}

    def refused() -> bool:
        reply = client.post("/submit/imagine", prompt=f"{name} {word}")
        found.clear()
        found.update(reply.json())
        return reply.status_code == 200  # not yet: the credentials rest after the refusals of the test before

    wait_until(refused, seconds=60, what=f"the refusal: {found}")
    assert (found["code"], found["description"]) == (code, told)
    assert stage.received(name)
    assert stage.settled() == before
    if code == 23:
        task = client.fetch(str(found["result"]))
        assert (task["status"], task["failReason"]) == ("FAILURE", "队列已满")


@pytest.mark.endpoint("M14")
@pytest.mark.parametrize("path", ["/submit/upload-discord-images", "/submit/imagine"])
def test_a_place_that_a_call_on_its_way_takes(stage: Stage, path: str) -> None:
    """The only place is taken by a submission that is still being sent: that is a full queue, and not a missing channel."""
    before, slow = stage.settled("sk-sole-0123456789"), mark()
    client = Client(stage, key="sk-sole-0123456789")
    body: dict[str, Any] = {"prompt": "another"} if path.endswith("imagine") else {"base64Array": [drawn((1, 2, 3))]}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.submit, "/submit/shorten", prompt=f"{slow} [[fault:slow-submit:3]]")
        wait_until(lambda: bool(stage.received(slow)), seconds=30, what="the first submission at the server")
        reply = client.post(path, **body)
        assert not first.done(), "the first submission was answered before the second: nothing was shown"
        told = reply.json()
        assert (reply.status_code, told["code"], told["description"]) == (200, 23, "队列已满,请稍后尝试"), reply.text
        assert client.fetch(str(told["result"]))["status"] == "FAILURE"
        assert first.result()["code"] == 1
        client.until(str(first.result()["result"]))
    cost = float(stage.settled("sk-sole-0123456789")["used"]) - float(before["used"])
    assert cost == pytest.approx(0.1), "only the first is paid for"


def test_the_list_of_banned_words_is_edited_from_the_shell(stage: Stage) -> None:
    """It holds without a restart, for prompts and for windows alike."""
    client, word = Client(stage, key="sk-sole-0123456789"), mark()
    told: dict[str, Any] = {}

    def banned() -> bool:
        told.update(client.submit("/submit/shorten", prompt=f"a {word.upper()} cat"))
        if told["code"] in (1, 22):
            client.until(str(told["result"]))
        return bool(told["code"] == 24)

    assert not banned()
    stage.manage("settings", "set", "midjourney", json.dumps({"banned_words": [word]}))
    wait_until(banned, seconds=30, what="the new list")
    assert told["properties"] == {"promptEn": f"a {word.upper()} cat", "bannedWord": word.upper()}
    stage.manage("settings", "set", "midjourney", '{"banned_words": []}')
    wait_until(lambda: not banned(), seconds=30, what="the empty list")


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
