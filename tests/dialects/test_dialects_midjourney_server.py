"""What Midjourney servers answer beside what the recorded cases show: answers that can't be read, and what they amount to."""

import json
from dataclasses import replace

import pytest

from support.task_cases import CaseView
from unigate.base.errors import (
    BadAnswer,
    GatewayError,
    InvalidKey,
    QueueFull,
    TooLarge,
    UpstreamError,
    UpstreamRefused,
)
from unigate.dialects import midjourney, midjourney_server, midjourney_view
from unigate.dialects.midjourney_errors import ServerRefused
from unigate.relay.rendering import render
from unigate.spec.task import Answered, Failure, Json, Order, Task

DEEP = b"[" * 100_000
FAILED = Task(
    id="1741531578038123",
    called="midjourney.imagine",
    operation="midjourney.imagine",
    dialect="midjourney",
    user_id="usr_1",
    key_id="key_1",
    model="midjourney",
    state="failed",
)


def test_answers_that_are_too_deep_are_no_answers() -> None:
    assert json.loads(midjourney.pass_error(400, DEEP))["description"] == "提交失败"
    with pytest.raises(BadAnswer):
        midjourney_view.read(DEEP)


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        ("task_unknown", "It is not known.", "提交失败,结果未知"),
        ("task_vanished", "It is gone.", "任务不存在或已失效"),
        ("task_not_taken", "It was not taken.", "提交失败,任务未被接受"),
        ("no_channel_available", "No channel is left.", "无可用的账号实例"),
        ("task_timeout", "It took too long.", "任务超时"),
        ("task_failed", "", "任务失败"),
        ("task_failed", "违规", "违规"),
    ],
)
def test_why_a_task_failed(code: str, message: str, shown: str) -> None:
    failed = Task(
        id="17",
        called="midjourney.imagine",
        operation="midjourney.imagine",
        dialect="midjourney",
        user_id="usr_1",
        key_id="key_1",
        model="midjourney",
        state="unknown" if code == "task_unknown" else "failed",
        error=Failure(code=code, message=message),
    )
    assert json.loads(midjourney.write_task(failed, CaseView()))["failReason"] == shown


def test_a_task_that_cannot_be_read_is_still_there() -> None:
    """It would end as vanished else, although its server works on it."""
    told = [{"id": "1", "status": 7}, {"id": "2", "status": "IN_PROGRESS"}]
    handles: list[Json] = [{"id": "1"}, {"id": "2"}, {"id": "3"}, {"text": False}]
    found = midjourney_server.progress_many(handles, Answered(status=200, body=json.dumps(told).encode()))
    assert [one and one.state for one in found] == ["running", "running", None, None]


def test_a_list_without_whose_tasks_they_are_does_not_say_that_ours_is_missing() -> None:
    """It would be made once more else."""
    order = Order(
        task_id="17", called="midjourney.imagine", operation="midjourney.imagine", model="midjourney", body={}
    )

    def recovered(*tasks: object) -> object:
        return midjourney_server.recovered(order, Answered(status=200, body=json.dumps(tasks).encode()))

    ours = {"id": "2", "state": "17", "status": "IN_PROGRESS"}
    assert recovered({"id": "1", "state": "18"}, {"id": "3", "state": None}) is None
    assert recovered() is None
    assert recovered({"id": "1"}, ours) is not None
    # A server that leaves out what is empty: ours has a `state`.
    assert recovered({"id": "1", "state": "18"}, {"id": "3"}) is None
    with pytest.raises(BadAnswer):
        recovered({"id": "1"}, {"id": "3"})


@pytest.mark.parametrize(
    ("oldest", "sent", "told"),
    [
        (1_700_000_000_000, 1_700_000_300_001, True),
        (1_700_000_000_000, 1_700_000_300_000, False),  # clocks may differ by so much
        (1_700_000_000_000, 0, False),
        ("1700000000000", 1_700_009_000_000, False),
        (None, 1_700_009_000_000, False),
    ],
)
def test_a_full_list_tells_only_of_what_is_younger_than_its_oldest(oldest: object, sent: int, told: bool) -> None:
    """It would be made once more, or be waited for until its deadline, else."""
    order = Order(
        task_id="17",
        called="midjourney.imagine",
        operation="midjourney.imagine",
        model="midjourney",
        body={},
        submitted_at=sent,
    )
    young = [
        {"id": str(n), "state": "18", "submitTime": 1_700_000_900_000 + n} for n in range(midjourney_server.LISTED - 1)
    ]
    tasks = [*young, {"id": "old", "state": "", "submitTime": oldest}]
    answered = Answered(status=200, body=json.dumps(tasks).encode())
    if told:
        assert midjourney_server.recovered(order, answered) is None
    else:
        with pytest.raises(BadAnswer):
            midjourney_server.recovered(order, answered)


SATURATED = "当前分组负载已饱和,请稍后再试"


