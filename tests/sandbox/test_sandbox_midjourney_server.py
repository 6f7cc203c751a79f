"""The imitation Midjourney server's manners: refusals, accounts and queues, faults of tasks, callbacks, films."""

import io
from typing import Any

import av
import httpx
import pytest
from midjourney_client import Midjourney, data_url, differing, opened, plain
from sandbox_client import Sandbox, eventually

FAST, TURBO, RELAX = "1118138338562560101", "1118138338562560102", "1118138338562560103"
RED = data_url(plain("red", 40, 40))


@pytest.fixture
def mj(sandbox: Sandbox) -> Midjourney:
    return Midjourney(sandbox)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("submit/imagine", {}, "prompt不能为空"),
        ("submit/imagine", {"prompt": "  "}, "prompt不能为空"),
        ("submit/imagine", {"prompt": 5}, "prompt不能为空"),
        ("submit/imagine", {"prompt": "a", "base64Array": ["%%%"]}, "base64格式错误"),
        ("submit/imagine", {"prompt": "a", "base64Array": ["aGVsbG8="]}, "base64格式错误"),
        ("submit/imagine", {"prompt": "a", "base64Array": "x"}, "base64格式错误"),
        ("submit/imagine", {"prompt": "a", "base64": "http://127.0.0.1:1/x.png"}, "base64格式错误"),
        ("submit/imagine", {"prompt": "a", "notifyHook": "h" * 2001}, "回调地址长度不能超过2000"),
        ("submit/imagine", {"prompt": "a", "state": "s" * 256}, "state参数错误"),
        ("submit/imagine", {"prompt": "a", "accountFilter": "x"}, "accountFilter参数错误"),
        ("submit/blend", {"base64Array": [RED]}, "base64List参数错误"),
        ("submit/blend", {"base64Array": [RED] * 6}, "base64List参数错误"),
        ("submit/blend", {"base64Array": [RED] * 2, "dimensions": "ROUND"}, "dimensions参数错误"),
        ("submit/describe", {}, "base64不能为空"),
        ("submit/describe", {"base64": "aGVsbG8="}, "base64格式错误"),
        ("submit/shorten", {}, "prompt不能为空"),
        ("submit/upload-discord-images", {}, "base64List参数错误"),
        ("submit/show", {"jobId": "1"}, "jobId参数错误"),
        ("submit/edits", {"prompt": "a"}, "base64不能为空"),
        ("submit/video", {}, "prompt不能为空"),
        ("submit/video", {"prompt": "a", "image": RED, "batchSize": 3}, "参数错误"),
        ("insight-face/swap", {"targetBase64": RED}, "人脸图片不能为空"),
        ("insight-face/swap", {"sourceBase64": RED}, "目标图片不能为空"),
        ("insight-face/swap", {"sourceBase64": RED, "targetBase64": RED}, "人脸图片和目标图片不能相同"),
    ],
)
def test_what_is_wrong_is_refused(mj: Midjourney, path: str, body: dict[str, Any], said: str) -> None:
    answer = mj.post(f"/{path}", **body)
    assert (answer["code"], answer["description"]) == (4, said)
    assert "result" not in answer
    assert mj.get("/task/list") == []


def test_a_body_that_is_none(mj: Midjourney) -> None:
    for content in (b"", b"{", b"[]", b"\xff"):
        url = f"{mj.base}/mj/submit/imagine"
        answer = mj.sandbox.http.post(url, content=content, headers={"mj-api-secret": mj.key})
        assert answer.status_code == 400
        assert answer.json()["description"] == "bind_request_body_failed"


def test_words(mj: Midjourney) -> None:
    answer = mj.post("/submit/imagine", prompt="A Sandbox-Banned fox")
    assert answer == {
        "code": 24,
        "description": "可能包含敏感词",
        "properties": {"promptEn": "A Sandbox-Banned fox", "bannedWord": "Sandbox-Banned"},
    }
    assert mj.post("/submit/imagine", prompt="xsandbox-bannedx fox")["code"] == 1, "whole words only"
    for prompt, said in (
        ("a sandbox-moderated fox", "[Banned prompt detected]"),
        ("a fox --foo 3", "[Invalid parameter] Unrecognized parameter(s): --foo"),
        ("a fox --ar 16x9", "[Invalid parameter]"),
        ("a fox --ar 100:1", "[Invalid parameter]"),
        ("a fox --seed x", "[Invalid parameter]"),
    ):
        task = mj.ended(mj.post("/submit/imagine", prompt=prompt))
        assert (task["status"], task["buttons"], task["imageUrl"]) == ("FAILURE", [], "")
        assert task["failReason"].startswith(said)
        assert task["finishTime"] > 0


