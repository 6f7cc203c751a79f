"""Midjourney's dialect beside what the recorded cases show: speeds, words, pictures, statuses, notices, errors, ids."""

import json
from base64 import b64encode
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from support.task_cases import CaseView
from unigate.base.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GatewayError,
    InvalidKey,
    NoChannel,
    NoFunds,
    NotFound,
    StoreUnavailable,
    TooMany,
    Unreachable,
    UpstreamRefused,
)
from unigate.dialects import midjourney, midjourney_ids, midjourney_mode, midjourney_pictures, midjourney_words
from unigate.dialects.midjourney_errors import ENGLISH, Refused
from unigate.http.table import Table
from unigate.providers.midjourney_proxy import PROVIDER
from unigate.spec.task import Answered, Asset, Failure, Submission, Task, TaskState

TABLE = Table(midjourney.OPERATIONS)
VIEW = CaseView()
TASK = Task(
    id="1741531578038123",
    called="midjourney.imagine",
    operation="midjourney.imagine",
    dialect="midjourney",
    user_id="usr_1",
    key_id="key_1",
    model="midjourney",
    state="running",
    percent=25,
    input={"action": "IMAGINE", "prompt": "cat", "state": "s", "botType": "", "customId": ""},
    detail={"status": "IN_PROGRESS"},
)


def submission(path: str, body: object, **more: Any) -> Submission:
    found = TABLE.find(b"POST", path.encode())
    assert found is not None
    raw = json.dumps(body).encode()
    return Submission(operation=found[0], path=path, query="", params=found[1], headers={}, body=raw, **more)


@pytest.mark.parametrize("row", midjourney.OPERATIONS, ids=lambda row: row.name)
@pytest.mark.parametrize("before", ["", "/mj-relax", "/mj-fast", "/mj-turbo", "/fast", "/relax", "/turbo", "/x-any"])
def test_every_path_is_served_below_a_speed(row: Any, before: str) -> None:
    for path in (row.path, *row.aliases):
        if not path.startswith("/{mode}"):
            found = TABLE.find(row.method.encode(), (before + path).replace("{id}", "17").encode())
            assert found is not None
            assert found[0] is row
            assert found[1].get("mode", "") == before.removeprefix("/")


@pytest.mark.parametrize(
    ("key", "segment", "body", "prompt", "mode"),
    [
        (None, "", {}, "cat", "fast"),
        (None, "", {}, "cat --relax", "relax"),
        (None, "", {}, "cat --TURBO --v 7", "turbo"),
        (None, "", {}, "cat \u2014turbo", "turbo"),
        (None, "", {}, "cat --fastest", "fast"),
        (None, "", {}, "a--relax b", "fast"),
        (None, "", {"accountFilter": {"modes": ["TURBO"]}}, "cat --relax", "turbo"),
        (None, "", {"accountFilter": {"modes": []}}, "cat --relax", "relax"),
        (None, "", {"mode": "RELAX", "accountFilter": {"modes": ["TURBO"]}}, "cat", "relax"),
        (None, "", {"mode": "warp"}, "cat", "fast"),
        (None, "mj-turbo", {"mode": "RELAX"}, "cat --relax", "turbo"),
        (None, "relax", {}, "cat", "relax"),
        (None, "mj-turbo-origin", {}, "cat", "turbo"),
        (None, "anything", {"mode": "turbo"}, "cat", "turbo"),
        ("relax", "mj-turbo", {"mode": "fast"}, "cat --fast", "relax"),
    ],
)
def test_which_speed_holds(key: object, segment: str, body: dict[str, Any], prompt: str, mode: str) -> None:
    assert midjourney_mode.chosen(key, segment, body, prompt, {}) == mode


def test_the_deployment_has_a_speed_of_its_own() -> None:
    draft = midjourney.read_task(submission("/mj/submit/imagine", {"prompt": "cat"}, settings={"mode": "relax"}))
    assert draft.conditions == {"mode": "relax"}


def test_the_prompt_that_goes_on_asks_for_no_other_speed() -> None:
    """Else it would be drawn at a speed that is not paid for."""
    assert midjourney_mode.without_flags("--turbo cat --fast --v 7 --relax", "fast") == "cat --fast --v 7"
    assert midjourney_mode.without_flags("\u2014turbo cat \u2014relax", "fast") == "cat"
    draft = midjourney.read_task(submission("/mj-relax/mj/submit/imagine", {"prompt": "cat --turbo"}))
    assert draft.body["prompt"] == "cat" and draft.input["prompt"] == "cat --turbo"