@pytest.mark.parametrize(
    ("code", "message", "chinese", "english"),
    [
        ("queue_full", "The queue is full.", "队列已满", "The queue is full."),
        ("task_timeout", "It took too long.", "任务超时", "The task took too long."),
        ("rate_limit_exceeded", "x", SATURATED, "The gateway is saturated at present, please try again later."),
        ("empty_result", "任务没有结果", "任务没有结果", "The task has no result."),
        ("task_failed", "", "任务失败", "The task failed."),
        ("task_failed", "执行超时 5 分钟", "执行超时 5 分钟", "The task took longer than 5 min."),
        ("task_failed", "上游任务超时(超过1小时)", "上游任务超时(超过1小时)", "The task took longer than 1 h."),
        ("task_failed", "[Banned prompt detected] x", "[Banned prompt detected] x", "[Banned prompt detected] x"),
        ("task_failed", "违规", "违规", "违规"),
    ],
)
def test_why_a_task_failed_is_told_in_its_reader_s_language(
    code: str, message: str, chinese: str, english: str
) -> None:
    failed = replace(FAILED, error=Failure(code=code, message=message))
    for language, reason in (
        ("", chinese),
        ("zh-CN,zh;q=0.9,en;q=0.8", chinese),
        ("fr", chinese),
        ("en-US,en;q=0.9", english),
        ("zh;q=0.5, en", english),
    ):
        shown = json.loads(midjourney.write_task(failed, CaseView(language=language)))
        assert shown["failReason"] == reason, language
    assert json.loads(midjourney.write_notice(failed, "changed", CaseView())[1])["failReason"] == chinese


def test_replies_to_submissions_are_told_in_their_reader_s_language() -> None:
    waits, english = replace(FAILED, state="waiting", ahead=3), CaseView(language="en")
    server = "排队中\uff0c前面还有1个任务"
    told = replace(FAILED, state="running", detail={"submitted": {"code": 22, "description": server}})
    for task, chinese, text in (
        (replace(FAILED, state="running"), "提交成功", "Submitted successfully."),
        (waits, "排队中,前面还有3个任务", "Queued, tasks ahead: 3."),
        (told, server, "Queued, tasks ahead: 1."),
    ):
        assert json.loads(midjourney.write_accepted(task, CaseView()).body)["description"] == chinese
        assert json.loads(midjourney.write_accepted(task, english).body)["description"] == text
    canceled = replace(FAILED, state="canceled")
    assert json.loads(midjourney.write_task(canceled, english))["failReason"] == "The task was cancelled."
    seed = Answered(status=200, body='{"code": 1, "description": "成功", "result": "7"}'.encode())
    assert json.loads(midjourney.write_ask(FAILED, seed, english).body)["description"] == "Success."
    assert json.loads(midjourney.write_ask(FAILED, seed, CaseView()).body)["description"] == "成功"


@pytest.mark.parametrize(("number", "status"), [(23, 429), (9, 500)])
def test_a_server_s_refusal_is_told_as_its_own(number: int, status: int) -> None:
    refused = ServerRefused(status, b"{}", number=number, description="账号忙")
    error = midjourney.own_refusal(FAILED, refused)
    assert error is not None and midjourney.error_status(error) == 200
    for language in ("", "en"):  # a server's own words stay as they are
        told = json.loads(midjourney.write_error(midjourney.translate(error, language), "req_1"))
        assert (told["code"], told["description"]) == (number, "账号忙")
    bare = midjourney.own_refusal(FAILED, ServerRefused(status, b"{}", number=number, description=""))
    assert bare is not None
    assert json.loads(midjourney.write_error(midjourney.translate(bare, "en"), "req_1"))["description"].isascii()


def test_a_server_s_refusal_that_passes_through_is_told_in_its_reader_s_language() -> None:
    properties = {"promptEn": "nude body", "bannedWord": "nude"}
    body = json.dumps({"code": 24, "description": "可能包含敏感词", "properties": properties}).encode()
    for language, text in (("", "可能包含敏感词"), ("en", "The prompt may hold a banned word.")):
        status, _, written = render(UpstreamRefused(400, body), "req_1", midjourney, language.encode())
        told = json.loads(written)
        assert (status, told["code"], told["description"], told["properties"]) == (200, 24, text, properties)
    own = json.dumps({"code": 4, "description": "别的原因"}).encode()
    assert json.loads(render(UpstreamRefused(400, own), "req_1", midjourney, b"en")[2])["description"] == "别的原因"


@pytest.mark.parametrize(
    ("error", "chinese", "english"),
    [
        (InvalidKey(), "API密钥无效", "Incorrect API key provided."),
        (InvalidKey("You sent no key."), "API密钥无效", "You sent no key."),
        (InvalidKey("It has expired.", code="key_expired"), "API密钥已过期", "It has expired."),
        (TooLarge(), "请求体过大", "The request is too large."),
    ],
)
def test_what_never_came_so_far_is_told_in_its_reader_s_language(
    error: GatewayError, chinese: str, english: str
) -> None:
    for language, text in ((b"", chinese), (b"zh-CN", chinese), (b"en", english)):
        status, _, written = render(error, "req_1", midjourney, language)
        told = json.loads(written)
        assert (status, told["description"], told["error"]["message"]) == (error.status, text, text)
        assert told["error"]["code"] == error.code


@pytest.mark.parametrize(
    "failure", [UpstreamRefused(429), BadAnswer(), ServerRefused(402, b"{}", number=4, description="quota_not_enough")]
)
def test_what_is_no_word_for_the_caller_stays_as_it_is(failure: UpstreamError) -> None:
    assert midjourney.own_refusal(FAILED, failure) is None


def test_the_id_of_a_task_that_found_no_room_is_a_number_where_ids_are() -> None:
    full = QueueFull(task_id="1741531578038999")
    assert json.loads(midjourney.write_error(full, "req_1"))["result"] == "1741531578038999"
    full.shown_id = midjourney.shown_id(full.task_id, CaseView(settings={"numeric_ids": True}))
    assert json.loads(midjourney.write_error(midjourney.translate(full, "en"), "req_1"))["result"] == 1741531578038999