def test_lists(mj: Midjourney) -> None:
    one, two = mj.imagine("a fox"), mj.imagine("an owl")
    assert [task["id"] for task in mj.get("/task/list")] == [two["id"], one["id"]]
    for path in ("list-by-condition", "list-by-ids"):
        assert mj.post(f"/task/{path}", ids=[int(one["id"]), "1", two["id"]]) == [one, two]
        assert mj.post(f"/task/{path}", ids=[]) == []
    assert mj.fetch("1") is None
    assert Midjourney(mj.sandbox).get("/task/list") == []


# Accounts


def test_accounts(mj: Midjourney) -> None:
    accounts = mj.get("/account/list")
    assert [(one["id"], one["allowModes"]) for one in accounts] == [
        (FAST, ["FAST"]),
        (TURBO, ["TURBO"]),
        (RELAX, ["RELAX"]),
    ]
    assert [bool(one["privateChannelId"]) for one in accounts] == [True, True, False]
    assert accounts[2]["fastExhausted"] is True
    assert (accounts[0]["coreSize"], accounts[0]["queueSize"]) == (3, 10)
    mj.post("/submit/imagine", prompt="a fox [[fault:stuck]] [[speed:0.01]]")
    assert [one["runningCount"] for one in mj.get("/account/list")] == [1, 0, 0]
    assert [one["dayDrawCount"] for one in mj.get("/account/list")] == [1, 0, 0]


@pytest.mark.parametrize(
    ("mode", "body", "account"),
    [
        ("/mj", {}, FAST),
        ("/mj-turbo/mj", {}, TURBO),
        ("/mj-turbo/mj", {"mode": "relax"}, TURBO),
        ("/mj", {"mode": "RELAX"}, RELAX),
        ("/mj", {"accountFilter": {"modes": ["TURBO"]}}, TURBO),
        ("/mj", {"accountFilter": {"instanceId": RELAX}}, RELAX),
        ("/mj", {"accountFilter": {"remix": True}}, TURBO),
        ("/mj", {"prompt": "a fox --relax"}, RELAX),
        ("/mj-turbo/mj", {"accountFilter": {"instanceId": RELAX}}, None),
        ("/mj", {"accountFilter": {"instanceId": "1"}}, None),
    ],
)
def test_who_takes_a_task(mj: Midjourney, mode: str, body: dict[str, Any], account: str | None) -> None:
    answer = mj.post("/submit/imagine", at=mode, **{"prompt": "a fox", **body})
    if account is None:
        assert (answer["code"], answer["description"]) == (3, "无可用的账号实例")
        return
    assert answer["properties"]["discordInstanceId"] == account
    assert mj.ended(answer)["properties"]["discordInstanceId"] == account


def test_seeds(mj: Midjourney) -> None:
    task = mj.imagine("a fox --seed 1234567")
    answer = mj.get(f"/task/{task['id']}/image-seed")
    assert answer == {"code": 1, "description": "成功", "properties": {}, "result": "1234567"}
    relaxed = mj.ended(mj.post("/submit/imagine", at="/mj-relax/mj", prompt="a fox"))
    refused = mj.get(f"/task/{relaxed['id']}/image-seed")
    assert refused["code"] == 4
    assert "私信" in refused["description"]
    niji = mj.imagine("a fox --niji 6")
    assert niji["botType"] == "NIJI_JOURNEY"
    assert mj.get(f"/task/{niji['id']}/image-seed")["code"] == 1
    assert mj.get("/task/1/image-seed")["code"] == 3
    running = mj.post("/submit/imagine", prompt="a fox [[fault:stuck]]")["result"]
    assert mj.get(f"/task/{running}/image-seed")["description"] == "关联任务状态错误"


def test_queues(mj: Midjourney) -> None:
    slow = "a fox [[speed:0.01]]"
    answers = [mj.post("/submit/imagine", at="/mj-turbo/mj", prompt=slow) for _ in range(14)]
    assert [one["code"] for one in answers] == [1] * 3 + [22] * 10 + [23]
    assert answers[3]["description"] == "排队中,前面还有1个任务"
    assert answers[12]["properties"] == {"numberOfQueues": 10, "discordInstanceId": TURBO}
    assert answers[13]["description"] == "队列已满,请稍后尝试"
    assert answers[13]["result"].isdecimal()
    assert mj.fetch(answers[13]["result"]) is None
    assert [task["id"] for task in mj.get("/task/queue")] == [one["result"] for one in answers[3:13]]
    assert {task["status"] for task in mj.get("/task/queue")} == {"NOT_START"}
    assert mj.post("/submit/imagine", prompt="a fox")["code"] == 1, "another account has room"
    assert Midjourney(mj.sandbox).post("/submit/imagine", at="/mj-turbo/mj", prompt=slow)["code"] == 1
    mj.post(f"/task/{answers[0]['result']}/cancel")
    waiting = [task["id"] for task in mj.get("/task/queue")]
    assert waiting == [one["result"] for one in answers[4:13]], "the first who waited runs"
    assert mj.post(f"/task/{answers[12]['result']}/cancel")["code"] == 1
    assert len(mj.get("/task/queue")) == 8


