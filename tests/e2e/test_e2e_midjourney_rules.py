"""Midjourney's rules end to end: codes, money, owners, speeds, queues, faults, bad input, notices."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.midjourney import CHANNEL, ENDS, Client, button, drawn, picture
from support.stage import Stage, mark, set_stage
from support.waiting import wait_until
from support.world import start

SPEED = "10"
#: The same channel again with the words and the queue that these tests need; two tasks run at once, one may wait.
NARROW = """
channels:
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-narrow, models: [midjourney],
     limits: {concurrency: 2}, options: {queue: 1}}
settings: {tasks: {poll_scale: 0.05}, midjourney: {banned_words: [nude, 裸体], numeric_ids: true, mode: relax}}
users: [{name: alice, credit: 100}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: texts, user: alice, secret: sk-texts-0123456789, options: {midjourney_numeric_ids: false}}
"""


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Stage]]:
    """A gateway, and one with a narrow channel, before one sandbox."""
    home = tmp_path_factory.mktemp("rules")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", SPEED], home / "sandbox.log")
    notify = "settings: {notify: {allow_private_targets: true}, tasks:"
    wide_text = CHANNEL.replace("CREDENTIAL", "rules").replace("settings: {tasks:", notify)
    built = []
    for name, text in (("wide", wide_text), ("narrow", NARROW)):
        (home / name).mkdir()
        built.append(set_stage(home / name, vendors, text))
    yield built[0], built[1]
    for stage in built:
        stage.stop()
    vendors.stop()


@pytest.fixture
def stage(stages: tuple[Stage, Stage]) -> Stage:
    return stages[0]


@pytest.fixture
def client(stage: Stage) -> Client:
    return Client(stage)


def cost(stage: Stage, task_id: str) -> str:
    """What a task cost, in USD."""
    reply = httpx.get(f"{stage.url}/v1/tasks/{task_id}", headers={"authorization": f"Bearer {stage.key}"}, verify=False)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["cost_usd"])


@pytest.mark.parametrize(
    ("before", "mode", "usd", "then"),
    [
        ("", "FAST", "0.1", "0.05"),
        ("/mj-relax", "RELAX", "0.05", "0.025"),
        ("/turbo", "TURBO", "0.2", "0.1"),
        # Means nothing, so that the body's word counts, and the usual speed where that has none.
        ("/anything", "RELAX", "0.05", "0.05"),
    ],
)
def test_the_speed_of_the_path_decides_price_and_account(
    stage: Stage, before: str, mode: str, usd: str, then: str
) -> None:
    prompt = mark()
    client = Client(stage, before=before)
    done = client.done("/submit/imagine", prompt=prompt, mode="RELAX" if before else "")
    assert done["mode"] == mode and cost(stage, done["id"]) == usd
    (sent,) = [each for each in stage.received(prompt) if each["path"].endswith("/submit/imagine")]
    assert f"/mj-{mode.lower()}/mj/" in sent["path"]
    up = client.until(client.press(done, "U1"))
    assert cost(stage, up["id"]) == then


def test_a_key_may_say_speed_and_form_of_ids(stage: Stage) -> None:
    relaxed = Client(stage, key="sk-relaxed-0123456789", before="/mj-turbo")
    told = relaxed.submit("/submit/imagine", prompt="a cat --turbo")
    assert type(told["result"]) is int and told["result"] < 2**53
    done = relaxed.until(str(told["result"]))
    assert (done["id"], done["mode"]) == (str(told["result"]), "RELAX")


def test_the_key_stands_where_clients_put_it(stage: Stage) -> None:
    for shown in (
        {"mj-api-secret": stage.key},
        {"authorization": f"Bearer {stage.key}"},
        {"authorization": "midjourney-proxy", "mj-api-secret": stage.key},
    ):
        reply = httpx.get(stage.url + "/mj/task/list", headers=shown, verify=False)
        assert reply.status_code == 200, shown
    wrong = httpx.get(stage.url + "/mj/task/list", headers={"mj-api-secret": "sk-nobody"}, verify=False)
    assert wrong.status_code == 401 and wrong.json()["error"]["code"] == "invalid_api_key"


def test_a_task_is_its_owner_s(client: Client, stage: Stage) -> None:
    done = client.done("/submit/imagine", prompt="a private cat")
    bob = Client(stage, key="sk-bob-0123456789")
    for path in (f"/task/{done['id']}/fetch", f"/task/{done['id']}/image-seed", "/task/1700000000000123/fetch"):
        reply = bob.call("GET", path)
        assert reply.status_code == 404, reply.text
        assert (reply.json()["code"], reply.json()["description"]) == (3, "任务不存在")
    told = bob.submit("/submit/action", taskId=done["id"], customId=button(done, "U1"))
    assert (told["code"], told["description"]) == (3, "关联任务不存在或已失效")
    assert bob.call("POST", "/task/list-by-condition", {"ids": [done["id"]]}).json() == []
    assert bob.call("GET", "/task/list").json() == []


@pytest.mark.endpoint("M11")
def test_a_picture_by_its_task_s_id(client: Client) -> None:
    done = client.done("/submit/imagine", prompt="a cat to be seen")
    reply = client.call("GET", f"/image/{done['id']}")
    assert reply.status_code == 302
    assert picture(reply.headers["location"]).size == (1024, 1024)
    unknown = client.call("GET", "/image/1700000000000123")
    assert (unknown.status_code, unknown.json()) == (400, {"error": "midjourney_task_not_found"})
    short = client.done("/submit/shorten", prompt="a cat to be shortened")
    none = client.call("GET", f"/image/{short['id']}")
    assert (none.status_code, none.json()) == (500, {"error": "http_get_image_failed"})


@pytest.mark.endpoint("M12")
def test_lists(client: Client) -> None:
    ids = [client.taken("/submit/imagine", prompt=f"a cat {n}") for n in range(2)]
    found = client.call("POST", "/task/list-by-condition", {"ids": [*ids, 17, "x"]}).json()
    assert sorted(one["id"] for one in found) == sorted(ids)
    listed = [one["id"] for one in client.call("GET", "/task/list").json()]
    assert listed[:2] == ids[::-1]
    assert client.call("POST", "/task/list-by-ids", {"ids": []}).json() == []
    for id in ids:
        client.until(id)


def test_it_comes_along_in_steps_with_previews(client: Client) -> None:
    id = client.taken("/submit/imagine", prompt="a slow cat [[speed:1]]")
    seen: dict[str, str] = {}

    def look() -> bool:
        task = client.fetch(id)
        seen[task["status"]] = task["imageUrl"]
        assert task["status"] == "SUCCESS" or task["buttons"] == []
        return task["status"] in ENDS

    wait_until(look, seconds=60)
    assert list(seen)[-1] == "SUCCESS" and seen["IN_PROGRESS"].startswith("http")


def test_what_fails_costs_nothing(client: Client, stage: Stage) -> None:
    before = stage.settled()
    failed = client.until(client.taken("/submit/imagine", prompt="a cat [[fault:fail-at:50]]"))
    assert failed["status"] == "FAILURE" and failed["failReason"] and failed["buttons"] == []
    moderated = client.until(client.taken("/submit/imagine", prompt="a sandbox-moderated cat"))
    assert moderated["status"] == "FAILURE"
    assert cost(stage, failed["id"]) == cost(stage, moderated["id"]) == "0"
    told = client.submit("/submit/action", taskId=failed["id"], customId="MJ::JOB::reroll::0::x::SOLO")
    assert (told["code"], told["description"]) == (4, "关联任务状态错误")
    assert stage.settled() == before


def test_no_money(stage: Stage) -> None:
    prompt = mark()
    poor = Client(stage, key="sk-poor-0123456789").post("/submit/imagine", prompt=prompt)
    assert (poor.status_code, poor.json()["code"], poor.json()["description"]) == (403, 4, "quota_not_enough")
    assert poor.json()["error"]["code"] == "insufficient_quota"
    assert stage.received(prompt) == []


@pytest.mark.endpoint("M14")
def test_banned_words_of_the_server(client: Client, stage: Stage) -> None:
    before = stage.settled()
    told = client.submit("/submit/imagine", prompt="a sandbox-banned cat")
    assert told["code"] == 24 and set(told) == {"code", "description", "properties"}
    assert set(told["properties"]) == {"promptEn", "bannedWord"}
    assert stage.settled() == before


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/submit/imagine", {}, "prompt不能为空"),
    ("/submit/imagine", {"base64Array": ["data:image/png;base64,@@"]}, "base64格式错误"),
    ("/submit/imagine", {"base64Array": ["aGVsbG8gd29ybGQ="]}, "base64格式错误"),
    ("/submit/imagine", {"notifyHook": "ftp://a.example"}, "回调地址错误"),
    ("/submit/imagine", {"notifyHook": "http://user:word@a.example"}, "回调地址错误"),
    ("/submit/blend", {"base64Array": [drawn((1, 2, 3))]}, "base64List参数错误"),
    ("/submit/describe", {}, "base64不能为空"),
    ("/submit/action", {"taskId": "1", "customId": "MJ::JOB::fly::1"}, "未知的 Action 类型"),
    ("/submit/change", {"taskId": "1", "action": "FLY", "index": 1}, "action参数错误"),
    ("/submit/simple-change", {"content": "1 U9"}, "content参数错误"),
    ("/submit/modal", {}, "taskId不能为空"),
    ("/insight-face/swap", {"targetBase64": drawn((1, 2, 3))}, "人脸图片不能为空"),
]


@pytest.mark.parametrize(("path", "body", "text"), BAD, ids=[f"{at}-{path}" for at, (path, _, _) in enumerate(BAD)])
def test_bad_input_goes_nowhere_and_costs_nothing(
    client: Client, stage: Stage, path: str, body: Any, text: str
) -> None:
    before, word = stage.settled(), mark()
    given = {**body, "state": word}
    if path == "/submit/imagine" and text != "prompt不能为空":
        given["prompt"] = word
    reply = client.post(path, **given)
    told = reply.json()
    assert (reply.status_code, told["code"], told["description"]) == (200, 4, text)
    assert reply.headers["x-request-id"].startswith("req_")
    english = Client(stage, headers={"accept-language": "en"}).submit(path, **given)
    assert english["code"] == 4 and english["description"].isascii()
    assert stage.received(word) == []
    assert stage.settled() == before


def test_a_body_that_is_none(stage: Stage) -> None:
    head = {"mj-api-secret": stage.key, "content-type": "application/json"}
    for body in (b"{", b"[1]", b'"x"', b"\xff", b""):
        reply = httpx.post(stage.url + "/mj/submit/imagine", content=body, headers=head, verify=False)
        assert (reply.status_code, reply.json()["code"]) == (400, 4), reply.text
    large = json.dumps({"prompt": "cat", "base64Array": ["x" * (41 * 2**20)]}).encode()
    reply = httpx.post(stage.url + "/mj/submit/imagine", content=large, headers=head, verify=False, timeout=60)
    assert reply.status_code == 413 and reply.json()["error"]["code"] == "request_too_large"


@pytest.mark.endpoint("M14")
@pytest.mark.parametrize(("fault", "number"), [("429", 30), ("503", 3)])
def test_a_server_that_has_no_room(client: Client, stage: Stage, fault: str, number: int) -> None:
    before = stage.settled()
    reply = client.post("/submit/imagine", prompt=f"a cat [[fault:{fault}]]")
    told = reply.json()
    assert (reply.status_code, told["code"]) == (int(fault), number) and told["error"]["message"], reply.text
    assert stage.settled() == before
    again: list[str] = []

    def back() -> bool:
        reply = client.post("/submit/shorten", prompt="a cat")
        again.extend([str(reply.json()["result"])] if reply.status_code == 200 else [])
        return bool(again)

    wait_until(back, seconds=60, what="the channel to be asked again")
    client.until(again[0])


@pytest.mark.parametrize("fault", ["poll-429:3", "poll-garbage:3"])
def test_a_server_that_is_bad_to_ask(client: Client, fault: str) -> None:
    assert client.done("/submit/imagine", prompt=f"a cat [[fault:{fault}]]")["status"] == "SUCCESS"


def test_an_accepted_task_whose_answer_got_lost_is_found_again(client: Client, stage: Stage) -> None:
    prompt = mark()
    told = client.submit("/submit/imagine", prompt=f"{prompt} [[fault:accept-and-hang-up]]")
    assert told["code"] == 1
    assert client.until(told["result"])["status"] == "SUCCESS"
    sent = [each for each in stage.received(prompt) if each["path"].endswith("/submit/imagine")]
    assert len(sent) == 1


@pytest.mark.endpoint("M11")
def test_cancelling(client: Client, stage: Stage) -> None:
    before = stage.settled()
    id = client.taken("/submit/imagine", prompt="a cat [[speed:0.05]]")
    reply = client.call("POST", f"/task/{id}/cancel")
    assert reply.status_code == 200, reply.text
    ended = client.until(id)
    assert (ended["status"], ended["failReason"]) == ("CANCEL", "取消任务")
    assert client.call("POST", f"/task/{id}/cancel").json()["status"] == "CANCEL"
    assert stage.settled() == before


@pytest.mark.endpoint("M14")
def test_notices_of_each_change(client: Client, stage: Stage) -> None:
    hook = f"{stage.sandbox.url}/sandbox/hooks/{mark()}"
    id = client.taken("/submit/imagine", prompt="a told cat [[speed:2]]", notifyHook=hook, state="order-9")
    assert client.until(id)["status"] == "SUCCESS"
    found: list[dict[str, Any]] = []

    def ended() -> bool:
        found[:] = [each["body"] for each in httpx.get(hook, verify=False).json()["data"]]
        return any(each["status"] == "SUCCESS" for each in found)

    wait_until(ended, seconds=30, what="the last notice")
    assert {each["id"] for each in found} == {id} and {each["state"] for each in found} == {"order-9"}
    steps = [int(each["progress"].removesuffix("%") or 0) for each in found]
    assert steps == sorted(steps) and len(found) > 1
    last = found[-1]
    assert last["imageUrl"].startswith(stage.url) and last["properties"]["notifyHook"] == hook and last["buttons"]


def test_the_narrow_gateway(stages: tuple[Stage, Stage]) -> None:
    """Two run, one waits (22), the next is refused (23) with an id that is known as failed; nothing is lost."""
    narrow = stages[1]
    client = Client(narrow)
    texts = Client(narrow, key="sk-texts-0123456789")
    told = [client.submit("/submit/imagine", prompt="a cat [[speed:1]]") for _ in range(4)]
    assert [each["code"] for each in told] == [1, 1, 22, 23]
    assert all(type(each["result"]) is int for each in told[:3])
    assert told[2]["properties"]["numberOfQueues"] == 0 or told[2]["properties"]["numberOfQueues"] == 1
    full = client.fetch(str(told[3]["result"]))
    assert (full["status"], full["failReason"]) == ("FAILURE", "队列已满")
    assert client.fetch(str(told[2]["result"]))["status"] == "NOT_START"
    assert [each["id"] for each in client.call("GET", "/task/queue").json()] == [str(told[2]["result"])]
    done = [client.until(str(each["result"])) for each in told[:3]]
    assert [(each["status"], each["mode"]) for each in done] == [("SUCCESS", "RELAX")] * 3
    assert type(texts.submit("/submit/imagine", prompt="a cat")["result"]) is str
    for prompt in ("a Nude cat", "一个裸体的人"):
        refused = client.submit("/submit/imagine", prompt=prompt)
        assert refused["code"] == 24 and refused["properties"]["promptEn"] == prompt
        assert narrow.received(refused["properties"]["bannedWord"]) == []
    narrow.settled()
    narrow.sound()


def test_the_books_agree(stage: Stage) -> None:
    stage.settled()
    stage.sound()