def test_no_field_goes_on_under_a_known_name_in_another_case() -> None:
    """Many servers match names without regard to case, and would do what was neither checked nor paid for."""
    told = {
        "customId": "MJ::JOB::upsample::1::h",
        "CustomId": "MJ::JOB::variation::1::h",
        "taskId": "17",
        "TASKID": "18",
        "Mode": "TURBO",
        "Prompt": "nude --turbo",
        "NotifyHook": "https://a.example",
        "\u017ftate": "long s",
        "accountFilter": {"modes": ["FAST"], "Modes": ["TURBO"], "instanceId": "1"},
        "remix": True,
    }
    draft = midjourney.read_task(submission("/mj/submit/action", told))
    assert draft.operation == "midjourney.upscale"
    assert draft.body == {
        "customId": "MJ::JOB::upsample::1::h",
        "remix": True,
        "accountFilter": {"instanceId": "1"},
    }


@pytest.mark.parametrize(
    ("prompt", "words", "found"),
    [
        ("a NUDE body", ["nude"], "NUDE"),
        ("denuded hills", ["nude"], None),
        ("nude", ["nud"], None),
        ("sexual intercourse", ["sex", "sexual intercourse"], "sexual intercourse"),
        ("c++ (x)", ["c++"], "c++"),
        ("一个裸体的人", ["裸体"], "裸体"),
        ("nude女人", ["nude"], "nude"),
        ("anything", [], None),
        ("anything", [" ", ""], None),
        ("anything", None, None),
    ],
)
def test_banned_words_are_whole_words(prompt: str, words: object, found: str | None) -> None:
    if found is None:
        midjourney_words.check(prompt, words)
        return
    with pytest.raises(Refused) as refused:
        midjourney_words.check(prompt, words)
    assert (refused.value.number, refused.value.properties["bannedWord"]) == (24, found)


def test_prompts_end_after_ten_thousand_characters() -> None:
    paused = replace(TASK, state="paused")
    for name in ("imagine", "shorten", "modal"):
        for length in (10_000, 10_001):
            asked = submission(f"/mj/submit/{name}", {"prompt": "猫" * length, "taskId": TASK.id})
            read = (
                partial(midjourney.read_resume, asked, paused)
                if name == "modal"
                else partial(midjourney.read_task, asked)
            )
            if length == 10_000:
                read()
                continue
            with pytest.raises(Refused, match="prompt长度不能超过10000") as refused:
                read()
            assert midjourney.translate(refused.value, "en").message == "prompt is longer than 10000 characters."


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF....WEBPVP8 "])
@pytest.mark.parametrize("before", ["", "data:image/png;base64,"])
def test_pictures_are_known_by_their_first_bytes(head: bytes, before: str) -> None:
    told = before + b64encode(head + bytes(100)).decode()
    assert midjourney_pictures.check(told) == told
    assert midjourney_pictures.check(told.rstrip("=")) == told.rstrip("=")


def test_what_is_no_picture() -> None:
    for bad in (
        "",
        "data:image/png;base64,",
        "data:text/plain;base64,aGVsbG8=",
        "hello world",
        7,
        None,
        "é",
        "aGVsbG8=",
    ):
        with pytest.raises(Refused, match="base64格式错误"):
            midjourney_pictures.check(bad)
    large = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(midjourney_pictures.MAX_BYTES)).decode()
    with pytest.raises(Refused, match="图片大小超出限制"):
        midjourney_pictures.check(large)
    for address in ("http://", "https://:80/", "http://[::1", "https://a:0/x", "https://a:99999/x"):
        with pytest.raises(Refused):
            midjourney_pictures.check(address)
    with pytest.raises(Refused):
        midjourney_pictures.check("https://a.example/x.png", address=False)


@pytest.mark.parametrize(
    ("state", "more", "shown"),
    [
        ("waiting", {}, ("NOT_START", "25%", "")),
        ("submitting", {"percent": -1}, ("NOT_START", "0%", "")),
        ("running", {"queued": True}, ("NOT_START", "25%", "")),
        ("running", {"detail": {}}, ("SUBMITTED", "25%", "")),
        ("running", {}, ("IN_PROGRESS", "25%", "")),
        ("paused", {}, ("MODAL", "25%", "")),
        ("succeeded", {}, ("SUCCESS", "100%", "")),
        ("failed", {"error": Failure(code="task_failed", message="no")}, ("FAILURE", "25%", "no")),
        (
            "failed",
            {"error": Failure(code="task_timeout", message="It took too long.")},
            ("FAILURE", "25%", "任务超时"),
        ),
        ("unknown", {}, ("FAILURE", "25%", "提交失败")),
        ("canceled", {}, ("CANCEL", "25%", "取消任务")),
    ],
)
def test_statuses(state: TaskState, more: dict[str, Any], shown: tuple[str, str, str]) -> None:
    told = json.loads(midjourney.write_task(replace(TASK, state=state, **more), VIEW))
    assert (told["status"], told["progress"], told["failReason"]) == shown