def test_as_many_as_there_is_room_for(mj: Midjourney) -> None:
    described = mj.ended(mj.post("/submit/describe", base64=RED))
    for _ in range(11):
        mj.post("/submit/imagine", prompt="a fox [[speed:0.01]]")
    answer = mj.press(described, "🎉")
    assert answer["code"] == 22
    assert len(answer["result"].split(",")) == 2
    assert mj.press(described, "🎉")["code"] == 23


def test_those_who_wait_have_their_turn(mj: Midjourney) -> None:
    ids = [mj.post("/submit/imagine", prompt="a fox")["result"] for _ in range(8)]
    tasks = [mj.until(id, lambda task: task["status"] == "SUCCESS") for id in ids]
    assert all(task["finishTime"] >= task["startTime"] >= task["submitTime"] for task in tasks)


def test_cancelling(mj: Midjourney) -> None:
    id = mj.post("/submit/imagine", prompt="a fox [[speed:0.1]]")["result"]
    assert mj.post(f"/task/{id}/cancel") == {"code": 1, "description": "成功", "properties": {}, "result": id}
    task = mj.fetch(id)
    assert (task["status"], task["failReason"], task["buttons"]) == ("CANCEL", "取消任务", [])
    assert mj.post(f"/task/{id}/cancel")["code"] == 4
    assert mj.post("/task/1/cancel")["code"] == 3


# Faults


def test_tasks_that_fail(mj: Midjourney) -> None:
    task = mj.ended(mj.post("/submit/imagine", prompt="a fox [[fault:fail-at:75]]"))
    assert (task["status"], task["progress"]) == ("FAILURE", "75%")
    assert task["failReason"].startswith("[Job failed]")
    assert task["prompt"] == "a fox"
    assert mj.ended(mj.post("/submit/imagine", prompt="a fox [[fault:fail-at:0]]"))["progress"] == "0%"


def test_tasks_that_never_end(mj: Midjourney) -> None:
    id = mj.post("/submit/imagine", prompt="a fox [[fault:stuck:25]]")["result"]
    task = mj.until(id, lambda found: found["progress"] == "25%")
    assert task["imageUrl"]
    other = mj.imagine("an owl")
    assert other["finishTime"] > task["startTime"]
    assert mj.fetch(id)["progress"] == "25%", "it did not go on while another was done"


def test_tasks_that_vanish(mj: Midjourney) -> None:
    answer = mj.post("/submit/imagine", prompt="a fox [[fault:vanish]]")
    assert answer["code"] == 1
    assert mj.fetch(answer["result"]) is None
    assert mj.post("/task/list-by-condition", ids=[answer["result"]]) == []
    assert mj.get("/task/list") == []


def test_polls_that_fail(mj: Midjourney) -> None:
    id = mj.post("/submit/imagine", prompt="a fox [[fault:poll-429:2,poll-garbage:1]]")["result"]
    url, headers = f"{mj.base}/mj/task/{id}/fetch", {"mj-api-secret": mj.key}
    answers = [mj.sandbox.http.get(url, headers=headers) for _ in range(4)]
    assert [one.status_code for one in answers] == [429, 429, 200, 200]
    assert answers[0].headers["retry-after"] == "1"
    with pytest.raises(ValueError):  # noqa: PT011 - JSON or UTF-8, either is broken
        answers[2].json()
    assert answers[3].json()["id"] == id


def test_faults_by_base_url_hold_for_the_tasks_made_there(sandbox: Sandbox) -> None:
    faulty = Midjourney(sandbox, "/fault/fail-at:50,tag:mj-base/midjourney")
    answer = faulty.post("/submit/imagine", prompt="a fox")
    well = Midjourney(sandbox, key=faulty.key)
    assert well.ended(answer)["status"] == "FAILURE"
    assert well.imagine("a fox")["status"] == "SUCCESS"


def test_a_task_that_was_accepted_without_an_answer(mj: Midjourney) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending"):
        mj.post("/submit/imagine", prompt="a fox [[fault:accept-and-hang-up]]", state="lost")
    (task,) = mj.get("/task/list")
    assert task["state"] == "lost"
    assert mj.until(task["id"], lambda found: found["status"] == "SUCCESS")
    assert mj.sandbox.last(contains='"lost"')["end"] == "cut"


def test_statuses_and_slow_answers(mj: Midjourney) -> None:
    url, headers = f"{mj.base}/mj/submit/imagine", {"mj-api-secret": mj.key}
    answer = mj.sandbox.http.post(url, json={"prompt": "a fox [[fault:503]]"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, 4)
    assert answer.json()["error"]["message"] == answer.json()["description"]
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            url, json={"prompt": "a fox [[fault:slow-submit:20]]"}, headers=headers, timeout=httpx.Timeout(10, read=0.5)
        )
    eventually(lambda: len(mj.get("/task/list")) == 1)


