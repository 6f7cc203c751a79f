"""What Midjourney servers answer beside what the recorded cases show: answers that can't be read, and what they amount to."""

import json

import pytest

from support.task_cases import CaseView
from unigate.base.errors import BadAnswer, QueueFull
from unigate.dialects import midjourney, midjourney_server, midjourney_view
from unigate.spec.task import Answered, Failure, Json, Order, Task

DEEP = b"[" * 100_000


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
    with pytest.raises(BadAnswer):
        recovered({"id": "1", "state": "18"}, {"id": "3"})


def test_the_id_of_a_task_that_found_no_room_is_a_number_where_ids_are() -> None:
    full = QueueFull(task_id="1741531578038999")
    assert json.loads(midjourney.write_error(full, "req_1"))["result"] == "1741531578038999"
    full.shown_id = midjourney.shown_id(full.task_id, CaseView(settings={"numeric_ids": True}))
    assert json.loads(midjourney.write_error(midjourney.translate(full, "en"), "req_1"))["result"] == 1741531578038999