def test_what_waits_at_the_gateway_is_told_like_what_waits_at_the_server() -> None:
    reply = midjourney.write_accepted(replace(TASK, state="waiting", ahead=3), VIEW)
    assert json.loads(reply.body) == {
        "code": 22,
        "description": "排队中,前面还有3个任务",
        "properties": {"numberOfQueues": 3, "discordInstanceId": ""},
        "result": TASK.id,
    }
    full = replace(TASK, state="failed", error=Failure(code="queue_full", message="The queue is full."))
    assert json.loads(midjourney.write_accepted(full, VIEW).body)["code"] == 23
    assert json.loads(midjourney.write_task(full, VIEW))["failReason"] == "队列已满"


def test_an_upload_does_not_wait_for_a_place() -> None:
    picture = "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()
    upload = submission("/mj/submit/upload-discord-images", {"base64Array": [picture]})
    assert not midjourney.read_task(upload).may_wait
    assert midjourney.read_task(submission("/mj/submit/imagine", {"prompt": "cat"})).may_wait


def test_a_task_that_was_done_shows_its_first_picture() -> None:
    """An upload has addresses and no picture that stands for all."""
    pictures = tuple(
        Asset(id=f"asset_{kind}", task_id=TASK.id, kind=kind, media_type="", source=f"https://a.example/{kind}")
        for kind in ("video", "image")
    )
    done = replace(TASK, state="succeeded", detail={}, outputs=pictures)
    assert json.loads(midjourney.write_task(done, VIEW))["imageUrl"] == f"{VIEW.base}/files/asset_image"
    assert json.loads(midjourney.write_task(replace(done, outputs=()), VIEW))["imageUrl"] == ""


def test_every_change_of_status_or_progress_is_told_and_no_other() -> None:
    assert midjourney.SIGNS is False
    assert midjourney.events(None, TASK) == ()
    assert midjourney.events(TASK, replace(TASK, percent=50)) == ("changed",)
    assert midjourney.events(TASK, replace(TASK, version=9, previews=("x",))) == ()
    assert midjourney.events(replace(TASK, state="waiting"), replace(TASK, state="submitting")) == ()
    assert midjourney.events(TASK, replace(TASK, state="succeeded")) == ("changed",)
    headers, body = midjourney.write_notice(replace(TASK, state="succeeded"), "changed", VIEW)
    assert headers == ((b"content-type", b"application/json"),)
    assert body == midjourney.write_task(replace(TASK, state="succeeded"), VIEW)


class Full(TooMany):
    """As the engine raises it."""

    shown_id = "1741531578038999"


@pytest.mark.parametrize(
    ("error", "status", "number", "text"),
    [
        (NoFunds(), 403, 4, "quota_not_enough"),
        (InvalidKey(), 401, 4, "API密钥无效"),
        (Forbidden("No.", code="price_missing"), 403, 4, "No."),
        (NoChannel(), 503, 3, "无可用的账号实例"),
        (NotFound("No.", code="model_not_found"), 503, 3, "无可用的账号实例"),
        (TooMany(), 429, 30, "当前分组负载已饱和,请稍后再试"),
        (Full(code="queue_full"), 200, 23, "队列已满,请稍后尝试"),
        (midjourney.missing("1"), 404, 3, "任务不存在"),
        (midjourney.missing_parent("1"), 200, 3, "关联任务不存在或已失效"),
        (Unreachable(), 502, 5, "提交失败"),
        (StoreUnavailable(), 503, 9, "提交失败"),
        (Conflict("No."), 200, 4, "关联任务状态错误"),
        (BadRequest("No.", code="invalid_callback"), 200, 4, "回调地址错误"),
    ],
)
def test_errors(error: GatewayError, status: int, number: int, text: str) -> None:
    shown = midjourney.translate(error, "")
    told = json.loads(midjourney.write_error(shown, "req_1"))
    assert (midjourney.error_status(shown), told["code"], told["description"]) == (status, number, text)
    if status != 200:
        assert told["error"]["code"] == error.code and told["error"]["message"] == text
    english = json.loads(midjourney.write_error(midjourney.translate(error, "en"), "req_1"))
    assert english["description"].isascii()
    if number == 23:
        assert told["result"] == "1741531578038999"


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("", False),
        ("zh-CN,zh;q=0.9,en;q=0.8", False),
        ("en-US,en;q=0.9", True),
        ("de, en;q=0.5", True),
        ("en;q=0.2, zh;q=0.3", False),
        ("en;q=0", False),
        ("*", False),
        ("en;q=nonsense, zh", False),
        (";;,,en", True),
    ],
)
def test_the_language_of_errors(language: str, english: bool) -> None:
    told = midjourney.translate(Refused("prompt不能为空"), language).message
    assert told == (ENGLISH["prompt不能为空"] if english else "prompt不能为空")