# Callbacks


def hooked(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [one["body"] for one in sandbox.http.get(f"{sandbox.url}/sandbox/hooks/{name}").json()["data"]]


def test_callbacks_at_each_change(mj: Midjourney) -> None:
    hook = f"{mj.sandbox.url}/sandbox/hooks/mj-each"
    answer = mj.post("/submit/imagine", prompt="a fox", notifyHook=hook, state="s1")
    told = eventually(lambda: (got := hooked(mj.sandbox, "mj-each")) and got[-1]["status"] == "SUCCESS" and got)
    assert [(one["status"], one["progress"]) for one in told] == [
        ("NOT_START", "0%"),
        ("SUBMITTED", "0%"),
        ("IN_PROGRESS", "0%"),
        ("IN_PROGRESS", "25%"),
        ("IN_PROGRESS", "50%"),
        ("IN_PROGRESS", "75%"),
        ("SUCCESS", "100%"),
    ]
    assert told[-1] == mj.fetch(answer["result"])
    assert {one["state"] for one in told} == {"s1"}
    assert opened(mj.sandbox.http.get(told[3]["imageUrl"]).content).size == (1024, 1024)


def test_callbacks_that_nobody_takes_harm_nothing(mj: Midjourney) -> None:
    for hook in ("http://127.0.0.1:1/x", "nonsense", "http://[", f"{mj.sandbox.url}/sandbox/hooks/mj-500?fail=99"):
        assert mj.imagine("a fox", notifyHook=hook)["properties"]["notifyHook"] == hook


def test_callbacks_of_windows_and_cancelled_tasks(mj: Midjourney) -> None:
    hook = f"{mj.sandbox.url}/sandbox/hooks/mj-window"
    one = mj.pressed(mj.imagine("a fox"), "U1")
    asked = mj.press(one, "Custom Zoom", notifyHook=hook)
    mj.ended(mj.post("/submit/modal", taskId=asked["result"]))
    statuses = eventually(
        lambda: (got := [t["status"] for t in hooked(mj.sandbox, "mj-window")])[-1:] == ["SUCCESS"] and got
    )
    assert statuses[0] == "MODAL"
    assert "NOT_START" not in statuses
    assert statuses.count("SUCCESS") == 1
    hook = f"{mj.sandbox.url}/sandbox/hooks/mj-cancel"
    id = mj.post("/submit/imagine", prompt="a fox [[speed:0.1]]", notifyHook=hook)["result"]
    mj.post(f"/task/{id}/cancel")
    eventually(lambda: [t["status"] for t in hooked(mj.sandbox, "mj-cancel")][-1:] == ["CANCEL"])


# Films


def frames(data: bytes) -> tuple[float, tuple[int, int]]:
    """Seconds and size of a film."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        count = len(list(container.decode(stream)))
        assert stream.average_rate
        return count / float(stream.average_rate), (stream.width, stream.height)


def test_films(mj: Midjourney) -> None:
    image = data_url(plain("orange", 300, 200))
    task = mj.ended(mj.post("/submit/video", prompt="a fox runs", image=image, batchSize=2, motion="high"))
    assert (task["action"], task["status"]) == ("VIDEO", "SUCCESS")
    assert task["videoUrl"] == task["videoUrls"][0]["url"]
    assert len(task["videoUrls"]) == 2
    seconds, (wide, high) = frames(mj.sandbox.http.get(task["videoUrl"]).content)
    assert seconds >= 5
    assert wide / high == pytest.approx(1.5, rel=0.05)
    assert differing(mj.picture(task), plain("orange")) < 2
    labels = [one["label"] or one["emoji"] for one in task["buttons"]]
    assert labels == ["U1", "U2", "🔄"]
    one = mj.pressed(task, "U2")
    assert one["action"] == "UPSCALE"
    longer = mj.pressed(one, "Extend (Low motion)")
    assert longer["action"] == "VIDEO"
    assert frames(mj.sandbox.http.get(longer["videoUrl"]).content)[0] > seconds
    extended = mj.ended(mj.post("/submit/video", action="extend", taskId=task["id"], index=1))
    assert len(extended["videoUrls"]) == 1
    assert mj.post("/submit/video", action="extend", taskId=task["id"], index=2)["code"] == 4


def test_a_picture_that_moves(mj: Midjourney) -> None:
    one = mj.pressed(mj.imagine("a fox"), "U1")
    task = mj.pressed(one, "Animate (Low motion)")
    assert len(task["videoUrls"]) == 4
    assert differing(mj.picture(task), mj.picture(one)) < 2