def test_a_server_s_refusal_shows_nothing_of_its_accounts() -> None:
    body = b'{"code":4,"description":"no","properties":{"discordInstanceId":"9"},"error":"x"}'
    refused = UpstreamRefused(400, body)
    assert midjourney.error_status(refused) == 200
    assert json.loads(midjourney.pass_error(400, body)) == {
        "code": 4,
        "description": "no",
        "properties": {},
        "result": "",
    }
    html = UpstreamRefused(413, b"<html>")
    assert midjourney.error_status(html) == 413
    assert json.loads(midjourney.pass_error(413, html.body))["description"] == "提交失败"


def test_seeds() -> None:
    found = midjourney.write_ask(TASK, Answered(status=200, body=b'{"code":1,"result":77}'), VIEW)
    assert json.loads(found.body) == {"code": 1, "description": "成功", "properties": {}, "result": "77"}
    none = midjourney.write_ask(TASK, Answered(status=200, body='{"code":9,"description":"没有"}'.encode()), VIEW)
    assert json.loads(none.body) == {"code": 9, "description": "没有", "properties": {}, "result": ""}
    with pytest.raises(Refused, match="关联任务状态错误"):
        midjourney.check_ask(TASK)
    midjourney.check_ask(replace(TASK, state="succeeded"))


def test_ids_fit_into_the_numbers_of_javascript() -> None:
    made = {midjourney_ids.new_id() for _ in range(100)}
    assert all(len(one) == 16 and int(one) <= 2**53 - 1 for one in made)
    assert len(made) > 1
    assert midjourney_ids.new_id(1_741_531_578_038).startswith("1741531578038")
    assert midjourney_ids.is_id("14001929738841620") and not midjourney_ids.is_id("x1")


def test_lists_of_ids() -> None:
    assert midjourney.read_ids(b'{"ids":["17",18,"task_1"]}') == ["17", "18"]
    assert midjourney.read_ids(b'{"ids":null}') == midjourney.read_ids(b'{"ids":[]}') == []
    assert midjourney.read_ids(b"{}") == []
    ids = [str(10**15 + one) for one in range(1000)]
    full = json.dumps({"ids": ids}).encode()
    assert midjourney.read_ids(full) == ids
    assert len(full) < submission("/mj/task/list-by-condition", {}).operation.body_bytes == 64 * 1024
    for bad in (json.dumps({"ids": [*ids, "1"]}).encode(), b'{"ids":"17"}', b'{"ids":[true]}', b'{"ids":[{}]}'):
        with pytest.raises(Refused):
            midjourney.read_ids(bad)


def test_a_modal_is_about_one_task() -> None:
    assert midjourney.read_resumed(b'{"taskId":17,"ids":[]}') == "17"
    for bad in (b'{"ids":["17","18"]}', b'{"ids":[]}', b'{"taskId":null}', b"{}"):
        with pytest.raises(Refused, match="taskId不能为空"):
            midjourney.read_resumed(bad)
    with pytest.raises(Refused, match="关联任务不存在或已失效"):
        midjourney.read_resumed(b'{"taskId":["17"]}')


def test_nothing_is_asked_about_what_was_answered_once_and_for_all() -> None:
    api = PROVIDER.tasks["midjourney.upload"]
    assert api.poll is not None and api.cancel is not None
    for ask in (api.poll, api.cancel, api.asks["midjourney.image_seed"]):
        with pytest.raises(Conflict):
            ask({"text": False}, {})
